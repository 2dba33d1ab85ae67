//! Lists in pages: no gap, no overlap, and never more than the reader may see.
//!
//! Broke elsewhere: lists that did not obey denies (CVE-2026-3605), cursors that carried rights.

use serde_json::{Value, json};
use wardkeep_tests::{House, Person};

/// Walks a list to its end: the names on each page.
async fn pages(house: &House, who: &Person, path: &str, name: &str) -> Vec<Vec<String>> {
    let (mut found, mut cursor) = (Vec::new(), None::<String>);
    for _ in 0..50 {
        let more = cursor.as_ref().map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        let page = house.get(who, &format!("{path}{more}")).await.ok();
        let text = |item: &Value| item[name].as_str().map_or_else(|| item[name].to_string(), str::to_owned);
        found.push(page["items"].as_array().unwrap().iter().map(text).collect());
        match page["next"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return found,
        }
    }
    panic!("{path} never ends");
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_follow_each_other_without_gap_or_overlap() {
    let house = House::new().await;
    for n in 0..7 {
        house.ring(&format!("ring-{n}")).await;
        house.key(&format!("ring-0/key-{n}"), "aes-256-gcm", "wrap").await;
        let _user = house.entity("User", &format!("user-{n}"), &[]).await.ok();
        let _token = house.token(&house.admin, "user", &format!("user-{n}")).await.ok();
    }
    for (path, name, count) in [
        ("/v1/rings?limit=3", "name", 7),
        ("/v1/keys?limit=3", "key", 7),
        ("/v1/keys?ring=ring-0&limit=2", "key", 7),
        ("/v1/entities?type=User&limit=3", "uid", 8),
        ("/v1/tokens?limit=3", "id", 8),
        ("/v1/certificates?limit=1", "serial", 1),
        ("/v1/bundles?limit=1", "version", 1),
    ] {
        let pages = pages(&house, &house.admin, path, name).await;
        let limit: usize = path.rsplit('=').next().unwrap().parse().unwrap();
        let all: Vec<&String> = pages.iter().flatten().collect();
        let mut distinct = all.clone();
        distinct.sort();
        distinct.dedup();
        assert_eq!((all.len(), distinct.len()), (count, count), "{path}: {pages:?}");
        let full = pages[..pages.len() - 1].iter().all(|page| page.len() == limit);
        assert!(full && pages.last().unwrap().len() <= limit, "{path}: {pages:?}");
    }
    assert_eq!(house.get(&house.admin, "/v1/keys?ring=ring-1").await.ok()["items"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_shows_what_its_reader_may_describe_and_is_one_record() {
    let house = House::furnished().await;
    house.key("mine/hidden", "aes-256-gcm", "wrap").await;
    let ann = house.user("ann", &["writers"]).await;
    let eve = house.user("eve", &[]).await;
    let app = house.service("app", &["applications"]).await;
    let before = house.log().await.len();
    let seen = pages(&house, &ann, "/v1/keys?limit=2", "key").await.concat();
    assert_eq!(seen, ["mine/seal", "mine/sign", "mine/wrap"], "neither the hidden key nor another's ring");
    let lists: Vec<Value> = house.log().await.split_off(before);
    assert!(lists.len() <= 3 && lists.iter().all(|event| event["action"] == "DescribeKey"), "{lists:?}");
    assert_eq!(pages(&house, &ann, "/v1/rings?limit=1", "name").await.concat(), ["mine"]);
    assert!(pages(&house, &eve, "/v1/keys?limit=1", "key").await.concat().is_empty());
    assert_eq!(house.get(&ann, "/v1/keys?ring=theirs").await.ok()["items"], json!([]));
    assert_eq!(house.get(&ann, "/v1/keys?ring=none").await.ok()["items"], json!([]), "the same as for a missing one");
    let for_ann = wardkeep_tests::Ask::get("/v1/keys").as_user("ann");
    let shown = house.ask(&app, for_ann).await.ok();
    assert_eq!(shown["items"].as_array().unwrap().len(), 3, "what the subject may see");
    // A cursor that names what its bearer may not see tells nothing about it.
    let hidden = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, "mine/hidden");
    let page = house.get(&eve, &format!("/v1/keys?cursor={hidden}")).await.ok();
    assert_eq!((&page["items"], page.get("next")), (&json!([]), None));
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_out_of_bounds_and_foreign_cursors_are_refused() {
    let house = House::furnished().await;
    let admin = &house.admin;
    let next = house.get(admin, "/v1/keys?limit=1").await.ok()["next"].as_str().unwrap().to_owned();
    for list in ["/v1/keys", "/v1/rings", "/v1/entities", "/v1/tokens", "/v1/certificates", "/v1/bundles"] {
        for query in
            ["limit=0", "limit=501", "limit=-1", "limit=x", "limit=1&limit=2", "lmit=1", "cursor=%25%25", "offset=3"]
        {
            let answer = house.get(admin, &format!("{list}?{query}")).await;
            assert_eq!(answer.status, 400, "{list}?{query}: {}", answer.text());
        }
    }
    assert_eq!(house.get(admin, &format!("/v1/rings?cursor={next}")).await.said(), (400, "malformed-page"));
    assert_eq!(house.get(admin, &format!("/v1/bundles?cursor={next}")).await.said(), (400, "malformed-page"));
    for query in ["from=x", "from=-1", "limit=0", "limit=501", "to=3"] {
        assert_eq!(house.get(admin, &format!("/v1/audit/records?{query}")).await.status, 400, "{query}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_changes_under_way_loses_nothing_that_stays() {
    let house = House::new().await;
    for n in 0..6 {
        house.ring(&format!("r{n}")).await;
    }
    let first = house.get(&house.admin, "/v1/rings?limit=3").await.ok();
    for gone in ["r2", "r3"] {
        let delete = wardkeep_tests::Ask::new(http::Method::DELETE, format!("/v1/rings/{gone}"));
        assert_eq!(house.ask(&house.admin, delete).await.status, 204);
    }
    house.ring("r11").await;
    house.ring("r9").await;
    let path = format!("/v1/rings?limit=3&cursor={}", first["next"].as_str().unwrap());
    let second = house.get(&house.admin, &path).await.ok();
    let names: Vec<&str> =
        second["items"].as_array().unwrap().iter().map(|ring| ring["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["r4", "r5", "r9"], "goes on after the name, although its ring is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_audit_log_is_read_in_order_to_its_end() {
    let house = House::furnished().await;
    let mut from = 1;
    let mut seen = Vec::new();
    loop {
        let page = house.get(&house.admin, &format!("/v1/audit/records?from={from}&limit=4")).await.ok();
        let records = page["records"].as_array().unwrap();
        seen.extend(records.iter().map(|record| record["sequence"].as_u64().unwrap()));
        // Each reading is itself a record: the log never ends for who reads one by one.
        if records.len() < 4 || seen.len() > 24 {
            break;
        }
        from = page["next"].as_u64().unwrap();
    }
    assert!(seen.iter().copied().eq(1..=seen.len() as u64), "{seen:?}");
    let beyond = house.get(&house.admin, "/v1/audit/records?from=1000000").await.ok();
    assert_eq!((&beyond["records"], &beyond["next"]), (&json!([]), &json!(1_000_000)));
}
