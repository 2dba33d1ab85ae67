//! Two administrators at once: nobody's change is lost, nobody is locked out between two, and one `If-Match` wins.
//!
//! Broke elsewhere: state races (COSMIAN-2026-011), one caller that cancelled another's change (CVE-2026-5807).

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};
use wardkeep_policy::{Role, Snapshot};

use super::{OPEN, bundle, member};
use crate::testing::{Answer, House, user};

/// Somebody with the role `security-admin` and `admin`, enrolled.
async fn second(house: &House, name: &str) -> Arc<crate::peer::Peer> {
    house.newcomer(name).await;
    for role in ["security-admin", "admin"] {
        assert_eq!(house.ask(&house.ana, Method::PUT, &member(role, name), Value::Null).await.status, 200);
    }
    house.certified(name).await
}

fn statuses(answers: &[Answer]) -> Vec<u16> {
    let mut all: Vec<u16> = answers.iter().map(|answer| answer.status.as_u16()).collect();
    all.sort_unstable();
    all
}

#[tokio::test]
async fn of_two_control_sets_against_one_revision_one_wins() {
    let house = House::new().await;
    let bob = second(&house, "bob").await;
    let text = |who: &str| format!("{}\n// by {who}", Snapshot::builtin_control_set());
    let put = async |peer: &Arc<crate::peer::Peer>, who: &str, tag: &str| {
        let headers = [("if-match", tag)];
        house.ask_with(peer, Method::PUT, "/v1/control-set", json!({"text": text(who)}), &headers).await
    };
    for round in 1..=5_u64 {
        let tag = format!("\"{round}\"");
        let answers: [Answer; 2] = tokio::join!(put(&house.ana, "ana", &tag), put(&bob, "bob", &tag)).into();
        assert_eq!(statuses(&answers), [200, 412], "round {round}");
        let shown = house.get(&house.ana, "/v1/control-set").await;
        assert_eq!(shown.etag(), format!("\"{}\"", round + 1));
        let winner = answers.iter().find(|answer| answer.status == 200).unwrap();
        assert_eq!(shown.body["text"], winner.body["text"], "what is in force is the winner's");
    }
}

/// Each takes the other's last right: were both let through, nobody could change the control set any more.
#[tokio::test]
async fn two_who_depose_each_other_leave_one() {
    for _ in 0..4 {
        let house = House::new().await;
        let bob = second(&house, "bob").await;
        let (bobs, anas) = (member("security-admin", "bob"), member("security-admin", "ana"));
        let depose =
            async |peer: &Arc<crate::peer::Peer>, path: &str| house.ask(peer, Method::DELETE, path, Value::Null).await;
        let answers: [Answer; 2] = tokio::join!(depose(&house.ana, &bobs), depose(&bob, &anas)).into();
        let done = answers.iter().filter(|answer| answer.status == 204).count();
        assert_eq!(done, 1, "{:?}", statuses(&answers));
        let snapshot = house.app.engine.snapshot();
        let left = ["ana", "bob"].iter().filter(|name| snapshot.may_change_control_set(&user(name))).count();
        assert_eq!(left, 1);
    }
}

#[tokio::test]
async fn two_who_revoke_each_other_leave_one_who_can_come_in() {
    for _ in 0..4 {
        let house = House::new().await;
        let bob = second(&house, "bob").await;
        let revoke = async |by: &Arc<crate::peer::Peer>, whom: &str| {
            let body = json!({"identity": crate::testing::identity("user", whom).to_string()});
            house.post(by, "/v1/certificates/revoke", body).await
        };
        let answers: [Answer; 2] = tokio::join!(revoke(&house.ana, "bob"), revoke(&bob, "ana")).into();
        let done = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(done, 1, "{:?}", statuses(&answers));
        let out = [&house.ana, &bob].iter().filter(|peer| house.app.authority.refuses(peer).is_some()).count();
        assert_eq!(out, 1);
    }
}

