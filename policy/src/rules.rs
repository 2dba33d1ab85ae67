//! Policies: parsed, named, checked against a schema, and compiled for the evaluator.
//!
//! A policy may be left out of a decision only if it would neither be satisfied *nor err*. The action scope gives such a
//! bound: it is evaluated before any `when`, and `==` and `in` on entities never err. Nothing else is mined yet; a bound
//! read out of a `when` would need a proof that nothing before it errs.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use cedar_policy::{
    ActionConstraint, EntityUid as CedarUid, Policy, PolicyId, PolicySet, Schema, ValidationMode, Validator,
};
use cedar_policy_core::ast::{
    Effect, EntityUID, Expr, ExprKind, Literal, Policy as CorePolicy, SlotEnv, ValueKind, Var,
};
use cedar_policy_core::evaluator::Evaluator;

use crate::error::{Finding, FindingKind, Findings, Place, from_diagnostic};
use crate::meaning::Said;
use crate::reach::{Blind, Reach};

/// Most policies one set may hold; each costs some 13 KiB of memory.
pub(crate) const MAX_POLICIES: usize = 100_000;
/// Deepest dereference that is looked for; deeper sets get everything they could reach.
const MAX_LEVEL: u32 = 8;
/// Ids that start so are Wardkeep's own.
const RESERVED_ID: &str = "wardkeep:";

/// One policy, with its condition built once: Cedar's authorizer builds it at every evaluation.
#[derive(Debug)]
pub(crate) struct Rule {
    /// The name that audit records use.
    pub(crate) id: String,
    /// Permit or forbid.
    pub(crate) effect: Effect,
    condition: Expr,
    /// The condition without its action scope, for plans: a plan holds a rule only where that scope is true, and a list
    /// of actions would be made into a set of texts at every evaluation.
    beyond_action: Expr,
    slots: SlotEnv,
    scope: ActionConstraint,
}

/// A checked set of policies.
#[derive(Debug, Clone)]
pub(crate) struct Rules {
    all: Vec<Arc<Rule>>,
    /// How many steps from principal, resource and context the policies dereference; `None` where that has no bound.
    pub(crate) level: Option<u32>,
    /// Entities that policies name and may dereference; looked at only where `level` has no bound.
    pub(crate) literals: Vec<EntityUID>,
}

/// The named texts of a set: file name and Cedar policies.
pub(crate) type Sources<'a> = &'a [(String, String)];

impl Rule {
    /// Builds the condition, scope included, once and for all.
    fn new(id: String, policy: &Policy) -> Self {
        let core: &CorePolicy = policy.as_ref();
        Self {
            id,
            effect: core.effect(),
            condition: core.condition(),
            beyond_action: beyond_action(core),
            slots: core.env().clone(),
            scope: policy.action_constraint(),
        }
    }

    /// Whether the policy's action scope can hold for an action with these ancestors. Sound: where it cannot, the
    /// scope is false before anything that could err is evaluated.
    fn may_apply(&self, action: &EntityUID, ancestors: &HashSet<EntityUID>) -> bool {
        let holds = |bound: &CedarUid| bound.as_ref() == action || ancestors.contains(bound.as_ref());
        match &self.scope {
            ActionConstraint::Any => true,
            ActionConstraint::Eq(uid) => uid.as_ref() == action,
            ActionConstraint::In(uids) => uids.iter().any(holds),
        }
    }

    /// Whether the policy could tell a context with this member from one without: it reads such an attribute of
    /// anything, or takes the context as a whole.
    pub(crate) fn looks_at(&self, member: &str) -> bool {
        let is_context = |expr: &Expr| matches!(expr.expr_kind(), ExprKind::Var(Var::Context));
        let (mut whole, mut taken_apart) = (0_usize, 0_usize);
        for expr in self.condition.subexpressions() {
            match expr.expr_kind() {
                ExprKind::Var(Var::Context) => whole += 1,
                ExprKind::GetAttr { expr, attr } | ExprKind::HasAttr { expr, attr } => {
                    if attr == member {
                        return true;
                    }
                    taken_apart += usize::from(is_context(expr));
                }
                _ => {}
            }
        }
        // `context has a.b.c`, `context == {..}`, `f(context)`: some context stands elsewhere than before a dot.
        whole > taken_apart
    }

