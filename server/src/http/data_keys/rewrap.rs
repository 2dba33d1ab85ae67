//! `POST /v1/data-keys/rewrap` and its batch.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::Base64;
use wardkeep_api::data_key::{RewrapDataKey, RewrappedDataKey};
use wardkeep_api::page::{Batch, BatchAnswer};
use wardkeep_kms as kms;
use wardkeep_model::action;

use crate::http::batch;
use crate::http::extract::{Asker, Use};
use crate::http::json::{Json as Body, LargeJson};
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Wraps a data key anew under the newest version of its key, unseen; the context stays byte for byte.
#[utoipa::path(post, path = "/v1/data-keys/rewrap", tag = "data keys", request_body = RewrapDataKey,
    responses((status = 200, body = RewrappedDataKey)))]
pub async fn rewrap_data_key(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<RewrapDataKey>,
) -> Result<Json<RewrappedDataKey>, Fault> {
    Ok(Json(rewrap(&app, &asker, body).await?))
}

/// Rewraps up to 100 data keys, each decided and recorded by itself.
#[utoipa::path(post, path = "/v1/data-keys/rewrap/batch", tag = "data keys", request_body = Batch<RewrapDataKey>,
    responses((status = 200, body = BatchAnswer<RewrappedDataKey>)))]
pub async fn rewrap_data_keys(
    State(app): State<Arc<App>>,
    asker: Asker,
    LargeJson(items): LargeJson<Batch<RewrapDataKey>>,
) -> Result<Json<BatchAnswer<RewrappedDataKey>>, Fault> {
    let one = async |app: Arc<App>, asker: &Asker, item| rewrap(&app, asker, item).await;
    Ok(Json(batch::each(app, asker, items, one).await?))
}

async fn rewrap(app: &App, asker: &Asker, wire: RewrapDataKey) -> Result<RewrappedDataKey, Fault> {
    let RewrapDataKey { wrapped, context } = wire;
    let asked = kms::RewrapDataKey { wrapped: wrapped.0, context: wire::context(context)? };
    let named = app.kms.peek(&asked.wrapped)?;
    let compromised = app.kms.is_compromised(&named.key, named.version);
    let used = Use { key: &named.key, context: Some(&asked.context), recipient: None, compromised };
    let permit = asker.permit_use::<action::RewrapDataKey>(used).await?;
    let kms::Rewrapped { wrapped, key, from, version } = app.kms.rewrap_data_key(permit, asked).await?;
    Ok(RewrappedDataKey {
        key: key.to_string(),
        version: version.get(),
        from_version: from.get(),
        wrapped: Base64(wrapped),
    })
}