#[tokio::test]
async fn bundles_loaded_at_once_get_versions_of_their_own() {
    let house = House::new().await;
    let load = async |n: usize| {
        let text = format!("@id(\"everybody-{n}\") permit(principal, action, resource);");
        house.post(&house.ana, "/v1/bundles", bundle(&text, json!({}))).await
    };
    let answers: [Answer; 6] = tokio::join!(load(0), load(1), load(2), load(3), load(4), load(5)).into();
    let mut versions: Vec<u64> = answers.iter().map(|answer| answer.body["version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, [2, 3, 4, 5, 6, 7]);
    for (n, answer) in answers.iter().enumerate() {
        let kept = house.get(&house.ana, &format!("/v1/bundles/{}", answer.body["version"])).await;
        assert!(kept.body["policies"].to_string().contains(&format!("everybody-{n}")), "{n} is under its own version");
    }
}

#[tokio::test]
async fn entities_written_at_once_are_all_there_and_each_snapshot_has_its_version() {
    let house = House::new().await;
    let before = house.app.engine.snapshot().version();
    let put = async |n: usize| {
        let entity = json!({"entities": [{"uid": {"type": "User", "id": format!("u{n}")}}]});
        house.post(&house.ana, "/v1/entities", entity).await
    };
    let answers: [Answer; 5] = tokio::join!(put(0), put(1), put(2), put(3), put(4)).into();
    let mut versions: Vec<u64> = answers.iter().map(|answer| answer.body["policy_version"].as_u64().unwrap()).collect();
    versions.sort_unstable();
    assert_eq!(versions, (before + 1..=before + 5).collect::<Vec<_>>());
    let snapshot = house.app.engine.snapshot();
    assert!((0..5).all(|n| snapshot.entity(&user(&format!("u{n}"))).is_some()));
    assert_eq!(snapshot.version(), before + 5);
}

#[tokio::test]
async fn a_grant_and_a_token_at_once_never_make_a_strong_token_of_a_weak_decision() {
    for _ in 0..6 {
        let house = House::new().await;
        let carl = second(&house, "carl").await;
        house.newcomer("bob").await;
        // Carl holds `admin` and `security-admin`; Bob is given `operator`, which Carl lacks.
        let asked = json!({"identity": crate::testing::identity("user", "bob").to_string()});
        let path = member("operator", "bob");
        let (token, grant) = tokio::join!(
            house.post(&carl, "/v1/tokens", asked),
            house.ask(&house.ana, Method::PUT, &path, Value::Null)
        );
        assert_eq!(grant.status, 200, "{}", grant.body);
        assert_eq!(house.app.engine.snapshot().roles_of(&user("bob")), [Role::Operator]);
        let Some(text) = token.body["token"].as_str() else {
            assert_eq!(token.status, 403, "{}", token.body);
            continue;
        };
        assert!(super::redeemed(&house, text).await.is_err(), "a token from before the role");
    }
}

#[tokio::test]
async fn readers_see_one_snapshot_and_never_half_a_change() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let shut = r#"@id("nobody") forbid(principal, action, resource);"#;
    for (text, version) in [(OPEN, 2), (shut, 3)] {
        let loaded = house.post(&house.ana, "/v1/bundles", bundle(text, json!({}))).await;
        assert_eq!(loaded.body["version"], version);
    }
    let flip = async {
        for round in 0..6 {
            let path = format!("/v1/bundles/{}/activate", 2 + round % 2);
            assert_eq!(house.post(&house.ana, &path, Value::Null).await.status, 200);
        }
    };
    let read = async {
        for _ in 0..60 {
            let said = house.post(&house.ana, "/v1/data-keys", json!({"key": "r/k"})).await;
            assert!(matches!(said.said(), (200, _) | (403, "denied")), "{}", said.body);
        }
    };
    tokio::join!(flip, read);
    // Every record names the version that decided; under one version all went alike.
    let mut by_version = std::collections::BTreeMap::new();
    for record in house.store.audit(1, 100_000).unwrap() {
        let event: Value = serde_json::from_str(&record.line).unwrap();
        if event["action"] == "GenerateDataKey" {
            let decision = event["decision"].as_str().unwrap().to_owned();
            by_version.entry(event["policy_version"].as_u64().unwrap()).or_insert_with(Vec::new).push(decision);
        }
    }
    for (version, decisions) in by_version {
        assert!(decisions.iter().all(|decision| *decision == decisions[0]), "version {version}: {decisions:?}");
    }
}
