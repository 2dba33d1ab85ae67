//! One suite for every store: the rules that the other rooms build on.
//!
//! Each rule gets a fresh store. Nothing here panics, so that a store in another room may run it in a
//! feature build as well as in its tests.

use std::fmt::Debug;
use std::sync::Arc;

use wardkeep_model::{AuditEvent, Decision, EntityUid, RequestId, Timestamp};
use zeroize::Zeroizing;

use crate::{Change, CommitError, ReadError, Receipt, Row, Store, Table, VerifyError, Work};

/// A rule that a store broke.
#[derive(Debug, thiserror::Error)]
#[error("the store breaks the rule `{rule}`: {found}")]
pub struct Violation {
    /// The rule.
    pub rule: &'static str,
    /// What was seen instead.
    pub found: String,
}

type Check = fn(&Arc<dyn Store>) -> Result<(), Finding>;
type Fresh<'a> = &'a mut dyn FnMut() -> Box<dyn Store>;

/// What a check stumbled over.
struct Finding(String);

const RULES: &[(&str, Check)] = &[
    ("a put is read back", put_and_read),
    ("sequences guard every change", sequences_guard),
    ("a work is applied whole or not at all", all_or_nothing),
    ("histories stay where they are kept", histories),
    ("deleted ids are gone and begin anew", deletion),
    ("a buried key is refused for ever", tombstones),
    ("records are numbered and chained", records),
    ("a conflict records nothing", conflicts_record_nothing),
    ("pages of records fit together", pages),
    ("heads follow commits", heads),
    ("exactly one of many racers wins", races),
    ("a visitor may use the store", visitors),
    ("oversized rows are refused", bounds),
    ("a closed store takes nothing", closing),
];

/// Runs every rule on a store of its own. Answers how many there are.
pub fn all(fresh: Fresh<'_>) -> Result<usize, Violation> {
    for (rule, check) in RULES {
        let store: Arc<dyn Store> = fresh().into();
        check(&store).map_err(|Finding(found)| Violation { rule, found })?;
        store.close();
    }
    Ok(RULES.len())
}

impl From<ReadError> for Finding {
    fn from(error: ReadError) -> Self {
        Self(error.to_string())
    }
}

impl From<VerifyError> for Finding {
    fn from(error: VerifyError) -> Self {
        Self(error.to_string())
    }
}

impl From<CommitError> for Finding {
    fn from(error: CommitError) -> Self {
        Self(error.to_string())
    }
}

impl From<wardkeep_model::IdError> for Finding {
    fn from(error: wardkeep_model::IdError) -> Self {
        Self(error.to_string())
    }
}

fn same<T: PartialEq + Debug>(what: &str, found: T, expected: T) -> Result<(), Finding> {
    if found == expected { Ok(()) } else { Err(Finding(format!("{what}: {found:?} instead of {expected:?}"))) }
}

fn put(table: Table, id: &str, expected: Option<u64>, value: &[u8]) -> Change {
    Change::Put { table, id: id.to_owned(), expected, value: Zeroizing::new(value.to_vec()) }
}

fn delete(table: Table, id: &str, expected: u64) -> Change {
    Change::Delete { table, id: id.to_owned(), expected }
}

fn event(user: &str) -> Result<AuditEvent, Finding> {
    let actor = EntityUid::new("User", user)?;
    Ok(AuditEvent {
        time: Timestamp::from_millis(1),
        subject: actor.clone(),
        resource: EntityUid::new("Wardkeep::Key", "ring/key")?,
        actor,
        action: "Sign".into(),
        record: None,
        decision: Decision::Allow,
        policies: Vec::new(),
        errors: Vec::new(),
        policy_version: 1,
        outcome: "ok",
        request: RequestId::from_random(1),
        serial: None,
        detail: Vec::new(),
    })
}

fn change(store: &Arc<dyn Store>, changes: Vec<Change>) -> Result<Receipt, CommitError> {
    store.commit(Work { changes, events: Vec::new() }).wait()
}

fn conflict(table: Table, id: &str) -> Result<Receipt, CommitError> {
    Err(CommitError::Conflict { table, id: id.to_owned() })
}

fn value(row: Option<Row>) -> Option<(u64, Vec<u8>)> {
    row.map(|row| (row.sequence, row.value.to_vec()))
}

fn put_and_read(store: &Arc<dyn Store>) -> Result<(), Finding> {
    for table in Table::ALL.iter().filter(|table| **table != Table::Tombstone) {
        same("before", value(store.read(*table, "a/b")?), None)?;
        change(store, vec![put(*table, "a/b", None, table.as_str().as_bytes()), put(*table, "c", None, b"")])?;
    }
    for table in Table::ALL.iter().filter(|table| **table != Table::Tombstone) {
        same("read", value(store.read(*table, "a/b")?), Some((1, table.as_str().as_bytes().to_vec())))?;
        let mut found = Vec::new();
        store.scan(*table, &mut |row| found.push(row.id))?;
        found.sort();
        same("scan", found, vec!["a/b".to_owned(), "c".to_owned()])?;
    }
    Ok(())
}

