//! `POST /v1/keys`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use wardkeep_api::key::{CreateKey, Key};
use wardkeep_kms::NewKey;
use wardkeep_model::{KeyFacts, KeyId, KeySpec, action};
use wardkeep_policy::Resource;

use super::{answer, spec, usage};
use crate::http::authorities::plan;
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
    let idempotency = keyed.idempotency("create-key", "", body.hash);
    let (spec, usage) = (spec(spec_word), usage(usage_word));
    // Decided on the key as it is to be, whether or not there is one of that name: a rule about labels, usage or spec
    // would otherwise be blind at the one moment when they are chosen.
    let facts = KeyFacts {
        id: id.clone(),
        usage,
        spec,
        labels: Arc::new(labels.clone()),
        exportable: false,
        origin: "wardkeep",
        revision: 0,
    };

    let permit = keyed.asker.permit::<action::CreateKey>(Resource::Key(&facts)).await?;
    let plan = if spec == KeySpec::FabeoBls12381 { plan(&app, &id)? } else { None };
    let new = NewKey { id, spec, usage, labels, rotation_days, activate, plan };
    let made = app.kms.create_key(permit, new, idempotency).await?;
    Ok((StatusCode::CREATED, answer(&made)?))
}
