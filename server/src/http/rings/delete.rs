//! `DELETE /v1/rings/{ring}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use wardkeep_kms::Precondition;
use wardkeep_model::action::DeleteRing;

use crate::http::etag::IfMatch;
use crate::http::extract::{Asker, RingPath};
use crate::http::problem::Fault;
use crate::state::App;

/// Deletes a key ring in which no key is left that is not destroyed.
#[utoipa::path(delete, path = "/v1/rings/{ring}", tag = "rings", params(("ring" = String, Path)),
    responses((status = 204)))]
pub async fn delete_ring(
    State(app): State<Arc<App>>,
    asker: Asker,
    RingPath(name): RingPath,
    IfMatch(revision): IfMatch,
) -> Result<StatusCode, Fault> {
    let permit = asker.permit_ring::<DeleteRing>(&name).await?;
    app.kms.delete_ring(permit, &name, Precondition { revision }).await?;
    Ok(StatusCode::NO_CONTENT)
}