fn sequences_guard(store: &Arc<dyn Store>) -> Result<(), Finding> {
    for table in [Table::Key, Table::Entity] {
        let no = || conflict(table, "a");
        same("put over nothing", change(store, vec![put(table, "a", Some(1), b"x")]), no())?;
        same("delete nothing", change(store, vec![delete(table, "a", 1)]), no())?;
        change(store, vec![put(table, "a", None, b"1")])?;
        same("first put twice", change(store, vec![put(table, "a", None, b"x")]), no())?;
        change(store, vec![put(table, "a", Some(1), b"2")])?;
        for stale in [0, 1, 3] {
            same("stale put", change(store, vec![put(table, "a", Some(stale), b"x")]), no())?;
            same("stale delete", change(store, vec![delete(table, "a", stale)]), no())?;
        }
        same("newest", value(store.read(table, "a")?), Some((2, b"2".to_vec())))?;
    }
    Ok(())
}

fn all_or_nothing(store: &Arc<dyn Store>) -> Result<(), Finding> {
    change(store, vec![put(Table::Ring, "a", None, b"1"), put(Table::Material, "m", None, b"1")])?;
    let work = vec![
        put(Table::Ring, "a", Some(1), b"2"),
        delete(Table::Material, "m", 1),
        put(Table::Entity, "new", None, b"x"),
        put(Table::Role, "r", Some(7), b"x"),
    ];
    same("half a work", change(store, work), conflict(Table::Role, "r"))?;
    same("ring", value(store.read(Table::Ring, "a")?), Some((1, b"1".to_vec())))?;
    same("material", value(store.read(Table::Material, "m")?), Some((1, b"1".to_vec())))?;
    same("entity", value(store.read(Table::Entity, "new")?), None)?;
    // One work may change an id more than once.
    change(store, vec![put(Table::Ring, "a", Some(1), b"2"), put(Table::Ring, "a", Some(2), b"3")])?;
    same("ring", value(store.read(Table::Ring, "a")?), Some((3, b"3".to_vec())))
}

fn histories(store: &Arc<dyn Store>) -> Result<(), Finding> {
    for table in Table::ALL.iter().filter(|table| **table != Table::Tombstone) {
        change(store, vec![put(*table, "a", None, b"1")])?;
        change(store, vec![put(*table, "a", Some(1), b"2")])?;
        change(store, vec![put(*table, "a", Some(2), b"3")])?;
        let found: Vec<_> = store.history(*table, "a")?.iter().map(|row| row.sequence).collect();
        same(table.as_str(), found, if table.keeps_history() { vec![1, 2, 3] } else { vec![3] })?;
        let mut newest = Vec::new();
        store.scan(*table, &mut |row| newest.push(row.sequence))?;
        same("scan shows the newest", newest, vec![3])?;
    }
    same("history of nothing", store.history(Table::Key, "none")?.len(), 0)
}

fn deletion(store: &Arc<dyn Store>) -> Result<(), Finding> {
    for table in [Table::Ring, Table::Material, Table::Idempotency] {
        change(store, vec![put(table, "a", None, b"1")])?;
        change(store, vec![put(table, "a", Some(1), b"2")])?;
        change(store, vec![delete(table, "a", 2)])?;
        same("deleted", value(store.read(table, "a")?), None)?;
        same("history", store.history(table, "a")?.len(), 0)?;
        change(store, vec![put(table, "a", None, b"3")])?;
        same("again", value(store.read(table, "a")?), Some((1, b"3".to_vec())))?;
    }
    Ok(())
}

fn tombstones(store: &Arc<dyn Store>) -> Result<(), Finding> {
    change(store, vec![put(Table::Key, "r/a", None, b"1")])?;
    change(store, vec![put(Table::Tombstone, "r/a", None, b"t"), put(Table::Key, "r/a", Some(1), b"destroyed")])?;
    change(store, vec![put(Table::Key, "r/a", Some(2), b"described")])?;
    change(store, vec![delete(Table::Key, "r/a", 3)])?;
    let again = || change(store, vec![put(Table::Key, "r/a", None, b"x")]);
    same("a buried key again", again(), conflict(Table::Key, "r/a"))?;
    same("digging up", change(store, vec![delete(Table::Tombstone, "r/a", 1)]), conflict(Table::Tombstone, "r/a"))?;
    same("still", again(), conflict(Table::Key, "r/a"))?;
    change(store, vec![put(Table::Key, "r/b", None, b"1")]).map(|_| ()).map_err(Finding::from)
}

