//! A token is a decision of its issuer's, and ends with the right to take it; what is malformed waits for nobody.
//!
//! Broke elsewhere: credentials that outlived who vouched for them; queues in which nonsense held up everybody.

use std::time::Duration;

use super::house::{ANA, House, Rules, csr, identity, plain_csr, request};
use crate::ca::error::TokenRefusal;
use crate::ca::{Admission, Enrolment, IssueError, RevokeError, TokenError};
use crate::config::CaSettings;
use rcgen::CertificateParams;
use wardkeep_model::{CertificateSerial, EntityUid, Identity, Timestamp};

/// Everybody exists; whether an issuer still may is for the test to say.
struct Issuers(bool);

impl Admission for Issuers {
    fn entity_of(&self, identity: &Identity) -> Option<EntityUid> {
        EntityUid::new("User", identity.name()).ok()
    }

    fn exists(&self, _: &EntityUid) -> bool {
        true
    }

    fn covers(&self, _: &EntityUid, _: &EntityUid) -> bool {
        true
    }

    fn may_issue(&self, issuer: &EntityUid, entity: &EntityUid) -> bool {
        assert_eq!((issuer.id(), entity.id()), ("boss", "ana"), "asked about whom it is about");
        self.0
    }

    fn policy_version(&self) -> u64 {
        3
    }
}

/// Makes Ana's token one that the boss issued.
async fn issued_by_boss(house: &House) -> String {
    use wardkeep_store::{Change, Store, Table, Work};
    let token = house.token(ANA).await;
    let row = house.store.read(Table::Token, &token.id).unwrap().unwrap();
    let text = String::from_utf8(row.value.to_vec()).unwrap();
    let text = text.replace("\"issuer\":null", "\"issuer\":[\"User\",\"boss\"]");
    let value = zeroize::Zeroizing::new(text.into_bytes());
    let change = Change::Put { table: Table::Token, id: token.id, expected: Some(row.sequence), value };
    house.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
    token.text.to_string()
}

#[tokio::test]
async fn a_token_whose_issuer_lost_the_right_is_no_longer_good_and_nobody_is_told_why() {
    let house = House::new().await;
    let token = issued_by_boss(&house).await;
    let csr_pem = plain_csr();
    let enrolment = || Enrolment { token: &token, csr_pem: &csr_pem, request: request() };
    let lost = house.authority.enrol(enrolment(), &Issuers(false)).await.unwrap_err();
    assert!(matches!(lost, IssueError::TokenRefused(TokenRefusal::IssuerLost)), "{lost:?}");
    assert_eq!(lost.to_string(), IssueError::TokenRefused(TokenRefusal::Unknown).to_string());
    let record = house.last_record();
    assert!(record.contains("issuer-lost") && record.contains("token-refused") && record.contains("deny"), "{record}");
    house.authority.enrol(enrolment(), &Issuers(true)).await.expect("given back before the token's end");
}

#[tokio::test]
async fn nonsense_waits_for_no_turn() {
    let house = House::new().await;
    let token = house.token(ANA).await;
    let turn = house.authority.turn.lock().await;
    let good = plain_csr();
    let foreign = House::new().await.token(ANA).await;
    for (token, csr_pem, code) in [
        ("wk1.no", good.as_str(), "token-malformed"),
        (foreign.text.as_str(), &good, "token-of-another-ca"),
        (&token.text, "no request", "csr-malformed"),
    ] {
        let refused = house.enrol(token, csr_pem);
        let refused = tokio::time::timeout(Duration::from_secs(10), refused).await.expect("it queued").unwrap_err();
        assert_eq!(refused.code(), code);
    }
    let waiting = house.enrol(&token.text, &good);
    assert!(
        tokio::time::timeout(Duration::from_millis(100), waiting).await.is_err(),
        "what is in order takes its turn"
    );
    drop(turn);
    house.enrol(&token.text, &good).await.expect("and the token is still open");
}

#[tokio::test]
async fn what_was_presented_is_judged_at_its_turn() {
    let house = House::new().await;
    let token = house.token(ANA).await;
    let (csr_pem, key) = csr(CertificateParams::default());
    let presented = house.authority.present(Enrolment { token: &token.text, csr_pem: &csr_pem, request: request() });
    let presented = presented.unwrap();
    let shown = format!("{presented:?}");
    assert!(!shown.contains(token.text.split('.').nth(1).unwrap()), "{shown}");
    house.clock.advance(Duration::from_secs(3_600));
    let late = house.authority.redeem(presented, &Rules::default()).await.unwrap_err();
    assert!(matches!(late, IssueError::TokenRefused(TokenRefusal::Expired)), "{late:?}");
    drop(key);
}

