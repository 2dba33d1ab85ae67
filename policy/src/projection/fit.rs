//! Which Cedar types fit which declarations.
//!
//! | Cedar | declared | becomes |
//! |---|---|---|
//! | `String` | `text`, `enum` | the text |
//! | `String` | `date` | the day it spells, `2026-11-21` |
//! | `Long` | `number` | the number |
//! | `Bool` | `text`, `enum` | `true` or `false` |
//! | `datetime` | `date` | the day, at midnight UTC |
//! | an entity | `text`, `enum` | its id |
//! | `Set<..>` of a string, a long, a datetime or an entity | the same with `set` | each element |
//!
//! Everything else is refused: what has no form that both sides compare alike.

use cedar_policy_core::validator::types::{EntityKind, Type as Cedar};
use wardkeep_abe::{Declaration, Type};

use super::check::takes_text;
use crate::identity::is_reserved_type;

/// What does not fit, in words that follow the source's name, and what to declare.
#[derive(Debug)]
pub(super) struct Misfit {
    /// What is the matter with it: `has the type ..`.
    pub(super) problem: String,
    /// What to write in its place.
    pub(super) hint: &'static str,
}

/// Whether an attribute of that type can be declared so.
pub(super) fn of_type(found: &Cedar, declared: &Declaration) -> Result<(), Misfit> {
    match (found, declared.set) {
        (Cedar::Set { element_type: Some(element) }, true) if !matches!(**element, Cedar::Bool(_)) => {
            of_element(element, declared)
        }
        (Cedar::Set { .. }, true) => misfit(found, "give it elements of type String, Long, datetime or an entity type"),
        (Cedar::Set { .. }, false) => misfit(found, "declare it with `set`, as in `text set`"),
        (_, true) => misfit(found, "leave `set` out: it holds one value"),
        (_, false) => of_element(found, declared),
    }
}

/// The ids of several entities.
pub(super) fn of_ids(declared: &Declaration) -> Result<(), Misfit> {
    if declared.set && takes_text(declared) {
        return Ok(());
    }
    let problem = "are any number of texts".to_owned();
    Err(Misfit { problem, hint: "declare it `text set`, or `enum(..) set`" })
}

/// The id of one entity.
pub(super) fn of_id(declared: &Declaration) -> Result<(), Misfit> {
    if !declared.set && takes_text(declared) {
        return Ok(());
    }
    Err(Misfit { problem: "are one text".to_owned(), hint: "declare it `text`" })
}

/// One value, or one element of a set.
fn of_element(found: &Cedar, declared: &Declaration) -> Result<(), Misfit> {
    let text = takes_text(declared);
    match found {
        Cedar::String if text || declared.kind == Type::Date => Ok(()),
        Cedar::String => misfit(found, "declare it `text`, `enum(..)` or `date`"),
        Cedar::Long if matches!(declared.kind, Type::Number { .. }) => Ok(()),
        Cedar::Long => misfit(found, "declare it `number(8)`, with the width it needs"),
        Cedar::Bool(_) if text => Ok(()),
        Cedar::Bool(_) => misfit(found, "declare it `enum(true, false)` or `text`"),
        Cedar::ExtensionType { name } if name.to_string() == "datetime" => match declared.kind {
            Type::Date => Ok(()),
            _ => misfit(found, "declare it `date`"),
        },
        Cedar::Entity(EntityKind::Entity(entity)) => match entity.get_single_entity() {
            Some(kind) if is_reserved_type(&kind.to_string()) => {
                misfit(found, "entities of the namespace `Wardkeep` are no attributes: name another attribute")
            }
            Some(_) if text => Ok(()),
            _ => misfit(found, "declare it `text`: the entity's id is the value"),
        },
        _ => misfit(found, "only String, Long, Bool, datetime, entities and sets of them become attributes"),
    }
}

/// The type that was found, in Cedar's own words, and what takes it.
fn misfit(found: &Cedar, hint: &'static str) -> Result<(), Misfit> {
    Err(Misfit { problem: format!("has the type `{found}`"), hint })
}