fn records(store: &Arc<dyn Store>) -> Result<(), Finding> {
    same("no records", store.audit(1, 10)?.len(), 0)?;
    let two = store.commit(Work::record(vec![event("ana")?, event("ben")?])).wait()?;
    same("receipt", two, Receipt { first_record: 1, records: 2 })?;
    let none = change(store, vec![put(Table::Ring, "a", None, b"1")])?;
    same("receipt of a silent work", none, Receipt { first_record: 3, records: 0 })?;
    let one = store.commit(Work::record(vec![event("eve")?])).wait()?;
    same("receipt", one, Receipt { first_record: 3, records: 1 })?;
    let found = store.audit(0, 10)?;
    same("numbers", found.iter().map(|record| record.sequence).collect(), vec![1, 2, 3])?;
    for pair in found.windows(2) {
        if let [before, after] = pair {
            same("chain", after.previous, before.hash)?;
        }
    }
    let actors: Result<Vec<_>, _> =
        found.iter().map(|record| record.event().map(|event| event.actor.id().to_owned())).collect();
    same("actors", actors.map_err(|error| Finding(error.to_string()))?.join(" "), "ana ben eve".to_owned())?;
    same("last hash", found.last().map(|record| record.hash), Some(store.head().head.hash))?;
    same("verified", store.verify()?.records, 3)
}

fn conflicts_record_nothing(store: &Arc<dyn Store>) -> Result<(), Finding> {
    let work = Work { changes: vec![put(Table::Ring, "a", Some(9), b"")], events: vec![event("ana")?] };
    same("conflict", store.commit(work).wait(), conflict(Table::Ring, "a"))?;
    same("records", store.audit(1, 10)?.len(), 0)?;
    same("length", store.head().head.length, 0)
}

fn pages(store: &Arc<dyn Store>) -> Result<(), Finding> {
    for size in [1, 3, 0, 5, 1, 7] {
        let events = (0..size).map(|_| event("ana")).collect::<Result<Vec<_>, _>>()?;
        store.commit(Work::record(events)).wait()?;
    }
    for from in 0..20_u64 {
        for limit in [0, 1, 2, 5, 100] {
            let found: Vec<_> = store.audit(from, limit)?.iter().map(|record| record.sequence).collect();
            same("page", found, (from.max(1)..=17).take(limit).collect())?;
        }
    }
    Ok(())
}

fn heads(store: &Arc<dyn Store>) -> Result<(), Finding> {
    let key = store.audit_public_key();
    let mut last = store.head();
    for (at, table) in [Table::Ring, Table::Idempotency].into_iter().enumerate() {
        change(store, vec![put(table, "a", None, b"1")])?;
        let head = store.head();
        same("signed", head.verify(&key), true)?;
        same("commit", head.head.commit, last.head.commit + 1)?;
        same("same store", head.head.store, last.head.store)?;
        same("digest moves with a ring", head.head.digest != last.head.digest || at == 1, true)?;
        last = head;
    }
    store.commit(Work::record(vec![event("ana")?])).wait()?;
    same("hash moves", store.head().head.hash != last.head.hash, true)?;
    same("tombstones", store.head().head.tombstones, 0)?;
    change(store, vec![put(Table::Tombstone, "r/a", None, b"")])?;
    same("tombstones", store.head().head.tombstones, store.head().head.commit)
}

fn races(store: &Arc<dyn Store>) -> Result<(), Finding> {
    const RACERS: usize = 8;
    change(store, vec![put(Table::Key, "r/a", None, b"start")])?;
    for round in 1..=5_u64 {
        let racers: Vec<_> = (0..RACERS)
            .map(|racer| {
                let store = store.clone();
                let id = format!("{racer}");
                std::thread::spawn(move || {
                    change(&store, vec![put(Table::Key, "r/a", Some(round), id.as_bytes())]).is_ok()
                })
            })
            .collect();
        let won = racers.into_iter().filter_map(|racer| racer.join().ok()).filter(|won| *won).count();
        same("winners", won, 1)?;
    }
    same("history", store.history(Table::Key, "r/a")?.len(), 6)
}

fn visitors(store: &Arc<dyn Store>) -> Result<(), Finding> {
    let changes = (0..600).map(|n| put(Table::Entity, &format!("e{n}"), None, b"1")).collect();
    change(store, changes)?;
    let mut seen = 0;
    let mut failed = None;
    store.scan(Table::Entity, &mut |row| {
        seen += 1;
        if seen < 5 {
            let again = store.read(Table::Entity, &row.id).map(value);
            let changed = change(store, vec![put(Table::Entity, &row.id, Some(1), b"2")]);
            if again.is_err() || changed.is_err() {
                failed = Some(row.id);
            }
        }
    })?;
    same("failed", failed, None)?;
    same("seen", seen, 600)
}

fn bounds(store: &Arc<dyn Store>) -> Result<(), Finding> {
    let long = "x".repeat(crate::MAX_ID + 1);
    same("long id", change(store, vec![put(Table::Ring, &long, None, b"")]), Err(CommitError::Failed))?;
    same("empty id", change(store, vec![put(Table::Ring, "", None, b"")]), Err(CommitError::Failed))?;
    same("longest id", change(store, vec![put(Table::Ring, &"x".repeat(crate::MAX_ID), None, b"")]).is_ok(), true)
}

fn closing(store: &Arc<dyn Store>) -> Result<(), Finding> {
    change(store, vec![put(Table::Ring, "a", None, b"")])?;
    store.close();
    same("closed", change(store, vec![put(Table::Ring, "b", None, b"")]), Err(CommitError::Closed))
}
