//! `DELETE /v1/recipients/{type}/{id}`

use std::sync::Arc;

use axum::extract::State;
use http::StatusCode;
use wardkeep_kms::Precondition;
use wardkeep_model::action::ChangeRecipient;
use wardkeep_policy::RECIPIENTS;

use crate::http::authorities::still_held;
use crate::http::etag::IfMatch;
use crate::http::extract::{Asker, EntityPath};
use crate::http::problem::Fault;
use crate::state::App;

/// Removes the public key of a subject: nobody else has user keys issued for them any more.
#[utoipa::path(delete, path = "/v1/recipients/{type}/{id}", tag = "recipients",
    params(("type" = String, Path), ("id" = String, Path)), responses((status = 204)))]
pub async fn delete_recipient(
    State(app): State<Arc<App>>,
    asker: Asker,
    EntityPath(subject): EntityPath,
    IfMatch(revision): IfMatch,
) -> Result<StatusCode, Fault> {
    let permit = asker.permit_control::<ChangeRecipient>(RECIPIENTS).await?;
    app.kms.remove_recipient(permit, subject, Precondition { revision }, still_held(&app)).await?;
    Ok(StatusCode::NO_CONTENT)
}
