//! Sixty certificates, each refused with a log line that says why.
//!
//! Elsewhere: a non-CA pin let forged leaves in (CVE-2024-2048, CVE-2025-6037), names were cut at NUL, path steps
//! widened a rule (CVE-2026-3605).

use std::collections::HashSet;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};
use rustls::pki_types::CertificateDer;
use wardkeep_model::{CertificateSerial, Clock, Identity};

use super::house::{House, Lines, plan};
use crate::config::RevocationMode;
use crate::peer::issuer_digest;
use crate::revocation::IdentityCut;
use crate::tls::forge::{ANA, Forge, Holder, at, leaf_params, private};

/// A case: its name, what the client holds, the word that the log must have.
type Case = (&'static str, Option<Holder>, &'static str);

fn named(ca: &Forge, uri: &str) -> Option<Holder> {
    Some(ca.sign(&leaf_params(uri)))
}

fn with(ca: &Forge, edit: impl FnOnce(&mut CertificateParams)) -> Option<Holder> {
    let mut params = leaf_params(ANA);
    edit(&mut params);
    Some(ca.sign(&params))
}

fn edited(ca: &Forge, edit: impl FnOnce(&mut Vec<u8>)) -> Option<Holder> {
    let holder = ca.ana();
    let mut der = holder.chain[0].to_vec();
    edit(&mut der);
    Some(Holder { chain: vec![CertificateDer::from(der)], ..holder })
}

fn names(ca: &Forge) -> Vec<Case> {
    let long = format!("spiffe://clinic.test/user/{}", "a".repeat(129));
    vec![
        ("no certificate", None, "no-certificate"),
        ("no name at all", with(ca, |p| p.subject_alt_names.clear()), "no-uri"),
        (
            "a DNS name only",
            with(ca, |p| p.subject_alt_names = vec![SanType::DnsName("a.test".try_into().unwrap())]),
            "no-uri",
        ),
        (
            "an e-mail name only",
            with(ca, |p| p.subject_alt_names = vec![SanType::Rfc822Name("a@a.test".try_into().unwrap())]),
            "no-uri",
        ),
        (
            "two URIs",
            with(ca, |p| p.subject_alt_names.push(SanType::URI("spiffe://clinic.test/user/bob".try_into().unwrap()))),
            "many-uris",
        ),
        (
            "the same URI twice",
            with(ca, |p| p.subject_alt_names.push(SanType::URI(ANA.try_into().unwrap()))),
            "many-uris",
        ),
        (
            "a web address beside",
            with(ca, |p| p.subject_alt_names.push(SanType::URI("https://a.test/".try_into().unwrap()))),
            "many-uris",
        ),
        ("another trust domain", named(ca, "spiffe://other.test/user/ana"), "trust-domain"),
        ("a trust domain that ends alike", named(ca, "spiffe://evil-clinic.test/user/ana"), "trust-domain"),
        ("a trust domain that begins alike", named(ca, "spiffe://clinic.test.evil/user/ana"), "trust-domain"),
        ("a web address", named(ca, "https://clinic.test/user/ana"), "identity"),
        ("an upper-case scheme", named(ca, "SPIFFE://clinic.test/user/ana"), "identity"),
        ("an upper-case domain", named(ca, "spiffe://Clinic.test/user/ana"), "identity"),
        ("no path", named(ca, "spiffe://clinic.test"), "root-path"),
        ("the root path", named(ca, "spiffe://clinic.test/"), "root-path"),
        ("one segment", named(ca, "spiffe://clinic.test/user"), "identity"),
        ("three segments", named(ca, "spiffe://clinic.test/user/ana/admin"), "identity"),
        ("an empty segment", named(ca, "spiffe://clinic.test//ana"), "identity"),
        ("a slash at the end", named(ca, "spiffe://clinic.test/user/ana/"), "identity"),
        ("traversal", named(ca, "spiffe://clinic.test/user/.."), "identity"),
        ("traversal to another kind", named(ca, "spiffe://clinic.test/service/../user/ana"), "identity"),
        ("a dot segment", named(ca, "spiffe://clinic.test/./ana"), "identity"),
        ("encoded traversal", named(ca, "spiffe://clinic.test/user/%2e%2e"), "identity"),
        ("an encoded slash", named(ca, "spiffe://clinic.test/user/a%2fb"), "identity"),
        ("NUL in the path", named(ca, "spiffe://clinic.test/user/ana\0.evil"), "nul-byte"),
        ("NUL in the domain", named(ca, "spiffe://clinic.test\0.evil/user/ana"), "nul-byte"),
        ("a line break", named(ca, "spiffe://clinic.test/user/ana\nadmin"), "identity"),
        ("a space", named(ca, "spiffe://clinic.test/user/ana admin"), "identity"),
        ("a user", named(ca, "spiffe://root@clinic.test/user/ana"), "identity"),
        ("a port", named(ca, "spiffe://clinic.test:443/user/ana"), "identity"),
        ("a query", named(ca, "spiffe://clinic.test/user/ana?admin"), "identity"),
        ("a fragment", named(ca, "spiffe://clinic.test/user/ana#admin"), "identity"),
        ("a name that is too long", named(ca, &long), "identity"),
        (
            "seventeen names",
            with(ca, |p| {
                for n in 0..16 {
                    p.subject_alt_names.push(SanType::DnsName(format!("h{n}.test").try_into().unwrap()));
                }
            }),
            "many-names",
        ),
    ]
}

