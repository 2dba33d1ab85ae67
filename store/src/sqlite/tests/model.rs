//! The embedded store against the one in memory: whatever is asked of both, in whatever order and with
//! restarts in between, both answer the same.

use proptest::prelude::*;

use super::*;
use crate::MemoryStore;

/// One step of a random history. Ids and sequences come from small sets, so that conflicts are common.
#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<Op>, u8),
    Reopen,
    /// A kill: files as they lie, log not folded in.
    Crash,
}

#[derive(Debug, Clone)]
struct Op {
    table: Table,
    id: u8,
    expected: u8,
    delete: bool,
    length: u16,
}

fn op() -> impl Strategy<Value = Op> {
    let tables = prop::sample::select(vec![
        Table::Key,
        Table::Material,
        Table::Tombstone,
        Table::Role,
        Table::Entity,
        Table::Idempotency,
    ]);
    (tables, 0_u8..3, 0_u8..4, prop::bool::weighted(0.25), 0_u16..6000)
        .prop_map(|(table, id, expected, delete, length)| Op { table, id, expected, delete, length })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (prop::collection::vec(op(), 0..4), 0_u8..4).prop_map(|(ops, events)| Step::Commit(ops, events)),
        1 => Just(Step::Reopen),
        1 => Just(Step::Crash),
    ]
}

impl Op {
    fn change(&self) -> Change {
        let id = format!("r/{}", self.id);
        if self.delete {
            return Change::Delete { table: self.table, id, expected: u64::from(self.expected) };
        }
        let expected = (self.expected > 0).then(|| u64::from(self.expected));
        put(self.table, &id, expected, &"v".repeat(usize::from(self.length)))
    }
}

fn work(ops: &[Op], events: u8) -> Work {
    let events = (0..events).map(|n| testing::event(&format!("user{n}"))).collect();
    Work { changes: ops.iter().map(Op::change).collect(), events }
}

/// Sequence and length of every row of an id.
type Shape = Vec<(u64, usize)>;

fn rows_of(store: &dyn Store) -> Vec<(Table, String, Shape)> {
    let mut rows = Vec::new();
    for table in Table::ALL {
        for id in 0..3 {
            let id = format!("r/{id}");
            let history = store.history(*table, &id).unwrap();
            let newest = store.read(*table, &id).unwrap().map(|row| row.sequence);
            assert_eq!(newest, history.last().map(|row| row.sequence));
            rows.push((*table, id, history.iter().map(|row| (row.sequence, row.value.len())).collect()));
        }
    }
    rows
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_answer_the_same(steps in prop::collection::vec(step(), 1..40)) {
        let home = Home::new();
        let mut store = home.create();
        let memory = MemoryStore::new(HandClock::new(), SeededEntropy::new(7)).unwrap();
        for step in &steps {
            match step {
                Step::Commit(ops, events) => {
                    let answer = store.commit(work(ops, *events)).wait();
                    prop_assert_eq!(answer, memory.commit(work(ops, *events)).wait());
                }
                Step::Reopen => {
                    drop(store);
                    store = home.open();
                }
                Step::Crash => {
                    home.copy("crashed");
                    drop(store);
                    home.restore("crashed");
                    std::fs::remove_dir_all(home.folder.path().join("crashed")).unwrap();
                    // The head was written while closing; the crashed files hold all that it speaks of.
                    store = home.open();
                }
            }
        }
        prop_assert_eq!(rows_of(&store), rows_of(&memory));
        let lines = |store: &dyn Store| store.audit(1, 1000).unwrap().into_iter().map(|record| record.line).collect::<Vec<_>>();
        prop_assert_eq!(lines(&store), lines(&memory));
        prop_assert_eq!(store.verify().unwrap().records, memory.head().head.length);
        store.examine().unwrap();
    }

    /// No single changed byte of a row or batch gets past both the start and the walk over the log.
    #[test]
    fn no_changed_byte_goes_unnoticed(column in 0..3_usize, pick in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let home = Home::new();
        let store = home.create();
        fill(&store);
        drop(store);
        let (table, column) = [("state", "sealed"), ("state", "tag"), ("audit", "sealed")][column];
        let connection = Connection::open(home.database()).unwrap();
        // Idempotency rows are not digested; they are refused when they are read.
        let filter = if table == "state" { "WHERE kind <> 15" } else { "" };
        let values: Vec<Vec<u8>> = connection
            .prepare(&format!("SELECT {column} FROM {table} {filter} ORDER BY {column}"))
            .unwrap()
            .query_map([], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        let value = pick.get(&values);
        let mut forged = value.clone();
        let at = pick.index(forged.len());
        forged[at] ^= 1 << bit;
        let sql = format!("UPDATE {table} SET {column} = ?1 WHERE {column} = ?2");
        prop_assert!(connection.execute(&sql, (&forged, value)).unwrap() >= 1);
        drop(connection);
        if let Ok((store, _)) = SqliteStore::open(home.options()) {
            prop_assert!(table == "audit" && store.verify().is_err());
        }
    }
}
