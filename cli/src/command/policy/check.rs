//! `wardkeep policy check`: holds a bundle's folder against its schema, as a server would, without one.

use wardkeep_policy::{IdentityMap, Snapshot};
use wardkeep_server::config::Config;

use super::super::CommandError;
use crate::args::rules::BundleFolder;
use crate::bundle_folder;
use crate::output::{self, Format};

/// Checks a bundle; its faults, all of them, are the error.
pub(crate) fn run(format: Format, args: &BundleFolder) -> Result<(), CommandError> {
    let kinds = match &args.config {
        Some(path) => Config::load(path)?.identity.kinds,
        None => Config::default().identity.kinds,
    };
    let bundle = bundle_folder::read(&args.folder)?;
    Snapshot::new(IdentityMap::new(kinds)?, Snapshot::builtin_control_set(), &bundle, 1)?;
    let answer = serde_json::json!({ "bundle": "good", "policies": bundle.policies.len() });
    Ok(output::show(format, &answer, &[])?)
}
