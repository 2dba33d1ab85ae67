//! Every option on every kind of key: an answer of 4xx, never of 5xx, and the server lives.
//!
//! Broke elsewhere: a bad option on a key type crashed the server (CVE-2026-55776).

use serde_json::{Value, json};
use wardkeep_policy::BundleSource;
use wardkeep_tests::house::{base64, bytes};
use wardkeep_tests::{Answer, Ask, House};

const SPECS: [&str; 6] = ["aes-256-gcm", "rsa-3072", "rsa-4096", "ec-p256", "ed25519", "fabeo-bls12-381"];
const USAGES: [&str; 4] = ["wrap", "encrypt", "sign", "issue"];
/// What may be made. An authority may not: the bundle of these tests declares none of those names.
const MAKES: [(&str, &str); 8] = [
    ("aes-256-gcm", "wrap"),
    ("aes-256-gcm", "encrypt"),
    ("rsa-3072", "wrap"),
    ("rsa-3072", "sign"),
    ("rsa-4096", "wrap"),
    ("rsa-4096", "sign"),
    ("ec-p256", "sign"),
    ("ed25519", "sign"),
];

#[track_caller]
fn refused(answer: &Answer, what: &str) {
    assert!((400..500).contains(&answer.status), "{what}: {} {}", answer.status, answer.text());
    assert!(!answer.code().is_empty(), "{what}: no problem in {}", answer.text());
}

