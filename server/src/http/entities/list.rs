//! `GET /v1/entities`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use wardkeep_api::Page;
use wardkeep_api::entity::Entity;
use wardkeep_model::EntityUid;
use wardkeep_model::action::DescribeEntity;
use wardkeep_model::id::check_entity_type;

use crate::admin::entities::ListEntities;
use crate::admin::row::entity;
use crate::http::extract::Asker;
use crate::http::paging::{Asked, PageQuery, cursor};
use crate::http::problem::Fault;
use crate::state::App;

/// Which entities to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct EntitiesQuery {
    /// Only entities of this type.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// Items a page, 1 to 500. Default: 100.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists entities by type and id, those of the bundle in force among them.
#[utoipa::path(get, path = "/v1/entities", tag = "entities", params(EntitiesQuery),
    responses((status = 200, body = Page<Entity>)))]
pub async fn list_entities(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(query): Asked<EntitiesQuery>,
) -> Result<Json<Page<Entity>>, Fault> {
    let EntitiesQuery { kind, limit, cursor: given } = query;
    kind.as_deref().map(check_entity_type).transpose()?;
    let page = PageQuery { limit, cursor: given };
    let list = ListEntities { kind, after: page.after(|uid| EntityUid::parse(uid).ok())?, limit: page.limit()? };

    let permit = asker.permit_control::<DescribeEntity>("entities").await?;
    let found = app.admin.entities(permit, list).await?;
    let next = found.next.map(|uid| cursor(&uid.to_string()));
    Ok(Json(Page { items: found.items.iter().map(entity).collect(), next }))
}
