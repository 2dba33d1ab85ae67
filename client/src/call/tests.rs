//! Calls against a real TLS server: retries, deadlines, headers, problems.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::testing::{Authority, Folder, Reply, Server};
use crate::{Client, Settings};

mod answers;
mod deadlines;
mod verbs;

const WHO: &str = "spiffe://example/service/web";

async fn flaky(replies: impl Fn(usize) -> Reply + Send + Sync + 'static) -> (Server, Folder, Settings) {
    let ca = Authority::new("ca");
    let count = AtomicUsize::new(0);
    let server = Server::start(&ca, move |_| replies(count.fetch_add(1, Ordering::SeqCst))).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let settings = folder.settings(server.port);
    (server, folder, settings)
}

fn body() -> Reply {
    Reply::Json(200, "{}".to_owned())
}

fn with_hang_ups(failures: usize) -> impl Fn(usize) -> Reply {
    move |number| if number < failures { Reply::HangUp } else { body() }
}

#[tokio::test]
async fn a_repeatable_call_survives_broken_connections() {
    let (server, _folder, settings) = flaky(with_hang_ups(2)).await;
    let client = Client::connect(settings).await.unwrap();
    client.tell(Call::get("/v1/whoami")).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].header("x-request-id"), seen[2].header("x-request-id"), "one name for all tries");
}

#[tokio::test]
async fn a_change_is_not_sent_again_after_a_broken_connection() {
    let (server, _folder, settings) = flaky(with_hang_ups(2)).await;
    let client = Client::connect(settings).await.unwrap();
    let error = client.tell(Call::once(Method::POST, "/v1/tokens")).await.unwrap_err();
    assert!(matches!(error, CallError::Broken { .. }), "{error:?}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_change_under_an_idempotency_key_is_sent_again_under_the_same_key() {
    let (server, _folder, settings) = flaky(with_hang_ups(1)).await;
    let client = Client::connect(settings).await.unwrap();
    client.tell(Call::idempotent(Method::POST, "/v1/keys")).await.unwrap();
    client.with_idempotency_key("mine-1").tell(Call::once(Method::POST, "/v1/tokens")).await.unwrap();
    let keys: Vec<_> = server.seen().iter().map(|seen| seen.header("idempotency-key").unwrap().to_owned()).collect();
    assert_eq!(keys[0], keys[1]);
    assert_eq!(keys[2], "mine-1");
    assert_ne!(keys[0], keys[2]);
}

#[tokio::test]
async fn retry_after_is_waited_for() {
    let turned_away = |number| match number {
        0 => {
            let problem = serde_json::to_string(&Problem::new("rate-limited", "too many", 429)).unwrap();
            Reply::With(429, "retry-after", "1".to_owned(), problem)
        }
        _ => body(),
    };
    let (server, _folder, settings) = flaky(turned_away).await;
    let client = Client::connect(settings).await.unwrap();
    let began = Instant::now();
    client.tell(Call::once(Method::POST, "/v1/tokens")).await.unwrap();
    assert!(began.elapsed() >= Duration::from_secs(1));
    assert_eq!(server.seen().len(), 2, "429 is before any work, so even a change goes again");
}

#[tokio::test]
async fn a_server_that_stays_away_is_not_asked_for_ever() {
    let (server, _folder, settings) = flaky(|_| Reply::problem(503, "overloaded")).await;
    let client = Client::connect(settings).await.unwrap();
    let error = client.tell(Call::get("/v1/whoami")).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error:?}");
    assert_eq!(server.seen().len(), retry::MAX_TRIES as usize);
    let error = client.tell(Call::once(Method::POST, "/v1/tokens")).await.unwrap_err();
    assert!(matches!(error, CallError::Unavailable { .. }), "{error:?}");
    assert_eq!(server.seen().len(), retry::MAX_TRIES as usize + 1, "a change may be under way");
}

