//! A store that fails: what cannot be recorded is not done, and what was not durable is not believed.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Arc, Mutex};

use wardkeep_model::{KeySpec, KeyState, KeyUsage};
use wardkeep_store::{
    AuditRecord, Change, Commit, Health, MemoryStore, ReadError, Row, SignedHead, Store, Table, Verdict, VerifyError,
    Work,
};

use super::fixture::{Fixture, context, id};
use crate::service::{Kms, Precondition, Settings, UnwrapDataKey};
use crate::{GenerateDataKey, KmsError};

const NONE: Precondition = Precondition { revision: None };
const WELL: u8 = 0;
/// Changes are refused, events are taken: as a full disk does before the reserve is spent.
const FULL: u8 = 1;
/// Everything is refused: as when the reserve is spent.
const SPENT: u8 = 2;
/// Every change meets another that came first.
const CONTENDED: u8 = 3;

/// A store in memory that can be told to fail.
struct Faulty {
    real: Arc<MemoryStore>,
    /// Refuses whatever it is given.
    closed: Arc<MemoryStore>,
    mode: AtomicU8,
    outcomes: Mutex<Vec<&'static str>>,
}

impl Store for Faulty {
    fn commit(&self, work: Work) -> Commit {
        let changes = !work.changes.is_empty();
        match self.mode.load(Ordering::SeqCst) {
            FULL if changes => self.closed.commit(work),
            SPENT => self.closed.commit(work),
            CONTENDED if changes => {
                let lost = Change::Delete { table: Table::Setting, id: "not there".to_owned(), expected: 1 };
                self.real.commit(Work { changes: vec![lost], events: vec![] })
            }
            _ => {
                self.outcomes.lock().unwrap().extend(work.events.iter().map(|event| event.outcome));
                self.real.commit(work)
            }
        }
    }
    fn read(&self, table: Table, id: &str) -> Result<Option<Row>, ReadError> {
        self.real.read(table, id)
    }
    fn scan(&self, table: Table, visit: &mut dyn FnMut(Row)) -> Result<(), ReadError> {
        self.real.scan(table, visit)
    }
    fn history(&self, table: Table, id: &str) -> Result<Vec<Row>, ReadError> {
        self.real.history(table, id)
    }
    fn audit(&self, from: u64, limit: usize) -> Result<Vec<AuditRecord>, ReadError> {
        self.real.audit(from, limit)
    }
    fn head(&self) -> SignedHead {
        self.real.head()
    }
    fn verify(&self) -> Result<Verdict, VerifyError> {
        self.real.verify()
    }
    fn health(&self) -> Health {
        self.real.health()
    }
    fn audit_public_key(&self) -> [u8; 32] {
        self.real.audit_public_key()
    }
}

async fn faulty() -> (Fixture, Arc<Faulty>, Kms, Vec<u8>) {
    let fixture = Fixture::new().await;
    fixture.create("ring/key", KeySpec::Aes256Gcm, KeyUsage::Wrap).await;
    let wrapped = fixture.generate(&id("ring/key"), &context("a")).await.unwrap().wrapped;
    let closed = super::fixture::store();
    closed.close();
    let (real, mode, outcomes) = (fixture.store.clone(), AtomicU8::new(WELL), Mutex::default());
    let store = Arc::new(Faulty { real, closed, mode, outcomes });
    let (clock, entropy) = (fixture.clock.clone(), fixture.entropy.clone());
    let kms = Kms::load(store.clone(), clock, entropy, Settings::default()).unwrap();
    (fixture, store, kms, wrapped)
}

#[tokio::test]
async fn what_cannot_be_recorded_is_not_answered() {
    let (fixture, store, kms, wrapped) = faulty().await;
    let (key, context) = (id("ring/key"), context("a"));
    store.mode.store(SPENT, Ordering::SeqCst);
    let request = UnwrapDataKey { wrapped: wrapped.clone(), context: context.clone(), recipient: None };
    let opened = kms.unwrap_data_key(fixture.permit_with(&key, &context), request).await;
    assert_eq!(opened.err(), Some(KmsError::StoreUnavailable));
    let described = kms.describe_key(fixture.permit(&key), &key).await;
    assert_eq!(described.err(), Some(KmsError::StoreUnavailable));
    // Nor is an error: whoever probes leaves a trace or gets none.
    let request = UnwrapDataKey { wrapped: vec![0], context: context.clone(), recipient: None };
    let probed = kms.unwrap_data_key(fixture.permit_with(&key, &context), request).await;
    assert_eq!(probed.err(), Some(KmsError::StoreUnavailable));
}

