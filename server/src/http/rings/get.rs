//! `GET /v1/rings/{ring}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::ring::Ring;
use wardkeep_model::action::DescribeRing;

use crate::http::etag::Tagged;
use crate::http::extract::{Asker, RingPath};
use crate::http::problem::Fault;
use crate::state::App;

/// Describes a key ring.
#[utoipa::path(get, path = "/v1/rings/{ring}", tag = "rings", params(("ring" = String, Path)),
    responses((status = 200, body = Ring)))]
pub async fn get_ring(
    State(app): State<Arc<App>>,
    asker: Asker,
    RingPath(name): RingPath,
) -> Result<Tagged<Json<Ring>>, Fault> {
    let permit = asker.permit_ring::<DescribeRing>(&name).await?;
    let found = app.kms.describe_ring(permit, &name).await?;
    Ok(Tagged { revision: found.revision, answer: Json(super::ring(&found)) })
}
