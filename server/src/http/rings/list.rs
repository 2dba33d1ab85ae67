//! `GET /v1/rings`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::Page;
use wardkeep_api::ring::Ring;
use wardkeep_kms::{ListRings, RingInfo};
use wardkeep_model::action::DescribeRing;
use wardkeep_model::{ActionName, RingName};
use wardkeep_policy::Resource;

use crate::http::extract::Asker;
use crate::http::paging::{Asked, PageQuery, cursor};
use crate::http::problem::Fault;
use crate::state::App;

/// Lists the key rings that the caller may describe.
#[utoipa::path(get, path = "/v1/rings", tag = "rings", params(PageQuery), responses((status = 200, body = Page<Ring>)))]
pub async fn list_rings(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Ring>>, Fault> {
    let after = page.after(|name| RingName::new(name).ok())?.map(|name| name.to_string());
    let list = ListRings { after, limit: page.limit()? };

    let event = asker.list_event(ActionName::DescribeRing, "rings").await?;
    let mut may_see =
        |ring: &RingInfo| asker.glance::<DescribeRing>(Resource::Ring { name: &ring.name, labels: Some(&ring.labels) });
    let found = app.kms.list_rings(&list, &mut may_see, event).await?;
    let next = found.next.as_deref().map(cursor);
    Ok(Json(Page { items: found.items.iter().map(super::ring).collect(), next }))
}
