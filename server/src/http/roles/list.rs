//! `GET /v1/roles`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::role::{RoleMembers, Roles};
use wardkeep_model::action::DescribeRole;
use wardkeep_model::{ActionName, EventDetail};
use wardkeep_policy::{Resource, Role};

use crate::http::extract::Asker;
use crate::http::problem::Fault;
use crate::http::wire::entity_ref;
use crate::state::App;

/// Lists the roles that the caller may see, with their holders.
#[utoipa::path(get, path = "/v1/roles", tag = "roles", responses((status = 200, body = Roles)))]
pub async fn list_roles(State(app): State<Arc<App>>, asker: Asker) -> Result<Json<Roles>, Fault> {
    let event = asker.list_event(ActionName::DescribeRole, "roles").await?;
    let may_see = |role: &&Role| asker.glance::<DescribeRole>(Resource::Role(**role)).is_some();
    let seen = Role::ALL.iter().filter(may_see).map(|role| RoleMembers {
        role: super::word(*role),
        members: app.admin.holders(*role).iter().map(entity_ref).collect(),
    });
    let roles: Vec<RoleMembers> = seen.collect();
    asker.note(event.with(EventDetail::Count, roles.len().to_string()).with_outcome("ok")).await?;
    Ok(Json(Roles { roles }))
}
