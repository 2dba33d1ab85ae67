//! Deadlines from nothing to for ever.
//!
//! Broke here: a deadline of `Duration::MAX`, which people write for "take your time", overflowed the clock and ended
//! the application.

use super::*;

#[tokio::test]
async fn no_deadline_is_too_far_off() {
    let (server, _folder, settings) = flaky(with_hang_ups(1)).await;
    let client = Client::connect(settings).await.unwrap();
    for limit in [Duration::MAX, Duration::from_secs(u64::MAX), LONGEST + Duration::from_secs(1), LONGEST] {
        client.with_deadline(limit).tell(Call::get("/v1/whoami")).await.unwrap();
    }
    assert_eq!(server.seen().len(), 5, "the one that was hung up on went twice");
}

#[tokio::test]
async fn every_timeout_of_the_settings_may_be_for_ever() {
    let (_server, _folder, mut settings) = flaky(|_| body()).await;
    settings.timeouts.connect = Duration::MAX;
    settings.timeouts.request = Duration::MAX;
    settings.timeouts.poll = Duration::MAX;
    let client = Client::connect(settings).await.unwrap();
    client.tell(Call::get("/v1/whoami")).await.unwrap();
}

#[tokio::test]
async fn a_deadline_of_nothing_ends_before_anything_is_answered() {
    let (_server, _folder, settings) = flaky(|_| Reply::Silence).await;
    let client = Client::connect(settings).await.unwrap().with_deadline(Duration::ZERO);
    let error = client.tell(Call::get("/v1/whoami")).await.unwrap_err();
    let CallError::Timeout { limit, request } = &error else { panic!("{error:?}") };
    assert_eq!(*limit, Duration::ZERO);
    assert!(error.to_string().contains(request.as_str()), "{error}");
    assert_eq!(error.side(), crate::Side::Remote);
}

/// The pauses between tries are inside the deadline: a server that asks for a minute does not hold a call of a second.
#[tokio::test]
async fn a_pause_that_would_outlast_the_deadline_is_not_begun() {
    let turned_away = |_| {
        let problem = serde_json::to_string(&Problem::new("rate-limited", "too many", 429)).unwrap();
        Reply::With(429, "retry-after", "60".to_owned(), problem)
    };
    let (server, _folder, settings) = flaky(turned_away).await;
    let client = Client::connect(settings).await.unwrap().with_deadline(Duration::from_secs(30));
    let began = Instant::now();
    let error = client.tell(Call::get("/v1/whoami")).await.unwrap_err();
    let CallError::RateLimited { retry_after, .. } = error else { panic!("{error:?}") };
    assert_eq!(retry_after, Some(Duration::from_secs(60)));
    assert_eq!(server.seen().len(), 1);
    assert!(began.elapsed() < Duration::from_secs(25), "it did not sit out its deadline");
}

#[tokio::test]
async fn a_view_with_a_deadline_leaves_the_client_its_own() {
    let (_server, _folder, settings) = flaky(|number| if number == 0 { Reply::Silence } else { body() }).await;
    let client = Client::connect(settings).await.unwrap();
    let hurried = client.with_deadline(Duration::from_millis(200));
    assert!(matches!(hurried.tell(Call::get("/v1/whoami")).await, Err(CallError::Timeout { .. })));
    client.tell(Call::get("/v1/whoami")).await.unwrap();
}
