//! Problem documents (RFC 9457) as programs read them: the same shape for every cause, a stable code, the request's id,
//! and nothing of what was sent.
//!
//! Broke elsewhere: secrets in error texts (CVE-2025-4166, CVE-2025-52893), answers whose body and status disagreed.

use http::Method;
use serde_json::{Value, json};
use wardkeep_tests::{Answer, Ask, House, Person, bundle};

/// Words that must come back in no problem. A name that is none is shown, in backticks: that is for who mistyped it.
const CANARY: &str = "c4n4ry-Kx93bV";

struct Scene {
    house: House,
    ann: Person,
    eve: Person,
}

impl Scene {
    async fn set() -> Self {
        let house = House::furnished().await;
        let ann = house.user("ann", &["writers"]).await;
        let eve = house.user("eve", &[]).await;
        Self { house, ann, eve }
    }

    fn who(&self, name: &str) -> &Person {
        match name {
            "ann" => &self.ann,
            "eve" => &self.eve,
            _ => &self.house.admin,
        }
    }
}

/// Who asks what, and what is answered.
fn cases() -> Vec<(&'static str, Ask, u16, &'static str)> {
    let post = |path: &str, body: Value| Ask::post(path, body);
    let raw = |body: &str| Ask::new(Method::POST, "/v1/rings").raw("application/json", body.to_owned());
    let wrap = || json!({"key": "mine/wrap"});
    vec![
        ("ann", Ask::get("/v1/nothing"), 404, "no-such-route"),
        ("ann", Ask::get("/v2/keys"), 404, "no-such-route"),
        ("ann", Ask::new(Method::DELETE, "/v1/keys"), 405, "method-not-allowed"),
        ("ann", Ask::new(Method::TRACE, "/v1/keys"), 405, "method-not-allowed"),
        ("ann", raw("{"), 400, "malformed-body"),
        ("ann", raw(&format!("{{\"{CANARY}\": 1}}")), 400, "malformed-body"),
        ("ann", raw(&format!("{{\"name\": \"{CANARY}\", \"name\": \"b\"}}")), 400, "malformed-body"),
        ("ann", raw(&"[".repeat(33)), 400, "body-bounds"),
        ("ann", Ask::new(Method::POST, "/v1/rings").raw("text/plain", "{}"), 415, "unsupported-media-type"),
        ("ann", post("/v1/rings", json!({"name": "a/.."})), 400, "malformed-name"),
        ("ann", Ask::get("/v1/keys?limit=0"), 400, "malformed-page"),
        ("ann", Ask::get(format!("/v1/keys?{CANARY}=1")), 400, "malformed-query"),
        ("ann", post("/v1/data-keys", wrap()).header("wardkeep-subject", "ann"), 400, "malformed-subject"),
        ("ann", post("/v1/data-keys", wrap()).once(&format!("{CANARY} ")).once("b"), 400, "malformed-idempotency-key"),
        ("ann", post("/v1/random", json!({"length": 1})).once("a"), 400, "idempotency-not-supported"),
        ("ann", post("/v1/data-keys/batch", json!({"items": []})), 400, "batch-size"),
        ("ann", post("/v1/random", json!({"length": 0})), 400, "random-length"),
        ("ann", post("/v1/data-keys", json!({"key": "mine/seal"})), 400, "wrong-usage"),
        ("ann", post("/v1/data-keys/unwrap", json!({"wrapped": "AAAA"})), 400, "malformed-input"),
        ("ann", post("/v1/keys/mine/wrap/suspend", json!({"version": 0})), 400, "malformed-request"),
        ("ann", post("/v1/keys/mine/wrap/suspend", json!({"version": 9})), 404, "version-not-found"),
        ("ann", post("/v1/keys/mine/wrap/enable", json!({})), 409, "no-transition"),
        ("ann", post("/v1/keys/mine/wrap/destroy", json!({})), 409, "no-deletion-scheduled"),
        ("ann", post("/v1/keys/mine/wrap/schedule-deletion", json!({"days": 6})), 400, "deletion-period"),
        ("ann", Ask::new(Method::PATCH, "/v1/keys/mine/wrap").json(&json!({})), 428, "precondition-required"),
        ("ann", post("/v1/keys/mine/wrap/rotate", json!({})).if_match("*"), 400, "malformed-if-match"),
        ("ann", post("/v1/keys/mine/wrap/rotate", json!({})).if_match("\"7\""), 412, "precondition-failed"),
        ("eve", Ask::get("/v1/keys/mine/wrap"), 403, "denied"),
        ("eve", Ask::get(format!("/v1/keys/mine/{}", CANARY.to_lowercase())), 403, "denied"),
        ("admin", post("/v1/rings", json!({"name": "mine"})), 409, "ring-exists"),
        ("admin", Ask::new(Method::DELETE, "/v1/rings/mine"), 409, "ring-not-empty"),
        ("admin", Ask::get("/v1/rings/none"), 404, "ring-not-found"),
        ("admin", Ask::get("/v1/keys/mine/none"), 404, "key-not-found"),
        ("admin", Ask::get("/v1/bundles/99"), 404, "bundle-not-found"),
        ("admin", Ask::get("/v1/bundles/one"), 400, "malformed-path"),
        ("admin", Ask::get("/v1/entities/User/none"), 404, "entity-not-found"),
        ("admin", Ask::new(Method::PUT, "/v1/roles/owner/members/User/ann"), 404, "no-such-role"),
        ("admin", Ask::new(Method::DELETE, format!("/v1/tokens/{CANARY}")), 404, "token-unknown"),
        ("admin", post("/v1/tokens", json!({"identity": "spiffe://house.test/robot/x"})), 400, "identity-not-mapped"),
        ("admin", post("/v1/tokens", json!({"identity": "spiffe://other.test/user/x"})), 400, "trust-domain"),
        ("admin", post("/v1/certificates/revoke", json!({"serial": "abcdef"})), 404, "certificate-unknown"),
        ("admin", post("/v1/certificates/revoke", json!({"serial": "no serial"})), 400, "malformed-name"),
        ("admin", post("/v1/certificates/renew", json!({"csr_pem": CANARY})), 400, "csr-malformed"),
        ("admin", post("/v1/entities", json!({"entities": []})), 400, "entity-count"),
        ("admin", Ask::get("/v1/control-set").as_user("ann"), 400, "subject-on-control-verb"),
    ]
}

