//! Authorities over the wire: what a caller can say, and what comes back to whom.
//!
//! Broke elsewhere: attributes taken from a token the caller had made, a key for somebody else handed to whoever asked, a
//! revoked certificate that a cache went on trusting.

use std::time::Duration;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::{KeySize, OAEP_SHA256_MGF1SHA256, OaepPrivateDecryptingKey, PrivateDecryptingKey};
use http::Method;
use serde_json::{Value, json};
use wardkeep_abe::{AccessPolicy, PublicParameters, RevocationList, Seed, UserKey, from_key_file};
use wardkeep_envelope::{FileKey, OAEP_LABEL, Opener, RsaStanza, Stanza, Unwrap, UnwrapError};
use wardkeep_policy::BundleSource;
use wardkeep_tests::house::{base64, bytes};
use wardkeep_tests::{Ask, House, Person, bundle};

/// The tested bundle; the service `desk` acts for people and has keys issued for them, `chat` acts for them only.
fn rules() -> BundleSource {
    bundle::with_policy(
        bundle::tested(),
        r#"
        @id("services-act") permit (
            principal is Service, action == Wardkeep::Action::"actFor", resource is User)
        when { [Service::"desk", Service::"chat"].contains(principal) };
        @id("desk-issues") permit (
            principal == Service::"desk", action == Wardkeep::Action::"IssueUserKeyFor",
            resource in Wardkeep::Ring::"mine");
        "#,
    )
}

/// A house with the authority `mine/abe`, and `ann`, who may have keys.
async fn house() -> (House, Person) {
    let house = House::with(rules(), |_| {}).await;
    house.ring("mine").await;
    house.key("mine/abe", "fabeo-bls12-381", "issue").await;
    let ann = house.user("ann", &["writers"]).await;
    (house, ann)
}

/// A reader's private key, and its public half as a request names it.
struct Reader(OaepPrivateDecryptingKey);

impl Reader {
    fn new() -> (Self, Value) {
        let private = PrivateDecryptingKey::generate(KeySize::Rsa3072).unwrap();
        let der: PublicKeyX509Der<'static> = private.public_key().as_der().unwrap();
        let spki = json!({"spki": base64(der.as_ref())});
        (Self(OaepPrivateDecryptingKey::new(private).unwrap()), spki)
    }

    fn open(&self, sealed: &Value) -> Option<Vec<u8>> {
        let context = sealed["context"].as_str().unwrap();
        Opener::from_bytes(&bytes(&sealed["envelope"])).ok()?.open(&[self], context.as_bytes()).ok()
    }
}

impl Unwrap for Reader {
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, UnwrapError>> {
        let rsa = RsaStanza::read(stanza)?.ok()?;
        let mut out = vec![0; self.0.min_output_size()];
        let opened = self.0.decrypt(&OAEP_SHA256_MGF1SHA256, rsa.ciphertext, &mut out, Some(OAEP_LABEL)).ok()?;
        FileKey::from_slice(opened).map(Ok)
    }
}

fn read(file: &[u8]) -> (PublicParameters, UserKey) {
    from_key_file(file).unwrap()
}

/// Whether a key file opens what anybody seals with those parameters now, and with that list.
fn opens(file: &[u8], formula: &str, now: u64, list: Option<&Value>) -> bool {
    let (parameters, key) = read(file);
    let bucket = parameters.terms().bucket_at(now).unwrap();
    let mut policy = AccessPolicy::parse(formula, &parameters).unwrap().valid_from(bucket);
    if let Some(list) = list {
        let list = RevocationList::from_bytes(&bytes(&list["list"]), &parameters).unwrap();
        policy = policy.excluding(&list, &parameters, now).unwrap();
    }
    let (ciphertext, _) = wardkeep_abe::seal(&parameters, &policy, b"it", Seed::new([9; 32])).unwrap();
    wardkeep_abe::open(&parameters, &key, &ciphertext, b"it").is_ok()
}