fn uses(ca: &Forge) -> Vec<Case> {
    let ca_holder = Holder { chain: vec![ca.der.clone()], key: private(ca.issuer.key()) };
    vec![
        ("a CA's leaf", with(ca, |p| p.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)), "authority-leaf"),
        ("the CA itself", Some(ca_holder), "authority-leaf"),
        (
            "a leaf that may sign certificates",
            with(ca, |p| p.key_usages.push(KeyUsagePurpose::KeyCertSign)),
            "authority-leaf",
        ),
        ("a leaf that may sign lists", with(ca, |p| p.key_usages.push(KeyUsagePurpose::CrlSign)), "authority-leaf"),
        (
            "for servers",
            with(ca, |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth]),
            "not-for-clients",
        ),
        (
            "for code",
            with(ca, |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning]),
            "not-for-clients",
        ),
        ("for anything", with(ca, |p| p.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any]), "not-for-clients"),
        ("expired", with(ca, |p| p.not_after = at!(-60)), "expired"),
        ("not yet valid", with(ca, |p| p.not_before = at!(60)), "not-valid-yet"),
        (
            "an unknown critical extension",
            with(ca, |p| {
                let mut extension = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![5, 0]);
                extension.set_criticality(true);
                p.custom_extensions.push(extension);
            }),
            "critical-extension",
        ),
        (
            "a second list of names",
            with(ca, |p| {
                let name = b"\x30\x1f\x86\x1dspiffe://clinic.test/user/bob".to_vec();
                p.custom_extensions.push(CustomExtension::from_oid_content(&[2, 5, 29, 17], name));
            }),
            "malformed",
        ),
    ]
}

fn chains(ca: &Forge) -> Vec<Case> {
    let other = Forge::new("Clinic CA");
    let stranger = Forge::new("Stranger CA");
    let key = KeyPair::generate().unwrap();
    let own = Holder { chain: vec![leaf_params(ANA).self_signed(&key).unwrap().der().clone()], key: private(&key) };
    let middle = ca.sign(&leaf_params(ANA));
    let middle_key = KeyPair::try_from(middle.key.secret_der()).unwrap();
    let below = Forge { issuer: Issuer::new(leaf_params(ANA), middle_key), der: middle.chain[0].clone() };
    let mut forged = below.sign(&leaf_params("spiffe://clinic.test/user/admin"));
    forged.chain.push(middle.chain[0].clone());
    let unlisted = ca.below("Middle CA");
    let mut unknown = unlisted.ana();
    unknown.chain.push(unlisted.der.clone());
    let borrowed = Holder { chain: ca.ana().chain, key: private(&KeyPair::generate().unwrap()) };
    vec![
        ("a CA of the same name", Some(other.ana()), "bad-signature"),
        ("a stranger's CA", Some(stranger.ana()), "unknown-issuer"),
        ("signed by itself", Some(own), "unknown-issuer"),
        ("signed by a leaf", Some(forged), "signed-by-leaf"),
        ("below a CA without a list", Some(unknown), "unknown-status"),
        ("another's certificate without its key", Some(borrowed), "bad-signature"),
        ("a changed signature", edited(ca, |der| *der.last_mut().unwrap() ^= 1), "bad-signature"),
        (
            "a changed name",
            edited(ca, |der| {
                let at = der.windows(3).position(|window| window == b"ana").unwrap();
                der[at..at + 3].copy_from_slice(b"bob");
            }),
            "bad-signature",
        ),
        ("cut off", edited(ca, |der| der.truncate(der.len() - 20)), "malformed"),
        ("bytes after the end", edited(ca, |der| der.extend_from_slice(&[0, 0])), "malformed"),
        ("no DER", edited(ca, |der| *der = b"hello".to_vec()), "malformed"),
        ("nothing", edited(ca, Vec::clear), "malformed"),
        ("revoked by the CA's list", with(ca, |p| p.serial_number = Some(vec![0x66, 0x01].into())), "revoked"),
    ]
}