/// Every refusal says what is wrong and what to do, and none of them echoes what a stranger sent.
#[test]
fn every_refusal_of_a_certificate_reads_well() {
    let who = || identity(ANA);
    let serial = || CertificateSerial::parse("ab12").unwrap();
    let cases: Vec<(IssueError, &str, &str)> = vec![
        (IssueError::TokenForm, "token-malformed", "paste it whole"),
        (IssueError::OtherAuthority, "token-of-another-ca", "check the address"),
        (IssueError::TokenRefused(TokenRefusal::Used), "token-refused", "ask for a new one"),
        (IssueError::RequestForm, "csr-malformed", "send one PKCS#10 request"),
        (IssueError::NoPossession, "csr-not-signed", "not signed by its own key"),
        (IssueError::WeakKey, "csr-weak-key", "use P-256"),
        (IssueError::NoEntity { identity: who() }, "identity-without-entity", "must create it first"),
        (IssueError::AboveIssuer { identity: who() }, "identity-above-issuer", "`spiffe://clinic.test/user/ana`"),
        (IssueError::FamilyFull { count: 16 }, "family-full", "16 certificates of one enrolment"),
        (IssueError::TooYoung { after: Timestamp::default() }, "certificate-too-young", "after 1970-01-01T00:00:00"),
        (IssueError::ForeignParent { serial: serial() }, "certificate-foreign", "enrol with a token"),
        (IssueError::NotOurs, "not-our-ca", "your own CA"),
    ];
    for (error, code, words) in cases {
        let text = error.to_string();
        assert_eq!(error.code(), code);
        assert!(text.contains(words), "{text}");
        assert!(text.chars().next().is_some_and(|first| !first.is_uppercase()), "{text}");
    }
    let words = [
        TokenRefusal::Unknown,
        TokenRefusal::Used,
        TokenRefusal::Void,
        TokenRefusal::Expired,
        TokenRefusal::IssuerLost,
    ];
    let distinct: std::collections::BTreeSet<&str> = words.iter().map(|why| why.word()).collect();
    assert_eq!(distinct.len(), words.len());
    assert_eq!(TokenError::Life.to_string(), "a token lives 1 minute to 7 days");
    assert_eq!(RevokeError::TooManyKept { count: 65 }.to_string(), "65 serials to keep: at most 64 are taken");
}

#[tokio::test]
async fn a_cut_spares_64_serials_and_no_more() {
    let house = House::new().await;
    let issued = house.enrolled(ANA).await;
    let keep = |count: u32| (1..=count).map(|n| CertificateSerial::parse(&format!("{n:x}")).unwrap()).collect();
    let target = |count| crate::ca::Target::Identity { identity: identity(ANA), keep: keep(count) };
    assert!(matches!(house.cut(target(65)).await, Err(RevokeError::TooManyKept { count: 65 })));
    assert!(!house.refused(&issued));
    house.cut(target(64)).await.unwrap();
    assert!(house.refused(&issued));
}

#[tokio::test]
async fn tokens_live_within_their_bounds() {
    const WEEK: u64 = 7 * 86_400_000;
    let house = House::new().await;
    for (life, good) in [(59_999, false), (60_000, true), (WEEK, true), (WEEK + 1, false), (u64::MAX, false)] {
        let new = crate::ca::NewToken { identity: identity(ANA), life_millis: Some(life) };
        let made = house.authority.founding_token(house.event(), new).await;
        assert_eq!(made.is_ok(), good, "{life}");
        assert!(made.is_ok() || matches!(made, Err(TokenError::Life)));
    }
    house.authority.retell(CaSettings { token_life_minutes: 5, ..CaSettings::default() });
    let token = house.token(ANA).await;
    house.clock.advance(Duration::from_millis(299_999));
    house.enrol(&token.text, &plain_csr()).await.expect("its last millisecond");
    let token = house.token(ANA).await;
    house.clock.advance(Duration::from_millis(300_000));
    let late = house.enrol(&token.text, &plain_csr()).await.unwrap_err();
    assert!(matches!(late, IssueError::TokenRefused(TokenRefusal::Expired)), "{late:?}");
}
