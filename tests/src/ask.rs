//! One request as an attacker would write it, and what came back.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};
use serde_json::Value;

/// A request that is to be sent: any method, path, headers, body.
#[derive(Debug, Clone)]
pub struct Ask {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, Vec<u8>)>,
    pub(crate) body: Bytes,
}

impl Ask {
    /// A request without a body.
    #[must_use]
    pub fn new(method: Method, path: impl Into<String>) -> Self {
        Self { method, path: path.into(), headers: Vec::new(), body: Bytes::new() }
    }

    /// `GET`
    #[must_use]
    pub fn get(path: impl Into<String>) -> Self {
        Self::new(Method::GET, path)
    }

    /// `POST` of JSON.
    #[must_use]
    pub fn post(path: impl Into<String>, body: Value) -> Self {
        Self::new(Method::POST, path).json(&body)
    }

    /// The same with a JSON body; `null` means none.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        if body.is_null() { self } else { self.raw("application/json", body.to_string()) }
    }

    /// The same with a body that is declared as `kind`.
    #[must_use]
    pub fn raw(mut self, kind: &str, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self.header("content-type", kind)
    }

    /// The same with one header more; a repeated name is sent twice.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// On behalf of a user.
    #[must_use]
    pub fn as_user(self, name: &str) -> Self {
        self.header("wardkeep-subject", format!("User::\"{name}\""))
    }

    /// Under an idempotency key.
    #[must_use]
    pub fn once(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// If the thing still is at that revision.
    #[must_use]
    pub fn if_match(self, tag: &str) -> Self {
        self.header("if-match", tag)
    }

    /// Under a request id of the caller's.
    #[must_use]
    pub fn named(self, id: &str) -> Self {
        self.header("x-request-id", id)
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let pair = |(name, value): &(String, Vec<u8>)| {
            (name.parse::<http::HeaderName>().unwrap(), HeaderValue::from_bytes(value).unwrap())
        };
        let mut map = HeaderMap::new();
        for (name, value) in self.headers.iter().map(pair) {
            map.append(name, value);
        }
        map
    }
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as it came.
    pub bytes: Bytes,
    /// The body as JSON; `null` where it is none.
    pub body: Value,
}

impl Answer {
    pub(crate) fn new(parts: &http::response::Parts, bytes: Bytes) -> Self {
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Self { status: parts.status.as_u16(), headers: parts.headers.clone(), bytes, body }
    }

    /// The problem's code, `denied`; empty for no problem.
    #[must_use]
    pub fn code(&self) -> &str {
        code(&self.body)
    }

    /// Status and code at once.
    #[must_use]
    pub fn said(&self) -> (u16, &str) {
        (self.status, self.code())
    }

    /// The body of a success.
    #[must_use]
    #[track_caller]
    pub fn ok(self) -> Value {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text());
        self.body
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// One header as text; empty where it is missing.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The answer without what differs from request to request: status, kind and body.
    #[must_use]
    pub fn shape(&self) -> (u16, String, Value) {
        let mut body = self.body.clone();
        if let Some(members) = body.as_object_mut() {
            members.remove("request_id");
            members.remove("instance");
        }
        (self.status, self.header("content-type").to_owned(), body)
    }
}

/// The code of a problem, or of an item's problem in a batch.
#[must_use]
pub fn code(problem: &Value) -> &str {
    problem["type"].as_str().and_then(|kind| kind.strip_prefix("urn:wardkeep:problem:")).unwrap_or_default()
}
