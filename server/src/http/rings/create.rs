//! `POST /v1/rings`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use wardkeep_api::ring::{CreateRing, Ring};
use wardkeep_kms::NewRing;
use wardkeep_model::{RingName, action};
use wardkeep_policy::Resource;

use crate::http::etag::Tagged;
use crate::http::extract::KeyedAsker;
use crate::http::json::HashedJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Makes a key ring.
#[utoipa::path(post, path = "/v1/rings", tag = "rings", request_body = CreateRing,
    responses((status = 201, body = Ring)))]
pub async fn create_ring(
    State(app): State<Arc<App>>,
    keyed: KeyedAsker,
    body: HashedJson<CreateRing>,
) -> Result<(StatusCode, Tagged<Json<Ring>>), Fault> {
    let CreateRing { name, labels } = body.value;
    let name = RingName::new(&name)?;
    let idempotency = keyed.idempotency("create-ring", "", body.hash);

    // Decided on the labels that it is to have, whether or not there is a ring of that name.
    let wanted = Resource::Ring { name: &name, labels: Some(&labels) };
    let permit = keyed.asker.permit::<action::CreateRing>(wanted).await?;
    let made = app.kms.create_ring(permit, NewRing { name, labels }, idempotency).await?;
    Ok((StatusCode::CREATED, Tagged { revision: made.revision, answer: Json(super::ring(&made)) }))
}
