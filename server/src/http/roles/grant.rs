//! `PUT /v1/roles/{role}/members/{type}/{id}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::role::{GrantRole, RoleGranted};
use wardkeep_model::{CertificateSerial, action};
use wardkeep_policy::Resource;

use crate::http::extract::{Asker, MemberPath};
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::http::wire::entity_ref;
use crate::state::App;

/// Gives a control role. The identity's open tokens are voided, and its certificates revoked but for those kept.
#[utoipa::path(put, path = "/v1/roles/{role}/members/{type}/{id}", tag = "roles", request_body = GrantRole,
    params(("role" = String, Path), ("type" = String, Path), ("id" = String, Path)),
    responses((status = 200, body = RoleGranted)))]
pub async fn grant_role(
    State(app): State<Arc<App>>,
    asker: Asker,
    MemberPath(role, holder): MemberPath,
    body: OptionalJson<GrantRole>,
) -> Result<Json<RoleGranted>, Fault> {
    let keep = body.value.keep_certificates.iter().map(|serial| CertificateSerial::parse(serial));
    let keep = keep.collect::<Result<Vec<_>, _>>()?;

    let permit = asker.permit::<action::GrantRole>(Resource::Role(role)).await?;
    let done = app.admin.grant_role(permit, role, holder.clone(), keep).await?;
    Ok(Json(RoleGranted {
        role: super::word(role),
        member: entity_ref(&holder),
        tokens_voided: done.tokens_voided as u64,
        certificates_revoked: done.certificates_revoked.iter().map(ToString::to_string).collect(),
    }))
}
