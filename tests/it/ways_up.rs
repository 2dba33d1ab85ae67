//! Ways up that must fail, and ways to lock everybody out.
//!
//! Broke elsewhere: any user could re-key any key (COSMIAN-2026-017), attribute edits without a right, case folding gave
//! root (CVE-2025-5999), roles inherited through groups, tokens that outlived what they were issued for.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use wardkeep_server::jobs::{self, Resting};
use wardkeep_tests::house::{csr_params, identity, member};
use wardkeep_tests::{Ask, House, bundle};

fn entities(list: Value) -> Value {
    json!({"entities": list})
}

/// Nobody but the first administrator holds anything.
async fn assert_nobody_rose(house: &House) {
    let roles = house.get(&house.admin, "/v1/roles").await.ok();
    for role in roles["roles"].as_array().unwrap() {
        assert_eq!(role["members"], json!([{"type": "User", "id": "admin"}]), "{role}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_bring_no_roles_not_even_through_three_groups() {
    let house = House::new().await;
    let eve = house.user("eve", &[]).await;
    let put = async |list: Value| house.post(&house.admin, "/v1/entities", entities(list)).await;
    let role = json!({"type": "Wardkeep::Role", "id": "admin"});
    for bad in [
        json!([{"uid": {"type": "User", "id": "eve"}, "parents": [role]}]),
        json!([{"uid": {"type": "Group", "id": "a"}, "parents": [role]}]),
        json!([{"uid": role}]),
        json!([{"uid": {"type": "Wardkeep::System", "id": "scheduler"}}]),
        json!([{"uid": {"type": "Wardkeep::Key", "id": "mine/wrap"}}]),
        // The administrator as a group: whoever is in it would hold what it holds.
        json!([{"uid": {"type": "Group", "id": "a"}, "parents": [{"type": "User", "id": "admin"}]}]),
    ] {
        let answer = put(bad.clone()).await;
        assert_eq!(answer.said(), (422, "entities-refused"), "{bad}: {}", answer.text());
    }
    // Three levels, closed at the top last; then the other way round.
    let chain = json!([
        {"uid": {"type": "User", "id": "eve"}, "parents": [{"type": "Group", "id": "a"}]},
        {"uid": {"type": "Group", "id": "a"}, "parents": [{"type": "Group", "id": "b"}]},
        {"uid": {"type": "Group", "id": "b"}, "parents": [{"type": "Group", "id": "c"}]},
    ]);
    let _chain = put(chain).await.ok();
    for top in [role.clone(), json!({"type": "User", "id": "admin"})] {
        let answer = put(json!([{"uid": {"type": "Group", "id": "c"}, "parents": [top]}])).await;
        assert_eq!(answer.status, 422, "{}", answer.text());
    }
    let _top = put(json!([
        {"uid": {"type": "User", "id": "boss"}},
        {"uid": {"type": "Group", "id": "c"}, "parents": [{"type": "User", "id": "boss"}]},
    ]))
    .await
    .ok();
    let granted = house.grant("admin", "boss").await;
    assert_eq!(granted.said(), (422, "role-refused"), "a role for whom others are in: {}", granted.text());
    let granted = house.ask(&house.admin, Ask::new(Method::PUT, "/v1/roles/admin/members/Group/c")).await;
    assert_eq!(granted.said(), (422, "role-refused"), "a role for a group");
    assert_eq!(house.get(&eve, "/v1/control-set").await.said(), (403, "denied"));
    assert_nobody_rose(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_brings_no_roles() {
    let house = House::new().await;
    let eve = house.user("eve", &[]).await;
    let with_entities = |entities: Value| {
        let mut source = bundle::tested();
        source.entities = Some(entities.to_string());
        bundle::activation(&source)
    };
    let role = json!({"type": "Wardkeep::Role", "id": "admin"});
    let mut attempts = vec![
        with_entities(json!([{"uid": {"type": "User", "id": "eve"}, "attrs": {}, "parents": [role]}])),
        with_entities(json!([{"uid": role, "attrs": {}, "parents": []}])),
        with_entities(json!([
            {"uid": {"type": "User", "id": "eve"}, "attrs": {}, "parents": [{"type": "Group", "id": "a"}]},
            {"uid": {"type": "Group", "id": "a"}, "attrs": {}, "parents": [{"type": "Group", "id": "b"}]},
            {"uid": {"type": "Group", "id": "b"}, "attrs": {}, "parents": [{"type": "User", "id": "admin"}]},
        ])),
    ];
    for schema in [
        "entity Group in [Wardkeep::Role]; entity User in [Group]; entity Service in [Group];",
        "namespace Wardkeep { entity Role; }",
        "entity User = {}; entity Service = {}; action \"ChangeControlSet\" appliesTo { principal: [User], resource: [User] };
         namespace Wardkeep { action ChangeControlSet appliesTo { principal: [User], resource: [User] }; }",
    ] {
        let mut source = bundle::tested();
        schema.clone_into(&mut source.schema);
        attempts.push(bundle::activation(&source));
    }
    for body in attempts {
        let answer = house.post(&house.admin, "/v1/bundles", body).await;
        assert_eq!(answer.said(), (422, "policies-refused"), "{}", answer.text());
    }
    // A bundle may say what it likes about control verbs' namesakes: nobody asks it.
    let everything = bundle::with_policy(bundle::tested(), r#"@id("all") permit (principal, action, resource);"#);
    let _active = house.post(&house.admin, "/v1/bundles", bundle::activation(&everything)).await.ok();
    for path in ["/v1/control-set", "/v1/entities", "/v1/tokens", "/v1/audit/records", "/v1/config", "/v1/bundles"] {
        assert_eq!(house.get(&eve, path).await.said(), (403, "denied"), "{path}");
    }
    assert_nobody_rose(&house).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_issues_a_token_for_somebody_stronger() {
    let house = House::new().await;
    let _dana = house.user("dana", &[]).await;
    let _granted = house.grant("admin", "dana").await.ok();
    let token = house.token(&house.admin, "user", "dana").await.ok();
    let dana = house.enrol(token["token"].as_str().unwrap()).await;
    assert_eq!(house.token(&dana, "user", "admin").await.said(), (403, "denied"), "all four roles");
    let _eve = house.user("eve", &[]).await;
    let weak = house.token(&dana, "user", "eve").await;
    assert_eq!(weak.status, 201, "{}", weak.text());
    let _strong = house.grant("security-admin", "eve").await.ok();
    assert_eq!(house.token(&dana, "user", "eve").await.said(), (403, "denied"));
    // Foreign names have no certificate here at all.
    for bad in ["spiffe://other.test/user/eve", "spiffe://house.test/robot/eve", "https://house.test/user/eve", "eve"] {
        let answer = house.post(&house.admin, "/v1/tokens", json!({"identity": bad})).await;
        assert_eq!(answer.status, 400, "{bad}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_or_certificate_from_before_the_role_is_worth_nothing() {
    let house = House::new().await;
    let eve = house.user("eve", &[]).await;
    let early = house.token(&house.admin, "user", "eve").await.ok();
    let granted = house.grant("auditor", "eve").await.ok();
    assert_eq!((&granted["tokens_voided"], &granted["certificates_revoked"]), (&json!(1), &json!([eve.serial])));
    let (_, answer) = house.try_enrol(early["token"].as_str().unwrap(), &csr_params(None)).await;
    assert_eq!(answer.status, 403, "{}", answer.text());
    let old = house.try_ask(&eve, &Ask::get("/v1/audit/records")).await;
    assert!(old.as_ref().map_or(true, |answer| answer.status == 403), "{old:?}");
    let late = house.token(&house.admin, "user", "eve").await.ok();
    let eve = house.enrol(late["token"].as_str().unwrap()).await;
    assert_eq!(house.get(&eve, "/v1/audit/records").await.status, 200);
    let (_, again) = house.try_enrol(late["token"].as_str().unwrap(), &csr_params(None)).await;
    assert_eq!(
        (again.status, again.body["detail"].clone()),
        (403, answer.body["detail"].clone()),
        "one answer for both"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_comes_from_the_token_and_never_from_the_request() {
    let house = House::new().await;
    let _eve = house.user("eve", &[]).await;
    let token = house.token(&house.admin, "user", "eve").await.ok();
    let admin = identity("user", "admin");
    let (_, answer) = house.try_enrol(token["token"].as_str().unwrap(), &csr_params(Some(&admin))).await;
    assert_eq!(answer.clone().ok()["identity"], identity("user", "eve"), "{}", answer.text());
    let (csr_pem, _) = wardkeep_tests::house::csr(&csr_params(Some(&admin)));
    let eve = house.user("eve", &[]).await;
    let renewed = house.post(&eve, "/v1/certificates/renew", json!({"csr_pem": csr_pem})).await.ok();
    assert_eq!(renewed["identity"], identity("user", "eve"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_header_names_nobody_stronger() {
    let house = House::furnished().await;
    let app = house.service("app", &["applications"]).await;
    let _ann = house.user("ann", &["writers"]).await;
    let ask = |subject: &str| Ask::get("/v1/keys/mine/wrap").header("wardkeep-subject", subject);
    assert_eq!(house.ask(&app, ask("User::\"ann\"")).await.status, 200);
    for subject in [
        "User::\"admin\"",
        "User::\"nobody\"",
        "Service::\"app2\"",
        "Patient::\"p\"",
        "Group::\"writers\"",
        "user::\"ann\"",
        "User::\"Ann\"",
    ] {
        assert_eq!(house.ask(&app, ask(subject)).await.status, 403, "{subject}");
    }
    for subject in
        ["Wardkeep::System::\"scheduler\"", "Wardkeep::Role::\"admin\"", "ann", "", "User::\"ann\" ", "User::ann"]
    {
        let answer = house.ask(&app, ask(subject)).await;
        assert!(matches!(answer.status, 400 | 200), "{subject:?}: {}", answer.text());
        assert!(answer.status == 400 || subject.trim() == "User::\"ann\"", "{subject:?}: {}", answer.text());
    }
    let own = Ask::get("/v1/control-set").as_user("admin");
    let answer = house.ask(&house.admin, own).await;
    assert_eq!(answer.said(), (400, "subject-on-control-verb"), "one's own name does not belong there either");
    let _granted = house.grant("auditor", "ann").await.ok();
    let answer = house.ask(&app, ask("User::\"ann\"")).await;
    assert_eq!(answer.said(), (403, "denied"), "who holds a control role is nobody's subject any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_that_forbids_everything_stops_neither_scheduler_nor_administrators() {
    let house = House::furnished().await;
    let asked = json!({"key": "mine/auto", "spec": "aes-256-gcm", "usage": "wrap", "rotation_days": 1});
    let _made = house.post(&house.admin, "/v1/keys", asked).await.ok();
    for scheduler in [
        r#"@id("no") forbid (principal == Wardkeep::System::"scheduler", action, resource);"#,
        r#"@id("no") forbid (principal is Wardkeep::System, action, resource);"#,
    ] {
        let source = bundle::with_policy(bundle::tested(), scheduler);
        // No principal of a bundle is the scheduler: such a rule is refused, or never looked at.
        let answer = house.post(&house.admin, "/v1/bundles", bundle::activation(&source)).await;
        assert!(matches!(answer.status, 200 | 422), "{}", answer.text());
    }
    let shut = bundle::with_policy(bundle::tested(), r#"@id("shut") forbid (principal, action, resource);"#);
    let _active = house.post(&house.admin, "/v1/bundles", bundle::activation(&shut)).await.ok();
    assert_eq!(house.get(&house.admin, "/v1/keys/mine/auto").await.said(), (403, "denied"), "it is in force");

    house.forward(Duration::from_secs(2 * 86_400)).await;
    jobs::do_due(house.app(), &mut Resting::default()).await;
    let rotations: Vec<Value> = house.log().await.into_iter().filter(|event| event["action"] == "RotateKey").collect();
    assert!(!rotations.is_empty(), "nothing was rotated");
    for event in &rotations {
        assert_eq!((&event["outcome"], &event["decision"]), (&json!("ok"), &json!("allow")), "{event}");
        assert_eq!(event["actor"], json!({"type": "Wardkeep::System", "id": "scheduler"}), "{event}");
    }

    let open = bundle::activation(&bundle::tested());
    let _back = house.post(&house.admin, "/v1/bundles", open).await.ok();
    let shown = house.get(&house.admin, "/v1/keys/mine/auto").await.ok();
    assert_eq!(shown["versions"].as_array().unwrap().len(), 1 + rotations.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_administrator_stays() {
    let house = House::new().await;
    let admin = &house.admin;
    let before = house.get(admin, "/v1/control-set").await.ok();
    for text in [
        "forbid (principal, action, resource);",
        "permit (principal in Wardkeep::Role::\"auditor\", action, resource) when { false };",
        r#"@id("all") permit (principal, action, resource);
           @id("but") forbid (principal, action == Wardkeep::Action::"ChangeControlSet", resource);"#,
        "// nothing at all",
    ] {
        let ask = Ask::new(Method::PUT, "/v1/control-set").json(&json!({"text": text}));
        let answer = house.ask(admin, ask).await;
        assert!(matches!(answer.said(), (409, "would-lock-out") | (422, "policies-refused")), "{}", answer.text());
    }
    let revoke = |body: Value| Ask::post("/v1/certificates/revoke", body);
    let attempts = [
        Ask::new(Method::DELETE, member("security-admin", "admin")),
        Ask::new(Method::DELETE, "/v1/entities/User/admin"),
        revoke(json!({"serial": admin.serial})),
        revoke(json!({"identity": admin.identity})),
    ];
    for ask in &attempts {
        let answer = house.ask(admin, ask.clone()).await;
        assert!(matches!(answer.status, 409 | 422), "{ask:?}: {}", answer.text());
    }
    // Somebody who could take over, but never enrolled, is no administrator.
    let _entity = house.entity("User", "next", &[]).await.ok();
    let _granted = house.grant("security-admin", "next").await.ok();
    assert_eq!(house.ask(admin, attempts[0].clone()).await.said(), (409, "would-lock-out"));
    assert_eq!(house.get(admin, "/v1/control-set").await.ok(), before, "nothing of it was done");
    let token = house.token(admin, "user", "next").await.ok();
    let next = house.enrol(token["token"].as_str().unwrap()).await;
    assert_eq!(house.ask(admin, attempts[0].clone()).await.status, 204, "now there is another one");
    assert_eq!(house.get(&next, "/v1/control-set").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_who_stands_in_a_bundle_does_not_go_with_it() {
    let house = House::new().await;
    let mut source = bundle::tested();
    source.entities = Some(json!([{"uid": {"type": "User", "id": "guest"}, "attrs": {}, "parents": []}]).to_string());
    let _with = house.post(&house.admin, "/v1/bundles", bundle::activation(&source)).await.ok();
    let _granted = house.grant("security-admin", "guest").await.ok();
    let token = house.token(&house.admin, "user", "guest").await.ok();
    let guest = house.enrol(token["token"].as_str().unwrap()).await;
    let resign = Ask::new(Method::DELETE, member("security-admin", "admin"));
    assert_eq!(house.ask(&house.admin, resign).await.status, 204);
    // Now the guest alone may change policies, and its entity stands in the bundle that it is to replace.
    let without = house.post(&guest, "/v1/bundles", bundle::activation(&bundle::tested())).await;
    assert!(matches!(without.status, 409 | 422), "{}", without.text());
    assert_eq!(house.get(&guest, "/v1/control-set").await.status, 200);
    let first = house.ask(&guest, Ask::new(Method::POST, "/v1/bundles/1/activate")).await;
    assert!(matches!(first.status, 409 | 422), "{}", first.text());
    assert_eq!(house.get(&guest, "/v1/control-set").await.status, 200);
}