/// What every problem has, whatever its cause.
fn well_formed(answer: &Answer, ask: &Ask, name: &str) {
    let body = &answer.body;
    assert_eq!(answer.header("content-type"), "application/problem+json", "{ask:?}: {}", answer.text());
    assert_eq!(answer.header("x-request-id"), name);
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(body["status"], answer.status, "{body}");
    assert_eq!(
        (&body["request_id"], &body["instance"]),
        (&json!(name), &json!(format!("urn:wardkeep:request:{name}")))
    );
    let code = answer.code();
    assert!(!code.is_empty() && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{body}");
    let words = code.replace('-', " ");
    assert!(body["title"].as_str().unwrap().eq_ignore_ascii_case(&words), "the title is the code's: {body}");
    let detail = body["detail"].as_str().unwrap();
    assert!(detail.len() > 10, "{body}");
    let known = ["type", "title", "status", "detail", "instance", "request_id", "findings"];
    assert!(body.as_object().unwrap().keys().all(|member| known.contains(&member.as_str())), "{body}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_cause_has_its_status_and_code_and_all_have_one_shape() {
    let scene = Scene::set().await;
    let cases = cases();
    let (mut codes, mut wrong) = (std::collections::BTreeSet::new(), Vec::new());
    for (at, (who, ask, status, code)) in cases.iter().enumerate() {
        let name = format!("problem-{at}");
        let answer = scene.house.ask(scene.who(who), ask.clone().named(&name)).await;
        if answer.said() != (*status, *code) {
            wrong.push(format!("{status} {code} is {}", answer.text()));
            continue;
        }
        well_formed(&answer, ask, &name);
        if answer.text().to_lowercase().contains(&CANARY.to_lowercase()) {
            wrong.push(format!("{code} repeats what was sent: {}", answer.text()));
        }
        codes.insert(*code);
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert!(codes.len() >= 35, "{}", codes.len());
    let still = scene.house.post(&scene.ann, "/v1/data-keys", json!({"key": "mine/wrap"})).await;
    assert_eq!(still.status, 200, "and the server lives");
}

/// The same cause tells the same, but for the request's name: nothing in it is a clue.
#[tokio::test(flavor = "multi_thread")]
async fn a_problem_asked_for_twice_is_the_same_problem() {
    let scene = Scene::set().await;
    for (who, ask, ..) in cases() {
        let one = scene.house.ask(scene.who(who), ask.clone()).await;
        let other = scene.house.ask(scene.who(who), ask.clone()).await;
        assert_eq!(one.shape(), other.shape(), "{ask:.200?}");
        assert_ne!(one.header("x-request-id"), other.header("x-request-id"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn findings_say_where_and_what_and_only_policies_have_them() {
    let scene = Scene::set().await;
    let admin = &scene.house.admin;
    let mut source = bundle::tested();
    source.policies.push(("bad.cedar".to_owned(), "permit (principal, action, resource)\nwhen { 1 + };".to_owned()));
    let refused = scene.house.post(admin, "/v1/bundles", bundle::activation(&source)).await;
    assert_eq!(refused.said(), (422, "policies-refused"));
    let findings = refused.body["findings"].as_array().unwrap();
    let finding = findings.iter().find(|finding| finding["file"] == "bad.cedar").unwrap();
    assert_eq!((&finding["severity"], &finding["line"]), (&json!("error"), &json!(2)), "{finding}");
    assert!(finding["message"].as_str().is_some_and(|text| !text.is_empty()));
    let control = Ask::new(Method::PUT, "/v1/control-set").json(&json!({"text": "permit (principal);"}));
    let refused = scene.house.ask(admin, control).await;
    assert_eq!(refused.said(), (422, "policies-refused"));
    assert!(!refused.body["findings"].as_array().unwrap().is_empty());
    let denied = scene.house.get(&scene.eve, "/v1/bundles").await;
    assert_eq!(denied.body.get("findings"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_nobody_is_told_nothing_but_that() {
    let scene = Scene::set().await;
    // TLS ends it: there is no answer to read.
    let nobody = scene.house.try_ask(&scene.house.nobody(), &Ask::get("/v1/whoami")).await;
    assert!(nobody.is_err(), "{nobody:?}");
    // On the enrolment listener there is one route, and its refusals do not tell one token from another.
    let enrol = scene.house.running().enrol.unwrap();
    for path in ["/v1/whoami", "/v1/keys", "/metrics", "/"] {
        let answer = scene.house.nobody().send_anew(enrol, &Ask::get(path).named("n")).await.unwrap();
        assert_eq!(answer.said(), (404, "no-such-route"), "{path}");
        well_formed(&answer, &Ask::get(path), "n");
    }
    let params = wardkeep_tests::house::csr_params(None);
    let token = scene.house.token(&scene.house.admin, "user", "ann").await.ok();
    let text = token["token"].as_str().unwrap().to_owned();
    let _used = scene.house.enrol(&text).await;
    let (_, used) = scene.house.try_enrol(&text, &params).await;
    let fingerprint = text.rsplit('.').next().unwrap();
    let never = format!("wk1.{}.{fingerprint}", "A".repeat(43));
    let (_, never) = scene.house.try_enrol(&never, &params).await;
    assert_eq!((used.said(), used.shape()), ((403, "token-refused"), never.shape()));
    let secret = text.split('.').nth(1).unwrap();
    assert!(!used.text().contains(secret), "{}", used.text());
}
