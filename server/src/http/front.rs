//! The edge that every request passes: its id, its rate, metrics; and the one place where a problem becomes bytes.
//! Revocation and time are checked before, by the accept loop. A place among those that run is taken later, with the
//! first decision: whoever sends slowly holds none.
//!
//! Lean on purpose: what stands here is paid by every data key.

use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, header};
use tokio::time::Instant;
use wardkeep_model::RequestId;

use super::limits::Spent;
use super::problem::{Fault, Told};
use crate::peer::{Peer, RemoteAddress};
use crate::state::App;

/// Names a request in logs, answers and the audit log.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// The edge of the mutual-TLS listener.
pub async fn api(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = request_id(&app, request.headers());
    let (route, method) = (request.extensions().get::<MatchedPath>().cloned(), request.method().clone());
    request.extensions_mut().insert(id.clone());
    let mut response = match admit(&app, &request) {
        Err(fault) => fault.into_response(),
        Ok(spent) => {
            let mut response = next.run(request).await;
            if let Some(spent) = spent {
                tell_rate(response.headers_mut(), spent);
            }
            response
        }
    };
    finish(&mut response, &id);
    let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
    app.meters.request(&method, route, response.status(), began.elapsed());
    response
}

/// The edge of the enrolment listener: no certificate yet, so that the address is what the rate counts.
pub async fn enrol(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let id = request_id(&app, request.headers());
    let address = request.extensions().get::<RemoteAddress>().map(|remote| remote.0.ip());
    request.extensions_mut().insert(id.clone());
    let mut response = match app.limits.enrolment(address.unwrap_or(IpAddr::from([0, 0, 0, 0]))) {
        Err(wait) => Fault::RateLimited { wait }.into_response(),
        Ok(()) => next.run(request).await,
    };
    finish(&mut response, &id);
    response
}

/// Somebody, and not too often?
fn admit(app: &App, request: &Request) -> Result<Option<Spent>, Fault> {
    let peer = request.extensions().get::<Arc<Peer>>().ok_or(Fault::NoCertificate)?;
    app.limits.request(&peer.identity)
}

/// A caller's id if it is one, else a fresh one: a bad id is not worth refusing a request for, and is never echoed.
fn request_id(app: &App, headers: &HeaderMap) -> RequestId {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    given.and_then(|text| RequestId::new(text).ok()).unwrap_or_else(|| app.request_ids.next())
}

/// Writes the problem, if there is one, now that the request's id is known.
fn finish(response: &mut Response, id: &RequestId) {
    if let Some(told) = response.extensions_mut().remove::<Told>() {
        told.write(response, Some(id));
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
}

fn tell_rate(headers: &mut HeaderMap, spent: Spent) {
    headers.insert(LIMIT, HeaderValue::from(spent.limit));
    headers.insert(REMAINING, HeaderValue::from(spent.remaining));
    headers.insert(RESET, HeaderValue::from(spent.reset_seconds));
}
