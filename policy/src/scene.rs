//! What one decision sees: the resource as an entity, the context, and the slice of the entity store.
//!
//! Cedar gets a store of a handful of entities per decision. That is exact, not an approximation: ancestors are complete
//! inside every entity, so `in` never needs the groups themselves, and an attribute of an attribute is reached only in as
//! many steps as level validation (Cedar RFC 76) found the policies to take. Where it finds no bound (a literal that is
//! dereferenced, more than eight steps) everything reachable goes along.

use std::collections::HashSet;
use std::sync::Arc;

use cedar_policy_core::ast::{Context, Entity, EntityUIDEntry, Literal, Request, Value as CedarValue};
use cedar_policy_core::entities::{Entities, NoEntitiesSchema, TCComputation};
use cedar_policy_core::evaluator::Evaluator;
use cedar_policy_core::extensions::Extensions;
use smol_str::SmolStr;
use wardkeep_model::{Attributes, EncryptionContext, EntityUid, ResourceBinding};

use crate::decide::Case;
use crate::entities::{Parsed, Parser, Shape, StoreError};
use crate::keys::Thing;
use crate::meaning::{OnError, Tally, Verdict};
use crate::plan::{ActionPlan, ContextShape};
use crate::value::{BUILTIN, context, entity, string};
use crate::{BindingProblem, QuestionError, Refusal, Resource};

/// Most entities that one decision reaches through attributes. Only policies without a bound on their steps get so far.
pub(crate) const MAX_REACHED: usize = 10_000;

/// A record as one decision sees it.
pub(crate) struct Record {
    /// The record's entity.
    pub(crate) thing: Thing,
    /// The entities that its attributes name.
    pub(crate) refs: Vec<EntityUid>,
}

