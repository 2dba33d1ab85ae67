//! Public keys registered for subjects.

pub mod delete;
pub mod get;
pub mod put;

use axum::Json;
use wardkeep_api::recipient as wire;
use wardkeep_kms::RegisteredRecipient;

use super::etag::Tagged;
use super::wire::entity_ref;

/// A registration as a tagged answer.
fn answer(found: &RegisteredRecipient) -> Tagged<Json<wire::RegisteredRecipient>> {
    let RegisteredRecipient { subject, key, changed, revision } = found;
    let answer = wire::RegisteredRecipient {
        subject: entity_ref(subject),
        spki: key.spki_der().into(),
        fingerprint: key.fingerprint().to_string(),
        changed: changed.to_string(),
        revision: *revision,
    };
    Tagged { revision: *revision, answer: Json(answer) }
}
