//! Decisions without a server: what `wardkeep policy decide` runs, and what is held against the Cedar corpus.
//!
//! The same evaluation and the same meaning as on line, over any schema, policies and entities. Nothing of
//! Wardkeep's own actions is added.
//!
//! ```
//! use wardkeep_policy::OnError;
//! use wardkeep_policy::offline::{OfflineEngine, OfflineUid};
//!
//! let rules = r#"permit(principal == User::"ana", action, resource);"#;
//! let engine = OfflineEngine::new(None, rules, None, OnError::Deny)?;
//! let uid = |kind, id| OfflineUid { kind, id };
//! let (ana, read, note) = (uid("User", "ana"), uid("Action", "read"), uid("Note", "1"));
//! let answer = engine.decide(ana, read, note, &serde_json::json!({}), true)?;
//! assert_eq!((answer.allow, answer.reasons), (true, vec!["policy0".to_owned()]));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::sync::Arc;

use cedar_policy::{
    Context, Entities, EntityId, EntityTypeName, EntityUid, PolicySet, Request, Schema, ValidationMode, Validator,
};
use cedar_policy_core::ast::{Entity, EntityUID};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;

use crate::error::{FindingKind, Findings, from_diagnostic};
use crate::meaning::Tally;
use crate::rules::{Rule, Rules, position};
use crate::{Finding, OnError, PolicyErrors};

/// Schema, policies and entities, ready to answer requests.
#[derive(Debug)]
pub struct OfflineEngine {
    schema: Option<Schema>,
    rules: Vec<Arc<Rule>>,
    entities: Entities,
    findings: Vec<Finding>,
    on_error: OnError,
}

/// One entity of a request, as it stands there: any id that Cedar takes, longer and stranger than the store's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OfflineUid<'a> {
    /// The type, `User`.
    pub kind: &'a str,
    /// The id, unescaped.
    pub id: &'a str,
}

/// The answer to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfflineAnswer {
    /// Whether the policies allow it.
    pub allow: bool,
    /// Ids of the policies that determined the decision, in the order of the file.
    pub reasons: Vec<String>,
    /// Policies whose evaluation erred, each with the evaluator's words.
    pub errors: Vec<(String, String)>,
}

/// Why a request was not answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OfflineError {
    /// A type that is no entity type.
    #[error("`{kind}` is not an entity type: {message}")]
    Type {
        /// The type as written.
        kind: String,
        /// Cedar's words.
        message: String,
    },
    /// A context that is no record, or does not fit the action.
    #[error("the context does not parse: {message}")]
    Context {
        /// Cedar's words.
        message: String,
    },
    /// A request that does not fit the schema.
    #[error("the request does not fit the schema: {message}")]
    Request {
        /// Cedar's words.
        message: String,
    },
}

impl OfflineEngine {
    /// Parses everything once. Policies without an `@id` are `policy0`, `policy1` and so on, counted over all.
    ///
    /// # Errors
    /// What does not parse. What does not fit the schema is among [`Self::findings`] and refuses nothing.
    pub fn new(
        schema: Option<&str>,
        policies: &str,
        entities_json: Option<&str>,
        on_error: OnError,
    ) -> Result<Self, PolicyErrors> {
        let mut findings = Findings::default();
        let schema = schema.and_then(|text| match parse_schema(text) {
            Ok(schema) => Some(schema),
            Err(finding) => {
                findings.push(*finding);
                None
            }
        });
        let set = policies.parse::<PolicySet>().unwrap_or_else(|errors| {
            for error in errors.iter() {
                findings.push(from_diagnostic(FindingKind::Syntax, "policies", policies, error));
            }
            PolicySet::new()
        });
        let text = entities_json.unwrap_or("[]");
        let entities = Entities::from_json_str(text, schema.as_ref()).unwrap_or_else(|error| {
            let mut finding = from_diagnostic(FindingKind::Entity, "entities", text, &error);
            let causes = std::iter::successors(std::error::Error::source(&error), |cause| cause.source());
            finding.message = causes.fold(finding.message, |said, cause| format!("{said}: {cause}"));
            findings.push(finding);
            Entities::empty()
        });
        findings.finish()?;
        let findings = schema.as_ref().map(|schema| validate(schema, &set, policies)).unwrap_or_default();
        Ok(Self { rules: named(&set), schema, entities, findings, on_error })
    }

