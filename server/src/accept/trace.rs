//! The W3C trace context of a request (Trace Context level 1, section 3.2), as far as log lines need it.
//!
//! Only what has the exact form is taken: the value comes from the caller and stands in our log.

use http::{HeaderMap, HeaderName};

/// The header.
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The trace id of a request: 32 lower-case hexadecimal digits, or none where the header is missing, stands twice or is
/// not well-formed.
pub(super) fn trace_id(headers: &HeaderMap) -> Option<&str> {
    let mut values = headers.get_all(TRACEPARENT).iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    let mut parts = value.to_str().ok()?.splitn(5, '-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let further = parts.next();
    // Later versions may append fields; version 00 may not, and ff is none.
    let known = version != "ff" && (version != "00" || further.is_none());
    let shaped = hex(version, 2) && hex(trace, 32) && hex(parent, 16) && hex(flags, 2);
    (known && shaped && some(trace) && some(parent)).then_some(trace)
}

fn hex(text: &str, len: usize) -> bool {
    text.len() == len && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// All zeros means "none".
fn some(id: &str) -> bool {
    id.bytes().any(|byte| byte != b'0')
}

#[cfg(test)]
mod tests {
    //! What a caller writes into our log is either a trace id or nothing (CVE-2025-62513: canaries in headers).

    use http::HeaderValue;
    use proptest::prelude::*;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";

    fn of(value: &str) -> Option<String> {
        let headers = HeaderMap::from_iter([(TRACEPARENT, HeaderValue::from_str(value).ok()?)]);
        trace_id(&headers).map(str::to_owned)
    }

    #[test]
    fn a_well_formed_header_names_its_trace() {
        for good in [
            format!("00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-00"),
            format!("01-{TRACE}-00f067aa0ba902b7-01"),
            format!("fe-{TRACE}-00f067aa0ba902b7-01-what-comes-later"),
        ] {
            assert_eq!(of(&good).as_deref(), Some(TRACE), "{good}");
        }
    }

    #[test]
    fn whatever_else_is_none() {
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            TRACE.to_owned(),
            format!("00-{TRACE}-00f067aa0ba902b7"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-more"),
            format!("00-{TRACE}-00f067aa0ba902b7-01-"),
            format!("ff-{TRACE}-00f067aa0ba902b7-01"),
            format!("0-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}-00f067aa0ba902b7-01", TRACE.to_uppercase()),
            format!("00-{}-00f067aa0ba902b7-01", &TRACE[1..]),
            format!("00-{TRACE}0-00f067aa0ba902b7-01"),
            format!("00-{zeros}-00f067aa0ba902b7-01"),
            format!("00-{TRACE}-0000000000000000-01"),
            format!("00-{TRACE}-00f067aa0ba902b7-1"),
            format!("00-{TRACE}-00f067aa0ba902bg-01"),
            format!(" 00-{TRACE}-00f067aa0ba902b7-01"),
            format!("00-{}\"-00f067aa0ba902b7-01", &TRACE[1..]),
        ] {
            assert_eq!(of(&bad), None, "{bad:?}");
        }
        let value = HeaderValue::from_str(&format!("00-{TRACE}-00f067aa0ba902b7-01")).unwrap();
        let twice = HeaderMap::from_iter([(TRACEPARENT, value.clone()), (TRACEPARENT, value)]);
        assert_eq!(trace_id(&twice), None, "which one counts would be a guess");
    }

    proptest! {
        #[test]
        fn nothing_but_hexadecimal_gets_through(text in "[ -~]{0,80}") {
            if let Some(trace) = of(&text) {
                prop_assert!(trace.len() == 32 && trace.bytes().all(|b| b.is_ascii_hexdigit()));
            }
        }

        #[test]
        fn every_trace_that_is_one_is_found(trace in "[0-9a-f]{31}[1-9a-f]", parent in "[0-9a-f]{15}[1-9a-f]") {
            prop_assert_eq!(of(&format!("00-{trace}-{parent}-01")), Some(trace));
        }
    }
}