impl Case<'_> {
    /// The context of a decision, with no more members than the policies look at.
    pub(crate) fn context(&self, shape: ContextShape, actor: &Parsed) -> (Context, Option<Thing>) {
        let encryption = self.question.context.filter(|_| shape.encryption);
        let recipient = self.question.recipient.filter(|_| shape.recipient);
        let record = self.question.context.and_then(EncryptionContext::resource).filter(|_| shape.record);
        let base = if shape.actor { actor.actor.clone() } else { Context::empty() };
        if encryption.is_none() && recipient.is_none() && record.is_none() {
            return (base, None);
        }
        let Context::Value(base) = base else { return (Context::empty(), None) };
        let mut members = base.as_ref().clone();
        if let Some(recipient) = recipient {
            members.insert(SmolStr::new_static("recipient"), string(&recipient.to_string()));
        }
        if let Some(record) = record {
            members.insert(SmolStr::new_static("record"), string(record.entity.kind()));
        }
        let thing = encryption.and_then(|context| Some(Thing::encryption(BUILTIN.as_ref()?, context)));
        if let Some(thing) = &thing {
            let uid = Literal::EntityUID(thing.uid.clone());
            members.insert(SmolStr::new_static("encryption"), CedarValue::new(uid, None));
        }
        (context(members), thing)
    }

    /// The entities that a decision can look at, and no others: what the request names, and what the policies reach
    /// from there in as many steps as the validator found them to take. `None` where that is more than [`MAX_REACHED`]: a
    /// slice that is cut off would let `has` be false for what is only not there.
    pub(crate) fn slice(
        &self,
        plan: &ActionPlan,
        refs: &[&[EntityUid]],
        mut roots: Vec<Arc<Entity>>,
    ) -> Option<Vec<Arc<Entity>>> {
        let data = &self.snapshot.data;
        roots.extend(plan.entity.clone());
        let steps = match data.level {
            Some(level) => level.saturating_sub(1),
            None => u32::MAX,
        };
        if steps == 0 {
            return Some(roots);
        }
        let literals: &[EntityUid] = if data.level.is_none() { &data.literals } else { &[] };
        let mut open: Vec<&EntityUid> = refs.iter().flat_map(|some| some.iter()).chain(literals).collect();
        let mut seen: HashSet<&EntityUid> = HashSet::new();
        for _ in 0..steps {
            let mut next = Vec::new();
            for uid in open {
                let Some(found) = self.snapshot.entities.get(uid).filter(|_| seen.insert(uid)) else { continue };
                if seen.len() > MAX_REACHED {
                    return None;
                }
                roots.push(found.entity.clone());
                next.extend(found.refs.iter());
            }
            if next.is_empty() {
                break;
            }
            open = next;
        }
        Some(roots)
    }

    /// The resource of a data verb as an entity.
    pub(crate) fn resource(&self) -> Option<Thing> {
        let builtin = BUILTIN.as_ref()?;
        match self.question.resource {
            Resource::Key(facts) => self.keys.key(facts),
            Resource::MissingKey(id) => Some(Thing::missing_key(builtin, id)),
            Resource::Ring { name, labels } => Some(Thing::ring(builtin, name, labels)),
            Resource::System(part) => Some(Thing::system(builtin, part)),
            Resource::Role(_) | Resource::Identity(_) => None,
        }
    }

    /// A bound record, made of what the context says and nothing else.
    pub(crate) fn bound(&self, binding: &ResourceBinding) -> Result<Record, Refusal> {
        let kind = binding.entity.kind();
        let refuse =
            |problem| Refusal::Question(QuestionError::BoundAttributesInvalid { kind: kind.to_owned(), problem });
        let (snapshot, nothing) = (self.snapshot, Attributes::new());
        let parents = binding.parents.as_deref().unwrap_or_default();
        if let Some(parent) = parents.iter().find(|parent| parent.is_reserved()) {
            return Err(refuse(BindingProblem::Parent { parent: parent.clone() }));
        }
        let ancestors = snapshot.entities.above(&binding.entity, parents).map_err(|error| match error {
            StoreError::Shape(problem) => refuse(problem),
            StoreError::Cycle | StoreError::TooManyAncestors => {
                refuse(BindingProblem::Parent { parent: binding.entity.clone() })
            }
        })?;
        let attributes = binding.attributes.as_ref().unwrap_or(&nothing);
        let parser = Parser { schema: &snapshot.data.schema, types: &snapshot.data.types };
        let kind = parser
            .types
            .get(kind)
            .ok_or_else(|| refuse(BindingProblem::UnknownEntityType { kind: kind.to_owned() }))?;
        let uid = entity(kind, binding.entity.id());
        let shape = Shape { attributes, tags: &nothing, parents, roles: 0 };
        let (entity, refs) = parser.entity(&binding.entity, uid.clone(), shape, &ancestors).map_err(refuse)?;
        Ok(Record { thing: Thing { uid: Arc::new(uid), entity: Arc::new(entity) }, refs })
    }
}

/// What the policies of one action say.
pub(crate) fn verdict(
    plan: &ActionPlan,
    principal: &Thing,
    resource: &Thing,
    context: Context,
    slice: Option<Vec<Arc<Entity>>>,
) -> Verdict {
    let mut tally = Tally::default();
    let extensions = Extensions::all_available();
    let known = |thing: &Thing| EntityUIDEntry::Known { euid: thing.uid.clone(), loc: None };
    let request = Request::new_unchecked(known(principal), plan.entry.clone(), known(resource), Some(context));
    // Ancestors are complete in every entity of ours, so Cedar need not compute them (nor could it: the slice holds
    // no groups). One entity twice, as where somebody acts on itself, is one entity.
    let closed = TCComputation::AssumeAlreadyComputed;
    let known_to_cedar =
        |slice| Entities::new().add_entities(slice, None::<&NoEntitiesSchema>, closed, extensions).ok();
    let Some(entities) = slice.and_then(known_to_cedar) else {
        // Too much to look at; or two different entities under one name, which cannot come out of one store. Nobody is
        // allowed anything.
        return Verdict { allow: false, forbidden: true, reasons: Vec::new(), errors: Vec::new() };
    };
    let evaluator = Evaluator::new(request, &entities, extensions);
    for (at, rule) in plan.rules.iter().enumerate() {
        tally.add(OnError::Deny, at, rule.effect, rule.say(&evaluator));
    }
    tally.verdict()
}