async fn refused(house: &House, lines: &Lines, (name, holder, word): &Case) {
    lines.take();
    let answer = house.who(holder.as_ref()).await;
    assert_eq!(answer, None, "{name}: let in");
    let line = lines.wait_for("connection refused").await;
    assert!(line.contains(&format!("code=\"{word}\"")), "{name}: expected `{word}` in: {line}");
    assert!(line.contains("WARN") && line.contains("peer=127.0.0.1:") && line.contains("reason="), "{name}: {line}");
}

#[tokio::test]
async fn every_malformed_certificate_is_refused_with_its_reason() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let mut plan = plan(&ca);
    plan.trust.crls = vec![ca.crl(-60, 86_400, &[&[0x66, 0x01]])];
    let house = House::open(&ca, plan).await;
    let answer = house.who(Some(&ca.ana())).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(ANA), "the honest one: {answer}");
    let cases: Vec<Case> = names(&ca).into_iter().chain(uses(&ca)).chain(chains(&ca)).collect();
    assert!(cases.len() >= 58, "{}", cases.len());
    for case in &cases {
        refused(&house, &lines, case).await;
    }
    let metrics = house.guard.metrics.render();
    assert!(metrics.contains("reason=\"many-uris\"} 3"), "{metrics}");
    println!("{} malformed certificates refused", cases.len());
}

#[tokio::test]
async fn our_own_list_refuses_serials_and_identities() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let (_, parsed) = x509_parser::parse_x509_certificate(&ca.der).unwrap();
    let issuer = issuer_digest(parsed.subject().as_raw());
    house.guard.revoked.add_serials([(issuer, CertificateSerial::parse("1122").unwrap())]);
    refused(&house, &lines, &("its serial", Some(ca.ana()), "certificate-revoked")).await;
    let other = with(&ca, |p| p.serial_number = Some(vec![0x33].into()));
    assert!(house.who(other.as_ref()).await.is_some());
    let cut = IdentityCut { at: house.clock.now(), keep: HashSet::new() };
    house.guard.revoked.add_identity(Identity::parse(ANA).unwrap(), cut);
    refused(&house, &lines, &("its identity", other, "identity-revoked")).await;
}

#[tokio::test]
async fn a_stale_list_and_a_list_of_another_ca_refuse_everybody() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    for (name, crl, word) in [
        ("stale", ca.crl(-86_400, -60, &[]), "stale-crl"),
        ("another CA's", Forge::new("Stranger CA").fresh_crl(), "unknown-status"),
        ("a forger's", Forge::new("Clinic CA").fresh_crl(), "bad-crl"),
    ] {
        let mut plan = plan(&ca);
        plan.trust.crls = vec![crl];
        let house = House::open(&ca, plan).await;
        refused(&house, &lines, &(name, Some(ca.ana()), word)).await;
    }
}

#[tokio::test]
async fn without_a_list_only_short_lives_are_taken() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let mut plan = plan(&ca);
    plan.trust.crls.clear();
    plan.trust.revocation = RevocationMode::ShortLived;
    plan.longest_life_millis = Some(86_400_000);
    let house = House::open(&ca, plan).await;
    refused(&house, &lines, &("25 hours", Some(ca.ana()), "lives-too-long")).await;
    let short = with(&ca, |p| p.not_after = at!(82_000));
    assert!(house.who(short.as_ref()).await.is_some());
}

#[tokio::test]
async fn a_certificate_that_ends_while_its_connection_lives_ends_it() {
    let (lines, _log) = Lines::capture();
    let ca = Forge::new("Clinic CA");
    let house = House::open(&ca, plan(&ca)).await;
    let mut client = house.http2(Some(&ca.ana())).await;
    assert_eq!(client.get("/who").await.unwrap().status(), 200);
    house.clock.advance(std::time::Duration::from_secs(86_402));
    let _either = client.get("/who").await.map(|answer| assert_eq!(answer.status(), 403));
    lines.wait_for("certificate-expired").await;
}
