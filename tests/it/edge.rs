//! The server's edge as a whole: strangers at the door, renewals without end, tokens whose issuer has gone.
//!
//! Broke elsewhere: listeners whose every place strangers held; renewal that kept a stolen certificate alive for ever.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wardkeep_tests::house::{csr, csr_params, member};
use wardkeep_tests::{Answer, Ask, House, Person, bundle};

async fn renew(house: &House, who: &Person) -> Answer {
    let (csr_pem, _) = csr(&csr_params(None));
    house.post(who, "/v1/certificates/renew", json!({"csr_pem": csr_pem})).await
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_on_one_listener_touch_neither_callers_nor_the_other_listeners() {
    let house = House::with(bundle::tested(), |config| {
        config.limits.handshakes = 4;
        config.limits.handshake_millis = 60_000;
        config.limits.first_byte_millis = 60_000;
    })
    .await;
    assert_eq!(house.get(&house.admin, "/v1/whoami").await.status, 200, "a connection that is kept");
    let mut silent = Vec::new();
    for _ in 0..4 {
        silent.push(TcpStream::connect(house.api()).await.unwrap());
    }
    let anew = house.admin.send_anew(house.api(), &Ask::get("/v1/whoami")).await.unwrap();
    assert_eq!(anew.status, 200, "a certificate gets in although strangers hold every place of theirs");
    let mut nothing = Vec::new();
    let closed = timeout(Duration::from_secs(20), silent[0].read_to_end(&mut nothing)).await;
    assert!(closed.is_ok() && nothing.is_empty(), "at the cost of the oldest stranger, closed unheard");
    assert_eq!(house.get(&house.admin, "/v1/whoami").await.status, 200, "who is known goes on");
    let (status, metrics) = house.ops("/metrics").await;
    assert_eq!(status, 200);
    let line = "wardkeep_connections_ended_total{listener=\"api\",reason=\"too-many-handshakes\"} 1";
    assert!(metrics.contains(line), "{metrics}");
    assert!(metrics.contains("wardkeep_log_lines_dropped_total"), "{metrics}");
    let token = house.token(&house.admin, "user", "admin").await.ok();
    let _enrolled = house.enrol(token["token"].as_str().unwrap()).await;
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_over_its_share_is_closed_and_told_by_the_probe() {
    let house = House::with(bundle::tested(), |config| config.limits.connections_per_address = 3).await;
    let mut held = Vec::new();
    for _ in 0..3 {
        let mut stream = house.admin.http2(house.api()).await;
        // The connections that set the house up may still be on their way out.
        for _ in 0..100 {
            if stream.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
            stream = house.admin.http2(house.api()).await;
        }
        held.push(stream.unwrap());
    }
    let mut refused = false;
    for _ in 0..5 {
        refused |= house.admin.send_anew(house.api(), &Ask::get("/v1/whoami")).await.is_err();
    }
    assert!(refused, "a fourth connection of the same address");
    let (_, metrics) = house.ops("/metrics").await;
    assert!(metrics.contains("reason=\"too-many-of-address\""), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_young_certificate_is_renewed_a_few_times_and_then_told_when() {
    let house = House::new().await;
    let bob = house.service("bob", &[]).await;
    for _ in 0..3 {
        assert_eq!(renew(&house, &bob).await.status, 201);
    }
    let refused = renew(&house, &bob).await;
    assert_eq!(refused.said(), (409, "certificate-too-young"));
    assert!(refused.text().contains("renew it after 20"), "says when: {}", refused.text());
    assert_eq!(house.get(&bob, "/v1/whoami").await.status, 200, "the certificate itself is good");
    house.forward(Duration::from_secs(9 * 3600)).await;
    for _ in 0..12 {
        assert_eq!(renew(&house, &bob).await.status, 201);
    }
    let full = renew(&house, &bob).await;
    assert_eq!(full.said(), (409, "family-full"));
    assert!(full.text().contains("16 certificates of one enrolment"), "{}", full.text());
    let outcomes: Vec<Value> =
        house.log().await.into_iter().filter(|event| event["action"] == "RenewCertificate").collect();
    let refusals = outcomes.iter().filter(|event| event["decision"] == "deny").count();
    assert_eq!((outcomes.len(), refusals), (17, 2), "each is recorded");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_the_right_of_who_issued_it() {
    let house = House::new().await;
    let _dana = house.user("dana", &[]).await;
    let _granted = house.grant("admin", "dana").await.ok();
    let token = house.token(&house.admin, "user", "dana").await.ok();
    let dana = house.enrol(token["token"].as_str().unwrap()).await;
    let _entity = house.entity("User", "eve", &[]).await.ok();
    let issued = async || house.token(&dana, "user", "eve").await.ok()["token"].as_str().unwrap().to_owned();
    let (kept, lost) = (issued().await, issued().await);
    let _eve = house.enrol(&kept).await;
    let taken = house.ask(&house.admin, Ask::new(Method::DELETE, member("admin", "dana"))).await;
    assert_eq!(taken.status, 204, "{}", taken.text());
    let (_, refused) = house.try_enrol(&lost, &csr_params(None)).await;
    assert_eq!(refused.said(), (403, "token-refused"));
    let log = house.log().await;
    let event = log.iter().rev().find(|event| event["action"] == "Enrol").unwrap();
    assert_eq!(event["detail"]["reason"], "issuer-lost", "{event}");
    // Given back, it counts again: the token is its issuer's decision, and its issuer may take it.
    let _again = house.grant("admin", "dana").await.ok();
    let _eve = house.enrol(&lost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_issuer() {
    let house = House::new().await;
    let _dana = house.user("dana", &[]).await;
    let _granted = house.grant("admin", "dana").await.ok();
    let token = house.token(&house.admin, "user", "dana").await.ok();
    let dana = house.enrol(token["token"].as_str().unwrap()).await;
    let _entity = house.entity("User", "eve", &[]).await.ok();
    let token = house.token(&dana, "user", "eve").await.ok()["token"].as_str().unwrap().to_owned();
    for ask in [Ask::new(Method::DELETE, member("admin", "dana")), Ask::new(Method::DELETE, "/v1/entities/User/dana")] {
        let answer = house.ask(&house.admin, ask.clone()).await;
        assert!((200..300).contains(&answer.status), "{ask:?}: {}", answer.text());
    }
    let (_, refused) = house.try_enrol(&token, &csr_params(None)).await;
    assert_eq!(refused.said(), (403, "token-refused"));
}

/// Nonsense at the enrolment listener does not queue behind administration, and takes nothing from it.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_at_enrolment_is_refused_while_administration_goes_on() {
    let house = House::new().await;
    let enrol = house.running().enrol.unwrap();
    let (csr_pem, _) = csr(&csr_params(None));
    let nobody = house.nobody();
    for round in 0..5 {
        let junk = Ask::post("/v1/enrol", json!({"token": "wk1.junk", "csr_pem": csr_pem}));
        let name = format!("user-{round}");
        let admin = house.entity("User", &name, &[]);
        let (refused, made) = tokio::join!(nobody.send_anew(enrol, &junk), admin);
        assert_eq!(refused.unwrap().said(), (400, "token-malformed"));
        assert_eq!(made.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_certificate_leaves_the_books_after_a_month_and_the_log_keeps_it() {
    let house = House::with(bundle::tested(), |config| {
        // The administrator outlives the test, the service does not.
        config.ca.life_hours = [("user".to_owned(), 8_784), ("service".to_owned(), 1)].into();
        config.ca.crl_life_hours = 720;
    })
    .await;
    let bob = house.service("bob", &[]).await;
    let listed = async || {
        let list = house.get(&house.admin, "/v1/certificates").await.ok();
        let items = list["items"].as_array().unwrap().clone();
        items.into_iter().find(|item| item["serial"] == bob.serial).map(|item| item["state"].clone())
    };
    assert_eq!(listed().await, Some(json!("valid")));
    house.forward(Duration::from_secs(2 * 3600)).await;
    assert_eq!(house.app().authority.prune().await.unwrap(), 0);
    assert_eq!(listed().await, Some(json!("expired")), "still in the books");
    // Half a month at a time, so that the list of revoked certificates is signed anew in between.
    for _ in 0..3 {
        house.forward(Duration::from_secs(14 * 86_400)).await;
        house.app().authority.refresh_crl();
    }
    assert_eq!(house.app().authority.prune().await.unwrap(), 1);
    assert_eq!(listed().await, None);
    let log = house.log().await;
    assert!(log.iter().any(|event| event["action"] == "Enrol" && event["detail"]["peer"] == bob.serial), "for ever");
}
