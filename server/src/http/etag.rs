//! `ETag` and `If-Match` (RFC 9110 sections 8.8.3 and 13.1.1): the tag of a thing is its revision.

use axum::extract::FromRequestParts;
use axum::response::{IntoResponse, Response};
use http::request::Parts;
use http::{HeaderValue, header};

use super::problem::Fault;

/// Why an `If-Match` was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EtagError {
    /// The verb needs one.
    #[error("say which revision you change: send its `ETag` as `If-Match`")]
    Required,
    /// Not one strong tag of ours.
    #[error("`If-Match` takes one tag as `ETag` gave it, such as `\"3\"`")]
    Malformed,
}

/// The revision that the caller last saw, if it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IfMatch(pub Option<u64>);

impl IfMatch {
    /// The revision, which this verb insists on.
    ///
    /// # Errors
    /// [`EtagError::Required`] where the header is missing.
    pub fn required(self) -> Result<u64, EtagError> {
        self.0.ok_or(EtagError::Required)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Fault;
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Fault> {
        let mut values = parts.headers.get_all(header::IF_MATCH).iter();
        let (first, second) = (values.next(), values.next());
        match (first, second) {
            (None, _) => Ok(Self(None)),
            (Some(value), None) => Ok(Self(Some(parse(value)?))),
            (Some(_), Some(_)) => Err(EtagError::Malformed.into()),
        }
    }
}

/// One strong tag. `*` and lists would say "any revision", which is what the header is there to prevent.
fn parse(value: &HeaderValue) -> Result<u64, EtagError> {
    let digits = value.to_str().ok().and_then(|text| text.trim().strip_prefix('"')?.strip_suffix('"'));
    let canonical = |digits: &&str| digits.bytes().all(|b| b.is_ascii_digit()) && !digits.starts_with('0');
    digits.filter(canonical).and_then(|digits| digits.parse().ok()).ok_or(EtagError::Malformed)
}

/// An answer that carries the revision of what it shows.
#[derive(Debug)]
pub struct Tagged<T> {
    /// The revision.
    pub revision: u64,
    /// The answer.
    pub answer: T,
}

impl<T: IntoResponse> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = self.answer.into_response();
        if let Ok(tag) = HeaderValue::try_from(format!("\"{}\"", self.revision)) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_has_one_spelling() {
        assert_eq!(parse(&HeaderValue::from_static("\"3\"")), Ok(3));
        for bad in
            ["3", "\"\"", "W/\"3\"", "*", "\"3\", \"4\"", "\"03\"", "\"0\"", "\"-1\"", "\"99999999999999999999\""]
        {
            assert_eq!(parse(&HeaderValue::from_str(bad).unwrap()), Err(EtagError::Malformed), "{bad}");
        }
    }

    #[test]
    fn what_a_verb_insists_on_cannot_be_left_out() {
        assert_eq!(IfMatch(None).required(), Err(EtagError::Required));
        assert_eq!(IfMatch(Some(2)).required(), Ok(2));
    }
}
