//! Old answers, each of them once true and signed: a cache on the way, or somebody who wants a leaked version back.

use super::*;

#[tokio::test]
async fn the_newest_version_never_becomes_an_older_one() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    publisher.say(|state| state.rotate());
    assert_eq!(client.authorities().parameters(&key, None).await.unwrap().version(), 2);
    // The former version, which whoever has its leaked master key would like to be sealed under.
    publisher.say(|state| {
        let former = state.former.take().unwrap();
        state.former = Some(std::mem::replace(&mut state.issuer, former));
    });
    publisher.clock.advance(Duration::from_secs(60));
    let before = publisher.calls(PARAMETERS);
    let refused = client.authorities().parameters(&key, None).await.unwrap_err();
    assert!(matches!(refused, AuthorityError::WentBack { what: "version", seen: 2, found: 1, .. }), "{refused}");
    assert_eq!(publisher.calls(PARAMETERS), before + 2, "asked once more, in case two answers crossed");
    assert!(refused.to_string().contains("number 1, and 2 was seen"), "{refused}");
    // By its number it may be had: whoever holds a key of it has to open with it.
    assert_eq!(client.authorities().parameters(&key, Some(1)).await.unwrap().version(), 1);
    // To a process that never saw the newer one, it is the newest.
    assert_eq!(publisher.client().authorities().parameters(&key, None).await.unwrap().version(), 1);
}

#[tokio::test]
async fn a_list_never_becomes_an_older_one() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    publisher.say(|state| state.revoke(3));
    assert_eq!(client.authorities().revocations(&key, None).await.unwrap().number(), 2);
    publisher.say(|state| {
        state.dates.number = 1;
        state.revoked.clear();
    });
    publisher.clock.advance(Duration::from_secs(60));
    let refused = client.authorities().revocations(&key, None).await.unwrap_err();
    assert!(
        matches!(refused, AuthorityError::WentBack { what: "revocation list", seen: 2, found: 1, .. }),
        "{refused}"
    );
    // Another subject of the same process has not seen it, and is not taken in either.
    let view = client.on_behalf_of(EntityUid::parse(r#"User::"ana""#).unwrap());
    let refused = view.authorities().revocations(&key, None).await.unwrap_err();
    assert!(matches!(refused, AuthorityError::WentBack { .. }), "{refused}");
    // The list of another version counts for itself.
    publisher.say(|state| state.rotate());
    publisher.clock.advance(Duration::from_secs(60));
    assert_eq!(client.authorities().revocations(&key, None).await.unwrap().number(), 1);
}

/// Two questions at once: the answer that left first arrives last, and is no attack.
#[tokio::test]
async fn an_answer_that_was_overtaken_is_asked_for_once_more() {
    let publisher = Publisher::start().await;
    let (client, key) = (publisher.client(), Publisher::key());
    client.authorities().revocations(&key, None).await.unwrap();
    publisher.say(|state| state.revoke(3));
    publisher.clock.advance(Duration::from_secs(60));
    assert_eq!(client.authorities().revocations(&key, None).await.unwrap().number(), 2);
    // A view has to ask for itself; its first answer was on its way before that revocation.
    publisher.say(|state| {
        state.dates.number = 1;
        state.restore = Some(2);
    });
    let view = client.on_behalf_of(EntityUid::parse(r#"User::"ana""#).unwrap());
    assert_eq!(view.authorities().revocations(&key, None).await.unwrap().number(), 2);
}
