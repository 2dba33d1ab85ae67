//! Whoever is revoked is out at once: open connections, renewed certificates, forged ones.
//!
//! Broke elsewhere: renewal or resumption with another valid certificate (OpenBao CVE-2026-39388), a forged leaf with the
//! same subject or key id (Vault CVE-2024-2048, CVE-2025-6037), a revoked key that lived on in a cache (COSMIAN-2026-008).

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, timeout};
use wardkeep_tests::forge::Forger;
use wardkeep_tests::house::{csr, csr_params, identity};
use wardkeep_tests::{Answer, Ask, House, Person};

const WITHIN: Duration = Duration::from_secs(1);

async fn revoke(house: &House, what: serde_json::Value) {
    let _revoked = house.post(&house.admin, "/v1/certificates/revoke", what).await.ok();
}

/// No answer, or one that says no.
async fn is_out(house: &House, who: &Person) -> bool {
    let fresh = house.stranger(&who.identity, who.credential.clone().unwrap());
    let out = |answer: Result<Answer, _>| answer.map_or(true, |answer: Answer| answer.status == 403);
    out(house.try_ask(who, &Ask::get("/v1/whoami")).await) && out(house.try_ask(&fresh, &Ask::get("/v1/whoami")).await)
}

#[tokio::test(flavor = "multi_thread")]
async fn open_connections_of_a_revoked_caller_are_cut_within_a_second() {
    let house = House::furnished().await;
    let bob = house.user("bob", &["writers"]).await;
    let mut stream = bob.http2(house.api()).await.unwrap();
    assert_eq!(stream.send(&Ask::get("/v1/whoami")).await.unwrap().status, 200);
    assert_eq!(house.get(&bob, "/v1/whoami").await.status, 200, "a connection of HTTP/1.1 that is kept");
    // One more that is open and has said nothing since its first answer.
    let mut idle = bob.dial(house.api(), b"http/1.1").await.unwrap();
    let request = b"GET /v1/whoami HTTP/1.1\r\nhost: localhost\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut idle, request).await.unwrap();
    let mut first = [0; 12];
    tokio::io::AsyncReadExt::read_exact(&mut idle, &mut first).await.unwrap();
    assert_eq!(&first, b"HTTP/1.1 200");

    let began = Instant::now();
    revoke(&house, json!({"identity": identity("user", "bob")})).await;
    let answer = stream.send(&Ask::get("/v1/whoami")).await;
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 403), "{answer:?}");
    let answer = house.try_ask(&bob, &Ask::get("/v1/whoami")).await;
    assert!(answer.as_ref().map_or(true, |answer| answer.status == 403), "{answer:?}");
    let mut rest = Vec::new();
    let closed = timeout(WITHIN, tokio::io::AsyncReadExt::read_to_end(&mut idle, &mut rest)).await;
    assert!(closed.is_ok(), "the idle connection lives");
    timeout(WITHIN, stream.driver).await.expect("the HTTP/2 connection lives").unwrap();
    assert!(began.elapsed() < WITHIN + WITHIN, "{:?}", began.elapsed());
    assert!(is_out(&house, &bob).await);
    assert_eq!(house.get(&house.admin, "/v1/whoami").await.status, 200, "nobody else is touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_renewed_from_a_revoked_certificate_goes_with_it() {
    let house = House::new().await;
    let bob = house.user("bob", &[]).await;
    let child = house.renew(&bob).await;
    let grandchild = house.renew(&child).await;
    let other = house.user("bob", &[]).await;
    assert_eq!((&child.identity, &grandchild.identity), (&bob.identity, &bob.identity));
    revoke(&house, json!({"serial": child.serial})).await;
    assert!(is_out(&house, &child).await && is_out(&house, &grandchild).await);
    assert_eq!(house.get(&bob, "/v1/whoami").await.status, 200, "its parent stays");
    revoke(&house, json!({"serial": bob.serial})).await;
    assert!(is_out(&house, &bob).await);
    assert_eq!(house.get(&other, "/v1/whoami").await.status, 200, "another enrolment of the same identity stays");
    revoke(&house, json!({"identity": bob.identity})).await;
    assert!(is_out(&house, &other).await);
    let again = house.user("bob", &[]).await;
    assert_eq!(house.get(&again, "/v1/whoami").await.status, 200, "enrolled after the revocation");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_outlives_a_restart() {
    let mut house = House::new().await;
    let bob = house.user("bob", &[]).await;
    let child = house.renew(&bob).await;
    revoke(&house, json!({"serial": bob.serial})).await;
    house.stop().await;
    house.start().await;
    assert!(is_out(&house, &bob).await && is_out(&house, &child).await);
    assert_eq!(house.get(&house.admin, "/v1/whoami").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_renews_itself_and_nothing_else() {
    let house = House::new().await;
    let (ann, bob) = (house.user("ann", &[]).await, house.user("bob", &[]).await);
    let (csr_pem, _) = csr(&csr_params(Some(&ann.identity)));
    let renewed = house.post(&bob, "/v1/certificates/renew", json!({"csr_pem": csr_pem})).await.ok();
    assert_eq!(renewed["identity"], bob.identity, "whose certificate was shown, not whose was named");
    for extra in ["serial", "identity", "certificate_pem"] {
        let body = json!({"csr_pem": csr_pem, extra: ann.serial});
        assert_eq!(house.post(&bob, "/v1/certificates/renew", body).await.status, 400, "{extra}");
    }
    let ask = Ask::post("/v1/certificates/renew", json!({"csr_pem": csr_pem})).as_user("ann");
    assert_eq!(house.ask(&bob, ask).await.said(), (400, "subject-on-control-verb"));
    // With the entity go its certificates: whoever is given the name later finds none of them at work.
    let gone = Ask::new(http::Method::DELETE, "/v1/entities/User/bob");
    let _deleted = house.ask(&house.admin, gone).await.ok();
    assert!(is_out(&house, &bob).await);
    let next = house.user("bob", &[]).await;
    assert_eq!(house.get(&next, "/v1/whoami").await.status, 200);
    assert!(is_out(&house, &bob).await, "an old certificate works again under the new entity");
    let listed = house.get(&house.admin, "/v1/certificates").await.ok();
    let of_bob = listed["items"].as_array().unwrap().iter().filter(|one| one["identity"] == bob.identity).count();
    assert_eq!(of_bob, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_without_the_key_gives_no_certificate() {
    let house = House::new().await;
    let bob = house.user("bob", &[]).await;
    let (csr_pem, _) = csr(&csr_params(None));
    let mut lines: Vec<String> = csr_pem.lines().map(str::to_owned).collect();
    let last = lines.len() - 2;
    let flipped = if lines[last].starts_with('A') { "B" } else { "A" };
    lines[last].replace_range(..1, flipped);
    for bad in [lines.join("\n"), String::new(), csr_pem.replace("REQUEST", "X"), "-".repeat(20_000)] {
        let answer = house.post(&bob, "/v1/certificates/renew", json!({"csr_pem": bad})).await;
        assert_eq!(answer.status, 400, "{}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn forged_certificates_are_no_certificates() {
    let house = House::new().await;
    let bob = house.user("bob", &[]).await;
    let chain = &bob.credential.as_ref().unwrap().chain_pem;
    for forger in [Forger::posing_as(chain), Forger::new("somebody else")] {
        for who in ["admin", "bob"] {
            let credential = forger.leaf(&identity("user", who), |params| {
                params.serial_number = Some(bytes_of(&bob.serial).into());
            });
            let mallory = house.stranger(&identity("user", who), credential);
            let answer = house.try_ask(&mallory, &Ask::get("/v1/whoami")).await;
            assert!(answer.is_err(), "{who}: {answer:?}");
        }
    }
    assert_eq!(house.get(&bob, "/v1/whoami").await.status, 200);
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let even = if hex.len() % 2 == 1 { format!("0{hex}") } else { hex.to_owned() };
    (0..even.len()).step_by(2).map(|at| u8::from_str_radix(&even[at..at + 2], 16).unwrap()).collect()
}
