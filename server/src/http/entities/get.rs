//! `GET /v1/entities/{type}/{id}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::entity::Entity;
use wardkeep_model::action::DescribeEntity;

use crate::admin::row::entity;
use crate::http::extract::{Asker, EntityPath};
use crate::http::problem::Fault;
use crate::state::App;

/// One entity. Control roles are not among its parents here: see `/v1/roles`.
#[utoipa::path(get, path = "/v1/entities/{type}/{id}", tag = "entities",
    params(("type" = String, Path), ("id" = String, Path)), responses((status = 200, body = Entity)))]
pub async fn get_entity(
    State(app): State<Arc<App>>,
    asker: Asker,
    EntityPath(uid): EntityPath,
) -> Result<Json<Entity>, Fault> {
    let permit = asker.permit_control::<DescribeEntity>("entities").await?;
    Ok(Json(entity(&app.admin.entity(permit, &uid).await?)))
}
