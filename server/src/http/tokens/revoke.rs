//! `DELETE /v1/tokens/{id}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use wardkeep_model::action::RevokeToken;

use crate::http::extract::{Asker, NamePath};
use crate::http::problem::Fault;
use crate::state::App;

/// Takes an open token back.
#[utoipa::path(delete, path = "/v1/tokens/{id}", tag = "certificates", params(("id" = String, Path)),
    responses((status = 204)))]
pub async fn revoke_token(
    State(app): State<Arc<App>>,
    asker: Asker,
    NamePath(id): NamePath,
) -> Result<StatusCode, Fault> {
    let permit = asker.permit_control::<RevokeToken>("tokens").await?;
    app.authority.revoke_token(permit, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
