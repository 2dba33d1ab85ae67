//! `POST /v1/keys`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use wardkeep_api::key::{CreateKey, Key};
use wardkeep_kms::NewKey;
use wardkeep_model::{KeyId, action};

use super::{answer, spec, usage};
use crate::http::etag::Tagged;
use crate::http::extract::KeyedAsker;
use crate::http::json::HashedJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Makes a key in a ring.
#[utoipa::path(post, path = "/v1/keys", tag = "keys", request_body = CreateKey, responses((status = 201, body = Key)))]
pub async fn create_key(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    body: HashedJson<CreateKey>,
) -> Result<(StatusCode, Tagged<Json<Key>>), Fault> {
    let CreateKey { key, spec: spec_word, usage: usage_word, labels, rotation_days, activate } = body.value;
    let id = KeyId::parse(&key)?;
    let idempotency = keyed.idempotency("create-key", id.as_str(), body.hash);
    let new =
        NewKey { id: id.clone(), spec: spec(spec_word), usage: usage(usage_word), labels, rotation_days, activate };

    let permit = keyed.asker.permit_key::<action::CreateKey>(&id).await?;
    let made = app.kms.create_key(permit, new, idempotency).await?;
    Ok((StatusCode::CREATED, answer(&made)?))
}
