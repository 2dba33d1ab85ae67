//! What an accepted rollback does to serials.
//!
//! An older database does not know the serials that were given after it was copied, and would give them again: two keys of
//! one serial, of which a revocation by that serial takes back the wrong one. So after an accepted rollback no version that
//! is there gives another serial; a rotation makes a version that never gave any.

use std::sync::Arc;

use wardkeep_model::{KeyState, KeyUsage};
use wardkeep_store::{Change, ROLLBACK, Store, Table, Work};

use super::Book;
use crate::error::LoadError;
use crate::keyring::Keyring;
use crate::service::authority::ledger_change;

/// Spends the serials of every authority version, if the store says that a rollback was accepted and nobody heeded it.
pub(crate) fn heed(store: &dyn Store, keyring: &Keyring, book: &Book) -> Result<(), LoadError> {
    let Some(mark) = store.read(Table::Setting, ROLLBACK)? else { return Ok(()) };
    let mut changes = vec![Change::Delete { table: Table::Setting, id: ROLLBACK.to_owned(), expected: mark.sequence }];
    let mut rows = Vec::new();
    for key in keyring.keys_after(None, usize::MAX).iter().filter(|key| key.body.usage == KeyUsage::Issue) {
        for version in key.body.versions.iter().filter(|version| version.state != KeyState::Destroyed) {
            let ledger = book.ledger(&key.facts.id, version.number);
            ledger.spend();
            let unreadable = |_| LoadError::Row { table: "user-key", id: key.facts.id.to_string() };
            let (put, body) = ledger_change(&key.facts.id, version.number, &ledger, None).map_err(unreadable)?;
            changes.push(put);
            rows.push((Arc::clone(&ledger), body));
        }
    }
    match store.commit(Work { changes, events: vec![] }).wait() {
        Ok(_) => {
            rows.into_iter().for_each(|(ledger, body)| ledger.install_row(ledger.sequence().unwrap_or(0) + 1, body))
        }
        // It holds for this start; the mark stays for the next.
        Err(error) => tracing::warn!(%error, "that serials are spent after a rollback could not be kept"),
    }
    tracing::warn!("after the accepted rollback authorities issue nothing until they are rotated");
    Ok(())
}
