//! Attributes *and* the key service: neither alone opens, nothing is asked before the attributes are enough, and nothing
//! is remembered.

use super::*;

const UNWRAP: &str = "/v1/data-keys/unwrap";

#[tokio::test]
async fn both_are_needed_and_the_service_is_asked_every_time() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let (doctor, nurse) =
        (key(&publisher, &client, "role = doctor").await, key(&publisher, &client, "role = nurse").await);
    let wrap = KeyId::parse("clinic/records").unwrap();
    let sealer = client.abe("clinic/abe").await.unwrap().require_online(wrap);
    let sealed = sealer.seal("role = doctor", &context("7"), b"all is well").await.unwrap();

    // The attributes alone, and the key service alone.
    let refused = open(&doctor, &sealed, &context("7")).unwrap_err();
    assert!(matches!(refused, AbeError::NeedsServer), "{refused}");
    assert!(client.read(&sealed).await.is_err());
    let asked = publisher.calls(UNWRAP);
    for times in 1..=3 {
        let opened = client.open_online(&doctor, &sealed, &context("7")).await.unwrap();
        assert_eq!(opened.as_slice(), b"all is well");
        assert_eq!(publisher.calls(UNWRAP), asked + times, "no cache answers for the policies");
    }
    // Attributes that are not enough: the service is not even asked, and learns nothing of the attempt.
    assert!(lacks(&client.open_online(&nurse, &sealed, &context("7")).await.unwrap_err()).contains("doctor"));
    let other = client.open_online(&doctor, &sealed, &context("8")).await.unwrap_err();
    assert!(matches!(other, AbeError::Unexpected), "{other}");
    assert_eq!(publisher.calls(UNWRAP), asked + 3);
    // The service says no: what was sealed long ago does not open any more.
    let view = client.on_behalf_of(wardkeep_model::EntityUid::parse(r#"User::"mallory""#).unwrap());
    let refused = view.open_online(&doctor, &sealed, &context("7")).await.unwrap_err();
    assert_eq!(refused.side(), Side::Denied, "{refused}");
    assert!(refused.missing().is_empty(), "it is not the attributes that were missing");
}

#[tokio::test]
async fn an_envelope_that_asks_for_attributes_alone_asks_nobody() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let doctor = key(&publisher, &client, "role = doctor").await;
    let sealed = client.abe("clinic/abe").await.unwrap().seal("role = doctor", &context("7"), b"x").await.unwrap();
    let calls = publisher.server.seen().len();
    assert_eq!(client.open_online(&doctor, &sealed, &context("7")).await.unwrap().as_slice(), b"x");
    assert_eq!(publisher.server.seen().len(), calls);
    // And one without a policy is said to be none.
    let wrap = KeyId::parse("clinic/records").unwrap();
    let plain = client.protect(&wrap, &context("7"), b"x").await.unwrap();
    let refused = client.open_online(&doctor, &plain, &context("7")).await.unwrap_err();
    assert!(matches!(refused, AbeError::NoPolicy), "{refused}");
}

/// The wrapped part is renewed by whoever may not open, as with every envelope.
#[tokio::test]
async fn the_services_part_is_wrapped_anew_unseen() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let doctor = key(&publisher, &client, "role = doctor").await;
    let sealer = client.abe("clinic/abe").await.unwrap().require_online(KeyId::parse("clinic/records").unwrap());
    let sealed = sealer.seal("role = doctor", &context("7"), b"all is well").await.unwrap();
    let renewed = client.rewrap(&sealed).await.unwrap();
    assert_ne!(renewed, sealed);
    assert_eq!(client.open_online(&doctor, &renewed, &context("7")).await.unwrap().as_slice(), b"all is well");
    let refused = client.open_online(&doctor, &sealed, &context("7")).await.unwrap_err();
    assert!(matches!(refused, AbeError::Record(RecordError::Call(_))), "the fake forgot the old one: {refused}");
}

#[tokio::test]
async fn a_stream_asks_the_service_as_a_record_does() {
    let publisher = Publisher::start().await;
    let client = publisher.client();
    let (doctor, nurse) =
        (key(&publisher, &client, "role = doctor").await, key(&publisher, &client, "role = nurse").await);
    let sealer = client.abe("clinic/abe").await.unwrap();
    let both = sealer.clone().require_online(KeyId::parse("clinic/records").unwrap());
    let long = vec![7; 200_000];
    let stream = |bytes: &[u8]| std::io::Cursor::new(bytes.to_vec());
    let (sealed, _) = both.seal_stream("role = doctor", &context("7"), stream(&long), Vec::new()).await.unwrap();
    let (alone, _) = sealer.seal_stream("role = doctor", &context("7"), stream(&long), Vec::new()).await.unwrap();

    let asked = publisher.calls(UNWRAP);
    for expected in [None, Some(&context("7"))] {
        let opened = client.open_online_stream(&doctor, stream(&sealed), Vec::new(), expected).await.unwrap();
        assert!(opened.output == long && opened.bytes == 200_000 && opened.context == context("7"));
    }
    assert_eq!(publisher.calls(UNWRAP), asked + 2);
    // Nobody is asked about what opens without, about what stays shut, or about another record.
    let opened = client.open_online_stream(&doctor, stream(&alone), Vec::new(), None).await.unwrap();
    assert!(opened.output == long);
    let refused = client.open_online_stream(&nurse, stream(&sealed), Vec::new(), None).await.unwrap_err();
    assert!(lacks(&refused).contains("doctor"));
    let other = client.open_online_stream(&doctor, stream(&sealed), Vec::new(), Some(&context("8"))).await;
    assert!(matches!(other.unwrap_err(), AbeError::Unexpected));
    assert_eq!(publisher.calls(UNWRAP), asked + 2);
    // What was cut off is an error, whatever came before it.
    let cut = client.open_online_stream(&doctor, stream(&sealed[..sealed.len() - 1]), Vec::new(), None).await;
    assert_eq!(cut.unwrap_err().side(), Side::Local);
    // What an envelope asks for is told before anything is opened.
    let needs = |sealed: &[u8], key: &Key| Opening::read(sealed).unwrap().needs_server(key).unwrap();
    assert!(needs(&sealed, &doctor) && !needs(&sealed, &nurse) && !needs(&alone, &doctor));
    let alone = Opening::read(sealed.as_slice()).unwrap().reader(&doctor, None).err().unwrap();
    assert!(matches!(alone, AbeError::NeedsServer), "{alone}");
}
