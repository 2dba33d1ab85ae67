//! Every route, and who may ask it.
//!
//! Broke elsewhere: state-changing routes without identity (CVE-2025-52894, CVE-2026-5807), ids of another tenant and
//! old aliases of a route (CVE-2026-40264), missing told apart from forbidden.

use std::collections::BTreeSet;
use std::fmt::Write;

use http::Method;
use serde_json::{Value, json};
use wardkeep_tests::ask::code;
use wardkeep_tests::routes::{self, Guard, Named, Route};
use wardkeep_tests::{Answer, Ask, House, Person, bundle, committed};

/// The people of the matrix, and what its routes are about.
struct Scene {
    house: House,
    mine: Named,
    theirs: Named,
    /// Had an entity when it enrolled, and has none.
    ghost: Person,
    /// Has an entity, and no right at all.
    eve: Person,
    /// Has every right in the ring `mine`.
    ann: Person,
    /// Acts for users, and has no right of its own.
    app: Person,
}

impl Scene {
    async fn set() -> Self {
        let house = House::furnished().await;
        for authority in ["mine/abe", "theirs/abe"] {
            house.key(authority, "fabeo-bls12-381", "issue").await;
        }
        let ann = house.user("ann", &["writers"]).await;
        let _bob = house.user("bob", &["writers"]).await;
        let eve = house.user("eve", &[]).await;
        let app = house.service("app", &["applications"]).await;
        let ghost = ghost(&house).await;
        let wrapped = house.post(&ann, "/v1/data-keys", json!({"key": "mine/wrap", "context": {"a": "b"}})).await.ok();
        let sealed = house.post(&ann, "/v1/encrypt", json!({"key": "mine/seal", "plaintext": "AA=="})).await.ok();
        let token = house.token(&house.admin, "user", "bob").await.ok();
        let (csr_pem, _) = wardkeep_tests::house::csr(&wardkeep_tests::house::csr_params(None));
        let mine = Named {
            ring: "mine".to_owned(),
            wrapped: wrapped["wrapped"].clone(),
            ciphertext: sealed["ciphertext"].clone(),
            user: "bob".to_owned(),
            serial: ann.serial.clone(),
            token: token["id"].as_str().unwrap().to_owned(),
            csr_pem,
        };
        let theirs = Named {
            ring: "theirs".to_owned(),
            wrapped: renamed(&mine.wrapped, "mine/wrap", "theirs/wrap"),
            ciphertext: renamed(&mine.ciphertext, "mine/seal", "theirs/seal"),
            ..mine.clone()
        };
        Self { house, mine, theirs, ghost, eve, ann, app }
    }
}

/// A good certificate without an entity: it stood in a bundle that is no longer in force. (Deleting an entity takes the
/// certificates with it.)
async fn ghost(house: &House) -> Person {
    let mut haunted = bundle::tested();
    haunted.entities = Some(json!([{"uid": {"type": "User", "id": "ghost"}, "attrs": {}, "parents": []}]).to_string());
    let _haunted = house.post(&house.admin, "/v1/bundles", bundle::activation(&haunted)).await.ok();
    let token = house.token(&house.admin, "user", "ghost").await.ok();
    let ghost = house.enrol(token["token"].as_str().unwrap()).await;
    let _laid = house.post(&house.admin, "/v1/bundles", bundle::activation(&bundle::tested())).await.ok();
    ghost
}

/// Something that was wrapped, claiming to be of another key: enough to be decided on.
fn renamed(wrapped: &Value, from: &str, to: &str) -> Value {
    let bytes = wardkeep_tests::house::bytes(wrapped);
    let at = bytes.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
    let mut changed = bytes[..at].to_vec();
    *changed.last_mut().unwrap() = u8::try_from(to.len()).unwrap();
    changed.extend_from_slice(to.as_bytes());
    changed.extend_from_slice(&bytes[at + from.len()..]);
    json!(wardkeep_tests::house::base64(&changed))
}

