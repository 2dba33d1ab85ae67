//! Policy bundles, and the schema in force.

pub mod activate;
pub mod get;
pub mod list;
pub mod load;
pub mod schema;

use wardkeep_api::bundle::{Bundle, LoadedBundle, PolicyFile};

use crate::admin::bundles::{BundleInfo, Loaded};

fn bundle(info: BundleInfo) -> Bundle {
    let BundleInfo { version, active, loaded, by, source } = info;
    let policies = source.policies.into_iter().map(|(name, text)| PolicyFile { name, text }).collect();
    Bundle {
        version,
        active,
        loaded: loaded.to_string(),
        loaded_by: by,
        manifest: source.manifest,
        schema: source.schema,
        policies,
        entities: source.entities,
    }
}

fn loaded(done: Loaded) -> LoadedBundle {
    let Loaded { version, active } = done;
    LoadedBundle { version, active, findings: Vec::new() }
}