    /// What the policy says in one request for an action that [`Rules::for_action`] gave it for.
    pub(crate) fn say(&self, evaluator: &Evaluator<'_>) -> Said {
        match evaluator.interpret(&self.beyond_action, &self.slots) {
            Ok(value) => match value.value_kind() {
                ValueKind::Lit(Literal::Bool(true)) => Said::True,
                ValueKind::Lit(Literal::Bool(false)) => Said::False,
                _ => Said::Erred,
            },
            Err(_) => Said::Erred,
        }
    }

    /// What the policy says in any request, with the evaluator's words where it errs.
    pub(crate) fn say_why(&self, evaluator: &Evaluator<'_>) -> (Said, Option<String>) {
        match evaluator.interpret(&self.condition, &self.slots) {
            Ok(value) => match value.value_kind() {
                ValueKind::Lit(Literal::Bool(true)) => (Said::True, None),
                ValueKind::Lit(Literal::Bool(false)) => (Said::False, None),
                other => (Said::Erred, Some(format!("the condition is `{other}`, not true or false"))),
            },
            Err(error) => (Said::Erred, Some(error.to_string())),
        }
    }
}

impl Rules {
    /// Parses and strictly validates a set. Every fault is a finding; `None` where there is any.
    pub(crate) fn load(sources: Sources<'_>, schema: &Schema, findings: &mut Findings) -> Option<Self> {
        let mut seen = BTreeMap::new();
        let mut whole = PolicySet::new();
        let mut all = Vec::new();
        let (validator, reach) = (Validator::new(schema.clone()), Reach::new(schema.as_ref()));
        for (file, source) in sources {
            let Some(policies) = parse(file, source, findings) else { continue };
            let mut set = PolicySet::new();
            for policy in policies {
                // Not its display, which escapes: an id is checked, and named in records, as it was written.
                let id = AsRef::<str>::as_ref(policy.id()).to_owned();
                if !check_id(&id, file, source, &mut seen, findings) {
                    continue;
                }
                all.push(Arc::new(Rule::new(id, &policy)));
                // Both sets hold unique ids by `check_id`, so that neither addition can fail.
                let _unique = whole.add(policy.clone());
                let _unique = set.add(policy);
            }
            for error in validator.validate(&set, ValidationMode::Strict).validation_errors() {
                findings.push(from_diagnostic(FindingKind::Validation, file, source, error));
            }
            let mut policies: Vec<&Policy> = set.policies().collect();
            policies.sort_by_key(|policy| policy.id());
            policies.into_iter().filter_map(|policy| Some((policy, reach.blind(policy)?))).for_each(
                |(policy, blind)| {
                    findings.push(looks_away(policy, &blind, file, source));
                },
            );
        }
        if all.len() > MAX_POLICIES {
            let message = format!("the set holds {} policies: use at most {MAX_POLICIES}", all.len());
            findings.add(FindingKind::TooLarge, "policies", message, "");
        }
        if !findings.is_empty() {
            return None;
        }
        let level = (0..=MAX_LEVEL)
            .find(|level| validator.validate_with_level(&whole, ValidationMode::Strict, *level).validation_passed());
        let literals = match level {
            Some(_) => Vec::new(),
            None => whole.policies().flat_map(Policy::entity_literals).map(EntityUID::from).collect(),
        };
        Some(Self { all, level, literals })
    }

    /// A set without policies: nothing is allowed.
    pub(crate) const fn empty() -> Self {
        Self { all: Vec::new(), level: Some(0), literals: Vec::new() }
    }

    /// The set as it is, unchecked: for the offline engine, where findings refuse only on demand.
    pub(crate) fn unchecked(policies: &[(String, Policy)]) -> Vec<Arc<Rule>> {
        policies.iter().map(|(id, policy)| Arc::new(Rule::new(id.clone(), policy))).collect()
    }

