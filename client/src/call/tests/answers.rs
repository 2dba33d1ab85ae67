//! Answers as a broken server, a proxy in between, or somebody with the server's certificate would give them.

use super::*;
use crate::Side;

/// What one answer becomes.
async fn answered(reply: impl Fn() -> Reply + Send + Sync + 'static) -> CallError {
    let (_server, _folder, settings) = flaky(move |_| reply()).await;
    Client::connect(settings).await.unwrap().whoami().await.unwrap_err()
}

fn problem_text(status: u16, code: &str) -> String {
    serde_json::to_string(&Problem::new(code, "a title", status)).unwrap()
}

#[tokio::test]
async fn every_status_is_one_variant_with_its_code_and_side() {
    type Is = fn(&CallError) -> bool;
    let table: [(u16, &str, Is, usize); 20] = [
        (400, "bad-request", |e| matches!(e, CallError::Invalid(_)), 1),
        (401, "no-certificate", |e| matches!(e, CallError::Invalid(_)), 1),
        (403, "denied", CallError::is_denied, 1),
        (403, "replay-denied", CallError::is_denied, 1),
        (403, "unknown-identity", CallError::is_denied, 1),
        (404, "not-found", |e| matches!(e, CallError::NotFound(_)), 1),
        (405, "method", |e| matches!(e, CallError::Invalid(_)), 1),
        (409, "key-not-active", |e| matches!(e, CallError::Conflict(_)), 1),
        (412, "precondition", |e| matches!(e, CallError::Precondition(_)), 1),
        (413, "too-large", |e| matches!(e, CallError::Invalid(_)), 1),
        (415, "media-type", |e| matches!(e, CallError::Invalid(_)), 1),
        (422, "idempotency-mismatch", |e| matches!(e, CallError::Invalid(_)), 1),
        (428, "precondition-required", |e| matches!(e, CallError::Precondition(_)), 1),
        (429, "rate-limited", |e| matches!(e, CallError::RateLimited { .. }), 5),
        (499, "odd", |e| matches!(e, CallError::Invalid(_)), 1),
        (500, "unexpected", |e| matches!(e, CallError::Failed(_)), 1),
        (502, "odd", |e| matches!(e, CallError::Failed(_)), 1),
        (503, "overloaded", |e| matches!(e, CallError::Unavailable { .. }), 5),
        (507, "full", |e| matches!(e, CallError::Full(_)), 1),
        (599, "odd", |e| matches!(e, CallError::Failed(_)), 1),
    ];
    for (status, code, is, tries) in table {
        let text = problem_text(status, code);
        let (server, _folder, settings) = flaky(move |_| Reply::Json(status, text.clone())).await;
        let error = Client::connect(settings).await.unwrap().whoami().await.unwrap_err();
        assert!(is(&error), "{status}: {error:?}");
        let refusal = error.refusal().unwrap();
        assert_eq!((refusal.code.as_str(), refusal.status, refusal.title.as_str()), (code, status, "a title"));
        assert_eq!(error.side(), if status == 403 { Side::Denied } else { Side::Remote }, "{status}");
        let sent = server.seen()[0].header("x-request-id").unwrap().to_owned();
        assert_eq!(error.request_id().unwrap().as_str(), sent, "{status}: the id it went under");
        let said = error.to_string();
        assert!(said.contains(code) && said.contains("a title") && said.contains(&sent), "{said}");
        assert_eq!(server.seen().len(), tries, "{status}");
    }
}

/// The status line is what the parts of the way agree on: a body that says otherwise does not make a denial of it.
#[tokio::test]
async fn a_body_does_not_speak_for_the_status_line() {
    let error = answered(|| Reply::Json(500, problem_text(403, "denied"))).await;
    assert!(matches!(error, CallError::Failed(_)) && !error.is_denied(), "{error:?}");
    assert_eq!(error.refusal().unwrap().status, 500);
    let error = answered(|| Reply::Json(403, problem_text(200, "fine"))).await;
    assert!(error.is_denied(), "{error:?}");
}

#[tokio::test]
async fn what_is_no_problem_document_is_not_repeated() {
    for (status, text) in [
        (400, "<html><script>alert(1)</script></html>"),
        (403, ""),
        (404, "null"),
        (404, "[]"),
        (500, "{\"type\":7}"),
        (502, "\u{1b}[2J"),
        (301, "Moved"),
        (304, ""),
    ] {
        let error = answered(move || Reply::Json(status, text.to_owned())).await;
        let CallError::Protocol { fault, .. } = &error else { panic!("{status}: {error:?}") };
        assert_eq!(*fault, ProtocolFault::NotAProblem { status });
        let said = error.to_string();
        assert!(said.contains(&status.to_string()) && said.contains("API listener"), "{said}");
        assert!(!said.contains("script") && !said.contains('\u{1b}'), "{said}");
        assert!(error.request_id().is_some() && error.refusal().is_none());
    }
}

