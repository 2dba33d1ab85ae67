//! Cursors as an attacker writes them: forged, bent, another's, another list's. None shows what its bearer may not see.
//!
//! Broke elsewhere: cursors that carried rights, cursors that were a way to ask whether something exists.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::Method;
use serde_json::{Value, json};
use wardkeep_tests::{Ask, House};

fn cursor(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

const LISTS: &[&str] = &["/v1/rings", "/v1/keys", "/v1/entities", "/v1/tokens", "/v1/certificates", "/v1/bundles"];

/// Rings, keys, users, tokens, certificates and bundles, more than two of each.
async fn full() -> House {
    let house = House::furnished().await;
    house.ring("third").await;
    for name in ["ann", "bob", "carl"] {
        let _somebody = house.user(name, &["writers"]).await;
        let _token = house.token(&house.admin, "user", name).await.ok();
    }
    let inactive = json!({"manifest": wardkeep_tests::bundle::tested().manifest,
        "schema": wardkeep_tests::bundle::tested().schema, "policies": []});
    for _ in 0..2 {
        let _kept = house.post(&house.admin, "/v1/bundles", inactive.clone()).await.ok();
    }
    house
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_cursor_is_refused_at_every_list() {
    let house = full().await;
    for list in LISTS {
        for bad in [
            "%25",
            "====",
            "a",
            "%20",
            "%00",
            "+/+/",
            &STANDARD.encode("????"),
            &URL_SAFE_NO_PAD.encode([0xff, 0xfe, 0xfd]),
            "ZZZZZZZZZZZZZZZZZZZZZ",
        ] {
            let answer = house.get(&house.admin, &format!("{list}?cursor={bad}")).await;
            // A list of free text takes any text for a name: then nothing comes after it.
            let nothing = answer.status == 200 && answer.body["items"] == json!([]);
            let refused = matches!(answer.said(), (400, "malformed-page" | "malformed-query"));
            assert!(refused || nothing, "{list} {bad}: {}", answer.text());
        }
        let twice = house.get(&house.admin, &format!("{list}?cursor=YQ&cursor=YQ")).await;
        assert_eq!(twice.status, 400, "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn base64_that_is_not_canonical_is_no_cursor() {
    let house = full().await;
    let next = house.get(&house.admin, "/v1/rings?limit=1").await.ok()["next"].as_str().unwrap().to_owned();
    assert_eq!(URL_SAFE_NO_PAD.decode(&next).unwrap(), b"mine");
    // "mine" ends in the middle of a group: its last character has bits that stand for nothing.
    let last = next.chars().last().unwrap();
    let bent = format!("{}{}", &next[..next.len() - 1], char::from_u32(last as u32 + 1).unwrap());
    for bad in [format!("{next}=="), bent] {
        let answer = house.get(&house.admin, &format!("/v1/rings?cursor={bad}")).await;
        assert_eq!(answer.said(), (400, "malformed-page"), "{bad}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_used_twice_gives_the_same_page() {
    let house = full().await;
    for list in LISTS {
        let first = house.get(&house.admin, &format!("{list}?limit=1")).await.ok();
        let next = first["next"].as_str().unwrap_or_else(|| panic!("{list} has one page: {first}"));
        let page = async || house.get(&house.admin, &format!("{list}?limit=1&cursor={next}")).await.ok();
        let (one, other) = (page().await, page().await);
        assert_eq!(one, other, "{list}");
        assert_ne!(one["items"], first["items"], "{list}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn anothers_cursor_shows_only_ones_own() {
    let house = full().await;
    let eve = house.user("eve", &[]).await;
    let ann = house.user("ann", &["writers"]).await;
    for list in ["/v1/rings", "/v1/keys"] {
        let admins = house.get(&house.admin, &format!("{list}?limit=1")).await.ok();
        let next = admins["next"].as_str().unwrap();
        let seen = house.get(&eve, &format!("{list}?cursor={next}")).await.ok();
        assert_eq!((&seen["items"], seen.get("next")), (&json!([]), None), "{list}");
        let theirs = house.get(&ann, &format!("{list}?cursor={}", cursor("theirs/wrap"))).await;
        assert!(!theirs.text().contains("theirs"), "{}", theirs.text());
    }
    for list in ["/v1/entities", "/v1/tokens", "/v1/certificates", "/v1/bundles"] {
        let next = house.get(&house.admin, &format!("{list}?limit=1")).await.ok()["next"].as_str().unwrap().to_owned();
        assert_eq!(house.get(&eve, &format!("{list}?cursor={next}")).await.said(), (403, "denied"), "{list}");
    }
}

/// Whether a name exists cannot be asked by a cursor: what comes after it is the same either way.
#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_tells_nothing_about_its_name() {
    let house = full().await;
    house.key("mine/hidden", "aes-256-gcm", "wrap").await;
    let ann = house.user("ann", &["writers"]).await;
    let after = async |name: &str| house.get(&ann, &format!("/v1/keys?cursor={}", cursor(name))).await.ok();
    assert_eq!(after("mine/hidden").await, after("mine/hiddem").await);
    assert_eq!(after("mine/hidden").await, after("mine/hiddeo").await);
    assert_eq!(after("theirs/seal").await, after("theirs/seam").await);
    let first = house.get(&ann, "/v1/keys").await.ok();
    assert_eq!(after("aaa/aaa").await["items"], first["items"], "before everything");
    assert_eq!(after("zzz/zzz").await["items"], json!([]), "behind everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_that_none_has_are_no_cursors_of_rings_keys_and_entities() {
    let house = full().await;
    for (list, names) in [
        ("/v1/rings", vec!["mine/wrap", "../mine", "", "MINE ", "a b", &"x".repeat(300)]),
        ("/v1/keys", vec!["mine", "mine/wrap/1", "mine/../theirs/wrap", "/", "mine/", ""]),
        ("/v1/entities", vec!["ann", "User::ann", "User", "", "User::\"ann\" "]),
        ("/v1/bundles", vec!["one", "-1", "1.0", "", "0x1", "18446744073709551616"]),
    ] {
        for name in names {
            let answer = house.get(&house.admin, &format!("{list}?cursor={}", cursor(name))).await;
            assert_eq!(answer.said(), (400, "malformed-page"), "{list} {name:?}: {}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_lists_cursor_opens_no_other_list() {
    let house = full().await;
    let mut all = Vec::new();
    for list in LISTS {
        let page = house.get(&house.admin, &format!("{list}?limit=1")).await.ok();
        all.push((*list, page["next"].as_str().unwrap().to_owned()));
    }
    for (from, next) in &all {
        for (to, _) in &all {
            if from == to {
                continue;
            }
            let answer = house.get(&house.admin, &format!("{to}?cursor={next}")).await;
            let nothing = answer.status == 200 && answer.body["items"] == json!([]);
            // Names of rings stand in the order of rings: a serial is one, too.
            let names = answer.status == 200 && *to == "/v1/rings";
            assert!(answer.said() == (400, "malformed-page") || nothing || names, "{from} at {to}: {}", answer.text());
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_and_cursors_go_together() {
    let house = full().await;
    let names = |page: &Value| -> Vec<String> {
        page["items"].as_array().unwrap().iter().map(|item| item["key"].as_str().unwrap().to_owned()).collect()
    };
    let first = house.get(&house.admin, "/v1/keys?ring=mine&limit=2").await.ok();
    let path = format!("/v1/keys?ring=mine&limit=2&cursor={}", first["next"].as_str().unwrap());
    let second = house.get(&house.admin, &path).await.ok();
    assert_eq!([names(&first), names(&second)].concat(), ["mine/seal", "mine/sign", "mine/wrap"]);
    // A cursor out of the filter's reach: what comes after it and fits.
    let path = format!("/v1/keys?ring=theirs&cursor={}", cursor("mine/sign"));
    let other = house.get(&house.admin, &path).await.ok();
    assert_eq!(names(&other), ["theirs/seal", "theirs/sign", "theirs/wrap"]);
    let path = format!("/v1/keys?ring=mine&cursor={}", cursor("theirs/seal"));
    assert!(names(&house.get(&house.admin, &path).await.ok()).is_empty());
    for bad in ["ring=", "ring=..", "ring=mine%2Fwrap", "ring=mine&ring=theirs"] {
        assert_eq!(house.get(&house.admin, &format!("/v1/keys?{bad}")).await.status, 400, "{bad}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_after_something_that_went_goes_on_behind_it() {
    let house = full().await;
    let first = house.get(&house.admin, "/v1/entities?type=User&limit=2").await.ok();
    let next = first["next"].as_str().unwrap().to_owned();
    let last = &first["items"][1]["uid"]["id"];
    let gone = Ask::new(Method::DELETE, format!("/v1/entities/User/{}", last.as_str().unwrap()));
    let _gone = house.ask(&house.admin, gone).await.ok();
    let second = house.get(&house.admin, &format!("/v1/entities?type=User&limit=2&cursor={next}")).await.ok();
    let ids: Vec<&str> =
        second["items"].as_array().unwrap().iter().map(|item| item["uid"]["id"].as_str().unwrap()).collect();
    assert!(!ids.is_empty() && ids.iter().all(|id| *id > last.as_str().unwrap()), "{ids:?} after {last}");
}
