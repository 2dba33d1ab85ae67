//! `POST /v1/random`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::random::{GenerateRandom, RandomBytes};
use wardkeep_model::action;

use crate::http::extract::Asker;
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::state::App;

/// Draws 1 to 1024 random bytes.
#[utoipa::path(post, path = "/v1/random", tag = "cryptography", request_body = GenerateRandom,
    responses((status = 200, body = RandomBytes)))]
pub async fn generate_random(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<GenerateRandom>,
) -> Result<Json<RandomBytes>, Fault> {
    let permit = asker.permit_control::<action::GenerateRandom>("random").await?;
    let length = usize::try_from(body.length).unwrap_or(usize::MAX);
    let drawn = app.kms.random(permit, length).await?;
    Ok(Json(RandomBytes { bytes: drawn.into_inner().into() }))
}
