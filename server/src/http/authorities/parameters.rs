//! `GET /v1/keys/{ring}/{key}/parameters`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use wardkeep_api::Base64;
use wardkeep_api::authority::Parameters;
use wardkeep_kms::PublishedParameters;
use wardkeep_model::action::DescribeKey;

use super::{VersionQuery, has, hex, kept};
use crate::http::extract::{Asker, KeyPath};
use crate::http::paging::Asked;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Seconds that an answer may be kept. A version's parameters never change, but which one is the newest does.
const KEPT: u64 = 300;

/// The public parameters of an authority version: all that anybody needs to seal.
#[utoipa::path(get, path = "/v1/keys/{ring}/{key}/parameters", tag = "authorities",
    params(("ring" = String, Path), ("key" = String, Path), VersionQuery),
    responses((status = 200, body = Parameters), (status = 304, description = "`If-None-Match` has the newest")))]
pub async fn get_parameters(
    State(app): State<Arc<App>>,
    asker: Asker,
    KeyPath(id): KeyPath,
    Asked(query): Asked<VersionQuery>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let version = wire::version(query.version)?;
    let permit = asker.permit_key::<DescribeKey>(&id).await?;
    let found = app.kms.parameters(permit, &id, version).await?;
    let tag = format!("\"{}-{}\"", found.version, hex(&found.published.fingerprint));
    let common = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, kept(KEPT).to_str().unwrap_or_default().into())];
    if has(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Ok((common, Json(answer(&found))).into_response())
}

fn answer(found: &PublishedParameters) -> Parameters {
    let PublishedParameters { key, version, published } = found;
    Parameters {
        key: key.to_string(),
        version: version.get(),
        parameters: Base64(published.parameters.to_vec()),
        fingerprint: hex(&published.fingerprint),
        authority: hex(&published.authority),
        signing_key: Base64(published.signing_key.to_vec()),
        schema: published.schema.clone(),
        bucket_seconds: published.bucket_seconds,
        serial_bits: published.serial_bits,
    }
}
