//! One call: written as HTTP, sent until it is answered or the deadline passes, read into a type.

use std::error::Error as StdError;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_MATCH, IF_NONE_MATCH, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, timeout_at};
use wardkeep_api::Problem;
use wardkeep_model::{EntityUid, Entropy, RequestId};
use zeroize::Zeroizing;

use crate::connect::{ConnectError, Pool};
use crate::error::{CallError, ProtocolFault, Refusal};
use crate::retry::{self, Fault, Safety};
use crate::settings::Address;

/// Longest deadline that is counted: no moment so far off can be told from none, and further ones overflow.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);
/// Longest answer that is read: the largest of the server's is a page of audit records or a bundle.
const MAX_ANSWER: usize = 16 << 20;
const SUBJECT: HeaderName = HeaderName::from_static("wardkeep-subject");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// A call, before it has a caller.
pub(crate) struct Call {
    method: Method,
    path: String,
    body: Option<Bytes>,
    safety: Safety,
    if_match: Option<u64>,
    if_none_match: Option<String>,
    idempotency: Idempotency,
}

/// Whether a call goes under an idempotency key.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Idempotency {
    /// Only if the caller brings one.
    IfGiven,
    /// Always; a fresh one if the caller brings none.
    Always,
}

/// On whose behalf and under which names a call goes out.
pub(crate) struct Sender<'a> {
    pub(crate) pool: &'a Pool,
    pub(crate) address: &'a Address,
    pub(crate) subject: Option<&'a EntityUid>,
    pub(crate) idempotency_key: Option<&'a str>,
    pub(crate) request: Option<&'a RequestId>,
    pub(crate) entropy: &'a dyn Entropy,
    pub(crate) limit: Duration,
}

/// A successful answer's body. Zeroed on drop, for it may hold a data key.
pub(crate) struct Answer {
    body: Zeroizing<Vec<u8>>,
    request: RequestId,
    kept: Kept,
}

/// What an answer says of being kept (RFC 9111).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kept {
    /// 304: what the caller has under the tag it named is the answer.
    pub(crate) unchanged: bool,
    /// The answer's `ETag`, as it came.
    pub(crate) tag: Option<String>,
    /// How long it may be used without asking again; nothing where it does not say.
    pub(crate) life: Duration,
}

impl Call {
    /// A question that leaves nothing behind.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path, Safety::Repeatable)
    }

    /// A change that is made once.
    pub(crate) fn once(method: Method, path: impl Into<String>) -> Self {
        Self::new(method, path, Safety::Once)
    }

    /// A `POST` that leaves nothing behind but its audit record, or a use counted too often.
    pub(crate) fn repeatable_post(path: impl Into<String>) -> Self {
        Self::new(Method::POST, path, Safety::Repeatable)
    }

    /// A change that the server carries out once per idempotency key; it gets a fresh one.
    pub(crate) fn idempotent(method: Method, path: impl Into<String>) -> Self {
        Self { idempotency: Idempotency::Always, ..Self::new(method, path, Safety::Repeatable) }
    }

    fn new(method: Method, path: impl Into<String>, safety: Safety) -> Self {
        let idempotency = Idempotency::IfGiven;
        Self { method, path: path.into(), body: None, safety, if_match: None, if_none_match: None, idempotency }
    }

    /// With a JSON body.
    pub(crate) fn json(self, body: &impl Serialize) -> Result<Self, CallError> {
        self.json_of_about(body, 512)
    }

    /// With a JSON body of about `len` bytes: growing a buffer leaves copies of secrets behind.
    pub(crate) fn json_of_about(mut self, body: &impl Serialize, len: usize) -> Result<Self, CallError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(len));
        serde_json::to_writer(&mut *bytes, body).map_err(|_| CallError::Unwritable { part: "the body" })?;
        self.body = Some(Bytes::from_owner(bytes));
        Ok(self)
    }

    /// Only if the thing still has that revision.
    pub(crate) fn if_revision(mut self, revision: Option<u64>) -> Self {
        self.if_match = revision;
        self
    }

    /// Only if the thing no longer has that tag; the answer may then be that it has ([`Kept::unchanged`]).
    pub(crate) fn unless_tagged(mut self, tag: Option<String>) -> Self {
        self.if_none_match = tag;
        self
    }
}

