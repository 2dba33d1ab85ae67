//! Bound types, over all bundles that ever were in force.
//!
//! Records that were protected under a bound type are out there for as long as anybody keeps them. So a bundle that leaves
//! the type out does not end it: one that brings it back is held to what it was, or old wrapped keys would be judged by
//! attributes that they never had. The bundle that last declared a type while it was in force is kept by its number, and
//! compared anew: what Cedar makes of a declaration is Cedar's business, not a row's.

use std::collections::BTreeMap;

use wardkeep_policy::{Manifest, Snapshot, Source};
use wardkeep_store::{Change, Store};

use super::{AdminError, row};

/// Refuses a snapshot whose bundle declares a bound type otherwise than it was when it was last in force.
pub(super) fn check(store: &dyn Store, now: &Snapshot, next: &Snapshot) -> Result<(), AdminError> {
    let mut former: BTreeMap<u64, Snapshot> = BTreeMap::new();
    for (kind, version) in row::bound_types(store)?.0 {
        // What is bound now was compared when the snapshot was made.
        if now.bound_types().any(|bound| bound == kind) || !next.manifest().resources.contains_key(&kind) {
            continue;
        }
        let before = match former.get(&version) {
            Some(known) => known,
            None => {
                let source = row::bundle(store, version)?.source();
                let loaded = Snapshot::new(now.identity().clone(), Snapshot::builtin_control_set(), &source, version)?;
                former.entry(version).or_insert(loaded)
            }
        };
        next.keeps_bound_type(before, &kind)?;
    }
    Ok(())
}

/// The change that keeps in mind what the bundle that goes out of force had bound; `None` where that is known.
pub(super) fn remember(store: &dyn Store, leaving: u64, kinds: Vec<String>) -> Result<Option<Change>, AdminError> {
    let (mut known, expected) = row::bound_types(store)?;
    let before = known.clone();
    known.extend(kinds.into_iter().map(|kind| (kind, leaving)));
    if known == before { Ok(None) } else { row::put_bound_types(expected, &known).map(Some) }
}

/// What a bundle's manifest declares as bound; for a recovery, where the bundle itself may no longer load.
pub(super) fn kinds_of(manifest: &str) -> Vec<String> {
    let Ok(manifest) = Manifest::parse(manifest) else { return Vec::new() };
    let bound = manifest.resources.into_iter().filter(|(_, rule)| rule.source == Source::Bound);
    bound.map(|(kind, _)| kind).collect()
}