#[tokio::test]
async fn on_a_full_disk_changes_are_refused_and_what_is_kept_stays_readable() {
    let error = KmsError::StoreUnavailable;
    let (fixture, store, kms, wrapped) = faulty().await;
    let (key, context) = (id("ring/key"), context("a"));
    store.mode.store(FULL, Ordering::SeqCst);
    let suspended = kms.suspend_key(fixture.permit(&key), &key, None, NONE, None).await;
    assert_eq!(suspended.err(), Some(error.clone()));
    assert_eq!(store.outcomes.lock().unwrap().last(), Some(&error.code()), "the refusal is recorded");
    let info = kms.describe_key(fixture.permit(&key), &key).await.unwrap();
    assert_eq!(info.versions[0].state, KeyState::Active, "what was not durable is not believed");
    let request = UnwrapDataKey { wrapped, context: context.clone(), recipient: None };
    assert!(kms.unwrap_data_key(fixture.permit_with(&key, &context), request).await.is_ok());
    // The first use of a started process reserves a block, which is a change.
    let request = GenerateDataKey { key: key.clone(), context: context.clone(), recipient: None, plaintext: true };
    let made = kms.generate_data_key(fixture.permit_with(&key, &context), request).await;
    assert_eq!(made.err(), Some(error));
    // Once there is room again it goes on.
    store.mode.store(WELL, Ordering::SeqCst);
    kms.suspend_key(fixture.permit(&key), &key, None, NONE, None).await.unwrap();
}

#[tokio::test]
async fn whoever_keeps_losing_the_race_gives_up_after_a_while() {
    let (fixture, store, kms, _) = faulty().await;
    let key = id("ring/key");
    store.mode.store(CONTENDED, Ordering::SeqCst);
    let rotated = kms.rotate_key(fixture.permit(&key), &key, NONE, None).await;
    assert_eq!(rotated.err(), Some(KmsError::Contended));
    let mut material = 0;
    fixture.store.scan(Table::Material, &mut |_| material += 1).unwrap();
    assert_eq!(material, 1, "no material is left of a version that never was");
}

#[tokio::test]
async fn another_process_moved_the_key_on_and_this_one_follows() {
    let (fixture, _, kms, _) = faulty().await;
    let key = id("ring/key");
    fixture.rotate(&key).await;
    fixture.suspend(&key).await;
    // This one still remembers revision 1: it loses, reads again, and suspends nothing twice.
    assert_eq!(kms.facts(&key).unwrap().revision, 1);
    let again = kms.suspend_key(fixture.permit(&key), &key, None, NONE, None).await;
    assert!(matches!(again.err(), Some(KmsError::NoTransition { .. })));
    assert_eq!(kms.facts(&key).unwrap().revision, 3);
    let info = kms.enable_key(fixture.permit(&key), &key, None, NONE, None).await.unwrap();
    assert_eq!((info.facts.revision, info.versions.len()), (4, 2));
}

#[test]
fn codes_are_kebab_case_and_messages_say_no_secret() {
    let some = [
        KmsError::CannotOpen,
        KmsError::PermitMismatch,
        KmsError::Busy,
        KmsError::StoreFull,
        KmsError::TombstonesFull,
        KmsError::TooLarge { len: 1, max: 2 },
        KmsError::Recipient(crate::RecipientError::ModulusSize { bits: 2048 }),
    ];
    let mut codes = std::collections::BTreeSet::new();
    for error in some {
        assert!(codes.insert(error.code()));
        assert!(error.code().bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'));
        assert!(error.to_string().starts_with(|c: char| c.is_lowercase() || c.is_ascii_digit()));
    }
}
