//! `POST /v1/data-keys/unwrap` and its batch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::data_key::{UnwrapDataKey, UnwrappedDataKey};
use wardkeep_api::page::{Batch, BatchAnswer};
use wardkeep_api::{Base64, Secret};
use wardkeep_kms as kms;
use wardkeep_model::action;

use crate::http::batch;
use crate::http::extract::{Asker, Use};
use crate::http::json::{Json as Body, LargeJson};
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Opens a wrapped data key, if both the key's and the record's rules say so.
#[utoipa::path(post, path = "/v1/data-keys/unwrap", tag = "data keys", request_body = UnwrapDataKey,
    responses((status = 200, body = UnwrappedDataKey)))]
pub async fn unwrap_data_key(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<UnwrapDataKey>,
) -> Result<Json<UnwrappedDataKey>, Fault> {
    Ok(Json(answer(unwrap(&app, &asker, parse(body)?).await?)))
}

/// Opens up to 100 wrapped data keys, each decided and recorded by itself.
#[utoipa::path(post, path = "/v1/data-keys/unwrap/batch", tag = "data keys", request_body = Batch<UnwrapDataKey>,
    responses((status = 200, body = BatchAnswer<UnwrappedDataKey>)))]
pub async fn unwrap_data_keys(
    State(app): State<Arc<App>>,
    asker: Asker,
    LargeJson(items): LargeJson<Batch<UnwrapDataKey>>,
) -> Result<Json<BatchAnswer<UnwrappedDataKey>>, Fault> {
    let one = async |app: Arc<App>, asker: &Asker, item| Ok(answer(unwrap(&app, asker, parse(item)?).await?));
    Ok(Json(batch::each(app, asker, items, one).await?))
}

fn parse(wire: UnwrapDataKey) -> Result<kms::UnwrapDataKey, Fault> {
    let UnwrapDataKey { wrapped, context, recipient } = wire;
    let (context, recipient) = (wire::context(context)?, wire::recipient(recipient)?);
    Ok(kms::UnwrapDataKey { wrapped: wrapped.0, context, recipient })
}

/// Decides on the key and version that the input names, unauthenticated, and opens with that very input: a false name
/// is the uniform error.
pub(super) async fn unwrap(app: &App, asker: &Asker, asked: kms::UnwrapDataKey) -> Result<kms::Unwrapped, Fault> {
    let named = app.kms.peek(&asked.wrapped)?;
    let recipient = asked.recipient.as_ref().map(kms::RecipientKey::fingerprint);
    let compromised = app.kms.is_compromised(&named.key, named.version);
    let used = Use { key: &named.key, context: Some(&asked.context), recipient: recipient.as_ref(), compromised };
    let permit = asker.permit_use::<action::UnwrapDataKey>(used).await?;
    Ok(app.kms.unwrap_data_key(permit, asked).await?)
}

fn answer(opened: kms::Unwrapped) -> UnwrappedDataKey {
    let kms::Unwrapped { key, version, plaintext, for_recipient } = opened;
    UnwrappedDataKey {
        key: key.to_string(),
        version: version.get(),
        plaintext: plaintext.map(|secret| Secret::new(secret.expose().to_vec())),
        for_recipient: for_recipient.map(Base64),
    }
}
