//! Canary secrets in every field: nowhere in logs, errors, metrics, audit lines or on disk.
//!
//! Broke elsewhere: secrets in audit or error logs (CVE-2025-62513, 62705, 4166, 52893; CVE-2024-8365), a usage counter
//! that wrote an unwrapped key to the database (COSMIAN-2026-015).

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use wardkeep_tests::house::{base64, bytes, member};
use wardkeep_tests::listen::Log;
use wardkeep_tests::{Ask, House};

/// The forms in which bytes could come to light.
fn forms(secret: &[u8]) -> Vec<Vec<u8>> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let decimal = secret.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let texts = [hex.to_uppercase(), hex, decimal, URL_SAFE_NO_PAD.encode(secret), STANDARD.encode(secret)];
    [secret.to_vec()].into_iter().chain(texts.map(String::into_bytes)).collect()
}

fn holds(place: &[u8], secret: &[u8]) -> bool {
    forms(secret).iter().any(|form| place.windows(form.len()).any(|part| part == form.as_slice()))
}

/// What a run hid, and where it may still be seen.
#[derive(Default)]
struct Hidden {
    /// Nowhere at all: plaintexts, data keys, tokens, private keys.
    secrets: Vec<(&'static str, Vec<u8>)>,
    /// Not in logs, metrics or on disk; the audit log of names is read by auditors only.
    details: Vec<(&'static str, Vec<u8>)>,
    /// Not in metrics and not on disk.
    names: Vec<&'static str>,
}

/// A day in the life of a server, with a canary in every field. Errors too: each must not echo.
async fn live(house: &House) -> (Hidden, Vec<String>) {
    let mut hidden = Hidden::default();
    let mut errors = Vec::new();
    let admin = &house.admin;
    hidden.names = vec!["canary-ring", "canary-key", "canary-user", "canary-record", "canary-entity"];
    let user = house.user("canary-user", &["writers"]).await;
    let labels = json!({"canary-label-name": "canary-label-value"});
    hidden.details.push(("label", b"canary-label-value".to_vec()));
    let _ring = house.post(admin, "/v1/rings", json!({"name": "canary-ring", "labels": labels})).await.ok();
    let asked = json!({"key": "canary-ring/canary-key", "spec": "rsa-3072", "usage": "wrap", "labels": labels});
    let _key = house.ask(admin, Ask::post("/v1/keys", asked).once("canary-idempotency-key")).await.ok();
    hidden.details.push(("idempotency key", b"canary-idempotency-key".to_vec()));

    let context = json!({"canary-member": "canary-context-value"});
    hidden.details.push(("context", b"canary-context-value".to_vec()));
    for (key, once) in [("mine/wrap", "canary-idempotency-key-2"), ("mine/rsa", "canary-idempotency-key-3")] {
        let asked = json!({"key": key, "context": context});
        let made = house.ask(&user, Ask::post("/v1/data-keys", asked).once(once)).await.ok();
        hidden.secrets.push(("data key", bytes(&made["plaintext"])));
        let opened = json!({"wrapped": made["wrapped"], "context": context});
        let _opened = house.post(&user, "/v1/data-keys/unwrap", opened).await.ok();
        let false_context = json!({"wrapped": made["wrapped"], "context": {"canary-member": "canary-context-other"}});
        errors.push(house.post(&user, "/v1/data-keys/unwrap", false_context).await.text());
        let _rewrapped = house
            .post(&user, "/v1/data-keys/rewrap", json!({"wrapped": made["wrapped"], "context": context}))
            .await
            .ok();
    }
    let plaintext = b"canary-plaintext-of-encrypt".to_vec();
    let sealed = json!({"key": "mine/seal", "plaintext": base64(&plaintext), "context": context});
    let sealed = house.post(&user, "/v1/encrypt", sealed).await.ok();
    let asked = json!({"ciphertext": sealed["ciphertext"], "context": context});
    let _opened = house.post(&user, "/v1/decrypt", asked).await.ok();
    hidden.secrets.push(("plaintext", plaintext.clone()));
    let message = b"canary-message-to-sign".to_vec();
    let _signed = house.post(&user, "/v1/sign", json!({"key": "mine/sign", "message": base64(&message)})).await.ok();
    hidden.secrets.push(("message", message));
    let drawn = house.post(&user, "/v1/random", json!({"length": 32})).await.ok();
    hidden.secrets.push(("random bytes", bytes(&drawn["bytes"])));

    let entity = json!([{"uid": {"type": "Note", "id": "canary-entity"}, "attrs": {"title": "canary-attribute-value",
        "owner": {"__entity": {"type": "User", "id": "canary-user"}}}}]);
    let _entity = house.post(admin, "/v1/entities", json!({"entities": entity})).await.ok();
    hidden.details.push(("entity attribute", b"canary-attribute-value".to_vec()));
    let record = json!({"resource": {"type": "Note", "id": "canary-entity"}});
    let made = house.post(&user, "/v1/data-keys", json!({"key": "mine/wrap", "context": record})).await.ok();
    hidden.secrets.push(("data key of a record", bytes(&made["plaintext"])));
    let scan = json!({"resource": {"type": "Scan", "id": "canary-record",
        "attributes": {"owner": {"__entity": {"type": "User", "id": "canary-somebody"}}}}});
    errors.push(house.post(&user, "/v1/data-keys", json!({"key": "mine/wrap", "context": scan})).await.text());

    let token = house.token(admin, "user", "canary-user").await.ok();
    let text = token["token"].as_str().unwrap();
    hidden.secrets.push(("token", text.split('.').nth(1).unwrap().as_bytes().to_vec()));
    let (key_pem, enrolled) = house.try_enrol(text, &wardkeep_tests::house::csr_params(None)).await;
    let _enrolled = enrolled.ok();
    errors.push(house.try_enrol(text, &wardkeep_tests::house::csr_params(None)).await.1.text());
    let open = house.token(admin, "user", "canary-user").await.ok();
    hidden.secrets.push(("open token", open["token"].as_str().unwrap().split('.').nth(1).unwrap().as_bytes().to_vec()));
    let private: String = key_pem.lines().filter(|line| !line.starts_with('-')).collect();
    hidden.secrets.push(("private key", private.as_bytes()[60..100].to_vec()));
    authority(house, &user, &mut hidden, &mut errors).await;
    errors.extend(wrong_places(house, &user).await);
    (hidden, errors)
}

/// An authority, user keys in the clear and sealed, a list, an escrow: master key, user key and shares are secrets.
async fn authority(house: &House, user: &wardkeep_tests::Person, hidden: &mut Hidden, errors: &mut Vec<String>) {
    let admin = &house.admin;
    house.key("mine/abe", "fabeo-bls12-381", "issue").await;
    let issued = house.post(user, "/v1/user-keys", json!({"key": "mine/abe"})).await.ok();
    let file = bytes(&issued["user_key"]);
    let (parameters, _): (wardkeep_abe::PublicParameters, wardkeep_abe::UserKey) =
        wardkeep_abe::from_key_file(&file).unwrap();
    hidden.secrets.extend(runs("user key", &file, parameters.to_bytes()));
    let _listed = house.get(user, "/v1/user-keys").await.ok();
    let _list = house.get(user, "/v1/keys/mine/abe/revocations").await.ok();
    let _revoked = house.post(user, "/v1/user-keys/revoke", json!({"key": "mine/abe", "serials": [1]})).await.ok();
    errors.push(house.post(user, "/v1/user-keys/revoke", json!({"key": "mine/abe", "serials": [7]})).await.text());
    errors.push(house.post(user, "/v1/user-keys", json!({"key": "mine/abe", "version": 9})).await.text());

    let path = "/v1/keys/mine/abe/escrow";
    let made = house.post(admin, path, json!({"threshold": 2, "shares": 2, "plain": true})).await.ok();
    let packages: Vec<Vec<u8>> =
        made["packages"].as_array().unwrap().iter().map(|package| bytes(&package["package"])).collect();
    let recovered = wardkeep_kms::escrow::combine(&packages).unwrap();
    hidden.secrets.extend(runs("master key", recovered.authority.expose(), parameters.to_bytes()));
    for package in &packages {
        // Behind magic, format, set, threshold, name, version and number: docs/formats.md, *Escrow*.
        let at = 8 + 1 + 16 + 1 + 1 + "mine/abe".len() + 4 + 1;
        hidden.secrets.push(("share", package[at..at + 32].to_vec()));
    }
    errors.push(house.post(admin, path, json!({"threshold": 2, "shares": 2})).await.text());
}

/// Runs of a secret that are neither text nor in what is public: labels and parameters stand in both by right.
fn runs(what: &'static str, secret: &[u8], public: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let open = |run: &&[u8]| public.windows(run.len()).any(|part| part == *run);
    let text = |run: &&[u8]| run.iter().all(|byte| *byte == 0 || byte.is_ascii());
    let found = secret.windows(24).step_by(24).filter(|run| !open(run) && !text(run));
    let runs: Vec<_> = found.take(4).map(|run| (what, run.to_vec())).collect();
    assert!(!runs.is_empty(), "{what}");
    runs
}

/// Secrets where they do not belong: headers, paths, queries, wrong members, broken bodies.
async fn wrong_places(house: &House, user: &wardkeep_tests::Person) -> Vec<String> {
    const MISPLACED: &str = "canary-misplaced-secret";
    let encoded = base64(MISPLACED.as_bytes());
    let json_kind = "application/json";
    // A malformed name is shown to who sent it, and to nobody else: logs and records do not have it.
    let as_names = [
        Ask::post("/v1/encrypt", json!({"key": MISPLACED, "plaintext": "AA=="})),
        Ask::post("/v1/rings", json!({"name": MISPLACED.to_uppercase()})),
        Ask::post("/v1/tokens", json!({"identity": MISPLACED})),
        Ask::get("/v1/keys/mine/wrap").header("wardkeep-subject", format!("{MISPLACED}!")),
    ];
    for ask in as_names {
        assert_eq!(house.ask(user, ask).await.status, 400);
    }
    let asks = [
        Ask::post("/v1/encrypt", json!({"key": "mine/seal", "plaintext": MISPLACED})),
        Ask::post("/v1/encrypt", json!({"key": "mine/seal", "plaintext": {"value": MISPLACED}})),
        Ask::post("/v1/encrypt", json!({"key": "mine/seal", MISPLACED: "AA=="})),
        Ask::post(
            "/v1/data-keys",
            json!({"key": "mine/wrap", "recipient": {"jwk": {"kty": "RSA", "n": "AQ", "e": "AQ", "d": MISPLACED}}}),
        ),
        Ask::post("/v1/data-keys/unwrap", json!({"wrapped": encoded})),
        Ask::post("/v1/decrypt", json!({"ciphertext": encoded})),
        Ask::new(Method::POST, "/v1/encrypt").raw(json_kind, format!("{{\"key\": {MISPLACED}")),
        Ask::new(Method::POST, "/v1/encrypt").raw(json_kind, format!("\"{MISPLACED}\"")),
        Ask::new(Method::POST, "/v1/encrypt").raw("text/plain", MISPLACED),
        Ask::get(format!("/v1/keys?cursor={encoded}")),
        Ask::get(format!("/v1/keys?{MISPLACED}=1")),
        Ask::get("/v1/keys/mine/wrap").header("authorization", format!("Bearer {MISPLACED}")),
        Ask::get("/v1/keys/mine/wrap").header("x-request-id", format!("{MISPLACED} {MISPLACED}")),
        Ask::get("/v1/keys/mine/wrap").header("idempotency-key", MISPLACED),
        Ask::get("/v1/keys/mine/wrap").header("cookie", MISPLACED),
        Ask::new(Method::PATCH, "/v1/keys/mine/wrap").json(&json!({})).header("if-match", MISPLACED),
    ];
    let mut errors = Vec::new();
    for ask in asks {
        let answer = house.ask(user, ask.clone()).await;
        assert!(!holds(&answer.bytes, MISPLACED.as_bytes()), "{ask:?} echoes: {}", answer.text());
        errors.push(answer.text());
    }
    errors
}

#[tokio::test(flavor = "multi_thread")]
async fn no_canary_comes_to_light() {
    let log = Log::start();
    let mut house = House::furnished().await;
    house.key("mine/rsa", "rsa-3072", "wrap").await;
    let (hidden, errors) = live(&house).await;
    let metrics = house.ops("/metrics").await.1;
    let probes = house.ops("/healthz").await.1;
    let audit: Vec<String> = house.log().await.iter().map(Value::to_string).collect();
    let running = house.disk();
    house.stop().await;
    let lines = log.text();
    // The server says so once it answers: an empty log would prove nothing.
    assert!(lines.contains("ready"), "the log was not listened to: {lines}");
    assert!(metrics.contains("wardkeep_http_requests_total"), "{metrics}");

    let mut places: Vec<(String, Vec<u8>)> = vec![
        ("log".to_owned(), lines.clone().into_bytes()),
        ("metrics".to_owned(), metrics.clone().into_bytes()),
        ("probes".to_owned(), probes.into_bytes()),
        ("problems".to_owned(), errors.join("\n").into_bytes()),
    ];
    let disk: Vec<(String, Vec<u8>)> =
        running.into_iter().chain(house.disk()).map(|(path, bytes)| (path.display().to_string(), bytes)).collect();
    assert!(disk.iter().any(|(_, bytes)| bytes.starts_with(b"SQLite format 3")), "the database was looked at");
    places.extend(disk.iter().cloned());
    places.push(("audit".to_owned(), audit.join("\n").into_bytes()));
    for (place, content) in &places {
        for (what, secret) in &hidden.secrets {
            assert!(!holds(content, secret), "{what} in {place}");
        }
        if place != "audit" {
            for (what, detail) in &hidden.details {
                assert!(!holds(content, detail), "{what} in {place}");
            }
        }
        let misplaced = b"canary-misplaced-secret";
        assert!(!content.windows(misplaced.len()).any(|part| part == misplaced), "a misplaced secret in {place}");
    }
    for name in &hidden.names {
        assert!(!metrics.contains(name), "{name} in metrics");
        for (path, bytes) in &disk {
            assert!(!bytes.windows(name.len()).any(|part| part == name.as_bytes()), "{name} in {path}");
        }
    }
    assert!(audit.iter().any(|line| line.contains("canary-ring/canary-key")), "the audit log names what was done");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_cannot_forge_a_line_of_the_audit_log() {
    let house = House::new().await;
    let odd = "eve\r\n{\"v\":1,\"decision\":\"allow\"}\u{202e}\u{7f}";
    let entity = json!({"entities": [{"uid": {"type": "Note", "id": odd}}]});
    let answer = house.post(&house.admin, "/v1/entities", entity).await;
    assert!(matches!(answer.status, 200 | 400), "{}", answer.text());
    let grant = Ask::new(Method::PUT, member("auditor", "eve%0d%0a%22"));
    let answer = house.ask(&house.admin, grant).await;
    assert!((400..500).contains(&answer.status), "{}", answer.text());
    let records = house.app().store.audit(1, 1_000).unwrap();
    for record in records {
        assert!(record.line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{}", record.line);
        assert!(record.event().is_ok());
    }
}

#[test]
fn the_search_finds_every_form() {
    let secret = [0x00, 0xff, 0x10, 0x41, 0x42, 0xfb, 0xef, 0x99];
    for place in [
        "x 00ff104142fbef99",
        "00FF104142FBEF99",
        "[0, 255, 16, 65, 66, 251, 239, 153]",
        "\"AP8QQUL775k=\"",
        "a.AP8QQUL775k.b",
    ] {
        assert!(holds(place.as_bytes(), &secret), "{place}");
    }
    assert!(holds(&[&[7][..], &secret, &[7]].concat(), &secret));
    assert!(!holds(b"00ff104142fbef98", &secret));
}
