//! The audit log: read, newest head, verify.

use std::sync::Arc;

use wardkeep_model::action::{ReadAudit, VerifyAudit};
use wardkeep_model::{EventDetail, Permit};
use wardkeep_store::{AuditRecord, SignedHead, Verdict, VerifyError};

use super::{Admin, AdminError, blocking};

impl Admin {
    /// At most `limit` records from number `from`. The record of this reading comes after them.
    ///
    /// # Errors
    /// What the store says.
    pub async fn audit_records(
        &self,
        permit: Permit<ReadAudit>,
        from: u64,
        limit: usize,
    ) -> Result<Vec<AuditRecord>, AdminError> {
        let store = Arc::clone(&self.store);
        let found = blocking(move || Ok(store.audit(from, limit)?)).await;
        let count = found.as_ref().map_or(0, Vec::len).to_string();
        let event = permit.into_event().with(EventDetail::Filter, format!("from {from}"));
        self.record(event.with(EventDetail::Count, count), found).await
    }

    /// The newest head, and the key that signs heads.
    ///
    /// # Errors
    /// What the store says.
    pub async fn audit_head(&self, permit: Permit<ReadAudit>) -> Result<(SignedHead, [u8; 32]), AdminError> {
        self.record(permit.into_event(), Ok((self.store.head(), self.store.audit_public_key()))).await
    }

    /// Walks the whole log. What is wrong with it is the answer, not a failure of the verb.
    ///
    /// # Errors
    /// What the store says about the record of this verification.
    pub async fn verify_audit(&self, permit: Permit<VerifyAudit>) -> Result<Result<Verdict, VerifyError>, AdminError> {
        let store = Arc::clone(&self.store);
        let verdict = blocking(move || Ok(store.verify())).await?;
        let outcome = if verdict.is_ok() { "holds" } else { "broken" };
        self.record(permit.into_event().with(EventDetail::Reason, outcome), Ok(verdict)).await
    }
}