/// Options that no key of any kind takes.
fn bad_options() -> Vec<(&'static str, Value)> {
    let labels = |count: usize| (0..count).map(|n| (format!("l{n}"), json!("v"))).collect::<serde_json::Map<_, _>>();
    vec![
        ("rotation_days", json!(0)),
        ("rotation_days", json!(3651)),
        ("rotation_days", json!(u32::MAX)),
        ("rotation_days", json!(-1)),
        ("rotation_days", json!(1.5)),
        ("rotation_days", json!(u64::MAX)),
        ("rotation_days", json!("30")),
        ("labels", json!(labels(65))),
        ("labels", json!({"": "x"})),
        ("labels", json!({"x".repeat(64): "x"})),
        ("labels", json!({"x": "y".repeat(257)})),
        ("labels", json!({"x": 1})),
        ("labels", json!([])),
        ("activate", json!("yes")),
        ("exportable", json!(true)),
        ("nonce", json!("AAAA")),
        ("key", json!("r")),
        ("key", json!("r/")),
        ("key", json!("r/../k")),
        ("key", json!("R/K")),
        ("key", json!("r/k/k")),
        ("key", json!(format!("r/{}", "k".repeat(64)))),
        ("spec", json!("rsa-2048")),
        ("spec", json!("AES-256-GCM")),
        ("spec", json!(null)),
        ("usage", json!("mac")),
        ("usage", json!(["wrap"])),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn every_option_of_creation_on_every_spec_and_usage_is_answered() {
    let house = House::with(BundleSource::dev(), |_| {}).await;
    let admin = &house.admin;
    house.ring("r").await;
    for spec in SPECS {
        for usage in USAGES {
            let whole = json!({"key": "r/never", "spec": spec, "usage": usage});
            for (option, value) in bad_options() {
                let mut body = whole.clone();
                body[option] = value.clone();
                let answer = house.post(admin, "/v1/keys", body).await;
                refused(&answer, &format!("{spec} {usage} {option} = {value}"));
            }
            if !MAKES.contains(&(spec, usage)) {
                let answer = house.post(admin, "/v1/keys", whole).await;
                // An authority is made of what the bundle declares, and this one declares none of that name.
                let authority = (spec, usage) == ("fabeo-bls12-381", "issue");
                let wanted = if authority { (422, "authority-undeclared") } else { (400, "spec-usage-mismatch") };
                assert_eq!(answer.said(), wanted, "{spec} {usage}");
            }
        }
    }
    let listed = house.get(admin, "/v1/keys").await.ok();
    assert_eq!(listed["items"], json!([]), "none of them was made");
}

/// What the using verbs are asked, with every option they have and some they have not.
fn uses(key: &str, foreign: &[String]) -> Vec<(&'static str, Value)> {
    let small_key = json!({"jwk": {"kty": "RSA", "n": "AQ", "e": "AQAB"}});
    let recipients = [
        json!({"spki": "AAAA"}),
        json!({"spki": ""}),
        small_key,
        json!({"jwk": {"kty": "RSA", "n": "", "e": ""}}),
        json!({"jwk": {"kty": "EC", "n": "AQ", "e": "AQAB"}}),
        json!({}),
        json!("AAAA"),
    ];
    let long = base64(&vec![7; 65_537]);
    let mut asked = vec![
        ("/v1/data-keys", json!({"key": key, "nonce": "AAAA"})),
        ("/v1/data-keys", json!({"key": key, "context": {"": "x"}})),
        ("/v1/data-keys", json!({"key": key, "context": {"a": "x".repeat(9000)}})),
        ("/v1/data-keys", json!({"key": key, "context": {"resource": "x"}})),
        ("/v1/data-keys", json!({"key": key, "context": {"resource": {"type": "No", "id": "1"}}})),
        ("/v1/data-keys", json!({"key": key, "plaintext": "yes"})),
        ("/v1/encrypt", json!({"key": key, "plaintext": long})),
        ("/v1/encrypt", json!({"key": key, "plaintext": "!"})),
        ("/v1/encrypt", json!({"key": key, "plaintext": "AA==", "context": {"resource": {"type": "No", "id": "1"}}})),
        ("/v1/sign", json!({"key": key})),
        ("/v1/sign", json!({"key": key, "message": "AA==", "digest": "AA=="})),
        ("/v1/sign", json!({"key": key, "digest": "AA=="})),
        ("/v1/sign", json!({"key": key, "digest": base64(&[7; 33])})),
        ("/v1/sign", json!({"key": key, "message": long})),
        ("/v1/sign", json!({"key": key, "message": "AA==", "algorithm": "none"})),
        ("/v1/verify", json!({"key": key, "version": 0, "message": "AA==", "signature": "AA=="})),
        ("/v1/verify", json!({"key": key, "version": 9, "message": "AA==", "signature": "AA=="})),
        ("/v1/verify", json!({"key": key, "version": 1, "signature": "AA=="})),
        ("/v1/verify", json!({"key": key, "version": -1, "message": "AA==", "signature": "AA=="})),
    ];
    asked.extend(recipients.map(|recipient| ("/v1/data-keys", json!({"key": key, "recipient": recipient}))));
    for bytes in foreign {
        asked.push(("/v1/data-keys/unwrap", json!({"wrapped": bytes})));
        asked.push(("/v1/data-keys/rewrap", json!({"wrapped": bytes})));
        asked.push(("/v1/decrypt", json!({"ciphertext": bytes})));
    }
    asked
}

/// Headers of things that this key never made: right name, wrong body, every kind, versions that are not.
fn foreign(key: &str) -> Vec<String> {
    let mut made = vec![String::new(), base64(b"WK"), base64(&[0xff; 200]), base64(&vec![0; 80_000])];
    for kind in 0..=4 {
        for (version, body) in [(1_u32, 72), (1, 416), (1, 544), (1, 40), (1, 0), (0, 72), (u32::MAX, 72)] {
            let mut bytes = b"WK\x01".to_vec();
            bytes.push(kind);
            bytes.extend_from_slice(&version.to_be_bytes());
            bytes.push(u8::try_from(key.len()).unwrap());
            bytes.extend_from_slice(key.as_bytes());
            bytes.resize(bytes.len() + body, 0x41);
            made.push(base64(&bytes));
        }
    }
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn every_option_of_use_on_every_kind_of_key_is_answered() {
    let house = House::with(BundleSource::dev(), |_| {}).await;
    let admin = &house.admin;
    house.ring("r").await;
    let mut asked = 0;
    for (spec, usage) in MAKES {
        let key = format!("r/{spec}-{usage}");
        house.key(&key, spec, usage).await;
        for (path, body) in uses(&key, &foreign(&key)) {
            refused(&house.post(admin, path, body.clone()).await, &format!("{spec} {usage} {path} {body:.200}"));
            asked += 1;
        }
        let wrong = [
            ("wrap", "/v1/data-keys", json!({"key": key})),
            ("encrypt", "/v1/encrypt", json!({"key": key, "plaintext": "AA=="})),
            ("sign", "/v1/sign", json!({"key": key, "message": "AA=="})),
            ("sign", "/v1/verify", json!({"key": key, "version": 1, "message": "AA==", "signature": "AA=="})),
        ];
        for (of, path, body) in wrong {
            let answer = house.post(admin, path, body).await;
            let expected = if of == usage { (200, "") } else { (400, "wrong-usage") };
            assert_eq!(answer.said(), expected, "{spec} {usage} {path}: {}", answer.text());
        }
    }
    println!("{asked} odd uses answered");
    assert_eq!(house.get(admin, "/v1/whoami").await.status, 200);
    assert_eq!(house.ops("/livez").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_option_of_a_keys_life_is_answered() {
    let house = House::with(BundleSource::dev(), |_| {}).await;
    let admin = &house.admin;
    house.ring("r").await;
    for (spec, usage) in [("aes-256-gcm", "wrap"), ("ec-p256", "sign"), ("rsa-3072", "wrap")] {
        let key = format!("r/{spec}");
        house.key(&key, spec, usage).await;
        for verb in ["enable", "suspend", "deactivate", "compromise"] {
            for version in [json!(0), json!(2), json!(u32::MAX), json!(-1), json!("1"), json!([1])] {
                let path = format!("/v1/keys/{key}/{verb}");
                refused(&house.post(admin, &path, json!({"version": version})).await, &format!("{path} {version}"));
            }
        }
        for days in [json!(0), json!(6), json!(31), json!(u32::MAX), json!(-7), json!("7"), json!(null)] {
            let path = format!("/v1/keys/{key}/schedule-deletion");
            refused(&house.post(admin, &path, json!({"days": days})).await, &format!("{path} {days}"));
        }
        for verb in ["cancel-deletion", "destroy", "enable"] {
            let answer = house.post(admin, &format!("/v1/keys/{key}/{verb}"), json!({})).await;
            assert_eq!(answer.status, 409, "{verb}: {}", answer.text());
        }
        let shown = house.get(admin, &format!("/v1/keys/{key}")).await.ok();
        assert_eq!((&shown["revision"], &shown["versions"][0]["state"]), (&json!(1), &json!("active")), "untouched");
    }
    for length in [json!(0), json!(1025), json!(-1), json!(u64::MAX), json!("1"), json!(1.5)] {
        refused(&house.post(admin, "/v1/random", json!({"length": length})).await, &format!("random {length}"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn plaintext_beside_a_recipient_never_comes_back() {
    let house = House::with(BundleSource::dev(), |_| {}).await;
    let admin = &house.admin;
    house.ring("r").await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let key = aws_lc_rs::rsa::KeySize::Rsa3072;
    let pair = aws_lc_rs::rsa::PrivateDecryptingKey::generate(key).unwrap();
    let public = aws_lc_rs::encoding::AsDer::<aws_lc_rs::encoding::PublicKeyX509Der<'_>>::as_der(&pair.public_key());
    let recipient = json!({"spki": base64(public.unwrap().as_ref())});
    for plaintext in [true, false] {
        let asked = json!({"key": "r/k", "recipient": recipient, "plaintext": plaintext});
        let made = house.post(admin, "/v1/data-keys", asked).await.ok();
        assert_eq!((made.get("plaintext"), bytes(&made["for_recipient"]).len()), (None, 384));
        let asked = json!({"wrapped": made["wrapped"], "recipient": recipient});
        let opened = house.ask(admin, Ask::post("/v1/data-keys/unwrap", asked)).await.ok();
        assert_eq!((opened.get("plaintext"), bytes(&opened["for_recipient"]).len()), (None, 384));
    }
}
