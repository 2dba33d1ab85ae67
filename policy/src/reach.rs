//! Policies that look into Wardkeep's own things from afar, refused at load.
//!
//! Keys, rings, roles and the parts of the system do not stand in the entity store: a decision sees the one it is about,
//! and of any other only the name. `Wardkeep::Ring::"r".hasTag("frozen")` is therefore never true, whatever the ring's
//! labels are; and because Cedar answers `has`, `hasTag` and `in` on an entity that is not there with *false*, and not with
//! an error, a `forbid` that rests on it forbids nothing. Validation cannot see that, for it knows types and no entities.
//!
//! The rule: what is taken apart (`.a`, `has a`, `getTag`, `hasTag`, the left side of `in`) may be of a type of Wardkeep's
//! only where it is the request's own principal, action or resource, or `context.encryption`. To compare a name, or to have
//! it on the right side of `in`, is as good as ever.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use cedar_policy_core::ast::{BinaryOp, Expr, ExprKind, Literal, Policy as CorePolicy, Var};
use cedar_policy_core::validator::typecheck::{PolicyCheck, Typechecker};
use cedar_policy_core::validator::types::{EntityKind, Type};
use cedar_policy_core::validator::{ValidationMode, ValidatorSchema};
use smol_str::SmolStr;

use crate::identity::is_reserved_type;

/// The context member that a request brings along as an entity.
const ENCRYPTION: &str = "encryption";

/// Looks for such policies under one schema.
pub(crate) struct Reach<'a> {
    schema: &'a ValidatorSchema,
    /// Attributes anywhere in the schema that hold an entity of Wardkeep's.
    names: BTreeSet<SmolStr>,
    /// Whether some type's tags do.
    tags: bool,
}

/// Where a policy looks into something that no decision sees.
pub(crate) struct Blind {
    /// The type of what is taken apart.
    pub(crate) kind: String,
    /// Its place in the policy's text: first byte and length.
    pub(crate) span: Option<(usize, usize)>,
}

impl<'a> Reach<'a> {
    /// Prepares a schema.
    pub(crate) fn new(schema: &'a ValidatorSchema) -> Self {
        let (mut names, mut tags) = (BTreeSet::new(), false);
        for declared in schema.entity_types() {
            declared.attributes().iter().for_each(|(name, field)| collect(name, &field.attr_type, &mut names));
            tags |= declared.tag_type().is_some_and(holds_reserved);
        }
        for action in schema.actions() {
            let Some(Type::Record { attrs, .. }) = schema.context_type(action) else { continue };
            attrs.iter().for_each(|(name, field)| collect(name, &field.attr_type, &mut names));
        }
        Self { schema, names, tags }
    }

    /// The first place where a policy that validates looks into what it cannot see.
    pub(crate) fn blind(&self, policy: &Policy) -> Option<Blind> {
        let core: &CorePolicy = policy.as_ref();
        let condition = core.condition();
        // Types are worked out once more only where that can matter: nearly all policies end here.
        if !condition.subexpressions().filter_map(taken_apart).any(|(base, path)| self.is_suspect(base, &path)) {
            return None;
        }
        let checker = Typechecker::new(self.schema, ValidationMode::Strict);
        let checks = checker.typecheck_by_request_env(core.template());
        let typed = checks.filter_map(|(_, check)| match check {
            PolicyCheck::Success(typed) | PolicyCheck::Irrelevant(_, typed) => Some(typed),
            PolicyCheck::Fail(_) => None,
        });
        typed.into_iter().find_map(|typed| self.first_blind(&typed))
    }

    /// Whether an expression that is taken apart could be an entity of Wardkeep's, judged without types.
    fn is_suspect<T>(&self, base: &Expr<T>, path: &[&SmolStr]) -> bool {
        if path.iter().any(|name| self.names.contains(*name)) {
            return true;
        }
        if is_own(base) {
            return false;
        }
        base.subexpressions().any(|part| match part.expr_kind() {
            ExprKind::Lit(Literal::EntityUID(uid)) => is_reserved_type(&uid.entity_type().to_string()),
            ExprKind::GetAttr { attr, .. } => self.names.contains(attr),
            ExprKind::BinaryApp { op: BinaryOp::GetTag, .. } => self.tags,
            ExprKind::Var(_) => !matches!(base.expr_kind(), ExprKind::GetAttr { .. }),
            _ => false,
        })
    }

    fn first_blind(&self, typed: &Expr<Option<Type>>) -> Option<Blind> {
        for part in typed.subexpressions() {
            let Some((base, path)) = taken_apart(part) else { continue };
            let span = |expr: &Expr<Option<Type>>| expr.source_loc().map(|loc| (loc.start(), loc.end() - loc.start()));
            // `x has ring.label`: what stands between has no type of its own to ask for.
            if let Some(name) = path.iter().find(|name| self.names.contains(**name)) {
                return Some(Blind { kind: format!("`{name}`"), span: span(part) });
            }
            let kind = base.data().as_ref().and_then(reserved_entity);
            if let Some(kind) = kind.filter(|_| !is_own(base)) {
                return Some(Blind { kind: format!("an entity of type `{kind}`"), span: span(part) });
            }
        }
        None
    }
}

/// What an expression takes apart, and the attributes that it goes through on its way to the last one.
fn taken_apart<T>(expr: &Expr<T>) -> Option<(&Expr<T>, Vec<&SmolStr>)> {
    match expr.expr_kind() {
        ExprKind::GetAttr { expr, .. } | ExprKind::HasAttr { expr, .. } => Some((expr, Vec::new())),
        // The last one is only asked for.
        ExprKind::ExtHasAttr { expr, attrs } => Some((expr, attrs.iter().take(attrs.len() - 1).collect())),
        ExprKind::BinaryApp { op: BinaryOp::In | BinaryOp::GetTag | BinaryOp::HasTag, arg1, .. } => {
            Some((arg1, Vec::new()))
        }
        _ => None,
    }
}

/// What a decision does see: principal, action, resource, and the encryption context of the request.
fn is_own<T>(expr: &Expr<T>) -> bool {
    match expr.expr_kind() {
        ExprKind::Var(_) => true,
        ExprKind::GetAttr { expr, attr } => {
            attr == ENCRYPTION && matches!(expr.expr_kind(), ExprKind::Var(Var::Context))
        }
        _ => false,
    }
}

/// The name of an entity type of Wardkeep's. A type that could be several is taken for one of them.
fn reserved_entity(found: &Type) -> Option<String> {
    let Type::Entity(EntityKind::Entity(kinds)) = found else { return None };
    match kinds.get_single_entity() {
        Some(kind) => Some(kind.to_string()).filter(|kind| is_reserved_type(kind)),
        None => Some(found.to_string()),
    }
}

/// Whether a value of a type can hold an entity of Wardkeep's that can be taken out of it again; a set gives none back.
fn holds_reserved(found: &Type) -> bool {
    match found {
        Type::Record { attrs, .. } => attrs.iter().any(|(_, field)| holds_reserved(&field.attr_type)),
        other => reserved_entity(other).is_some(),
    }
}

/// The names under which an attribute, or a record in it, holds an entity of Wardkeep's.
fn collect(name: &SmolStr, found: &Type, names: &mut BTreeSet<SmolStr>) {
    if let Type::Record { attrs, .. } = found {
        attrs.iter().for_each(|(inner, field)| collect(inner, &field.attr_type, names));
    } else if reserved_entity(found).is_some() {
        names.insert(name.clone());
    }
}
