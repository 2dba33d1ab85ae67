//! Tokens: once, in time, for whom they name, and against a request that proves its key.

use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P521_SHA512, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize, SanType,
};
use wardkeep_store::{Store, Table};

use super::house::{ANA, House, csr, identity, peer, plain_csr};
use crate::ca::error::TokenRefusal;
use crate::ca::{Authority, AuthorityError, IssueError, NewToken, Target, TokenError, TokenText};
use crate::system::SystemEntropy;

#[tokio::test]
async fn a_token_gives_one_certificate_for_whom_it_names() {
    let house = House::new().await;
    let issued = house.enrolled(ANA).await;
    let peer = peer(&issued);
    assert_eq!(peer.identity, identity(ANA));
    assert_eq!(Some(peer.issuer_digest), house.authority.issuer_digest());
    assert_eq!(peer.serial, issued.record.serial);
    assert!(peer.serial.as_str().len() >= 32, "128 bits at least: {}", peer.serial);
    assert_eq!(issued.record.not_after.millis_since(issued.record.not_before), 720 * 3_600_000, "a person's life");
    let service = house.enrolled("spiffe://clinic.test/service/web").await;
    assert_eq!(service.record.not_after.millis_since(service.record.not_before), 24 * 3_600_000, "a service's life");
}

