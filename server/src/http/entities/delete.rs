//! `DELETE /v1/entities/{type}/{id}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::entity::EntitiesChanged;
use wardkeep_model::action::ChangeEntity;

use crate::http::extract::{Asker, EntityPath};
use crate::http::problem::Fault;
use crate::state::App;

/// Deletes an entity, with the public key registered for it; its user keys are revoked. One that holds a control role has to lose it first.
#[utoipa::path(delete, path = "/v1/entities/{type}/{id}", tag = "entities",
    params(("type" = String, Path), ("id" = String, Path)), responses((status = 200, body = EntitiesChanged)))]
pub async fn delete_entity(
    State(app): State<Arc<App>>,
    asker: Asker,
    EntityPath(uid): EntityPath,
) -> Result<Json<EntitiesChanged>, Fault> {
    let permit = asker.permit_control::<ChangeEntity>("entities").await?;
    Ok(Json(super::changed(app.admin.delete_entity(permit, uid).await?)))
}
