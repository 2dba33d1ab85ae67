//! `GET /v1/recipients/{type}/{id}`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::recipient::RegisteredRecipient;
use wardkeep_model::action::DescribeRecipient;
use wardkeep_policy::RECIPIENTS;

use super::answer;
use crate::http::etag::Tagged;
use crate::http::extract::{Asker, EntityPath};
use crate::http::problem::Fault;
use crate::state::App;

/// The public key registered for a subject.
#[utoipa::path(get, path = "/v1/recipients/{type}/{id}", tag = "recipients",
    params(("type" = String, Path), ("id" = String, Path)), responses((status = 200, body = RegisteredRecipient)))]
pub async fn get_recipient(
    State(app): State<Arc<App>>,
    asker: Asker,
    EntityPath(subject): EntityPath,
) -> Result<Tagged<Json<RegisteredRecipient>>, Fault> {
    let permit = asker.permit_control::<DescribeRecipient>(RECIPIENTS).await?;
    Ok(answer(&app.kms.describe_recipient(permit, &subject).await?))
}
