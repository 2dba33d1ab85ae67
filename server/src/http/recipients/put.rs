//! `PUT /v1/recipients/{type}/{id}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::recipient::{PutRecipient, RegisteredRecipient};
use wardkeep_kms::{KmsError, Precondition};
use wardkeep_model::action::ChangeRecipient;
use wardkeep_policy::RECIPIENTS;

use super::answer;
use crate::http::authorities::still_held;
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
    let (held, here, name) = (still_held(&app), Arc::clone(&app), subject.clone());
    // Under the turn: the entity must not go between this look and the change.
    let hold = move |event| async move {
        let held = held(event).await?;
        if here.engine.snapshot().has_entity(&name) { Ok(held) } else { Err(KmsError::SubjectNotFound) }
    };
    let made = app.kms.register_recipient(permit, (subject, key), Precondition { revision }, hold).await?;
    Ok(answer(&made))
}