/// What an answer amounts to, in a few words.
fn word(answer: &Answer) -> String {
    let roles = answer.body["roles"].as_array().filter(|_| answer.body.get("identity").is_none());
    let items = answer.body["items"].as_array().or(roles);
    let problems = answer.body["items"].as_array().and_then(|items| items.first()).map(|item| &item["problem"]);
    match (items, problems) {
        (_, Some(problem)) if problem.is_object() => {
            format!("{} [{} {}]", answer.status, problem["status"], code(problem))
        }
        (Some(items), _) if answer.status == 200 => format!("200 ({} items)", items.len()),
        _ if answer.code().is_empty() => answer.status.to_string(),
        _ => format!("{} {}", answer.status, answer.code()),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_stands_in_the_table_and_in_the_document() {
    let house = House::new().await;
    let served = house.get(&house.admin, "/v1/openapi.json").await.ok();
    let mut documented = BTreeSet::new();
    for (path, item) in served["paths"].as_object().unwrap() {
        for method in item.as_object().unwrap().keys() {
            documented.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    let names = Named {
        ring: "r".to_owned(),
        wrapped: Value::Null,
        ciphertext: Value::Null,
        user: "u".to_owned(),
        serial: "1".to_owned(),
        token: "t".to_owned(),
        csr_pem: String::new(),
    };
    let tabled: BTreeSet<String> =
        routes::all(&names).iter().map(|route| format!("{} {}", route.method, route.template)).collect();
    assert_eq!(tabled.difference(&documented).collect::<Vec<_>>(), Vec::<&String>::new(), "not served");
    assert_eq!(documented.difference(&tabled).collect::<Vec<_>>(), Vec::<&String>::new(), "not in the table");
    committed::compare("openapi.json", &format!("{}\n", serde_json::to_string_pretty(&served).unwrap()));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_ask_what_is_printed_and_is_what_was_reviewed() {
    let scene = Scene::set().await;
    let columns = [
        "no certificate",
        "unknown identity",
        "known without right",
        "another's ring",
        "subject",
        "subject on control",
    ];
    let mut table = format!(
        "What each route answers to whom. Written by tests/it/endpoints.rs.\n\n{:<6} {:<48}| {}\n",
        "method",
        "route",
        columns.map(|name| format!("{name:<29}")).join("| ").trim_end()
    );
    let theirs = routes::all(&scene.theirs);
    for (route, other) in routes::all(&scene.mine).iter().zip(&theirs) {
        let cells = cells(&scene, route, other).await;
        judge(route, &cells);
        let cells = cells.map(|cell| format!("{cell:<29}")).join("| ");
        writeln!(table, "{:<6} {:<48}| {}", route.method.as_str(), route.template, cells.trim_end()).unwrap();
    }
    committed::compare("permissions.txt", &table);
    let still = scene.house.post(&scene.ann, "/v1/data-keys", json!({"key": "mine/wrap"})).await;
    assert_eq!(still.status, 200, "none of it changed anything: {}", still.text());
}

/// The cells of one row.
async fn cells(scene: &Scene, route: &Route, other: &Route) -> [String; 6] {
    let Scene { house, ghost, eve, ann, app, .. } = scene;
    if route.guard == Guard::Token {
        // The one route of its own listener: a certificate neither helps nor is asked for.
        let answer = house.nobody().send_anew(house.running().enrol.unwrap(), &route.ask).await.unwrap();
        let elsewhere = word(&house.ask(ann, route.ask.clone()).await);
        return [word(&answer), elsewhere.clone(), elsewhere.clone(), elsewhere.clone(), elsewhere.clone(), elsewhere];
    }
    let nobody = match house.try_ask(&house.nobody(), &route.ask).await {
        Ok(answer) => word(&answer),
        Err(_) => "handshake refused".to_owned(),
    };
    let for_bob = route.ask.clone().as_user("bob");
    let control = matches!(route.guard, Guard::Control | Guard::ControlList);
    [
        nobody,
        word(&house.ask(ghost, route.ask.clone()).await),
        word(&house.ask(eve, route.ask.clone()).await),
        if route.in_ring { word(&house.ask(ann, other.ask.clone()).await) } else { "-".to_owned() },
        if control { "-".to_owned() } else { word(&house.ask(ann, for_bob.clone()).await) },
        if control { word(&house.ask(app, for_bob).await) } else { "-".to_owned() },
    ]
}

/// What must hold whatever was committed: a reviewed file can be blessed in haste.
fn judge(route: &Route, cells: &[String; 6]) {
    let at = format!("{} {}", route.method, route.template);
    let [nobody, ghost, eve, others, subject, control] = cells.each_ref().map(String::as_str);
    let denied = |cell: &str| cell.starts_with("403 ") || cell == "200 [403 denied]";
    if route.guard == Guard::Token {
        assert_eq!((nobody, ghost), ("400 token-malformed", "404 no-such-route"), "{at}");
        return;
    }
    assert_eq!(nobody, "handshake refused", "{at}");
    assert!(denied(ghost), "{at}: an unknown identity gets {ghost}");
    match route.guard {
        Guard::Data | Guard::Control => assert!(denied(eve), "{at}: who has no right gets {eve}"),
        Guard::DataList | Guard::ControlList => assert_eq!(eve, "200 (0 items)", "{at}"),
        Guard::Open | Guard::Own | Guard::Token => {}
    }
    assert!(denied(others) || others == "-", "{at}: another's ring gives {others}");
    match route.guard {
        Guard::Data => assert!(denied(subject), "{at}: a subject it may not act for gives {subject}"),
        Guard::DataList => assert_eq!(subject, "403 denied", "{at}"),
        Guard::Open | Guard::Own => assert!(subject.starts_with("400 subject-on-control-verb"), "{at}: {subject}"),
        _ => {}
    }
    assert!(control == "-" || control.starts_with("400 subject-on-control-verb"), "{at}: {control}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_unauthorised_cannot_tell_missing_from_forbidden() {
    let scene = Scene::set().await;
    let Scene { house, mine, eve, .. } = &scene;
    let missing = Named {
        ring: "gone".to_owned(),
        wrapped: renamed(&mine.wrapped, "mine/wrap", "gone/wrap"),
        ciphertext: renamed(&mine.ciphertext, "mine/seal", "gone/seal"),
        user: "nobody-at-all".to_owned(),
        serial: "abcdef".to_owned(),
        token: "0".repeat(32),
        csr_pem: mine.csr_pem.clone(),
    };
    let (there, gone) = (routes::all(mine), routes::all(&missing));
    for (there, gone) in there.iter().zip(&gone) {
        if !matches!(there.guard, Guard::Data | Guard::Control) {
            continue;
        }
        let (one, other) = (house.ask(eve, there.ask.clone()).await, house.ask(eve, gone.ask.clone()).await);
        let shape = |answer: &Answer| {
            let mut shape = answer.shape();
            // The items of a batch carry the request's name too.
            for item in shape.2["items"].as_array_mut().into_iter().flatten() {
                if let Some(problem) = item["problem"].as_object_mut() {
                    problem.remove("request_id");
                    problem.remove("instance");
                }
            }
            shape
        };
        assert_eq!(shape(&one), shape(&other), "{} {}", there.method, there.template);
        let names = |answer: &Answer| {
            let mut names: Vec<String> = answer.headers.keys().map(ToString::to_string).collect();
            names.sort();
            names
        };
        assert_eq!(names(&one), names(&other), "{} {}: headers tell", there.method, there.template);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_is_told_what_is_missing() {
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    assert_eq!(house.get(&ann, "/v1/keys/mine/none").await.said(), (404, "key-not-found"));
    assert_eq!(house.get(&house.admin, "/v1/rings/none").await.said(), (404, "ring-not-found"));
    assert_eq!(house.get(&house.admin, "/v1/entities/User/none").await.said(), (404, "entity-not-found"));
    assert_eq!(house.get(&house.admin, "/v1/bundles/99").await.said(), (404, "bundle-not-found"));
    let token = Ask::new(Method::DELETE, format!("/v1/tokens/{}", "0".repeat(32)));
    assert_eq!(house.ask(&house.admin, token).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_have_one_spelling() {
    // `.`, `..`, wildcards and slashes in ids widened a policy elsewhere (CVE-2026-3605), case folding gave root.
    let house = House::furnished().await;
    let ann = house.user("ann", &["writers"]).await;
    for path in [
        "/v1/keys/theirs/../mine/wrap",
        "/v1/keys/mine/..%2f..%2ftheirs%2fwrap",
        "/v1/keys/mine%2fwrap",
        "/v1/keys/mine/*",
        "/v1/keys/MINE/wrap",
        "/v1/keys/mine/wrap%00",
        "/v1/keys/mine/wrap/",
        "/v1/keys//mine/wrap",
        "/v1/keys/mine/%77rap%20",
        "//v1/keys/mine/wrap",
        "/V1/keys/mine/wrap",
        "/v1/rings/.",
        "/v1/rings/..",
        "/v1/rings/%2e%2e",
    ] {
        let answer = house.get(&ann, path).await;
        assert!((400..500).contains(&answer.status), "{path}: {} {}", answer.status, answer.text());
    }
    assert_eq!(house.get(&ann, "/v1/keys/mine/%77rap").await.status, 200, "decoded once, then compared");
}