/// Following a redirect would take the certificate, and a data key's request, to wherever it points.
#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, _other, _settings) = flaky(|_| body()).await;
    let place = format!("https://127.0.0.1:{}/v1/whoami", elsewhere.port);
    for status in [301, 302, 307, 308] {
        let place = place.clone();
        let error = answered(move || Reply::With(status, "location", place.clone(), String::new())).await;
        assert!(matches!(error, CallError::Protocol { .. }), "{status}: {error:?}");
    }
    assert!(elsewhere.seen().is_empty());
}

#[tokio::test]
async fn successes_of_another_form_are_errors_of_the_server() {
    for text in ["", "null", "{", "[]", "{\"identity\":7}", "\u{feff}{}", "{}{}"] {
        let error = answered(move || Reply::Json(200, text.to_owned())).await;
        assert!(matches!(error, CallError::Protocol { fault: ProtocolFault::Body, .. }), "{text:?}: {error:?}");
        assert!(error.to_string().contains("different versions"), "{error}");
    }
    let (_server, _folder, settings) = flaky(|_| Reply::Json(200, "{}".into())).await;
    let text = Client::connect(settings).await.unwrap().openapi().await.unwrap();
    assert_eq!(text, "{}");
}

#[tokio::test]
async fn the_longest_answer_is_read_and_one_byte_more_is_not() {
    let (_server, _folder, settings) = flaky(|number| Reply::Json(200, " ".repeat(MAX_ANSWER + number))).await;
    let client = Client::connect(settings).await.unwrap();
    assert_eq!(client.openapi().await.unwrap().len(), MAX_ANSWER);
    let error = client.openapi().await.unwrap_err();
    let CallError::Protocol { fault, .. } = &error else { panic!("{error:?}") };
    assert_eq!(*fault, ProtocolFault::TooLong { limit: 16 << 20 });
    assert!(error.to_string().contains("16777216"), "{error}");
}

#[tokio::test]
async fn text_that_is_not_utf_8_is_an_error() {
    // A lone continuation byte cannot be written by `Reply`, whose text is UTF-8: take it apart here.
    let answer =
        Answer { body: Zeroizing::new(vec![0x80]), request: RequestId::new("r-1").unwrap(), kept: Kept::default() };
    let error = answer.text().unwrap_err();
    assert!(matches!(error, CallError::Protocol { fault: ProtocolFault::Body, .. }), "{error:?}");
    assert_eq!(answer.bytes(), [0x80]);
    assert_eq!(error.request_id().unwrap().as_str(), "r-1");
}

#[tokio::test]
async fn a_request_id_that_the_server_gives_is_the_one_to_ask_about() {
    let named = |id: &str| {
        let mut problem = Problem::new("denied", "denied", 403);
        problem.request_id = Some(id.to_owned());
        serde_json::to_string(&problem).unwrap()
    };
    let good = named("server-7");
    let error = answered(move || Reply::Json(403, good.clone())).await;
    assert_eq!(error.request_id().unwrap().as_str(), "server-7");
    // One that could break a log line is not believed; the one that was sent stands in.
    let bad = named("x\r\ny");
    let error = answered(move || Reply::Json(403, bad.clone())).await;
    let shown = error.request_id().unwrap().as_str();
    assert!(!shown.contains('\n') && !shown.is_empty(), "{shown:?}");
}

#[tokio::test]
async fn a_request_id_of_the_callers_goes_along_every_try() {
    let (server, _folder, settings) = flaky(with_hang_ups(2)).await;
    let client = Client::connect(settings).await.unwrap();
    client.with_request_id(RequestId::new("mine-1").unwrap()).tell(Call::get("/v1/whoami")).await.unwrap();
    client.tell(Call::get("/v1/whoami")).await.unwrap();
    let ids: Vec<_> = server.seen().iter().map(|seen| seen.header("x-request-id").unwrap().to_owned()).collect();
    assert_eq!(ids[..3], ["mine-1", "mine-1", "mine-1"]);
    assert_ne!(ids[3], "mine-1", "a view does not change the client");
}
