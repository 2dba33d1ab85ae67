//! Bodies: JSON of bounded size, depth and number of strings and values, and nothing else.
//!
//! The bounds are checked on the raw bytes before any parser builds a value, so that a small body cannot become a
//! large tree (JSON bombs: incidents.md). Errors say line, column and what was expected, and never echo what stood
//! there: it might be a secret in the wrong field.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Request};
use http::{HeaderMap, header};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::idempotency;
use super::problem::Fault;
use crate::state::App;

/// Why a body was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Another content type, or none.
    #[error("the body is not declared as JSON: send `Content-Type: application/json`")]
    ContentType,
    /// Longer than allowed.
    #[error("the body is longer than {max} bytes")]
    TooLong { max: usize },
    /// Arrays and objects nest too deep.
    #[error("the body nests deeper than {max} arrays or objects")]
    TooDeep { max: usize },
    /// Too many texts, names included.
    #[error("the body holds more than {max} texts and names")]
    TooManyStrings { max: usize },
    /// Too many values, be they as short as a digit.
    #[error("the body holds more than {max} values")]
    TooManyValues { max: usize },
    /// Not JSON, or not the JSON that is wanted.
    #[error("line {line}, column {column}: {message}")]
    Malformed { line: usize, column: usize, message: String },
    /// The connection ended, or the body's bytes broke the protocol.
    #[error("the body did not arrive whole")]
    Broken,
    /// The body took too long.
    #[error("the body did not arrive in time")]
    TimedOut,
    /// A verb without arguments got some.
    #[error("this verb takes no body")]
    Unwanted,
}

/// The bounds of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Bytes.
    pub bytes: usize,
    /// Nesting.
    pub depth: usize,
    /// Texts and names.
    pub strings: usize,
}

impl Bounds {
    /// Most values, told by the commas between them: a byte each, and dozens of bytes once they are parsed.
    fn values(self) -> usize {
        self.strings.saturating_mul(4)
    }
}

/// A request body of the usual size.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// A request body of entities, a bundle or a batch.
#[derive(Debug)]
pub struct LargeJson<T>(pub T);

/// A body and its hash: for verbs that keep a hash of what they were asked.
#[derive(Debug)]
pub struct HashedJson<T> {
    /// The value.
    pub value: T,
    /// SHA-256 of the body as it came; zeros where no `Idempotency-Key` asks for it.
    pub hash: [u8; 32],
}

