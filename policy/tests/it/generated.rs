//! Generated sets of rules against plain Cedar, policy by policy: the meaning computed once more from its answers.
//!
//! The Cedar corpus cannot tell an erring forbid from one that is false: no request of it has both an error and an allow.
//! Sets made for the purpose can, and more than one rule in twenty errs.

use std::collections::BTreeSet;
use std::str::FromStr;

use cedar_policy::{Authorizer, Context, Decision, Entities, EntityUid, Policy, PolicyId, PolicySet, Request};
use proptest::prelude::*;
use serde_json::json;
use wardkeep_policy::OnError;
use wardkeep_policy::offline::{OfflineEngine, OfflineUid};

const PRINCIPALS: [&str; 4] = ["ana", "ben", "eve", "nobody"];
const RESOURCES: [&str; 3] = ["one", "two", "none"];
const ACTIONS: [&str; 3] = ["read", "write", "burn"];

fn entities() -> String {
    json!([
        {"uid": {"type": "U", "id": "ana"}, "attrs": {"age": 40, "boss": {"__entity": {"type": "U", "id": "ben"}}},
         "parents": [{"type": "G", "id": "low"}], "tags": {"desk": "north"}},
        {"uid": {"type": "U", "id": "ben"}, "attrs": {"age": i64::MAX}, "parents": [{"type": "G", "id": "top"}]},
        {"uid": {"type": "U", "id": "eve"}, "attrs": {"boss": {"__entity": {"type": "U", "id": "gone"}}}, "parents": []},
        {"uid": {"type": "G", "id": "low"}, "attrs": {}, "parents": [{"type": "G", "id": "top"}]},
        {"uid": {"type": "G", "id": "top"}, "attrs": {}, "parents": []},
        {"uid": {"type": "R", "id": "one"}, "attrs": {"owner": {"__entity": {"type": "U", "id": "ana"}}, "level": 3},
         "parents": [{"type": "F", "id": "f"}]},
        {"uid": {"type": "R", "id": "two"}, "attrs": {"level": "high"}, "parents": []},
        {"uid": {"type": "F", "id": "f"}, "attrs": {}, "parents": []},
        {"uid": {"type": "Action", "id": "read"}, "attrs": {}, "parents": [{"type": "Action", "id": "use"}]},
        {"uid": {"type": "Action", "id": "use"}, "attrs": {}, "parents": []}
    ])
    .to_string()
}

fn scope() -> impl Strategy<Value = String> {
    let principal = prop::sample::select(vec![
        "principal",
        "principal == U::\"ana\"",
        "principal in G::\"top\"",
        "principal in G::\"low\"",
        "principal is U",
        "principal is U in G::\"top\"",
        "principal == U::\"nobody\"",
    ]);
    let action = prop::sample::select(vec![
        "action",
        "action == Action::\"read\"",
        "action in Action::\"use\"",
        "action in [Action::\"write\", Action::\"burn\"]",
    ]);
    let resource =
        prop::sample::select(vec!["resource", "resource == R::\"one\"", "resource in F::\"f\"", "resource is R"]);
    (principal, action, resource).prop_map(|(p, a, r)| format!("{p}, {a}, {r}"))
}

fn condition() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec![
        "true",
        "false",
        "principal.age > 30",
        "principal has age && principal.age > 30",
        "principal.age + 1 > 0",
        "principal.boss.age > 3",
        "principal has boss && principal.boss has age",
        "resource.level > 2",
        "resource has owner && resource.owner == principal",
        "resource.owner in G::\"top\"",
        "context.mfa",
        "context has mfa && context.mfa",
        "context.level < resource.level",
        "principal.hasTag(\"desk\") && principal.getTag(\"desk\") == \"north\"",
        "principal.getTag(\"desk\") like \"n*\"",
        "[principal, resource].contains(U::\"ana\")",
        "ip(context.ip).isLoopback()",
        "decimal(\"1.0\").lessThan(decimal(\"2.0\"))",
        "principal",
        "\"text\" == 3",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) && ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) || ({b})")),
            inner.clone().prop_map(|a| format!("!({a})")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("if ({a}) then ({b}) else ({c})")),
        ]
    })
}