#[tokio::test]
async fn a_token_is_redeemed_once() {
    let house = House::new().await;
    let token = house.token(ANA).await;
    house.enrol(&token.text, &plain_csr()).await.unwrap();
    let again = house.enrol(&token.text, &plain_csr()).await.unwrap_err();
    assert!(matches!(again, IssueError::TokenRefused(TokenRefusal::Used)), "{again}");
    let record = house.last_record();
    assert!(record.contains("token-refused") && record.contains("deny"), "{record}");
    let after_restart = house.again().enrol(&token.text, &plain_csr()).await;
    assert!(matches!(after_restart, Err(IssueError::TokenRefused(TokenRefusal::Used))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_race_for_a_token_has_one_winner_on_one_node_and_on_several() {
    for nodes in [1, 3] {
        let house = House::new().await;
        let token = house.token(ANA).await;
        let houses: Vec<House> = (0..nodes).map(|_| house.again()).collect();
        let mut racers = tokio::task::JoinSet::new();
        for at in 0..12 {
            let (authority, text) = (houses[at % nodes].authority.clone(), token.text.clone());
            racers.spawn(async move {
                let rules = super::house::Rules::default();
                let csr_pem = &plain_csr();
                let request = super::house::request();
                authority.enrol(crate::ca::Enrolment { token: &text, csr_pem, request }, &rules).await.is_ok()
            });
        }
        let winners = racers.join_all().await.into_iter().filter(|won| *won).count();
        assert_eq!(winners, 1, "{nodes} nodes");
        assert_eq!(house.authority.enrolled().unwrap(), [identity(ANA)]);
    }
}

#[tokio::test]
async fn expired_void_unknown_and_foreign_tokens_are_refused_alike() {
    let house = House::new().await;
    let old = house.token(ANA).await;
    house.clock.advance(Duration::from_secs(3_600));
    let expired = house.enrol(&old.text, &plain_csr()).await.unwrap_err();
    let open = house.token(ANA).await;
    house.cut(Target::Identity { identity: identity(ANA), keep: vec![] }).await.unwrap();
    let void = house.enrol(&open.text, &plain_csr()).await.unwrap_err();
    // The right form and the right CA, and a secret that was never issued.
    let strange = House::new().await.token(ANA).await;
    let fingerprint = open.text.rsplit('.').next().unwrap();
    let strange = format!("wk1.{}.{fingerprint}", strange.text.split('.').nth(1).unwrap());
    let unknown = house.enrol(&strange, &plain_csr()).await.unwrap_err();
    assert!(matches!(expired, IssueError::TokenRefused(TokenRefusal::Expired)), "{expired:?}");
    assert!(matches!(void, IssueError::TokenRefused(TokenRefusal::Void)), "{void:?}");
    assert!(matches!(unknown, IssueError::TokenRefused(TokenRefusal::Unknown)), "{unknown:?}");
    let words = [expired, void, unknown].map(|error| error.to_string());
    assert!(words.iter().all(|word| *word == words[0]), "callers without identity are not told which");
    let foreign = House::new().await.token(ANA).await;
    assert!(matches!(house.enrol(&foreign.text, &plain_csr()).await, Err(IssueError::OtherAuthority)));
}

#[test]
fn malformed_tokens_are_refused_and_never_printed() {
    let part = "A".repeat(43);
    let good = TokenText::parse(&format!(" wk1.{part}.{part}\n")).unwrap();
    assert!(!format!("{good:?}").contains(&part));
    let long = "A".repeat(100_000);
    let bads = [
        String::new(),
        "wk1".into(),
        format!("wk1.{part}"),
        format!("wk2.{part}.{part}"),
        format!("wk1.{part}.{part}.{part}"),
        format!("wk1.{part}=.{part}"),
        format!("wk1.{long}.{part}"),
        format!("wk1.{}.{part}", "+".repeat(43)),
        format!("WK1.{part}.{part}"),
        format!("wk1.{part}."),
    ];
    for bad in bads {
        assert!(matches!(TokenText::parse(&bad), Err(IssueError::TokenForm)), "{bad:.60}");
    }
}

#[tokio::test]
async fn the_store_holds_no_token() {
    let house = House::new().await;
    let token = house.token(ANA).await;
    let secret = token.text.split('.').nth(1).unwrap();
    let mut seen = 0;
    house
        .store
        .scan(Table::Token, &mut |row| {
            seen += 1;
            let text = String::from_utf8(row.value.to_vec()).unwrap();
            assert!(!text.contains(secret) && text.contains(&row.id));
        })
        .unwrap();
    assert_eq!(seen, 1);
    assert!(!format!("{token:?}").contains(secret));
    assert!(!house.last_record().contains(secret));
}

#[tokio::test]
async fn a_request_gives_its_public_key_and_nothing_else() {
    let house = House::new().await;
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI("spiffe://clinic.test/user/root".try_into().unwrap())];
    params.distinguished_name.push(DnType::CommonName, "root");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (pem, key) = csr(params);
    let token = house.token(ANA).await;
    let issued = house.enrol(&token.text, &pem).await.unwrap();
    assert_eq!(peer(&issued).identity, identity(ANA));
    let (_, der) = x509_parser::pem::parse_x509_pem(issued.certificate_pem.as_bytes()).unwrap();
    let leaf = der.parse_x509().unwrap();
    assert_eq!(leaf.public_key().subject_public_key.data.as_ref(), key.public_key_raw());
    assert!(leaf.subject().as_raw().len() == 2, "an empty subject");
    let usage = leaf.extended_key_usage().unwrap().unwrap().value;
    assert!(usage.client_auth && !usage.server_auth);
    assert!(!leaf.key_usage().unwrap().unwrap().value.key_cert_sign());
}

#[tokio::test]
async fn broken_and_borrowed_requests_leave_the_token_open() {
    let house = House::new().await;
    let token = house.token(ANA).await;
    let good = plain_csr();
    let der = pem_body(&good);
    let mut borrowed = der.clone();
    // The key inside is somebody else's: the signature no longer fits.
    *borrowed.last_mut().unwrap() ^= 1;
    let trailing = [der.as_slice(), &[0]].concat();
    let certificate = house.authority.certificate_pem().unwrap();
    for (name, pem, expected) in [
        ("borrowed key", crate::ca::authority::pem("CERTIFICATE REQUEST", &borrowed), "csr-not-signed"),
        ("bytes after the end", crate::ca::authority::pem("CERTIFICATE REQUEST", &trailing), "csr-malformed"),
        ("cut off", crate::ca::authority::pem("CERTIFICATE REQUEST", &der[..der.len() / 2]), "csr-malformed"),
        ("a certificate", certificate, "csr-malformed"),
        ("no PEM", "hello".to_owned(), "csr-malformed"),
        ("nothing", String::new(), "csr-malformed"),
        ("too large", format!("{good}{}", "x".repeat(20_000)), "csr-malformed"),
        ("P-521", signed_by(&KeyPair::generate_for(&PKCS_ECDSA_P521_SHA512).unwrap()), "csr-weak-key"),
        (
            "RSA-2048",
            signed_by(&KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, RsaKeySize::_2048).unwrap()),
            "csr-weak-key",
        ),
    ] {
        let error = house.enrol(&token.text, &pem).await.unwrap_err();
        assert_eq!(error.code(), expected, "{name}: {error}");
    }
    let ed25519 = signed_by(&KeyPair::generate_for(&PKCS_ED25519).unwrap());
    house.enrol(&token.text, &ed25519).await.expect("the token is still open");
}

fn signed_by(key: &KeyPair) -> String {
    CertificateParams::default().serialize_request(key).unwrap().pem().unwrap()
}

fn pem_body(pem: &str) -> Vec<u8> {
    x509_parser::pem::parse_x509_pem(pem.as_bytes()).unwrap().1.contents
}

#[tokio::test]
async fn what_changed_since_the_token_was_issued_counts() {
    let house = House::new().await;
    let token = house.token(ANA).await;
    house.rules.missing.lock().unwrap().insert("ana".into());
    assert!(matches!(house.enrol(&token.text, &plain_csr()).await, Err(IssueError::NoEntity { .. })));
    house.rules.missing.lock().unwrap().clear();
    house.rules.above.lock().unwrap().insert("ana".into());
    // A founding token has no issuer to be measured against.
    house.enrol(&token.text, &plain_csr()).await.unwrap();
    let odd = NewToken { identity: identity("spiffe://clinic.test/robot/r2"), life_millis: None };
    let odd = house.authority.founding_token(house.event(), odd).await.unwrap();
    assert!(matches!(house.enrol(&odd.text, &plain_csr()).await, Err(IssueError::NoEntity { .. })));
}

#[tokio::test]
async fn tokens_are_bounded_in_life_and_domain() {
    let house = House::new().await;
    for (uri, life, code) in [
        ("spiffe://other.test/user/ana", None, "trust-domain"),
        (ANA, Some(0), "token-life"),
        (ANA, Some(8 * 86_400_000), "token-life"),
    ] {
        let new = NewToken { identity: identity(uri), life_millis: life };
        let error: TokenError = house.authority.founding_token(house.event(), new).await.unwrap_err();
        assert_eq!(error.code(), code);
        assert!(house.last_record().contains(code), "recorded");
    }
}

#[tokio::test]
async fn the_ca_is_made_once_and_opens_again_as_it_was() {
    let house = House::new().await;
    let again = Authority::create(&*house.store, &*house.clock, &SystemEntropy).await;
    assert!(matches!(again, Err(AuthorityError::Exists)));
    assert_eq!(house.again().authority.fingerprint(), house.authority.fingerprint());
}