impl Sender<'_> {
    /// Sends the call, again where that is safe, until an answer comes or the deadline passes.
    pub(crate) async fn send(&self, call: &Call) -> Result<Answer, CallError> {
        let deadline = Instant::now() + self.limit.min(LONGEST);
        let request = self.request.cloned().map_or_else(|| request_id(self.entropy), Ok)?;
        let headers = self.headers(call, &request)?;
        let safety = if headers.contains_key(IDEMPOTENCY_KEY) { Safety::Repeatable } else { call.safety };
        let mut tries = 0;
        loop {
            tries += 1;
            let tried = timeout_at(deadline, self.attempt(call, headers.clone(), &request)).await;
            let error = match tried {
                Err(_) => return Err(CallError::Timeout { limit: self.limit, request }),
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(error)) => error,
            };
            let (fault, asked) = fault_of(&error);
            let left = deadline.saturating_duration_since(Instant::now());
            let pause = fault.allows_retry(safety).then(|| retry::pause(tries, asked, left, self.entropy)).flatten();
            let Some(pause) = pause else { return Err(error) };
            tracing::debug!(%error, tries, pause_ms = pause.as_millis(), "trying again");
            tokio::time::sleep(pause).await;
        }
    }

    fn headers(&self, call: &Call, request: &RequestId) -> Result<HeaderMap, CallError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json, application/problem+json"));
        headers.insert(REQUEST_ID, text_header(request.as_str(), "the request id")?);
        if call.body.is_some() {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        }
        if let Some(subject) = self.subject {
            headers.insert(SUBJECT, text_header(&ascii_entity(subject), "the subject")?);
        }
        if let Some(revision) = call.if_match {
            headers.insert(IF_MATCH, text_header(&format!("\"{revision}\""), "the revision")?);
        }
        if let Some(tag) = &call.if_none_match {
            headers.insert(IF_NONE_MATCH, text_header(tag, "the tag")?);
        }
        match (self.idempotency_key, call.idempotency) {
            (Some(key), _) => {
                headers.insert(IDEMPOTENCY_KEY, text_header(key, "the idempotency key")?);
            }
            (None, Idempotency::Always) => {
                headers.insert(IDEMPOTENCY_KEY, text_header(&random_name(self.entropy)?, "the idempotency key")?);
            }
            (None, Idempotency::IfGiven) => {}
        }
        Ok(headers)
    }

    async fn attempt(&self, call: &Call, headers: HeaderMap, request: &RequestId) -> Result<Answer, CallError> {
        let mut message = Request::builder()
            .method(call.method.clone())
            .uri(format!("{}{}", self.address, call.path))
            .body(Full::new(call.body.clone().unwrap_or_default()))
            .map_err(|_| CallError::Unwritable { part: "the path" })?;
        *message.headers_mut() = headers;
        let response = self.pool.request(message).await.map_err(|error| self.broken(error, request))?;
        let status = response.status();
        let retry_after = retry_after(response.headers());
        let unchanged = status == StatusCode::NOT_MODIFIED && call.if_none_match.is_some();
        let kept = Kept { unchanged, ..Kept::of(response.headers()) };
        let body = self.collect(response, request).await?;
        if status.is_success() || unchanged {
            return Ok(Answer { body, request: request.clone(), kept });
        }
        match serde_json::from_slice::<Problem>(&body) {
            Ok(mut problem) => {
                // The status line is what proxies and the server's own layers agree on.
                problem.status = status.as_u16();
                Err(CallError::from_refusal(Refusal::from_problem(problem, Some(request)), retry_after))
            }
            Err(_) => {
                let fault = ProtocolFault::NotAProblem { status: status.as_u16() };
                Err(CallError::Protocol { fault, request: request.clone() })
            }
        }
    }

    async fn collect(
        &self,
        response: Response<Incoming>,
        request: &RequestId,
    ) -> Result<Zeroizing<Vec<u8>>, CallError> {
        let fault = ProtocolFault::TooLong { limit: MAX_ANSWER };
        let too_long = || CallError::Protocol { fault: fault.clone(), request: request.clone() };
        let mut body = response.into_body();
        let expected = hyper::body::Body::size_hint(&body).lower();
        let expected = usize::try_from(expected).ok().filter(|len| *len <= MAX_ANSWER).ok_or_else(too_long)?;
        // Room for all of it at once: a growing buffer would leave copies of a data key behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(expected.max(1024)));
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(|error| self.broken(error, request))?.into_data() else { continue };
            if bytes.len() + data.len() > MAX_ANSWER {
                return Err(too_long());
            }
            bytes.extend_from_slice(&data);
        }
        Ok(bytes)
    }

    fn broken(&self, error: impl StdError + Send + Sync + 'static, request: &RequestId) -> CallError {
        let request = request.clone();
        match ConnectError::find(&error, self.address) {
            Some(source) => CallError::Connect { source, request },
            None => CallError::Broken { source: Box::new(error), request },
        }
    }
}

