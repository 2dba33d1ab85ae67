//! Ways round release: a data key that protects a record is given out under both rules, or not at all.
//!
//! Broke elsewhere: access checks skipped on another format or verb (OpenTDF #766), an answer cached for another context
//! (CVE-2026-33729), wrapped keys that outsiders could make.

use aws_lc_rs::rsa::{OAEP_SHA256_MGF1SHA256, OaepPublicEncryptingKey, PublicEncryptingKey};
use serde_json::{Value, json};
use wardkeep_model::{EncryptionContext, EntityUid, ResourceBinding};
use wardkeep_tests::house::{base64, bytes};
use wardkeep_tests::{Answer, Ask, House, Person};

/// Ann's scan, as the context of a data key has it.
fn scan(owner: &str) -> Value {
    let owner = json!({"__entity": {"type": "User", "id": owner}});
    json!({"purpose": "scan", "resource": {"type": "Scan", "id": "s1", "attributes": {"owner": owner}}})
}

fn note(id: &str) -> Value {
    json!({"resource": {"type": "Note", "id": id}})
}

struct Scene {
    house: House,
    ann: Person,
    bob: Person,
    /// Ann's scan, wrapped by `mine/wrap`.
    wrapped: Value,
    secret: Value,
}

impl Scene {
    async fn set() -> Self {
        let house = House::furnished().await;
        let ann = house.user("ann", &["writers"]).await;
        let bob = house.user("bob", &["writers"]).await;
        let asked = json!({"key": "mine/wrap", "context": scan("ann")});
        let made = house.post(&ann, "/v1/data-keys", asked).await.ok();
        Self { house, ann, bob, wrapped: made["wrapped"].clone(), secret: made["plaintext"].clone() }
    }

