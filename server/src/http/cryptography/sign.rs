//! `POST /v1/sign`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::signature::{Sign, Signature};
use wardkeep_kms as kms;
use wardkeep_model::{KeyId, action};

use crate::http::extract::Asker;
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::state::App;

/// Signs a message or its digest under a key of usage `sign`.
#[utoipa::path(post, path = "/v1/sign", tag = "cryptography", request_body = Sign,
    responses((status = 200, body = Signature)))]
pub async fn sign(State(app): State<Arc<App>>, asker: Asker, Body(body): Body<Sign>) -> Result<Json<Signature>, Fault> {
    let Sign { key, message, digest } = body;
    let key = KeyId::parse(&key)?;
    let asked = kms::Sign { key: key.clone(), input: super::input(message, digest)? };

    let permit = asker.permit_key::<action::Sign>(&key).await?;
    let kms::Signed { signature, algorithm, version } = app.kms.sign(permit, asked).await?;
    let algorithm = algorithm.to_owned();
    Ok(Json(Signature { key: key.to_string(), version: version.get(), algorithm, signature: signature.into() }))
}
