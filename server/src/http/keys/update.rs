//! `PATCH /v1/keys/{ring}/{key}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::key::{Key, UpdateKey};
use wardkeep_kms::{KeyUpdate, Precondition};
use wardkeep_model::{KeyFacts, action};
use wardkeep_policy::Resource;

use super::answer;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{KeyPath, KeyedAsker};
use crate::http::json::HashedJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Changes a key's labels or rotation period. Needs `If-Match`, so that no change is lost to another.
#[utoipa::path(patch, path = "/v1/keys/{ring}/{key}", tag = "keys", request_body = UpdateKey,
    params(("ring" = String, Path), ("key" = String, Path), ("If-Match" = String, Header)),
    responses((status = 200, body = Key)))]
pub async fn update_key(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    KeyPath(id): KeyPath,
    if_match: IfMatch,
    body: HashedJson<UpdateKey>,
) -> Result<Tagged<Json<Key>>, Fault> {
    let precondition = Precondition { revision: Some(if_match.required()?) };
    let idempotency = keyed.idempotency("update-key", id.as_str(), body.hash);
    let UpdateKey { labels, rotation_days } = body.value;
    let update = KeyUpdate { labels, rotation_days: rotation_days.map(|days| (days > 0).then_some(days)) };

    // Decided on the key as it is to be and on the key as it is: nobody relabels a key into their reach, or out of the
    // reach of a rule. The permit that is used and recorded is the second.
    if let (Some(labels), Some(facts)) = (&update.labels, app.kms.facts(&id)) {
        let wanted = KeyFacts { labels: Arc::new(labels.clone()), revision: 0, ..facts };
        drop(keyed.asker.permit::<action::UpdateKey>(Resource::Key(&wanted)).await?);
    }
    let permit = keyed.asker.permit_key::<action::UpdateKey>(&id).await?;
    answer(&app.kms.update_key(permit, &id, update, precondition, idempotency).await?)
}
