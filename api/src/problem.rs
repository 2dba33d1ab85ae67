//! Problems (RFC 9457), and the findings of a policy check.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What every problem's `type` starts with; the rest is its stable code.
pub const TYPE_PREFIX: &str = "urn:wardkeep:problem:";
/// The media type of a problem.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// Why a request was not carried out (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `urn:wardkeep:problem:<code>`; stable, what programs decide on.
    #[serde(rename = "type")]
    #[schema(example = "urn:wardkeep:problem:denied")]
    pub kind: String,
    /// The code's meaning, the same for every occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// This occurrence, for humans; what failed and what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// `urn:wardkeep:request:<request id>`
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// The request's id, as in `X-Request-Id` and in the audit log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
    /// What is wrong with a bundle, a control set or an entity, one by one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

/// One thing that is wrong with a policy set, with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Finding {
    /// `error` or `warning`.
    pub severity: Severity,
    /// The file, as the bundle names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// Counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// In characters, counted from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// What is wrong.
    pub message: String,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Refuses the set.
    Error,
    /// Worth a look.
    Warning,
}

impl Problem {
    /// A problem of that code.
    #[must_use]
    pub fn new(code: &str, title: &str, status: u16) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{code}"),
            title: title.to_owned(),
            status,
            detail: None,
            instance: None,
            request_id: None,
            findings: Vec::new(),
        }
    }

    /// The stable code, `denied` of `urn:wardkeep:problem:denied`.
    #[must_use]
    pub fn code(&self) -> &str {
        self.kind.strip_prefix(TYPE_PREFIX).unwrap_or(&self.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_reads_back_and_shows_its_code() {
        let problem = Problem { detail: Some("no".into()), ..Problem::new("denied", "Denied", 403) };
        let text = serde_json::to_string(&problem).unwrap();
        assert_eq!(text, r#"{"type":"urn:wardkeep:problem:denied","title":"Denied","status":403,"detail":"no"}"#);
        let back: Problem = serde_json::from_str(&text).unwrap();
        assert_eq!((back.code(), &back), ("denied", &problem));
    }

    #[test]
    fn a_newer_server_may_say_more() {
        let text = r#"{"type":"about:blank","title":"x","status":500,"more":[1]}"#;
        assert_eq!(serde_json::from_str::<Problem>(text).unwrap().code(), "about:blank");
    }
}