#[tokio::test]
async fn nothing_but_an_answer_outlasts_the_deadline() {
    let (_server, _folder, settings) = flaky(|_| Reply::Silence).await;
    let client = Client::connect(settings).await.unwrap().with_deadline(Duration::from_millis(300));
    let began = Instant::now();
    let error = client.tell(Call::get("/v1/whoami")).await.unwrap_err();
    assert!(matches!(error, CallError::Timeout { .. }), "{error:?}");
    assert!(error.request_id().is_some());
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn a_refusal_is_final_and_typed() {
    let (server, _folder, settings) = flaky(|number| match number {
        0 => Reply::problem(403, "denied"),
        1 => Reply::problem(409, "key-not-active"),
        _ => Reply::Json(502, "<html>some proxy</html>".to_owned()),
    })
    .await;
    let client = Client::connect(settings).await.unwrap();
    let denied = client.tell(Call::get("/v1/whoami")).await.unwrap_err();
    assert!(denied.is_denied() && denied.request_id().is_some(), "{denied:?}");
    let conflict = client.tell(Call::get("/v1/whoami")).await.unwrap_err();
    assert_eq!(conflict.refusal().unwrap().code, "key-not-active");
    let foreign = client.tell(Call::get("/v1/whoami")).await.unwrap_err();
    assert!(matches!(foreign, CallError::Protocol { fault: ProtocolFault::NotAProblem { status: 502 }, .. }));
    assert!(!foreign.to_string().contains("html"), "foreign text is not repeated: {foreign}");
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn an_answer_of_another_form_is_a_protocol_error() {
    let (_server, _folder, settings) = flaky(|_| Reply::Json(200, "[1]".to_owned())).await;
    let client = Client::connect(settings).await.unwrap();
    let error = client.whoami().await.unwrap_err();
    assert!(matches!(error, CallError::Protocol { fault: ProtocolFault::Body, .. }), "{error:?}");
}

#[tokio::test]
async fn an_endless_answer_is_cut() {
    let (_server, _folder, settings) = flaky(|_| Reply::Json(200, " ".repeat(MAX_ANSWER + 1))).await;
    let client = Client::connect(settings).await.unwrap();
    let error = client.whoami().await.unwrap_err();
    assert!(matches!(error, CallError::Protocol { fault: ProtocolFault::TooLong { .. }, .. }), "{error:?}");
}

#[tokio::test]
async fn subject_and_revision_travel_as_headers() {
    let (server, _folder, settings) = flaky(|_| body()).await;
    let client = Client::connect(settings).await.unwrap();
    let ana = client.on_behalf_of(EntityUid::parse("User::\"anaż\"").unwrap());
    ana.tell(Call::once(Method::DELETE, "/v1/rings/a").if_revision(Some(7))).await.unwrap();
    client.tell(Call::get("/v1/whoami")).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].header("wardkeep-subject"), Some("User::\"ana\\u{17c}\""));
    assert_eq!(seen[0].header("if-match"), Some("\"7\""));
    assert_eq!(seen[1].header("wardkeep-subject"), None, "a view does not change the client");
}

#[tokio::test]
async fn an_idempotency_key_that_would_split_a_header_is_refused_here() {
    let (server, _folder, settings) = flaky(|_| body()).await;
    let client = Client::connect(settings).await.unwrap().with_idempotency_key("a\r\nx: y");
    let error = client.tell(Call::once(Method::POST, "/v1/tokens")).await.unwrap_err();
    assert!(matches!(error, CallError::Unwritable { .. }));
    assert!(server.seen().is_empty());
}

#[test]
fn a_segment_stays_one_segment() {
    assert_eq!(segment("Clinic::User"), "Clinic%3A%3AUser");
    for (text, written) in [("..", "%2E%2E"), ("a/b", "a%2Fb"), ("a?b#c", "a%3Fb%23c"), ("é", "%C3%A9"), ("%", "%25")]
    {
        assert_eq!(segment(text), written);
    }
}

#[test]
fn a_query_holds_only_what_is_given() {
    let path = query("/v1/keys", &[("limit", Some("5".into())), ("ring", None), ("cursor", Some("a&b=c".into()))]);
    assert_eq!(path, "/v1/keys?limit=5&cursor=a%26b%3Dc");
    assert_eq!(query("/v1/keys", &[("limit", None)]), "/v1/keys");
}

#[test]
fn a_subject_travels_in_ascii_and_comes_back_whole() {
    for id in ["ana", "żółć", "a\"b\\c", "日本"] {
        let uid = EntityUid::new("User", id).unwrap();
        let header = ascii_entity(&uid);
        assert!(HeaderValue::from_str(&header).is_ok_and(|h| h.to_str().is_ok()), "{header}");
        assert_eq!(EntityUid::parse(&header).unwrap(), uid);
    }
}

#[test]
fn retry_after_is_seconds_or_nothing() {
    let with = |text: &'static str| retry_after(&HeaderMap::from_iter([(RETRY_AFTER, HeaderValue::from_static(text))]));
    assert_eq!(with("7"), Some(Duration::from_secs(7)));
    for odd in ["-1", "soon", "1.5", "Wed, 21 Oct 2026 07:28:00 GMT", ""] {
        assert_eq!(with(odd), None, "{odd}");
    }
}