    /// The policies whose action scope can hold for an action.
    pub(crate) fn for_action(&self, action: &EntityUID, ancestors: &HashSet<EntityUID>) -> Vec<Arc<Rule>> {
        self.all.iter().filter(|rule| rule.may_apply(action, ancestors)).cloned().collect()
    }
}

/// A policy's condition but for its action scope, in Cedar's own order: principal, resource, `when` and `unless`. What is
/// left out is true wherever the rest is asked, and scopes never err, so that nothing else can come out.
fn beyond_action(policy: &CorePolicy) -> Expr {
    let template = policy.template();
    let scopes = [template.principal_constraint().as_expr(), template.resource_constraint().as_expr()];
    let narrowing = scopes.into_iter().filter(|scope| *scope != Expr::val(true));
    let parts = narrowing.chain(template.non_scope_constraints().cloned());
    parts.reduce(Expr::and).unwrap_or_else(|| Expr::val(true))
}

/// What a policy that looks into what it cannot see is told.
fn looks_away(policy: &Policy, blind: &Blind, file: &str, source: &str) -> Finding {
    let hint = "only the request's own `principal`, `resource` and `context.encryption` can be looked into: a rule on a ring \
                or key goes by its name, `resource in Wardkeep::Ring::\"..\"`, or by the tags of `resource`";
    Finding {
        kind: FindingKind::Validation,
        file: file.to_owned(),
        place: blind.span.map(|(start, len)| Place::of(source, start, len)),
        message: format!(
            "policy `{}` looks into {}, which no decision sees: it would never hold",
            policy.id(),
            blind.kind
        ),
        hint: Some(hint.to_owned()),
    }
}

/// The policies of one file under their ids: `@id("..")`, else `<file>.policy<n>`.
fn parse(file: &str, source: &str, findings: &mut Findings) -> Option<Vec<Policy>> {
    let set = match source.parse::<PolicySet>() {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter() {
                findings.push(from_diagnostic(FindingKind::Syntax, file, source, error));
            }
            return None;
        }
    };
    if let Some(template) = set.templates().next() {
        let message = format!("`{}` is a template: its slots are never filled in", template.id());
        let hint = "write the principal or resource out instead of `?principal` or `?resource`";
        findings.add_at(FindingKind::Syntax, (file, source, "?principal"), message, hint);
        return None;
    }
    let stem = file.strip_suffix(".cedar").unwrap_or(file);
    let mut policies: Vec<&Policy> = set.policies().collect();
    policies.sort_by_key(|policy| position(policy));
    let named = policies.iter().enumerate().map(|(at, policy)| {
        let id = policy.annotation("id").map_or_else(|| format!("{stem}.policy{at}"), ToOwned::to_owned);
        policy.new_id(PolicyId::new(id))
    });
    Some(named.collect())
}

/// Where a policy stands in its file; Cedar's own ids (`policy0`, `policy1`) count in that order.
pub(crate) fn position(policy: &Policy) -> usize {
    let id = policy.id().to_string();
    id.strip_prefix("policy").and_then(|number| number.parse().ok()).unwrap_or(usize::MAX)
}

/// An id is printable, not Wardkeep's own, and names one policy only: audit records would be ambiguous otherwise.
fn check_id(id: &str, file: &str, source: &str, seen: &mut BTreeMap<String, String>, findings: &mut Findings) -> bool {
    let problem = if id.is_empty() || id.len() > 128 || id.chars().any(char::is_control) {
        Some(format!("the policy id `{}` is not usable: use 1 to 128 printable bytes", id.escape_default()))
    } else if id.starts_with(RESERVED_ID) {
        Some(format!("the policy id `{id}` is reserved: leave out `{RESERVED_ID}`"))
    } else {
        seen.insert(id.to_owned(), file.to_owned())
            .map(|first| format!("two policies have the id `{id}` (first in `{first}`)"))
    };
    let Some(message) = problem else { return true };
    findings.push(Finding {
        kind: FindingKind::PolicyId,
        file: file.to_owned(),
        place: source.rfind(&format!("\"{id}\"")).map(|at| Place::of(source, at, id.len() + 2)),
        message,
        hint: Some("audit records name policies by their id: give each its own `@id(\"..\")`".to_owned()),
    });
    false
}