fn now(house: &House) -> u64 {
    house.app().clock.now().seconds()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_in_its_own_answer_opens_off_line_until_it_is_revoked() {
    let (house, ann) = house().await;
    let issued = house.post(&ann, "/v1/user-keys", json!({"key": "mine/abe"})).await.ok();
    assert_eq!(issued["attributes"], "group = [writers], user = ann");
    assert_eq!((issued["serial"].as_u64(), issued["version"].as_u64()), (Some(1), Some(1)));
    assert!(issued.get("sealed").is_none());
    let file = bytes(&issued["user_key"]);
    assert!(opens(&file, "group = writers", now(&house), None));

    let done = house.post(&ann, "/v1/user-keys/revoke", json!({"key": "mine/abe", "serials": [1]})).await.ok();
    assert_eq!((done["revoked"].as_u64(), done["lists"][0]["number"].as_u64()), (Some(1), Some(1)));
    let list = house.get(&ann, "/v1/keys/mine/abe/revocations").await.ok();
    assert_eq!(list, done["lists"][0]);
    assert!(!opens(&file, "group = writers", now(&house), Some(&list)));
    let listed = house.get(&ann, "/v1/user-keys?key=mine%2Fabe&subject=User%3A%3A%22ann%22").await.ok();
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    assert!(listed["items"][0]["revoked"].is_string());
    assert_eq!(listed["items"][0]["subject"], json!({"type": "User", "id": "ann"}));
    let page = house.get(&ann, "/v1/user-keys?subject=User%3A%3A%22bob%22").await.ok();
    assert_eq!(page["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_caller_says_becomes_an_attribute() {
    let (house, ann) = house().await;
    for body in [
        json!({"key": "mine/abe", "attributes": "group = [admins]"}),
        json!({"key": "mine/abe", "context": {"group": "admins"}}),
        json!({"key": "mine/abe", "subject": {"type": "User", "id": "admin"}}),
        json!({"key": "mine/abe", "user": "admin"}),
        json!({"key": "mine/abe", "serial": 7}),
    ] {
        assert_eq!(house.post(&ann, "/v1/user-keys", body.clone()).await.said(), (400, "malformed-body"), "{body}");
    }
    // Headers that look like they might: they are nobody's business.
    let ask = Ask::post("/v1/user-keys", json!({"key": "mine/abe"}))
        .header("wardkeep-attributes", "group = [admins]")
        .header("x-user", "admin");
    let issued = house.ask(&ann, ask).await.ok();
    assert_eq!(issued["attributes"], "group = [writers], user = ann");
    let twice = Ask::post("/v1/user-keys", json!({"key": "mine/abe"})).once("again");
    assert_eq!(house.ask(&ann, twice).await.said(), (400, "idempotency-not-supported"));
    let life = json!({"key": "mine/abe", "valid_for_seconds": 86_401});
    assert_eq!(house.post(&ann, "/v1/user-keys", life).await.said(), (400, "user-key-life"));
    let version = json!({"key": "mine/abe", "version": 2});
    assert_eq!(house.post(&ann, "/v1/user-keys", version).await.said(), (409, "not-newest-version"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_for_somebody_else_goes_to_their_registered_public_key_alone() {
    let (house, ann) = house().await;
    let (desk, chat) = (house.service("desk", &[]).await, house.service("chat", &[]).await);
    let asked = || Ask::post("/v1/user-keys", json!({"key": "mine/abe"})).as_user("ann");
    // The right to act for somebody is not the right to have their keys.
    assert_eq!(house.ask(&chat, asked()).await.said(), (403, "denied"));
    let none = house.ask(&desk, asked()).await;
    assert_eq!(none.said(), (409, "recipient-not-registered"));
    assert!(none.text().contains("PUT /v1/recipients"), "{}", none.text());
    let (thief, theirs) = Reader::new();
    let swapped = Ask::post("/v1/user-keys", json!({"key": "mine/abe", "recipient": theirs})).as_user("ann");
    assert_eq!(house.ask(&desk, swapped.clone()).await.said(), (400, "recipient-for-another"));

    let (reader, public) = Reader::new();
    let put = Ask::new(Method::PUT, "/v1/recipients/User/ann").json(&json!({"recipient": public}));
    assert_eq!(house.ask(&desk, put.clone()).await.said(), (403, "denied"), "not by whoever asks for keys");
    assert_eq!(house.ask(&ann, put.clone()).await.said(), (403, "denied"), "nor by herself: a control verb");
    let registered = house.ask(&house.admin, put).await;
    assert_eq!((registered.status, registered.header("etag")), (200, "\"1\""));
    assert_eq!(house.ask(&desk, swapped).await.said(), (400, "recipient-for-another"));
    let issued = house.ask(&desk, asked()).await.ok();
    assert!(issued.get("user_key").is_none(), "never in the clear");
    assert_eq!(issued["sealed"]["context"], "wardkeep user key mine/abe#1 1");
    assert!(thief.open(&issued["sealed"]).is_none());
    let file = reader.open(&issued["sealed"]).unwrap();
    assert!(opens(&file, "user = ann", now(&house), None) && !opens(&file, "user = desk", now(&house), None));

    let record = house.log().await.into_iter().rfind(|record| record["action"] == "IssueUserKey").unwrap();
    assert_eq!((&record["actor"]["id"], &record["subject"]["id"]), (&json!("desk"), &json!("ann")));
    let detail = record["detail"].to_string();
    for part in ["group = [writers], user = ann", "user_key", "valid_until", "recipient"] {
        assert!(detail.contains(part), "{part} in {detail}");
    }

    // With the entity goes the registration: whoever is given the name later does not inherit it.
    let gone = Ask::new(Method::DELETE, "/v1/entities/User/ann");
    assert_eq!(house.ask(&house.admin, gone).await.status, 200);
    let found = house.get(&house.admin, "/v1/recipients/User/ann").await;
    assert_eq!(found.said(), (404, "recipient-not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_have_revisions_and_need_an_entity() {
    let (house, _) = house().await;
    let (_, public) = Reader::new();
    let put = |path: &str| Ask::new(Method::PUT, path).json(&json!({"recipient": public}));
    assert_eq!(house.ask(&house.admin, put("/v1/recipients/User/nobody")).await.said(), (404, "subject-not-found"));
    assert_eq!(house.ask(&house.admin, put("/v1/recipients/User/ann")).await.status, 200);
    let stale = put("/v1/recipients/User/ann").if_match("\"7\"");
    assert_eq!(house.ask(&house.admin, stale).await.said(), (412, "precondition-failed"));
    let fresh = put("/v1/recipients/User/ann").if_match("\"1\"");
    assert_eq!(house.ask(&house.admin, fresh).await.header("etag"), "\"2\"");
    let weak = json!({"recipient": {"spki": base64(b"no key")}});
    let weak = Ask::new(Method::PUT, "/v1/recipients/User/ann").json(&weak);
    assert_eq!(house.ask(&house.admin, weak).await.said(), (400, "recipient-refused"));
    let delete = || Ask::new(Method::DELETE, "/v1/recipients/User/ann");
    assert_eq!(house.ask(&house.admin, delete().if_match("\"1\"")).await.said(), (412, "precondition-failed"));
    assert_eq!(house.ask(&house.admin, delete()).await.status, 204);
    assert_eq!(house.ask(&house.admin, delete()).await.said(), (404, "recipient-not-found"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_authority_publishes_may_be_kept_by_the_caller_and_is_signed() {
    let (house, ann) = house().await;
    let answer = house.get(&ann, "/v1/keys/mine/abe/parameters").await;
    assert_eq!(answer.header("cache-control"), "private, max-age=300");
    let tag = answer.header("etag").to_owned();
    let body = answer.ok();
    let read = PublicParameters::from_bytes(&bytes(&body["parameters"])).unwrap();
    let signer: [u8; 32] = bytes(&body["signing_key"]).try_into().unwrap();
    assert!(read.verify(&signer).is_ok());
    assert_eq!(tag, format!("\"1-{}\"", body["fingerprint"].as_str().unwrap()));
    assert_eq!((body["bucket_seconds"].as_u64(), body["serial_bits"].as_u64()), (Some(3600), Some(20)));
    let known = Ask::get("/v1/keys/mine/abe/parameters").header("if-none-match", &tag);
    let same = house.ask(&ann, known.clone()).await;
    assert_eq!((same.status, same.header("etag"), same.text().as_str()), (304, tag.as_str(), ""));
    assert_eq!(house.post(&house.admin, "/v1/keys/mine/abe/rotate", json!({})).await.status, 200);
    assert_eq!(house.ask(&ann, known).await.status, 200, "the newest is another");
    let first = house.get(&ann, "/v1/keys/mine/abe/parameters?version=1").await.ok();
    assert_eq!(first, body, "a version's parameters never change");
    for bad in ["version=0", "version=x", "versions=1", "version=1&version=2"] {
        assert_eq!(house.get(&ann, &format!("/v1/keys/mine/abe/parameters?{bad}")).await.status, 400, "{bad}");
    }
    assert_eq!(house.get(&ann, "/v1/keys/mine/abe/parameters?version=3").await.said(), (404, "version-not-found"));

    let list = house.get(&ann, "/v1/keys/mine/abe/revocations").await;
    let tag = list.header("etag").to_owned();
    assert!(tag.starts_with("\"2-1-") && tag.len() == "\"2-1-\"".len() + 32, "number and hash: {tag}");
    assert_eq!(list.header("cache-control"), "private, max-age=60");
    let known = Ask::get("/v1/keys/mine/abe/revocations").header("if-none-match", &tag);
    let other = Ask::get("/v1/keys/mine/abe/revocations").header("if-none-match", "\"2-1\"");
    assert_eq!(house.ask(&ann, other).await.status, 200, "the number alone names no list");
    assert_eq!(house.ask(&ann, known.clone()).await.status, 304);
    house.forward(Duration::from_secs(13 * 3_600)).await;
    let anew = house.renew(&ann).await;
    let list = house.ask(&anew, known).await;
    assert_eq!(list.status, 200, "signed anew past its half");
    assert!(list.header("etag").starts_with("\"2-2-"), "{}", list.header("etag"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_is_made_of_what_the_bundle_declares() {
    let (house, ann) = house().await;
    let make = |key: &str| json!({"key": key, "spec": "fabeo-bls12-381", "usage": "issue"});
    let refused = house.post(&ann, "/v1/keys", make("mine/other")).await;
    assert_eq!(refused.said(), (422, "authority-undeclared"));
    assert!(refused.text().contains("[authorities."), "{}", refused.text());
    assert_eq!(
        house.post(&ann, "/v1/user-keys", json!({"key": "mine/none"})).await.said(),
        (422, "authority-undeclared")
    );

    // A bundle that declares more for the same key: nothing is issued until a rotation takes it up.
    let mut more = rules();
    more.manifest =
        more.manifest.replacen("nick = {", "name = { declare = \"text\", attribute = \"nick\" }\nnick = {", 1);
    let _in_force = house.post(&house.admin, "/v1/bundles", bundle::activation(&more)).await.ok();
    let refused = house.post(&ann, "/v1/user-keys", json!({"key": "mine/abe"})).await;
    assert_eq!(refused.said(), (409, "authority-schema-differs"));
    assert!(refused.text().contains("rotate the authority"), "{}", refused.text());
    assert_eq!(house.post(&ann, "/v1/keys/mine/abe/rotate", json!({})).await.status, 200);
    let issued = house.post(&ann, "/v1/user-keys", json!({"key": "mine/abe"})).await.ok();
    assert_eq!((issued["version"].as_u64(), issued["serial"].as_u64()), (Some(2), Some(1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn custodians_get_shares_and_the_authority_shows_that_it_left() {
    let (house, ann) = house().await;
    let path = "/v1/keys/mine/abe/escrow";
    assert_eq!(house.post(&ann, path, json!({"threshold": 2, "shares": 3})).await.said(), (403, "denied"));
    let silent = house.post(&house.admin, path, json!({"threshold": 2, "shares": 3})).await;
    assert_eq!(silent.said(), (400, "escrow-recipients"), "in the clear only where somebody says so");
    let made = house.post(&house.admin, path, json!({"threshold": 2, "shares": 3, "plain": true})).await.ok();
    let record = house.log().await.into_iter().rfind(|record| record["action"] == "ExportAuthority").unwrap();
    assert_eq!(record["detail"]["reason"], "plain shares");
    let packages: Vec<Vec<u8>> =
        made["packages"].as_array().unwrap().iter().map(|package| bytes(&package["package"])).collect();
    let recovered = wardkeep_kms::escrow::combine(&packages[1..]).unwrap();
    let parameters = house.get(&ann, "/v1/keys/mine/abe/parameters").await.ok();
    let authority = wardkeep_abe::Authority::from_bytes(recovered.authority.expose()).unwrap();
    assert_eq!(authority.parameters().to_bytes(), bytes(&parameters["parameters"]));
    assert_eq!(house.get(&ann, "/v1/keys/mine/abe").await.ok()["exportable"], true);

    let (one, two) = (Reader::new(), Reader::new());
    let body = json!({"threshold": 2, "shares": 2, "recipients": [one.1, two.1]});
    let made = house.post(&house.admin, path, body).await.ok();
    assert!(made["packages"].as_array().unwrap().iter().all(|package| package.get("package").is_none()));
    let opened = [one.0.open(&made["packages"][0]["sealed"]), two.0.open(&made["packages"][1]["sealed"])];
    let opened: Vec<Vec<u8>> = opened.into_iter().map(Option::unwrap).collect();
    assert!(wardkeep_kms::escrow::combine(&opened).is_ok());
    assert!(one.0.open(&made["packages"][1]["sealed"]).is_none());
    for (body, code) in [
        (json!({"threshold": 1, "shares": 3}), "escrow-shares"),
        (json!({"threshold": 2, "shares": 2, "plain": true, "recipients": [one.1, two.1]}), "escrow-recipients"),
        (json!({"threshold": 2, "shares": 2, "recipients": vec![json!({"spki": "AA=="}); 17]}), "escrow-recipients"),
        (json!({"threshold": 2, "shares": 2, "recipients": vec![json!({"spki": "AA=="}); 16]}), "recipient-refused"),
        (json!({"threshold": 2, "shares": 17}), "escrow-shares"),
        (json!({"threshold": 2, "shares": 3, "recipients": [one.1]}), "escrow-recipients"),
        (json!({"threshold": 2, "shares": 2, "recipients": [one.1, one.1]}), "escrow-recipients"),
        (json!({"threshold": 2, "shares": 2, "key": "x"}), "malformed-body"),
    ] {
        assert_eq!(house.post(&house.admin, path, body.clone()).await.said(), (400, code), "{body}");
    }
    let record = house.log().await.into_iter().rfind(|record| record["action"] == "ExportAuthority").unwrap();
    assert_eq!(record["resource"]["id"], "escrow/mine/abe");
    // The key of the lists and of every answer is nowhere on the disk.
    let secret = recovered.authority.expose();
    for (file, content) in house.disk() {
        for run in secret.windows(32).step_by(16).take(8) {
            assert!(!content.windows(32).any(|part| part == run), "{}", file.display());
        }
    }
}
