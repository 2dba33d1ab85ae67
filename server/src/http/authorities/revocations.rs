//! `GET /v1/keys/{ring}/{key}/revocations`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use wardkeep_api::authority::Revocations;
use wardkeep_model::action::DescribeKey;

use super::{VersionQuery, has, hex, kept, revocations};
use crate::http::extract::{Asker, KeyPath};
use crate::http::paging::Asked;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Seconds that an answer may be kept: how much later than at once a revocation reaches whoever seals.
const KEPT: u64 = 60;

/// The newest revocation list of an authority version, signed and dated.
#[utoipa::path(get, path = "/v1/keys/{ring}/{key}/revocations", tag = "authorities",
    params(("ring" = String, Path), ("key" = String, Path), VersionQuery),
    responses((status = 200, body = Revocations), (status = 304, description = "`If-None-Match` has the newest")))]
pub async fn get_revocations(
    State(app): State<Arc<App>>,
    asker: Asker,
    KeyPath(id): KeyPath,
    Asked(query): Asked<VersionQuery>,
    headers: HeaderMap,
) -> Result<Response, Fault> {
    let version = wire::version(query.version)?;
    let permit = asker.permit_key::<DescribeKey>(&id).await?;
    let list = app.kms.revocations(permit, &id, version).await?;
    // Of the bytes too: after a database of yesterday was put back, a number comes again with other serials behind it.
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &list.signed);
    let print = digest.as_ref().get(..16).unwrap_or_default();
    let tag = format!("\"{}-{}-{}\"", list.version, list.number, hex(print));
    let common = [(header::ETAG, tag.clone()), (header::CACHE_CONTROL, kept(KEPT).to_str().unwrap_or_default().into())];
    if has(&headers, &tag) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    Ok((common, Json(revocations(&list))).into_response())
}
