//! `DELETE /v1/roles/{role}/members/{type}/{id}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use wardkeep_model::action::RevokeRole;
use wardkeep_policy::Resource;

use crate::http::extract::{Asker, MemberPath};
use crate::http::problem::Fault;
use crate::state::App;

/// Takes a control role, unless nobody could change the control set afterwards.
#[utoipa::path(delete, path = "/v1/roles/{role}/members/{type}/{id}", tag = "roles",
    params(("role" = String, Path), ("type" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn revoke_role(
    State(app): State<Arc<App>>,
    asker: Asker,
    MemberPath(role, holder): MemberPath,
) -> Result<StatusCode, Fault> {
    let permit = asker.permit::<RevokeRole>(Resource::Role(role)).await?;
    app.admin.revoke_role(permit, role, holder).await?;
    Ok(StatusCode::NO_CONTENT)
}
