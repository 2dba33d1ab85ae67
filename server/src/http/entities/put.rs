//! `POST /v1/entities`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::entity::{EntitiesChanged, PutEntities};
use wardkeep_model::action::ChangeEntity;

use crate::admin::row::record;
use crate::http::extract::Asker;
use crate::http::json::LargeJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Writes entities, all of them or none; one that exists is replaced.
#[utoipa::path(post, path = "/v1/entities", tag = "entities", request_body = PutEntities,
    responses((status = 200, body = EntitiesChanged)))]
pub async fn put_entities(
    State(app): State<Arc<App>>,
    asker: Asker,
    LargeJson(body): LargeJson<PutEntities>,
) -> Result<Json<EntitiesChanged>, Fault> {
    let records = body.entities.into_iter().map(record).collect::<Result<_, _>>()?;

    let _place = app.limits.dear()?;
    let permit = asker.permit_control::<ChangeEntity>("entities").await?;
    Ok(Json(super::changed(app.admin.put_entities(permit, records).await?)))
}