    async fn unwrap(&self, who: &Person, wrapped: &Value, context: Value) -> Answer {
        self.house.post(who, "/v1/data-keys/unwrap", json!({"wrapped": wrapped, "context": context})).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_owner_reads_and_nobody_else_by_any_verb_or_context() {
    let scene = Scene::set().await;
    let Scene { house, ann, bob, wrapped, secret } = &scene;
    assert_eq!(scene.unwrap(ann, wrapped, scan("ann")).await.ok()["plaintext"], *secret);
    // The key's own rules let Bob unwrap: what refuses is the record.
    assert_eq!(scene.unwrap(bob, wrapped, scan("ann")).await.said(), (403, "denied"));
    // Contexts that the rules would let pass do not open it.
    let other_id = json!({"purpose": "scan", "resource": {"type": "Scan", "id": "s2",
        "attributes": {"owner": {"__entity": {"type": "User", "id": "bob"}}}}});
    let more = json!({"purpose": "scan", "resource": {"type": "Scan", "id": "s1",
        "attributes": {"owner": {"__entity": {"type": "User", "id": "bob"}}, "series": 1}}});
    for context in [json!({}), json!({"purpose": "scan"}), scan("bob"), other_id, more] {
        let answer = scene.unwrap(bob, wrapped, context.clone()).await;
        assert_eq!(answer.said(), (400, "cannot-open"), "{context}");
    }
    // As a ciphertext, with the record in the context and without.
    let decrypt = |context: Value| json!({"ciphertext": wrapped, "context": context});
    assert_eq!(house.post(bob, "/v1/decrypt", decrypt(scan("ann"))).await.said(), (400, "resource-not-allowed"));
    let as_text = house.post(bob, "/v1/decrypt", decrypt(json!({}))).await;
    assert!((400..500).contains(&as_text.status) && as_text.body.get("plaintext").is_none(), "{}", as_text.text());
    // In a batch every item is decided by itself.
    let items = json!({"items": [{"wrapped": wrapped, "context": scan("ann")}]});
    let batch = house.post(bob, "/v1/data-keys/unwrap/batch", items).await.ok();
    assert_eq!(batch["items"][0]["problem"]["status"], 403);
    // Rewrapping shows nothing, and what it gives is guarded as before.
    let asked = json!({"wrapped": wrapped, "context": scan("ann")});
    let rewrapped = house.post(bob, "/v1/data-keys/rewrap", asked).await.ok();
    assert_eq!((rewrapped.get("plaintext"), rewrapped.get("for_recipient")), (None, None));
    assert_eq!(scene.unwrap(bob, &rewrapped["wrapped"], scan("ann")).await.said(), (403, "denied"));
    assert_eq!(scene.unwrap(bob, &rewrapped["wrapped"], scan("bob")).await.said(), (400, "cannot-open"));
    assert_eq!(scene.unwrap(ann, &rewrapped["wrapped"], scan("ann")).await.ok()["plaintext"], *secret);
    let changed = json!({"wrapped": wrapped, "context": scan("bob")});
    let answer = house.post(bob, "/v1/data-keys/rewrap", changed).await;
    assert_eq!(answer.said(), (400, "cannot-open"), "the context is kept byte for byte");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_is_protected_only_by_who_may_make_it() {
    let scene = Scene::set().await;
    let asked = json!({"key": "mine/wrap", "context": scan("bob")});
    assert_eq!(scene.house.post(&scene.ann, "/v1/data-keys", asked).await.said(), (403, "denied"));
    for verb in ["/v1/encrypt"] {
        let asked = json!({"key": "mine/seal", "plaintext": "AA==", "context": scan("ann")});
        assert_eq!(scene.house.post(&scene.ann, verb, asked).await.said(), (400, "resource-not-allowed"));
    }
}

/// The OAEP label of a data key, as docs/formats.md has it; everything in it is public.
fn label(key: &str, context: &EncryptionContext) -> Vec<u8> {
    let mut label = b"wardkeep kms oaep v1".to_vec();
    label.extend_from_slice(&[0, 1, 2]);
    label.extend_from_slice(&1_u32.to_be_bytes());
    for part in ["wrap", "data-key", key] {
        label.push(u8::try_from(part.len()).unwrap());
        label.extend_from_slice(part.as_bytes());
    }
    label.extend_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, context.canonical()).as_ref());
    label
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_public_key_wraps_nothing_that_opens() {
    let scene = Scene::set().await;
    let Scene { house, ann, bob, .. } = &scene;
    house.key("mine/rsa", "rsa-3072", "wrap").await;
    let shown = house.get(bob, "/v1/keys/mine/rsa").await.ok();
    let public = PublicEncryptingKey::from_der(&bytes(&shown["versions"][0]["public_key"])).unwrap();
    let public = OaepPublicEncryptingKey::new(public).unwrap();
    let owner = wardkeep_model::Value::Entity(EntityUid::new("User", "ann").unwrap());
    let record = ResourceBinding {
        entity: EntityUid::new("Scan", "s1").unwrap(),
        attributes: Some([("owner".to_owned(), owner)].into()),
        parents: None,
    };
    let context = EncryptionContext::new([("purpose".to_owned(), "scan".to_owned())].into(), Some(record)).unwrap();
    let mut sealed = vec![0; public.ciphertext_size()];
    let label = label("mine/rsa", &context);
    let chosen = [0x42; 32];
    let len = public.encrypt(&OAEP_SHA256_MGF1SHA256, &chosen, &mut sealed, Some(&label)).unwrap().len();
    sealed.truncate(len);

    let made = house.post(ann, "/v1/data-keys", json!({"key": "mine/rsa", "context": scan("ann")})).await.ok();
    let genuine = bytes(&made["wrapped"]);
    let (head, body) = genuine.split_at(genuine.len() - 32 - sealed.len());
    for tag in [[0; 32].as_slice(), &body[..32]] {
        let forged = base64(&[head, tag, &sealed].concat());
        let answer = scene.unwrap(ann, &json!(forged), scan("ann")).await;
        assert_eq!(answer.said(), (400, "cannot-open"), "forged under the right label: {}", answer.text());
    }
    assert_eq!(scene.unwrap(ann, &made["wrapped"], scan("ann")).await.ok()["plaintext"], made["plaintext"]);
    let mut flipped = genuine.clone();
    for at in [0, 3, 7, 12, genuine.len() - 400, genuine.len() - 1] {
        flipped[at] ^= 1;
        let answer = scene.unwrap(ann, &json!(base64(&flipped)), scan("ann")).await;
        assert!((400..500).contains(&answer.status), "byte {at}: {}", answer.text());
        flipped[at] ^= 1;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compromised_version_gives_nothing_without_the_further_right() {
    let scene = Scene::set().await;
    let Scene { house, ann, wrapped, secret, .. } = &scene;
    let fay = house.user("fay", &["writers", "forensics"]).await;
    let _rotated = house.post(ann, "/v1/keys/mine/wrap/rotate", json!({})).await.ok();
    let _marked = house.post(ann, "/v1/keys/mine/wrap/compromise", json!({"version": 1})).await.ok();
    let asked = json!({"wrapped": wrapped, "context": scan("ann")});
    assert_eq!(house.post(ann, "/v1/data-keys/rewrap", asked.clone()).await.said(), (403, "denied"));
    assert_eq!(scene.unwrap(ann, wrapped, scan("ann")).await.said(), (403, "denied"));
    let items = json!({"items": [asked.clone()]});
    let batch = house.post(ann, "/v1/data-keys/rewrap/batch", items).await.ok();
    assert_eq!(batch["items"][0]["problem"]["status"], 403);
    // The right to use the version is not the right to the record.
    assert_eq!(scene.unwrap(&fay, wrapped, scan("ann")).await.said(), (403, "denied"));
    let saved = house.post(&fay, "/v1/data-keys/rewrap", asked).await.ok();
    assert_eq!((&saved["from_version"], &saved["version"]), (&json!(1), &json!(2)));
    assert_eq!(scene.unwrap(ann, &saved["wrapped"], scan("ann")).await.ok()["plaintext"], *secret);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_for_another_subject_is_another_request() {
    let scene = Scene::set().await;
    let house = &scene.house;
    let app = house.service("app", &["applications"]).await;
    let ask = |user: &str| Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("same-key").as_user(user);
    let first = house.ask(&app, ask("ann")).await.ok();
    let replayed = house.ask(&app, ask("ann")).await.ok();
    assert_eq!((&replayed["wrapped"], &replayed["plaintext"]), (&first["wrapped"], &first["plaintext"]));
    let other = house.ask(&app, ask("bob")).await.ok();
    assert!(other["wrapped"] != first["wrapped"] && other["plaintext"] != first["plaintext"], "another's result");
    let own =
        house.ask(&scene.ann, Ask::post("/v1/data-keys", json!({"key": "mine/wrap"})).once("same-key")).await.ok();
    assert!(own["wrapped"] != first["wrapped"], "the subject alone is not the caller either");
    // What the replay shows is decided anew: Ann has lost her right meanwhile.
    let _out = house.entity("User", "ann", &[]).await.ok();
    assert_eq!(house.ask(&app, ask("ann")).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn stored_records_are_judged_by_the_store_and_nothing_else() {
    let scene = Scene::set().await;
    let Scene { house, ann, bob, .. } = &scene;
    let put = async |owner: &str| {
        let attrs = json!({"owner": {"__entity": {"type": "User", "id": owner}}});
        let entity = json!({"entities": [{"uid": {"type": "Note", "id": "n1"}, "attrs": attrs}]});
        house.post(&house.admin, "/v1/entities", entity).await.ok()
    };
    put("ann").await;
    let made = house.post(ann, "/v1/data-keys", json!({"key": "mine/wrap", "context": note("n1")})).await.ok();
    assert_eq!(scene.unwrap(ann, &made["wrapped"], note("n1")).await.status, 200);
    assert_eq!(scene.unwrap(bob, &made["wrapped"], note("n1")).await.said(), (403, "denied"));
    for (member, value) in [
        ("attributes", json!({"owner": {"__entity": {"type": "User", "id": "bob"}}})),
        ("attributes", json!({})),
        ("parents", json!([])),
        ("parents", json!([{"type": "Group", "id": "writers"}])),
    ] {
        let mut context = note("n1");
        context["resource"][member] = value;
        let answer = scene.unwrap(bob, &made["wrapped"], context.clone()).await;
        assert_eq!(answer.status, 422, "{context}: {}", answer.text());
        let asked = json!({"key": "mine/wrap", "context": context});
        assert_eq!(house.post(bob, "/v1/data-keys", asked).await.status, 422);
    }
    // Missing is denied like forbidden; and what the store says at the moment counts.
    let missing = house.post(ann, "/v1/data-keys", json!({"key": "mine/wrap", "context": note("gone")})).await;
    assert_eq!(missing.said(), (403, "denied"));
    put("bob").await;
    assert_eq!(scene.unwrap(ann, &made["wrapped"], note("n1")).await.said(), (403, "denied"));
    assert_eq!(scene.unwrap(bob, &made["wrapped"], note("n1")).await.status, 200);
    let _gone = house.ask(&house.admin, Ask::new(http::Method::DELETE, "/v1/entities/Note/n1")).await.ok();
    assert_eq!(scene.unwrap(bob, &made["wrapped"], note("n1")).await.said(), (403, "denied"));
}

#[tokio::test(flavor = "multi_thread")]
async fn types_that_protect_nothing_are_refused() {
    let scene = Scene::set().await;
    for (kind, id) in [
        ("Undeclared", "1"),
        ("User", "ann"),
        ("Service", "app"),
        ("Group", "writers"),
        ("Patient", "p"),
        ("Wardkeep::Key", "mine/wrap"),
        ("Wardkeep::Role", "admin"),
        ("Wardkeep::System", "scheduler"),
        ("wardkeep::key", "x"),
        ("scan", "s1"),
    ] {
        let context = json!({"resource": {"type": kind, "id": id}});
        let made = scene.house.post(&scene.ann, "/v1/data-keys", json!({"key": "mine/wrap", "context": context})).await;
        assert_eq!(made.status, 400, "{kind}: {}", made.text());
        let opened = scene.unwrap(&scene.ann, &scene.wrapped, context).await;
        assert_eq!(opened.status, 400, "{kind}: {}", opened.text());
    }
    for attributes in [json!({}), json!({"owner": "ann"}), json!({"owner": 1}), json!({"other": true})] {
        let context = json!({"resource": {"type": "Scan", "id": "s1", "attributes": attributes}});
        let made = scene.house.post(&scene.ann, "/v1/data-keys", json!({"key": "mine/wrap", "context": context})).await;
        assert_eq!(made.status, 422, "{attributes}: {}", made.text());
    }
}