/// A body that may be left out, and its hash.
#[derive(Debug)]
pub struct OptionalJson<T> {
    /// The value.
    pub value: T,
    /// As in [`HashedJson`].
    pub hash: [u8; 32],
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for Json<T> {
    type Rejection = Fault;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Fault> {
        declared(request.headers())?;
        let bytes = collect(request.into_body(), app.bounds.usual.bytes).await?;
        Ok(Self(read(&bytes, app.bounds.usual)?))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for LargeJson<T> {
    type Rejection = Fault;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Fault> {
        declared(request.headers())?;
        let bytes = collect(request.into_body(), app.bounds.large.bytes).await?;
        Ok(Self(read(&bytes, app.bounds.large)?))
    }
}

impl<T: DeserializeOwned> FromRequest<Arc<App>> for HashedJson<T> {
    type Rejection = Fault;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Fault> {
        let hashed = request.headers().contains_key(idempotency::HEADER);
        declared(request.headers())?;
        let bytes = collect(request.into_body(), app.bounds.usual.bytes).await?;
        Ok(Self { value: read(&bytes, app.bounds.usual)?, hash: hash(&bytes, hashed) })
    }
}

impl<T: DeserializeOwned + Default> FromRequest<Arc<App>> for OptionalJson<T> {
    type Rejection = Fault;
    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Fault> {
        let hashed = request.headers().contains_key(idempotency::HEADER);
        let declared = declared(request.headers());
        let bytes = collect(request.into_body(), app.bounds.usual.bytes).await?;
        if bytes.is_empty() {
            return Ok(Self { value: T::default(), hash: hash(&bytes, hashed) });
        }
        declared?;
        Ok(Self { value: read(&bytes, app.bounds.usual)?, hash: hash(&bytes, hashed) })
    }
}

fn hash(bytes: &[u8], wanted: bool) -> [u8; 32] {
    if wanted { Sha256::digest(bytes).into() } else { [0; 32] }
}

/// `application/json`, with or without a charset parameter.
fn declared(headers: &HeaderMap) -> Result<(), BodyError> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/json") { Ok(()) } else { Err(BodyError::ContentType) }
}

/// The accept loop bounds the time; here the bytes are.
async fn collect(body: Body, max: usize) -> Result<Bytes, BodyError> {
    match Limited::new(body, max).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(BodyError::TooLong { max }),
        Err(error) if timed_out(&*error) => Err(BodyError::TimedOut),
        Err(_) => Err(BodyError::Broken),
    }
}

fn timed_out(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if matches!(error.downcast_ref(), Some(crate::accept::BodyError::Timeout)) {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Reads a value after checking the bounds.
pub fn read<T: DeserializeOwned>(bytes: &[u8], bounds: Bounds) -> Result<T, BodyError> {
    check(bytes, bounds)?;
    serde_json::from_slice(bytes).map_err(|error| BodyError::Malformed {
        line: error.line(),
        column: error.column(),
        message: without_echo(&error),
    })
}

/// One pass over the bytes: opening brackets, commas and quotes outside of texts. It need not be a JSON parser: whatever is
/// malformed is refused by the real one afterwards.
fn check(bytes: &[u8], bounds: Bounds) -> Result<(), BodyError> {
    if bytes.len() > bounds.bytes {
        return Err(BodyError::TooLong { max: bounds.bytes });
    }
    let (mut depth, mut strings, mut values, mut inside, mut escaped) = (0_usize, 0_usize, 1_usize, false, false);
    for byte in bytes {
        if inside {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => inside = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => {
                inside = true;
                strings += 1;
                if strings > bounds.strings {
                    return Err(BodyError::TooManyStrings { max: bounds.strings });
                }
            }
            b',' => {
                values += 1;
                if values > bounds.values() {
                    return Err(BodyError::TooManyValues { max: bounds.values() });
                }
            }
            b'[' | b'{' => {
                depth += 1;
                if depth > bounds.depth {
                    return Err(BodyError::TooDeep { max: bounds.depth });
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// The parser's message without what the caller wrote. What it expected stands last and comes from our own types.
fn without_echo(error: &serde_json::Error) -> String {
    const ECHOING: [(&str, &str); 5] = [
        ("unknown field `", "unknown field"),
        ("unknown variant `", "unknown word"),
        ("invalid type: ", "wrong type"),
        ("invalid value: ", "wrong value"),
        ("invalid length ", "wrong length"),
    ];
    let full = error.to_string();
    let message = full.rsplit_once(" at line ").map_or(full.as_str(), |(message, _)| message);
    let Some((_, said)) = ECHOING.iter().find(|(prefix, _)| message.starts_with(prefix)) else {
        return message.to_owned();
    };
    match message.rsplit_once(", expected ") {
        Some((_, expected)) => format!("{said}, expected {expected}"),
        None => (*said).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use wardkeep_api::data_key::GenerateDataKey;

    use super::*;

    const BOUNDS: Bounds = Bounds { bytes: 4096, depth: 4, strings: 10 };

    fn refused<T: DeserializeOwned>(text: &str) -> BodyError {
        match read::<T>(text.as_bytes(), BOUNDS) {
            Err(error) => error,
            Ok(_) => panic!("taken: {text}"),
        }
    }

    #[test]
    fn bombs_are_refused_before_they_are_parsed() {
        let deep = format!("{}{}", "[".repeat(5), "]".repeat(5));
        assert_eq!(refused::<serde_json::Value>(&deep), BodyError::TooDeep { max: 4 });
        let wide = format!("[{}]", ["\"a\""; 11].join(","));
        assert_eq!(refused::<serde_json::Value>(&wide), BodyError::TooManyStrings { max: 10 });
        for value in ["0", "[]", "{}", "null"] {
            let many = format!("[{}]", vec![value; 41].join(","));
            assert_eq!(refused::<serde_json::Value>(&many), BodyError::TooManyValues { max: 40 }, "{value}");
            let enough = format!("[{}]", vec![value; 40].join(","));
            assert!(read::<serde_json::Value>(enough.as_bytes(), BOUNDS).is_ok(), "{value}");
        }
        let long = " ".repeat(4097);
        assert_eq!(refused::<serde_json::Value>(&long), BodyError::TooLong { max: 4096 });
    }

    #[test]
    fn brackets_and_quotes_inside_texts_do_not_count() {
        let text = format!("[\"{}\"]", r#"\"[[[[[{{{{{,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\\"#);
        assert!(read::<Vec<String>>(text.as_bytes(), BOUNDS).is_ok());
        assert!(check(br#""a\\"[[[[["#, BOUNDS).is_err(), "an escaped backslash does not escape the quote");
    }

    #[test]
    fn errors_tell_the_place_and_never_the_content() {
        for text in [
            r#"{"key":"a/b","canary":1}"#,
            r#"{"key":"a/b","plaintext":"canary"}"#,
            r#"{"key":"a/b","plaintext":"canary, expected canary"}"#,
            r#"{"key":"a/b","recipient":{"canary":"x"}}"#,
            r#"{"key":"a/b","context":{"resource":"canary"}}"#,
            r#"{"key":["canary"]}"#,
            "canary",
            r#"{"key":"a/b","key":"canary"}"#,
        ] {
            let error = refused::<GenerateDataKey>(text).to_string();
            assert!(!error.contains("canary") && error.starts_with("line 1"), "{error}");
        }
        let error = refused::<GenerateDataKey>(r#"{"key":"a/b","kontext":{}}"#).to_string();
        assert!(error.contains("expected one of `key`, `context`"), "{error}");
    }

    #[test]
    fn only_json_is_json() {
        let headers = |kind: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, kind.parse().unwrap())]);
        for good in ["application/json", "application/json; charset=utf-8", "Application/JSON"] {
            assert_eq!(declared(&headers(good)), Ok(()), "{good}");
        }
        for bad in ["text/plain", "application/jsonx", "application/x-www-form-urlencoded", ""] {
            assert_eq!(declared(&headers(bad)), Err(BodyError::ContentType), "{bad}");
        }
        assert_eq!(declared(&HeaderMap::new()), Err(BodyError::ContentType));
    }
}
