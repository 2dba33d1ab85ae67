//! Key rings.

pub mod create;
pub mod delete;
pub mod get;
pub mod list;

use wardkeep_api::ring::Ring;
use wardkeep_kms::RingInfo;

/// A ring on the wire.
fn ring(info: &RingInfo) -> Ring {
    let RingInfo { name, labels, created, revision } = info;
    Ring { name: name.to_string(), labels: (**labels).clone(), created: created.to_string(), revision: *revision }
}
