//! Batches: each item is decided, done and recorded by itself, in order, and none speaks for another.
//!
//! Broke elsewhere: a batch that was decided once for all of its items (COSMIAN-2026-017), one bad item that hid the
//! others' outcome, batches without a bound.

use serde_json::{Value, json};
use wardkeep_tests::ask::code;
use wardkeep_tests::{Ask, House, Person};

/// Status and code of each item; 200 for what was done.
fn outcomes(answer: &Value) -> Vec<(u64, &str)> {
    let items = answer["items"].as_array().unwrap();
    let outcome = |item: &'_ Value| item["problem"]["status"].as_u64().unwrap_or(200);
    items.iter().map(|item| (outcome(item), code(&item["problem"]))).collect()
}

struct Scene {
    house: House,
    ann: Person,
}

impl Scene {
    async fn set() -> Self {
        let house = House::furnished().await;
        let ann = house.user("ann", &["writers"]).await;
        Self { house, ann }
    }

    async fn batch(&self, path: &str, items: Value, name: &str) -> Value {
        self.house.ask(&self.ann, Ask::post(path, json!({"items": items})).named(name)).await.ok()
    }

    async fn made(&self, context: Value) -> Value {
        self.house.post(&self.ann, "/v1/data-keys", json!({"key": "mine/wrap", "context": context})).await.ok()
    }

    /// What the log says under a request's id, as decision and outcome, in order.
    async fn logged(&self, name: &str) -> Vec<(String, String)> {
        let of = |event: &Value| {
            let text = |member: &str| event[member].as_str().unwrap().to_owned();
            (text("decision"), text("outcome"))
        };
        self.house.log().await.iter().filter(|event| event["request"] == name).map(of).collect()
    }
}