fn rule() -> impl Strategy<Value = String> {
    let effect = prop_oneof![3 => Just("permit"), 1 => Just("forbid")];
    let clause = prop::sample::select(vec!["when", "unless"]);
    (effect, scope(), prop::collection::vec((clause, condition()), 0..3)).prop_map(|(effect, scope, clauses)| {
        let clauses: Vec<String> = clauses.into_iter().map(|(word, text)| format!("{word} {{ {text} }}")).collect();
        format!("{effect}({scope}) {};", clauses.join(" "))
    })
}

fn uid(kind: &str, id: &str) -> EntityUid {
    EntityUid::from_str(&format!("{kind}::\"{id}\"")).unwrap()
}

/// What one policy alone does, turned into a permit so that Cedar says whether its condition holds.
fn alone(text: &str, request: &Request, entities: &Entities) -> (bool, bool) {
    let as_permit = text.replacen("forbid(", "permit(", 1);
    let mut set = PolicySet::new();
    set.add(Policy::parse(Some(PolicyId::new("only")), as_permit).unwrap()).unwrap();
    let answer = Authorizer::new().is_authorized(request, &set, entities);
    (answer.decision() == Decision::Allow, answer.diagnostics().errors().next().is_some())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn the_meaning_is_that_of_each_policy_alone(rules in prop::collection::vec(rule(), 1..16), mfa in prop::option::of(any::<bool>())) {
        let text = rules.join("\n");
        let entities_json = entities();
        let deny = OfflineEngine::new(None, &text, Some(&entities_json), OnError::Deny).unwrap();
        let skip = OfflineEngine::new(None, &text, Some(&entities_json), OnError::Skip).unwrap();
        let store = Entities::from_json_str(&entities_json, None).unwrap();
        let whole = PolicySet::from_str(&text).unwrap();
        let context = match mfa {
            Some(mfa) => json!({ "mfa": mfa, "level": 2, "ip": "127.0.0.1" }),
            None => json!({ "ip": "not an address" }),
        };
        for principal in PRINCIPALS {
            for action in ACTIONS {
                for resource in RESOURCES {
                    let request = Request::new(
                        uid("U", principal), uid("Action", action), uid("R", resource),
                        Context::from_json_value(context.clone(), None).unwrap(), None,
                    ).unwrap();
                    let each: Vec<(bool, bool)> = rules.iter().map(|rule| alone(rule, &request, &store)).collect();
                    let permits = |at: &usize| rules[*at].starts_with("permit");
                    let some_permit = (0..rules.len()).any(|at| permits(&at) && each[at].0);
                    let every_forbid_false = (0..rules.len()).all(|at| permits(&at) || each[at] == (false, false));
                    let no_forbid_true = (0..rules.len()).all(|at| permits(&at) || !each[at].0);
                    let named = |kind, id| OfflineUid { kind, id };
                    let ask = |engine: &OfflineEngine| {
                        engine.decide(named("U", principal), named("Action", action), named("R", resource), &context, false).unwrap()
                    };
                    let (denying, skipping) = (ask(&deny), ask(&skip));
                    prop_assert_eq!(denying.allow, some_permit && every_forbid_false, "{} {} {}\n{}", principal, action, resource, &text);
                    prop_assert_eq!(skipping.allow, some_permit && no_forbid_true);
                    let erred: BTreeSet<String> = (0..rules.len()).filter(|at| each[*at].1).map(|at| format!("policy{at}")).collect();
                    for answer in [&denying, &skipping] {
                        let got: BTreeSet<String> = answer.errors.iter().map(|(id, _)| id.clone()).collect();
                        prop_assert_eq!(&got, &erred);
                    }
                    // Under Cedar's meaning the whole answer is Cedar's.
                    let plain = Authorizer::new().is_authorized(&request, &whole, &store);
                    prop_assert_eq!(skipping.allow, plain.decision() == Decision::Allow);
                    let reasons: BTreeSet<String> = plain.diagnostics().reason().map(ToString::to_string).collect();
                    prop_assert_eq!(skipping.reasons.iter().cloned().collect::<BTreeSet<_>>(), reasons);
                }
            }
        }
    }
}
