//! Renewal against a server that issues, refuses, or issues something else.

use std::sync::Arc;

use super::*;
use crate::testing::{Authority, FixedEntropy, Folder, Reply, Seen, Server, now_millis};

mod clocked;
mod files;

const WHO: &str = "spiffe://example/service/web";
const HOUR: Duration = Duration::from_secs(3600);

fn issuing(ca: Arc<Authority>, identity: &'static str) -> impl Fn(&Seen) -> Reply + Send + Sync {
    move |seen| match seen.path.as_str() {
        "/v1/certificates/renew" => Reply::ok(&ca.answer(&seen.json::<RenewCertificate>().csr_pem, identity)),
        _ => Reply::Json(200, "{}".to_owned()),
    }
}

async fn set_up(identity: &'static str) -> (Arc<Authority>, Server, Folder) {
    let ca = Authority::new("ca");
    let server = Server::start(&ca, issuing(ca.clone(), identity)).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    (ca, server, folder)
}

#[tokio::test]
async fn renewal_makes_a_new_key_and_uses_it_at_once() {
    let (_ca, server, folder) = set_up(WHO).await;
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let key_before = std::fs::read(folder.path("key.pem")).unwrap();
    let renewed = client.renew_certificate().await.unwrap();
    assert_eq!(client.certificate(), renewed);
    assert_ne!(std::fs::read(folder.path("key.pem")).unwrap(), key_before);
    assert!(!folder.path("key.pem.pending").exists());
    for name in ["cert.pem", "key.pem"] {
        assert!(!crate::files::is_open_to_others(&folder.path(name)), "{name}");
    }
    client.tell(Call::get("/v1/whoami")).await.unwrap();
    assert_eq!(server.seen().last().unwrap().serial, renewed.serial.to_string());
    // The files stand by themselves: a new process starts from them.
    assert_eq!(Client::connect(folder.settings(server.port)).await.unwrap().certificate(), renewed);
}

#[tokio::test]
async fn the_request_names_nobody_and_holds_no_private_key() {
    let (_ca, server, folder) = set_up(WHO).await;
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    client.renew_certificate().await.unwrap();
    let seen = server.seen();
    let text = String::from_utf8(seen[0].body.clone()).unwrap();
    assert!(text.contains("CERTIFICATE REQUEST") && !text.contains("PRIVATE KEY"));
}

#[tokio::test]
async fn a_certificate_for_somebody_else_changes_nothing() {
    let (_ca, server, folder) = set_up("spiffe://example/service/admin").await;
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let before = (client.certificate(), std::fs::read(folder.path("cert.pem")).unwrap());
    let error = client.renew_certificate().await.unwrap_err();
    assert!(matches!(error, RenewError::Issue(IssueFault::OtherIdentity)), "{error:?}");
    assert_eq!(before, (client.certificate(), std::fs::read(folder.path("cert.pem")).unwrap()));
    client.tell(Call::get("/v1/whoami")).await.unwrap();
}

#[tokio::test]
async fn a_refusal_keeps_the_old_pair_usable() {
    let ca = Authority::new("ca");
    let server = Server::start(&ca, |_| Reply::problem(403, "denied")).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let error = client.renew_certificate().await.unwrap_err();
    assert_eq!(error.side(), Side::Denied);
    assert!(Client::connect(folder.settings(server.port)).await.is_ok());
}

#[tokio::test]
async fn a_renewal_that_was_cut_off_is_finished_before_the_next() {
    let (ca, server, folder) = set_up(WHO).await;
    let next = ca.client(WHO);
    std::fs::write(folder.path("cert.pem"), &next.certificate).unwrap();
    std::fs::write(folder.path("key.pem.pending"), &next.key).unwrap();
    let settings = folder.settings(server.port);
    settle(&settings).unwrap();
    assert_eq!(std::fs::read(folder.path("key.pem")).unwrap(), next.key.as_bytes());
    Client::connect(settings).await.unwrap().renew_certificate().await.unwrap();
}

#[tokio::test]
async fn two_processes_do_not_mix_their_keys() {
    let (_ca, server, folder) = set_up(WHO).await;
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let held = lock(&folder.path("key.pem")).unwrap();
    assert!(matches!(client.renew_certificate().await, Err(RenewError::Busy)));
    drop(held);
    client.renew_certificate().await.unwrap();
}

#[tokio::test]
async fn the_keeper_renews_by_itself_when_two_thirds_are_over() {
    let ca = Authority::new("ca");
    let server = Server::start(&ca, issuing(ca.clone(), WHO)).await;
    let old = ca.client_of_age(WHO, HOUR, HOUR * 9 / 10);
    let folder = Folder::new(&ca, &old);
    let mut settings = folder.settings(server.port);
    settings.renewal = Renewal::Automatic;
    let client = Client::connect(settings).await.unwrap();
    let before = client.certificate().serial;
    for _ in 0..100 {
        if client.certificate().serial != before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("not renewed within 5 s");
}

#[tokio::test]
async fn the_keeper_leaves_a_young_certificate_and_a_foreign_one_alone() {
    let ca = Authority::new("ca");
    let server = Server::start(&ca, issuing(ca.clone(), WHO)).await;
    for (age, renewal) in [(HOUR / 2, Renewal::Automatic), (HOUR * 9 / 10, Renewal::Elsewhere)] {
        let folder = Folder::new(&ca, &ca.client_of_age(WHO, HOUR, age));
        let settings = Settings { renewal, ..folder.settings(server.port) };
        let _client = Client::connect(settings).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn the_keeper_ends_with_its_client() {
    let (_ca, server, folder) = set_up(WHO).await;
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let weak = Arc::downgrade(&client.clone().shared_for_test());
    tokio::time::sleep(Duration::from_millis(50)).await;
    drop(client);
    assert!(weak.upgrade().is_none());
}

fn certificate(life: Duration) -> CertificateInfo {
    let not_before = Timestamp::from_millis(now_millis());
    let serial = wardkeep_model::CertificateSerial::parse("1").unwrap();
    CertificateInfo { identity: None, serial, not_before, not_after: not_before.plus_millis(millis(life)) }
}

#[test]
fn the_day_of_renewal_is_two_thirds_and_a_little() {
    let certificate = certificate(HOUR * 24);
    let after = |byte| {
        let plan = Plan::new(certificate.clone(), &FixedEntropy(byte));
        Duration::from_millis(plan.next.millis_since(certificate.not_before))
    };
    assert_eq!(after(0), HOUR * 16);
    assert!(after(0xFF) > HOUR * 17 && after(0xFF) < HOUR * 18, "{:?}", after(0xFF));
}

#[test]
fn failures_are_tried_again_before_the_end_whatever_the_life() {
    for life in [Duration::from_secs(60), HOUR, HOUR * 24 * 30] {
        let certificate = certificate(life);
        let mut plan = Plan::new(certificate.clone(), &FixedEntropy(0xFF));
        let mut tries = 0;
        while plan.next < certificate.not_after {
            tries += 1;
            let now = plan.next;
            plan.after(&Err(RenewError::Busy), now, &FixedEntropy(0xFF));
            assert!(plan.next > now);
        }
        assert!(tries >= 5, "{tries} tries in {life:?}");
    }
}