    /// What strict validation finds in the policies; empty without a schema.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Answers one request. With `validate`, and where there is a schema, a request that does not fit it is refused.
    ///
    /// # Errors
    /// Where the request does not parse or does not fit.
    pub fn decide(
        &self,
        principal: OfflineUid<'_>,
        action: OfflineUid<'_>,
        resource: OfflineUid<'_>,
        context_json: &serde_json::Value,
        validate: bool,
    ) -> Result<OfflineAnswer, OfflineError> {
        let (principal, action, resource) = (uid(principal)?, uid(action)?, uid(resource)?);
        let schema = self.schema.as_ref();
        let typed = schema.filter(|schema| validate || schema.actions().any(|known| *known == action));
        let context = match Context::from_json_value(context_json.clone(), typed.map(|schema| (schema, &action))) {
            Ok(context) => context,
            Err(error) if validate => return Err(OfflineError::Context { message: chain(&error) }),
            Err(_) => Context::from_json_value(context_json.clone(), None)
                .map_err(|error| OfflineError::Context { message: chain(&error) })?,
        };
        let request = Request::new(principal, action, resource, context, schema.filter(|_| validate))
            .map_err(|error| OfflineError::Request { message: chain(&error) })?;
        Ok(self.answer(&request))
    }

    /// The decision, with the evaluator's own words for every error.
    fn answer(&self, request: &Request) -> OfflineAnswer {
        let request: &cedar_policy_core::ast::Request = request.as_ref();
        let evaluator = Evaluator::new(request.clone(), self.entities.as_ref(), Extensions::all_available());
        let mut tally = Tally::default();
        let mut errors = Vec::new();
        for (at, rule) in self.rules.iter().enumerate() {
            let (said, words) = rule.say_why(&evaluator);
            tally.add(self.on_error, at, rule.effect, said);
            errors.extend(words.map(|words| (rule.id.clone(), words)));
        }
        let verdict = tally.verdict();
        let ids = verdict.reasons.iter().filter_map(|at| self.rules.get(*at)).map(|rule| rule.id.clone());
        OfflineAnswer { allow: verdict.allow, reasons: ids.collect(), errors }
    }

    /// How many entities were read, those of the schema's actions left out.
    #[must_use]
    pub fn entity_count(&self) -> usize {
        let is_plain = |entity: &&cedar_policy::Entity| {
            let core: &Entity = (*entity).as_ref();
            let uid: &EntityUID = core.uid();
            !uid.is_action()
        };
        self.entities.iter().filter(is_plain).count()
    }
}

/// The policies in the order of their file, under their ids.
fn named(set: &PolicySet) -> Vec<Arc<Rule>> {
    let mut policies: Vec<_> = set.policies().collect();
    policies.sort_by_key(|policy| position(policy));
    let named = policies.into_iter().map(|policy| {
        let id = policy.annotation("id").map_or_else(|| policy.id().to_string(), ToOwned::to_owned);
        (id, policy.clone())
    });
    Rules::unchecked(&named.collect::<Vec<_>>())
}

/// Strict validation; what it finds refuses nothing here (1 095 cases of the Cedar corpus do not validate).
/// A schema in Cedar's syntax, or, where it begins with a brace, in Cedar's JSON: no Cedar schema begins with one.
fn parse_schema(text: &str) -> Result<Schema, Box<Finding>> {
    let finding =
        |error: &dyn miette::Diagnostic| Box::new(from_diagnostic(FindingKind::Schema, "schema", text, error));
    if text.trim_start().starts_with('{') {
        return Schema::from_json_str(text).map_err(|error| finding(&error));
    }
    Schema::from_cedarschema_str(text).map(|(schema, _warnings)| schema).map_err(|error| finding(&error))
}

fn validate(schema: &Schema, set: &PolicySet, source: &str) -> Vec<Finding> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    let errors = result.validation_errors();
    errors.map(|error| from_diagnostic(FindingKind::Validation, "policies", source, error)).collect()
}

/// A name, its type checked and its id taken as it is.
fn uid(uid: OfflineUid<'_>) -> Result<EntityUid, OfflineError> {
    let kind = uid.kind.parse::<EntityTypeName>();
    let kind = kind.map_err(|error| OfflineError::Type { kind: uid.kind.to_owned(), message: error.to_string() })?;
    Ok(EntityUid::from_type_name_and_id(kind, EntityId::new(uid.id)))
}

/// An error with its causes: Cedar's outer words alone seldom say what is wrong.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |said, cause| format!("{said}: {cause}"))
}
