//! `PUT /v1/recipients/{type}/{id}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::recipient::{PutRecipient, RegisteredRecipient};
use wardkeep_kms::Precondition;
use wardkeep_model::action::ChangeRecipient;
use wardkeep_policy::RECIPIENTS;

use super::answer;
use crate::http::etag::{IfMatch, Tagged};
use crate::http::extract::{Asker, EntityPath};
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Registers the RSA public key that a subject's user keys are sealed for, where somebody else has them issued.
#[utoipa::path(put, path = "/v1/recipients/{type}/{id}", tag = "recipients", request_body = PutRecipient,
    params(("type" = String, Path), ("id" = String, Path)), responses((status = 200, body = RegisteredRecipient)))]
pub async fn put_recipient(
    State(app): State<Arc<App>>,
    asker: Asker,
    EntityPath(subject): EntityPath,
    IfMatch(revision): IfMatch,
    Body(body): Body<PutRecipient>,
) -> Result<Tagged<Json<RegisteredRecipient>>, Fault> {
    let key = wire::recipient_key(body.recipient)?;

    let permit = asker.permit_control::<ChangeRecipient>(RECIPIENTS).await?;
    let known = app.engine.snapshot().entity(&subject).is_some();
    let made = app.kms.register_recipient(permit, subject, key, known, Precondition { revision }).await?;
    Ok(answer(&made))
}
