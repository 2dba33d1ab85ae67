//! `GET /v1/bundles`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::Page;
use wardkeep_api::bundle::BundleSummary;
use wardkeep_model::action::DescribeBundle;

use crate::admin::bundles::BundleEntry;
use crate::http::extract::Asker;
use crate::http::paging::{Asked, PageQuery, cursor};
use crate::http::problem::Fault;
use crate::state::App;

/// Lists the bundles that were loaded, newest first.
#[utoipa::path(get, path = "/v1/bundles", tag = "policies", params(PageQuery),
    responses((status = 200, body = Page<BundleSummary>)))]
pub async fn list_bundles(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<BundleSummary>>, Fault> {
    let (limit, before) = (page.limit()?, page.after(|version| version.parse::<u64>().ok())?);

    let permit = asker.permit_control::<DescribeBundle>("bundles").await?;
    let all = app.admin.bundles(permit).await?;
    let mut left = all.into_iter().filter(|bundle| before.is_none_or(|before| bundle.version < before));
    let items: Vec<BundleSummary> = left.by_ref().take(limit).map(summary).collect();
    let next = left.next().and_then(|_| items.last().map(|last| cursor(&last.version.to_string())));
    Ok(Json(Page { items, next }))
}

fn summary(entry: BundleEntry) -> BundleSummary {
    let BundleEntry { version, active, loaded, by } = entry;
    BundleSummary { version, active, loaded: loaded.to_string(), loaded_by: by }
}
