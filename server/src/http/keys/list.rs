//! `GET /v1/keys`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use wardkeep_api::Page;
use wardkeep_api::key::Key;
use wardkeep_kms::ListKeys;
use wardkeep_model::action::DescribeKey;
use wardkeep_model::{ActionName, KeyFacts, KeyId, RingName};
use wardkeep_policy::Resource;

use crate::http::extract::Asker;
use crate::http::paging::{Asked, PageQuery, cursor};
use crate::http::problem::Fault;
use crate::state::App;

/// Which keys to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct KeysQuery {
    /// Only keys of this ring.
    ring: Option<String>,
    /// Items a page, 1 to 500. Default: 100.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists the keys that the caller may describe.
#[utoipa::path(get, path = "/v1/keys", tag = "keys", params(KeysQuery), responses((status = 200, body = Page<Key>)))]
pub async fn list_keys(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(query): Asked<KeysQuery>,
) -> Result<Json<Page<Key>>, Fault> {
    let KeysQuery { ring, limit, cursor: given } = query;
    let page = PageQuery { limit, cursor: given };
    let after = page.after(|name| KeyId::parse(name).ok())?.map(|id| id.to_string());
    let ring = ring.as_deref().map(RingName::new).transpose()?;
    let list = ListKeys { ring, after, limit: page.limit()? };

    let event = asker.list_event(ActionName::DescribeKey, "keys").await?;
    let mut may_see = |facts: &KeyFacts| asker.glance::<DescribeKey>(Resource::Key(facts));
    let found = app.kms.list_keys(&list, &mut may_see, event).await?;
    let next = found.next.as_deref().map(cursor);
    Ok(Json(Page { items: found.items.iter().map(super::key).collect::<Result<_, _>>()?, next }))
}