fn pairs<'a>(list: &[(&'a str, &'a str)]) -> Vec<(String, String)> {
    list.iter().map(|(one, other)| ((*one).to_owned(), (*other).to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn generating_mixes_every_outcome() {
    let scene = Scene::set().await;
    let items = json!([
        {"key": "mine/wrap"},
        {"key": "theirs/wrap"},
        {"key": "mine/seal"},
        {"key": "mine/none"},
        {"key": "../mine/wrap"},
        {"key": "mine/wrap", "context": {"a": "b"}},
        {"key": "mine/wrap", "context": {"resource": {"type": "Unknown", "id": "1"}}},
        {"key": "mine/wrap", "plaintext": false},
    ]);
    let answer = scene.batch("/v1/data-keys/batch", items, "mixed").await;
    let expected = [
        (200, ""),
        (403, "denied"),
        (400, "wrong-usage"),
        (404, "key-not-found"),
        (400, "malformed-name"),
        (200, ""),
        (400, "undeclared-resource-type"),
        (200, ""),
    ];
    assert_eq!(outcomes(&answer), expected, "{answer}");
    let result = |at: usize| &answer["items"][at]["result"];
    assert!(result(0)["plaintext"].is_string() && result(5)["plaintext"].is_string());
    assert_eq!(result(7).get("plaintext"), None);
    assert_ne!(result(0)["wrapped"], result(5)["wrapped"]);
    // What was decided is recorded, one by one; what is malformed was no question.
    let expected = [
        ("allow", "ok"),
        ("deny", "denied"),
        ("allow", "wrong-usage"),
        ("allow", "key-not-found"),
        ("allow", "ok"),
        ("allow", "ok"),
    ];
    assert_eq!(scene.logged("mixed").await, pairs(&expected));
    for item in answer["items"].as_array().unwrap().iter().filter(|item| item.get("problem").is_some()) {
        assert_eq!(item["problem"]["request_id"], "mixed");
        assert_eq!(item.get("result"), None);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn unwrapping_mixes_every_outcome() {
    let scene = Scene::set().await;
    let (one, other) = (scene.made(json!({"n": "1"})).await, scene.made(json!({"n": "2"})).await);
    let mut flipped = wardkeep_tests::house::bytes(&one["wrapped"]);
    *flipped.last_mut().unwrap() ^= 1;
    let items = json!([
        {"wrapped": one["wrapped"], "context": {"n": "1"}},
        {"wrapped": one["wrapped"], "context": {"n": "2"}},
        {"wrapped": other["wrapped"], "context": {"n": "2"}},
        {"wrapped": wardkeep_tests::house::base64(&flipped), "context": {"n": "1"}},
        {"wrapped": "AAAA"},
        {"wrapped": one["wrapped"], "context": {"n": "1"}},
    ]);
    let answer = scene.batch("/v1/data-keys/unwrap/batch", items, "opened").await;
    let expected =
        [(200, ""), (400, "cannot-open"), (200, ""), (400, "cannot-open"), (400, "malformed-input"), (200, "")];
    assert_eq!(outcomes(&answer), expected, "{answer}");
    assert_eq!(answer["items"][0]["result"]["plaintext"], one["plaintext"]);
    assert_eq!(answer["items"][2]["result"]["plaintext"], other["plaintext"]);
    assert_eq!(answer["items"][5]["result"]["plaintext"], one["plaintext"], "the same twice");
    let logged = scene.logged("opened").await;
    let opened = logged.iter().filter(|(_, outcome)| outcome == "ok").count();
    let shut = logged.iter().filter(|(_, outcome)| outcome == "cannot-open").count();
    assert_eq!((opened, shut), (3, 2), "{logged:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rewrapping_mixes_outcomes_and_shows_nothing() {
    let scene = Scene::set().await;
    let made = scene.made(json!({"n": "1"})).await;
    let _rotated = scene.house.post(&scene.ann, "/v1/keys/mine/wrap/rotate", json!({})).await.ok();
    let items = json!([
        {"wrapped": made["wrapped"], "context": {"n": "1"}},
        {"wrapped": made["wrapped"], "context": {}},
        {"wrapped": made["wrapped"], "context": {"n": "1"}},
    ]);
    let answer = scene.batch("/v1/data-keys/rewrap/batch", items, "rewrapped").await;
    assert_eq!(outcomes(&answer), [(200, ""), (400, "cannot-open"), (200, "")], "{answer}");
    let result = &answer["items"][0]["result"];
    assert_eq!((&result["from_version"], &result["version"]), (&json!(1), &json!(2)));
    assert!(!answer.to_string().contains(made["plaintext"].as_str().unwrap()));
    let asked = json!({"wrapped": result["wrapped"], "context": {"n": "1"}});
    let opened = scene.house.post(&scene.ann, "/v1/data-keys/unwrap", asked).await.ok();
    assert_eq!(opened["plaintext"], made["plaintext"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_has_one_to_a_hundred_items() {
    let scene = Scene::set().await;
    let items = |count: usize| json!({"items": vec![json!({"key": "mine/wrap", "plaintext": false}); count]});
    for (count, status) in [(0, 400), (1, 200), (100, 200), (101, 400), (1_000, 400)] {
        let ask = Ask::post("/v1/data-keys/batch", items(count)).named(&format!("batch-{count}"));
        let answer = scene.house.ask(&scene.ann, ask).await;
        assert_eq!(answer.status, status, "{count}: {:.300}", answer.text());
        if status == 400 {
            assert_eq!(answer.code(), "batch-size", "{count}");
            assert!(scene.logged(&format!("batch-{count}")).await.is_empty(), "{count}: nothing was decided");
        } else {
            assert_eq!(scene.logged(&format!("batch-{count}")).await.len(), count);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_parse_is_no_batch_and_does_nothing() {
    let scene = Scene::set().await;
    for bad in [
        json!({"items": [{"key": "mine/wrap"}, {"key": 5}]}),
        json!({"items": [{"key": "mine/wrap"}, {"key": "mine/wrap", "nonce": "AA"}]}),
        json!({"items": [{"key": "mine/wrap"}], "all_or_nothing": true}),
        json!({"items": {"key": "mine/wrap"}}),
        json!([{"key": "mine/wrap"}]),
        json!({}),
    ] {
        let ask = Ask::post("/v1/data-keys/batch", bad.clone()).named("no-batch");
        assert_eq!(scene.house.ask(&scene.ann, ask).await.said(), (400, "malformed-body"), "{bad}");
    }
    assert!(scene.logged("no-batch").await.is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_right_that_ends_in_the_middle_ends_for_the_rest() {
    let scene = Scene::set().await;
    // Each item is decided on the state of its own moment: suspended between two batches, refused in the second.
    let items = json!(vec![json!({"key": "mine/wrap", "plaintext": false}); 3]);
    let before = scene.batch("/v1/data-keys/batch", items.clone(), "before").await;
    assert_eq!(outcomes(&before), [(200, ""); 3]);
    let _held = scene.house.post(&scene.ann, "/v1/keys/mine/wrap/suspend", json!({})).await.ok();
    let after = scene.batch("/v1/data-keys/batch", items, "after").await;
    assert_eq!(outcomes(&after), [(409, "key-not-active"); 3]);
}
