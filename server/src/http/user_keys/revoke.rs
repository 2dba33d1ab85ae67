//! `POST /v1/user-keys/revoke`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::user_key::{RevokeUserKeys, RevokedUserKeys};
use wardkeep_kms::Revoke;
use wardkeep_model::KeyId;
use wardkeep_model::action::RevokeUserKey;

use crate::http::authorities::revocations;
use crate::http::extract::Asker;
use crate::http::json::LargeJson;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Revokes user keys by serial or by subject, and signs the list that says so. What was sealed before stays open to them.
/// A serial that was given and is in no book any more is 404 `user-key-swept`.
#[utoipa::path(post, path = "/v1/user-keys/revoke", tag = "user keys", request_body = RevokeUserKeys,
    responses((status = 200, body = RevokedUserKeys)))]
pub async fn revoke_user_keys(
    State(app): State<Arc<App>>,
    asker: Asker,
    LargeJson(body): LargeJson<RevokeUserKeys>,
) -> Result<Json<RevokedUserKeys>, Fault> {
    let RevokeUserKeys { key, version, serials, subject } = body;
    let (key, version) = (KeyId::parse(&key)?, wire::version(version)?);
    let which = match (serials, subject) {
        (Some(serials), None) => Revoke::Serials { version, serials },
        (None, Some(subject)) if version.is_none() => Revoke::Subject(wire::entity_uid(&subject)?),
        (None, Some(_)) => return Err(Fault::ExactlyOne { first: "version", second: "subject" }),
        _ => return Err(Fault::ExactlyOne { first: "serials", second: "subject" }),
    };
    let permit = asker.permit_key::<RevokeUserKey>(&key).await?;
    let done = app.kms.revoke_user_keys(permit, &key, which).await?;
    let revoked = u64::try_from(done.revoked).unwrap_or(u64::MAX);
    Ok(Json(RevokedUserKeys { revoked, lists: done.lists.iter().map(revocations).collect() }))
}
