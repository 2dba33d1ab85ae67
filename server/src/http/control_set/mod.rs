//! The control set.

pub mod get;
pub mod put;

use axum::Json;
use wardkeep_api::control_set::ControlSet;

use super::etag::Tagged;
use crate::admin::control_set::ControlSetInfo;

fn answer(info: ControlSetInfo) -> Tagged<Json<ControlSet>> {
    let ControlSetInfo { revision, text, changed, by } = info;
    Tagged { revision, answer: Json(ControlSet { revision, text, changed: changed.to_string(), changed_by: by }) }
}
