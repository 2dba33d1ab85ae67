//! The audit log.

use wardkeep_api::audit::{AuditHead, AuditPage, AuditVerdict};
use wardkeep_api::page::Nothing;

use crate::call::{Call, query};
use crate::{CallError, Client};

/// The verbs of the audit log; see [`Client::audit`].
#[derive(Debug, Clone, Copy)]
pub struct Audit<'a>(&'a Client);

/// Which records to read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditQuery {
    /// The first record's number, counted from 1.
    pub from: Option<u64>,
    /// Most records; the server's default where it is absent.
    pub limit: Option<u32>,
}

impl Client {
    /// The audit log.
    #[must_use]
    pub fn audit(&self) -> Audit<'_> {
        Audit(self)
    }
}

impl Audit<'_> {
    /// `GET /v1/audit/records`. To follow the log, ask again with `from` set to the page's `next`.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn records(&self, question: &AuditQuery) -> Result<AuditPage, CallError> {
        let pairs = [
            ("from", question.from.map(|from| from.to_string())),
            ("limit", question.limit.map(|limit| limit.to_string())),
        ];
        self.0.ask(Call::get(query("/v1/audit/records", &pairs))).await
    }

    /// `GET /v1/audit/head`: the newest signed head.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn head(&self) -> Result<AuditHead, CallError> {
        self.0.ask(Call::get("/v1/audit/head")).await
    }

    /// `POST /v1/audit/verify`: the server walks its whole log. May take long: see [`Client::with_deadline`].
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn verify(&self) -> Result<AuditVerdict, CallError> {
        self.0.ask(Call::repeatable_post("/v1/audit/verify").json(&Nothing {})?).await
    }
}
