//! The authority's books: what goes from them and when, what a list says after that, and rows that do not read.
//!
//! Broke elsewhere: revocation lists that lost entries at a restart; tables that grew until nobody could list them.

use std::time::Duration;

use wardkeep_model::{CertificateSerial, Clock};
use wardkeep_store::{Change, Store, Table, Work};
use x509_parser::prelude::FromDer;
use x509_parser::revocation_list::CertificateRevocationList;
use zeroize::Zeroizing;

use super::house::{ANA, House, peer};
use crate::ca::{Authority, AuthorityError, AuthoritySettings, CertificateState, RevokeError, Target};
use crate::config::CaSettings;
use crate::revocation::Revoked;
use crate::system::SystemEntropy;
use crate::tls::forge::DOMAIN;

const WEB: &str = "spiffe://clinic.test/service/web";
const HOUR: u64 = 3_600;
const DAY: u64 = 24 * HOUR;

fn wait(house: &House, seconds: u64) {
    house.clock.advance(Duration::from_secs(seconds));
}

fn serials(house: &House) -> Vec<CertificateSerial> {
    let mut all: Vec<_> = house.authority.all_certificates().unwrap().into_iter().map(|record| record.serial).collect();
    all.sort();
    all
}

/// The serials that the newest list has, as a reader of X.509 sees them, with the moment of each.
fn listed(house: &House) -> Vec<(String, i64)> {
    let crl = house.authority.crl().unwrap();
    let (_, list) = CertificateRevocationList::from_der(&crl.der).unwrap();
    let entry = |entry: &x509_parser::revocation_list::RevokedCertificate<'_>| {
        let serial = CertificateSerial::from_bytes(entry.raw_serial()).unwrap();
        (serial.to_string(), entry.revocation_date.timestamp())
    };
    let mut all: Vec<_> = list.iter_revoked_certificates().map(entry).collect();
    all.sort();
    assert_eq!(all.len(), crl.entries);
    all
}

#[tokio::test]
async fn what_expired_long_ago_goes_and_not_a_day_before() {
    let house = House::new().await;
    let web = house.enrolled(WEB).await;
    let ana = house.enrolled(ANA).await;
    assert_eq!(house.authority.prune().await.unwrap(), 0, "alive");
    wait(&house, DAY + 1);
    assert_eq!(house.authority.prune().await.unwrap(), 0, "expired, and told so in lists");
    let state = |serial: &CertificateSerial| {
        let all = house.authority.all_certificates().unwrap();
        all.into_iter().find(|record| record.serial == *serial).map(|record| record.state)
    };
    assert_eq!(state(&web.record.serial), Some(CertificateState::Expired));
    wait(&house, 30 * DAY - 2);
    assert_eq!(house.authority.prune().await.unwrap(), 0, "a second before");
    wait(&house, 3);
    assert_eq!(house.authority.prune().await.unwrap(), 1);
    assert_eq!(serials(&house), std::slice::from_ref(&ana.record.serial), "a person's certificate lives for 30 days");
    assert_eq!(house.authority.prune().await.unwrap(), 0, "and nothing twice");
    let unknown = house.cut(Target::Serial(web.record.serial.clone())).await;
    assert!(matches!(unknown, Err(RevokeError::Unknown { .. })));
}

#[tokio::test]
async fn a_chain_keeps_its_middle_as_long_as_its_beginning() {
    let house = House::new().await;
    // A person's certificate of 30 days, renewed while the configured life was an hour: the middle of the chain ends
    // long before its beginning.
    let first = house.enrolled(ANA).await;
    let life = |hours| CaSettings { life_hours: [("user".to_owned(), hours)].into(), ..CaSettings::default() };
    house.authority.retell(life(1));
    let middle = house.renewed(&first).await.unwrap();
    house.authority.retell(life(8_784));
    let last = house.renewed(&middle).await.unwrap();
    wait(&house, 29 * DAY);
    house.authority.prune().await.unwrap();
    wait(&house, 2 * DAY);
    assert_eq!(house.authority.prune().await.unwrap(), 0, "the first has only just expired");
    house.cut(Target::Serial(first.record.serial.clone())).await.unwrap();
    assert!(house.refused(&last), "the revocation went through the middle");
    wait(&house, 30 * DAY);
    assert_eq!(house.authority.prune().await.unwrap(), 2, "first and middle go together");
    assert_eq!(serials(&house), std::slice::from_ref(&last.record.serial));
    assert!(house.again().refused(&last), "what was revoked stays so");
}

#[tokio::test]
async fn hundreds_go_in_several_commits() {
    let house = House::new().await;
    let first = house.enrolled(WEB).await;
    house.authority.retell(CaSettings { family_certificates: 1_024, ..CaSettings::default() });
    for _ in 0..300 {
        // Copies of a row under other serials: three hundred enrolments would draw three hundred keys.
        let row = house.store.read(Table::Certificate, first.record.serial.as_str()).unwrap().unwrap();
        let id = format!("4{:039x}", serials_count(&house));
        let text = String::from_utf8(row.value.to_vec()).unwrap().replace(first.record.serial.as_str(), &id);
        put(&house, Table::Certificate, &id, text).await;
    }
    wait(&house, 40 * DAY);
    assert_eq!(house.authority.prune().await.unwrap(), 301);
    assert_eq!(serials_count(&house), 0);
}

