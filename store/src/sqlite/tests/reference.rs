//! Both stores against the sentence that defines them, written down once more as a map: what a commit does, what reads see,
//! and that a restart in between is not seen at all.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::MemoryStore;

/// The rows of an id: sequence and value.
type Rows = Vec<(u64, Vec<u8>)>;

/// Rows by place: newest last; tables without history hold one.
#[derive(Default, Clone)]
struct Reference {
    rows: BTreeMap<(Table, String), Rows>,
    records: u64,
}

impl Reference {
    /// The words of [`Change`] and [`Work`], and nothing else.
    fn apply(&mut self, work: &Work) -> Result<Receipt, CommitError> {
        let mut trial = self.clone();
        for change in &work.changes {
            let (table, id, expected) = match change {
                Change::Put { table, id, expected, .. } => (*table, id, *expected),
                Change::Delete { table, id, expected } => (*table, id, Some(*expected)),
            };
            let conflict = CommitError::Conflict { table, id: id.clone() };
            let place = (table, id.clone());
            let newest = trial.rows.get(&place).and_then(|rows| rows.last()).map(|(sequence, _)| *sequence);
            if newest != expected {
                return Err(conflict);
            }
            match change {
                Change::Delete { .. } if table == Table::Tombstone => return Err(conflict),
                Change::Delete { .. } => {
                    trial.rows.remove(&place);
                }
                Change::Put { value, .. } => {
                    let buried = trial.rows.contains_key(&(Table::Tombstone, id.clone()));
                    if table == Table::Key && newest.is_none() && buried {
                        return Err(conflict);
                    }
                    let rows = trial.rows.entry(place).or_default();
                    if !table.keeps_history() {
                        rows.clear();
                    }
                    rows.push((newest.unwrap_or(0) + 1, value.to_vec()));
                }
            }
        }
        let receipt = Receipt { first_record: self.records + 1, records: work.events.len() as u64 };
        trial.records += receipt.records;
        *self = trial;
        Ok(receipt)
    }

    fn check(&self, store: &dyn Store, ids: &[String]) {
        for table in Table::ALL {
            let mut scanned: Vec<(String, u64, Vec<u8>)> = Vec::new();
            store.scan(*table, &mut |row| scanned.push((row.id, row.sequence, row.value.to_vec()))).unwrap();
            scanned.sort();
            let newest = |rows: &Rows| rows.last().cloned().unwrap();
            let wanted: Vec<_> = self
                .rows
                .iter()
                .filter(|((of, _), _)| of == table)
                .map(|((_, id), rows)| (id.clone(), newest(rows).0, newest(rows).1))
                .collect();
            assert_eq!(scanned, wanted, "scan of {table}");
            for id in ids {
                let rows = self.rows.get(&(*table, id.clone())).cloned().unwrap_or_default();
                let history = store.history(*table, id).unwrap();
                let history: Vec<_> = history.iter().map(|row| (row.sequence, row.value.to_vec())).collect();
                assert_eq!(history, rows, "history of {table} {id}");
                let read = store.read(*table, id).unwrap().map(|row| (row.sequence, row.value.to_vec()));
                assert_eq!(read, rows.last().cloned(), "read of {table} {id}");
            }
        }
        assert_eq!(store.head().head.length, self.records);
        assert_eq!(store.audit(1, usize::MAX).unwrap().len() as u64, self.records);
    }
}

/// Names that a careless blinding or a careless separator would confuse.
const IDS: [&str; 5] = ["a", "a/b", "a/b#1", "ab", "\u{1F600} \"quoted\""];

#[derive(Debug, Clone)]
struct Op {
    table: Table,
    id: usize,
    /// `None` for the sequence that stands there, else this one.
    guess: Option<u8>,
    delete: bool,
    value: Vec<u8>,
}

fn op() -> impl Strategy<Value = Op> {
    let bytes = prop_oneof![
        prop::collection::vec(any::<u8>(), 0..40),
        // Longer than a page, so that rows lie on several.
        prop::collection::vec(any::<u8>(), 4000..9000),
    ];
    let guess = prop::option::weighted(0.3, 0_u8..4);
    (prop::sample::select(Table::ALL.to_vec()), 0..IDS.len(), guess, prop::bool::weighted(0.2), bytes)
        .prop_map(|(table, id, guess, delete, value)| Op { table, id, guess, delete, value })
}

fn work(ops: &[Op], events: usize, known: &Reference) -> Work {
    let mut seen = known.clone();
    let changes = ops.iter().map(|op| {
        let id = IDS[op.id].to_owned();
        let newest = seen.rows.get(&(op.table, id.clone())).and_then(|rows| rows.last()).map(|(sequence, _)| *sequence);
        let expected = match op.guess {
            None => newest,
            Some(0) => None,
            Some(other) => Some(u64::from(other)),
        };
        let change = match (op.delete, expected) {
            (true, Some(expected)) => Change::Delete { table: op.table, id, expected },
            _ => Change::Put { table: op.table, id, expected, value: Zeroizing::new(op.value.clone()) },
        };
        // What follows in the same work builds on this, where it holds.
        let again = match &change {
            Change::Put { table, id, expected, value } => {
                Change::Put { table: *table, id: id.clone(), expected: *expected, value: value.clone() }
            }
            Change::Delete { table, id, expected } => {
                Change::Delete { table: *table, id: id.clone(), expected: *expected }
            }
        };
        let _holds = seen.apply(&Work { changes: vec![again], events: Vec::new() });
        change
    });
    let changes = changes.collect();
    Work { changes, events: (0..events).map(|n| testing::event(&format!("user{n}"))).collect() }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn both_stores_do_what_the_words_say(
        steps in prop::collection::vec((prop::collection::vec(op(), 0..5), 0..4_usize, prop::bool::weighted(0.15)), 1..25),
    ) {
        let home = Home::new();
        let ids: Vec<String> = IDS.iter().map(|id| (*id).to_owned()).collect();
        let mut store = home.create();
        let memory = MemoryStore::new(HandClock::new(), SeededEntropy::new(9)).unwrap();
        let mut reference = Reference::default();
        for (ops, events, reopen) in &steps {
            let work = || work(ops, *events, &reference);
            let (on_disk, in_memory) = (store.commit(work()).wait(), memory.commit(work()).wait());
            let wanted = { let work = work(); reference.apply(&work) };
            prop_assert_eq!(&on_disk, &wanted);
            prop_assert_eq!(&in_memory, &wanted);
            if *reopen {
                drop(store);
                store = home.open();
                reference.check(&store, &ids);
            }
        }
        reference.check(&store, &ids);
        reference.check(&memory, &ids);
        store.examine().unwrap();
        prop_assert_eq!(store.verify().unwrap().records, reference.records);
    }

    /// Pages of the log, however they are cut, are the log.
    #[test]
    fn pages_are_the_log(batches in prop::collection::vec(1..6_usize, 1..12), from in 0_u64..40, limit in 0..20_usize) {
        let home = Home::new();
        let store = home.create();
        for (at, events) in batches.iter().enumerate() {
            let events = (0..*events).map(|n| testing::event(&format!("u{at}-{n}"))).collect();
            store.commit(Work::record(events)).wait().unwrap();
        }
        let whole = store.audit(1, usize::MAX).unwrap();
        let page = store.audit(from, limit).unwrap();
        let start = usize::try_from(from.max(1) - 1).unwrap().min(whole.len());
        let end = start.saturating_add(limit).min(whole.len());
        prop_assert_eq!(&page[..], &whole[start..end]);
    }
}
