//! One request on its way in: who sends it, whether it still may, and how long it may take.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, Request, StatusCode, header};
use hyper::body::Incoming;
use tokio::time::Instant;
use tower::Service;
use tracing::{Instrument, Span};

use super::Guard;
use super::body::{HeldBody, Open, TimedBody};
use super::live::Live;
use super::trace::trace_id;
use crate::config::Limits;
use crate::peer::RemoteAddress;

/// What the requests of one connection share.
pub(super) struct Requests {
    pub(super) live: Arc<Live>,
    pub(super) guard: Arc<Guard>,
    pub(super) limits: Arc<Limits>,
    pub(super) routes: Router,
}

impl Requests {
    /// Never an error: whatever goes wrong is an answer. A caller that traces its requests finds its trace's id on our
    /// log lines.
    pub(super) async fn answer(&self, request: Request<Incoming>) -> Result<Response<HeldBody>, Infallible> {
        let trace = |trace_id| tracing::info_span!("request", trace_id);
        let span = trace_id(request.headers()).map_or_else(Span::none, trace);
        self.answered(request).instrument(span).await
    }

    async fn answered(&self, request: Request<Incoming>) -> Result<Response<HeldBody>, Infallible> {
        let open = Open::new(self.live.clone());
        if let Some(refusal) = self.refuse() {
            return Ok(refusal.map(|body| HeldBody::new(body, open)));
        }
        let deadline = Instant::now() + Duration::from_millis(self.limits.body_millis);
        let mut request = request.map(|body| Body::new(TimedBody::new(body, deadline)));
        let extensions = request.extensions_mut();
        extensions.insert(RemoteAddress(self.live.remote));
        if let Some(peer) = &self.live.peer {
            extensions.insert(peer.clone());
        }
        let mut routes = self.routes.clone();
        let answered = tokio::time::timeout(self.limits.request(), routes.call(request)).await;
        let response = answered.unwrap_or_else(|_| {
            tracing::warn!(peer = %self.live.remote, reason = "request", "request took too long");
            Ok(problem(StatusCode::REQUEST_TIMEOUT, "request-timeout", "the request took too long"))
        });
        let Ok(response) = response;
        Ok(response.map(|body| HeldBody::new(body, open)))
    }

    /// The sweep cuts a revoked caller's connection within a second; not one request gets through before it does.
    fn refuse(&self) -> Option<Response> {
        let peer = self.live.peer.as_ref()?;
        let why = self.guard.revoked.refuses(peer, self.guard.clock.now())?;
        let (remote, identity, serial) = (self.live.remote, &peer.identity, &peer.serial);
        tracing::warn!(peer = %remote, %identity, %serial, reason = %why, "request refused");
        self.live.finish();
        Some(problem(StatusCode::FORBIDDEN, why.word(), "the certificate is no longer good"))
    }
}

/// An RFC 9457 answer for what never reaches a handler.
fn problem(status: StatusCode, code: &'static str, title: &'static str) -> Response {
    let number = status.as_u16();
    let text = format!(r#"{{"type":"urn:wardkeep:problem:{code}","title":"{title}","status":{number}}}"#);
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