fn serials_count(house: &House) -> usize {
    let mut count = 0;
    house.store.scan(Table::Certificate, &mut |_| count += 1).unwrap();
    count
}

#[tokio::test]
async fn a_list_is_the_same_after_a_restart_and_its_number_grows() {
    let house = House::new().await;
    let mut numbers = vec![house.authority.crl().unwrap().number];
    let (ana, web) = (house.enrolled(ANA).await, house.enrolled(WEB).await);
    house.cut(Target::Serial(ana.record.serial.clone())).await.unwrap();
    numbers.push(house.authority.crl().unwrap().number);
    wait(&house, 60);
    house.cut(Target::Serial(web.record.serial.clone())).await.unwrap();
    numbers.push(house.authority.crl().unwrap().number);
    let before = listed(&house);
    assert_eq!(before.len(), 2);
    let moments: Vec<i64> = before.iter().map(|(_, at)| *at).collect();
    assert_eq!((moments[0] - moments[1]).abs(), 60, "each has its own moment");
    for _ in 0..3 {
        wait(&house, 1);
        let again = house.again();
        assert_eq!(listed(&again), before);
        numbers.push(again.authority.crl().unwrap().number);
        numbers.push(again.authority.sign_crl().unwrap().number);
    }
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[tokio::test]
async fn lists_signed_in_the_same_moment_differ_in_number() {
    let house = House::new().await;
    let numbers: Vec<u64> = (0..5).map(|_| house.authority.sign_crl().unwrap().number).collect();
    assert!(numbers.windows(2).all(|pair| pair[0] < pair[1]), "{numbers:?}");
}

#[tokio::test]
async fn what_has_expired_falls_off_the_list_and_does_not_come_back() {
    let house = House::new().await;
    let web = house.enrolled(WEB).await;
    house.cut(Target::Serial(web.record.serial.clone())).await.unwrap();
    wait(&house, DAY - 1);
    house.authority.sign_crl().unwrap();
    assert_eq!(listed(&house).len(), 1, "to its last second");
    wait(&house, 2);
    house.authority.sign_crl().unwrap();
    assert!(listed(&house).is_empty());
    assert!(listed(&house.again()).is_empty());
    wait(&house, 40 * DAY);
    assert_eq!(house.authority.prune().await.unwrap(), 1);
    assert!(listed(&house.again()).is_empty(), "a revocation without its certificate");
    assert!(house.again().refused(&web));
}

#[tokio::test]
async fn a_list_names_every_descendant_and_nothing_that_was_spared() {
    let house = House::new().await;
    let (first, kept) = (house.enrolled(ANA).await, house.enrolled(ANA).await);
    let second = house.renewed(&first).await.unwrap();
    let third = house.renewed(&second).await.unwrap();
    let keep = vec![kept.record.serial.clone()];
    house.cut(Target::Identity { identity: first.record.identity.clone(), keep }).await.unwrap();
    let mut expected: Vec<String> = [&first, &second, &third].map(|one| one.record.serial.to_string()).into();
    expected.sort();
    assert_eq!(listed(&house).into_iter().map(|(serial, _)| serial).collect::<Vec<_>>(), expected);
    house.cut(Target::Serial(first.record.serial.clone())).await.unwrap();
    assert_eq!(listed(&house).len(), 3, "revoked once is revoked");
}

async fn put(house: &House, table: Table, id: &str, value: impl Into<Vec<u8>>) {
    let expected = house.store.read(table, id).unwrap().map(|row| row.sequence);
    let value = Zeroizing::new(value.into());
    let change = Change::Put { table, id: id.to_owned(), expected, value };
    house.store.commit(Work { changes: vec![change], events: vec![] }).await.unwrap();
}

fn reopened(house: &House) -> Result<Authority, AuthorityError> {
    let settings = AuthoritySettings { trust_domain: DOMAIN.to_owned(), ca: CaSettings::default() };
    let revoked = std::sync::Arc::new(Revoked::new());
    Authority::open(house.store.clone(), house.clock.clone(), std::sync::Arc::new(SystemEntropy), settings, revoked)
}

/// A row of a later version, of another shape, or of none, stops the start: an authority that skips what it cannot read
/// would forget who is revoked.
#[tokio::test]
async fn a_row_that_does_not_read_stops_the_start_and_is_named() {
    let issuer = "1".repeat(64);
    for (table, what, rows) in [
        (
            Table::Revocation,
            "revocation record",
            vec![
                "no json".to_owned(),
                "{}".to_owned(),
                r#"{"v":2,"at":1,"what":{"identity":{"identity":"spiffe://a.test/user/a","keep":[]}}}"#.to_owned(),
                r#"{"v":1,"at":1,"what":{"identity":{"identity":"no identity","keep":[]}}}"#.to_owned(),
                r#"{"v":1,"at":1,"what":{"identity":{"identity":"spiffe://a.test/user/a","keep":["zz"]}}}"#.to_owned(),
                r#"{"v":1,"at":1,"what":{"serial":{"issuer":"short","serial":"ab"}}}"#.to_owned(),
                format!(r#"{{"v":1,"at":1,"what":{{"serial":{{"issuer":"{issuer}","serial":"no serial"}}}}}}"#),
                format!(r#"{{"v":1,"at":1,"what":{{"serial":{{"issuer":"{issuer}","serial":"ab","more":1}}}}}}"#),
                r#"{"v":1,"at":1,"what":{"everything":{}}}"#.to_owned(),
            ],
        ),
        (
            Table::Certificate,
            "certificate record",
            vec![
                "[]".to_owned(),
                certificate_row("2", "ab", "spiffe://a.test/user/a"),
                certificate_row("1", "no serial", "spiffe://a.test/user/a"),
                certificate_row("1", "ab", "https://a.test"),
                certificate_row("1", "ab", "spiffe://a.test/user/a").replace("null", "\"zz\""),
            ],
        ),
    ] {
        for text in rows {
            let house = House::new().await;
            assert!(reopened(&house).is_ok());
            put(&house, table, "row", text.clone()).await;
            let error = reopened(&house).unwrap_err();
            assert!(matches!(error, AuthorityError::Row { what: found } if found == what), "{text}: {error}");
            assert_eq!(error.to_string(), format!("the {what} in the store is not readable: restore a backup"));
        }
    }
}

fn certificate_row(version: &str, serial: &str, identity: &str) -> String {
    format!(
        r#"{{"v":{version},"serial":"{serial}","identity":"{identity}","parent":null,"issued":1,"not_before":1,"not_after":2}}"#
    )
}

#[tokio::test]
async fn a_ca_that_was_tampered_with_does_not_open() {
    for (id, what) in [("ca-key", "CA key"), ("ca-certificate", "CA certificate")] {
        let house = House::new().await;
        let good = house.store.read(Table::Authority, id).unwrap().unwrap().value.to_vec();
        let mut cut = good.clone();
        cut.truncate(good.len() / 2);
        let mut version = good.clone();
        version[0] = 2;
        for bytes in [Vec::new(), vec![1], version, cut] {
            put(&house, Table::Authority, id, bytes).await;
            let error = reopened(&house).unwrap_err();
            assert!(matches!(error, AuthorityError::Row { what: found } if found == what), "{id}: {error}");
        }
    }
    // Another CA's certificate beside this one's key: tokens would pin what nobody signs with.
    let (house, other) = (House::new().await, House::new().await);
    let certificate = other.store.read(Table::Authority, "ca-certificate").unwrap().unwrap().value.to_vec();
    put(&house, Table::Authority, "ca-certificate", certificate).await;
    assert!(matches!(reopened(&house), Err(AuthorityError::Row { what: "CA certificate" })));
}

#[tokio::test]
async fn token_rows_that_contradict_themselves_are_refused() {
    let house = House::new().await;
    let token = house.token(ANA).await;
    let row = house.store.read(Table::Token, &token.id).unwrap().unwrap();
    let text = String::from_utf8(row.value.to_vec()).unwrap();
    for (from, to) in [
        ("\"v\":1", "\"v\":9"),
        ("\"open\"", "\"redeemed\""),
        ("\"open\"", "\"ajar\""),
        ("\"serial\":null", "\"serial\":\"ab\""),
        ("spiffe://", "http://"),
        ("\"issuer\":null", "\"issuer\":[\"\",\"\"]"),
        ("\"digest\"", "\"digested\""),
    ] {
        assert!(text.contains(from), "{from} in {text}");
        put(&house, Table::Token, &token.id, text.replace(from, to)).await;
        let error = house.enrol(&token.text, &super::house::plain_csr()).await.unwrap_err();
        assert_eq!(error.to_string(), "the token record in the store is not readable: restore a backup", "{to}");
    }
    put(&house, Table::Token, &token.id, text).await;
    let issued = house.enrol(&token.text, &super::house::plain_csr()).await.unwrap();
    assert_eq!(peer(&issued).identity, issued.record.identity);
    assert!(house.clock.now() <= issued.record.not_after);
}

/// Two rows that name each other as their parent: nothing walks them for ever, and both are revoked together.
#[tokio::test]
async fn a_ring_of_certificates_is_walked_once() {
    let house = House::new().await;
    let first = house.enrolled(WEB).await;
    let second = house.renewed(&first).await.unwrap();
    let id = first.record.serial.to_string();
    let row = house.store.read(Table::Certificate, &id).unwrap().unwrap();
    let text = String::from_utf8(row.value.to_vec()).unwrap();
    put(&house, Table::Certificate, &id, text.replace("null", &format!("\"{}\"", second.record.serial))).await;
    let again = house.again();
    assert!(again.renewed(&first).await.is_ok());
    assert_eq!(again.cut(Target::Serial(first.record.serial.clone())).await.unwrap(), 3);
    assert!(again.refused(&second));
    wait(&again, 40 * DAY);
    assert_eq!(again.authority.prune().await.unwrap(), 3);
}
