//! Probes and metrics, on the `ops` listener: nothing that acts, and no names.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use wardkeep_api::health::{Check, Health};

use crate::state::App;

/// Checks that show, and do not say that requests should go elsewhere.
const SHOWN: [&str; 2] = ["audit-head", "revocation-cover"];

/// Whether the process lives.
pub async fn live() -> Json<Health> {
    Json(Health { status: "ok".to_owned(), checks: Vec::new() })
}

/// Whether requests should come here.
pub async fn ready(State(app): State<Arc<App>>) -> Response {
    answer(&app)
}

/// The same with every check: for people.
pub async fn health(State(app): State<Arc<App>>) -> Response {
    answer(&app)
}

/// Prometheus text.
pub async fn metrics(State(app): State<Arc<App>>) -> Response {
    app.meters.store(&app.store.health());
    app.meters.cover(app.kms.widest_cover().map_or(0, |cover| cover.rows));
    let text = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, text)], app.metrics.render()).into_response()
}

fn answer(app: &App) -> Response {
    let checks: Vec<Check> = app
        .checks()
        .into_iter()
        .map(|(name, ok, detail)| Check { name: name.to_owned(), ok, detail: detail.map(ToOwned::to_owned) })
        .collect();
    // A stale head refuses changes and nothing else, a wide cover is for an administrator: both show, and do not take the
    // server out of service.
    let serves = checks.iter().filter(|check| !SHOWN.contains(&check.name.as_str())).all(|check| check.ok);
    let (status, word) = if serves { (StatusCode::OK, "ok") } else { (StatusCode::SERVICE_UNAVAILABLE, "unavailable") };
    (status, Json(Health { status: word.to_owned(), checks })).into_response()
}
