//! `GET /v1/user-keys`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use wardkeep_api::Page;
use wardkeep_api::user_key::UserKey;
use wardkeep_kms::{ListUserKeys, UserKeyInfo};
use wardkeep_model::action::DescribeUserKey;
use wardkeep_model::{ActionName, EntityUid, KeyFacts, KeyId};
use wardkeep_policy::Resource;

use crate::http::extract::Asker;
use crate::http::paging::{Asked, PageQuery, cursor};
use crate::http::problem::Fault;
use crate::http::wire::entity_ref;
use crate::state::App;

/// Which user keys to list.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct UserKeysQuery {
    /// Only those of this authority, `ring/name`.
    key: Option<String>,
    /// Only those of this subject, `Type::"id"`.
    subject: Option<String>,
    /// Items a page, 1 to 500. Default: 100.
    limit: Option<usize>,
    /// `next` of the page before.
    cursor: Option<String>,
}

/// Lists issued user keys, of the authorities whose keys the caller may describe.
#[utoipa::path(get, path = "/v1/user-keys", tag = "user keys", params(UserKeysQuery),
    responses((status = 200, body = Page<UserKey>)))]
pub async fn list_user_keys(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(query): Asked<UserKeysQuery>,
) -> Result<Json<Page<UserKey>>, Fault> {
    let UserKeysQuery { key, subject, limit, cursor: given } = query;
    let page = PageQuery { limit, cursor: given };
    let after = page.after(|name| name.contains('#').then(|| name.to_owned()))?;
    let key = key.as_deref().map(KeyId::parse).transpose()?;
    let subject = subject.as_deref().map(EntityUid::parse).transpose()?;
    let list = ListUserKeys { key, subject, after, limit: page.limit()? };

    let event = asker.list_event(ActionName::DescribeUserKey, "user-keys").await?;
    let mut may_see = |facts: &KeyFacts| asker.glance::<DescribeUserKey>(Resource::Key(facts));
    let found = app.kms.list_user_keys(&list, &mut may_see, event).await?;
    let next = found.next.as_deref().map(cursor);
    Ok(Json(Page { items: found.items.into_iter().map(item).collect(), next }))
}

fn item(info: UserKeyInfo) -> UserKey {
    let UserKeyInfo { key, version, serial, subject, actor, attributes, issued, valid_until, revoked } = info;
    UserKey {
        key: key.to_string(),
        version: version.get(),
        serial,
        subject: entity_ref(&subject),
        actor: entity_ref(&actor),
        attributes,
        issued: issued.to_string(),
        valid_until: valid_until.to_string(),
        revoked: revoked.map(|moment| moment.to_string()),
    }
}