impl Answer {
    /// The body as JSON of that type.
    pub(crate) fn json<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        serde_json::from_slice(&self.body).map_err(|_| self.unreadable())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> Result<String, CallError> {
        std::str::from_utf8(&self.body).map(str::to_owned).map_err(|_| self.unreadable())
    }

    /// The body as it is.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.body.to_vec()
    }

    /// What it says of being kept.
    pub(crate) fn kept(&self) -> &Kept {
        &self.kept
    }

    /// The id that the call went under.
    pub(crate) fn request(&self) -> &RequestId {
        &self.request
    }

    /// The error for an answer that does not have the expected form.
    pub(crate) fn unreadable(&self) -> CallError {
        CallError::Protocol { fault: ProtocolFault::Body, request: self.request.clone() }
    }
}

impl Kept {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let life = text(CACHE_CONTROL).map_or(Duration::ZERO, life);
        Self { unchanged: false, tag: text(ETAG).map(str::to_owned), life }
    }
}

/// `max-age` of `Cache-Control`, unless something else there forbids keeping.
fn life(directives: &str) -> Duration {
    let mut life = Duration::ZERO;
    for directive in directives.split(',').map(str::trim) {
        match directive.split_once('=') {
            Some(("max-age", seconds)) => life = seconds.parse().map_or(Duration::ZERO, Duration::from_secs),
            _ if matches!(directive, "no-store" | "no-cache") => return Duration::ZERO,
            _ => {}
        }
    }
    life
}

/// One segment of a path, with everything that could end it or mean something else written as `%XX`.
pub(crate) fn segment(text: &str) -> String {
    use std::fmt::Write as _;
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        // A dot stays only between others: `..` as a segment would be a step up.
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            out.push(char::from(byte));
        } else {
            // Writing to a string does not fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// Joins `?name=value&..` from what is given.
pub(crate) fn query(path: &str, pairs: &[(&str, Option<String>)]) -> String {
    let mut out = path.to_owned();
    let given = pairs.iter().filter_map(|(name, value)| value.as_ref().map(|value| (name, value)));
    for (number, (name, value)) in given.enumerate() {
        out.push(if number == 0 { '?' } else { '&' });
        out.push_str(name);
        out.push('=');
        out.push_str(&segment(value));
    }
    out
}

/// Cedar's spelling in ASCII: a header takes no other letters, and the server reads `\u{..}`.
fn ascii_entity(uid: &EntityUid) -> String {
    let mut out = String::new();
    for c in uid.to_string().chars() {
        if c.is_ascii() { out.push(c) } else { out.extend(c.escape_unicode()) }
    }
    out
}

fn text_header(text: &str, part: &'static str) -> Result<HeaderValue, CallError> {
    HeaderValue::from_str(text).map_err(|_| CallError::Unwritable { part })
}

fn random_bits(entropy: &dyn Entropy) -> Result<u128, CallError> {
    let mut bytes = [0; 16];
    entropy.fill(&mut bytes)?;
    Ok(u128::from_be_bytes(bytes))
}

fn request_id(entropy: &dyn Entropy) -> Result<RequestId, CallError> {
    random_bits(entropy).map(RequestId::from_random)
}

fn random_name(entropy: &dyn Entropy) -> Result<String, CallError> {
    random_bits(entropy).map(|bits| format!("{bits:032x}"))
}

/// `Retry-After` in seconds; its form as a date is not used by the server.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

fn fault_of(error: &CallError) -> (Fault, Option<Duration>) {
    match error {
        // A handshake that failed for its certificates fails again; one that was cut off may not.
        CallError::Connect { source, .. } if source.is_final() => (Fault::Final, None),
        CallError::Connect { .. } => (Fault::NotSent, None),
        CallError::RateLimited { retry_after, .. } => (Fault::TurnedAway, *retry_after),
        CallError::Unavailable { retry_after, .. } => (Fault::Unavailable, *retry_after),
        CallError::Broken { .. } => (Fault::Broken, None),
        _ => (Fault::Final, None),
    }
}

#[cfg(test)]
mod tests;
