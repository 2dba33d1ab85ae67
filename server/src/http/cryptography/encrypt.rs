//! `POST /v1/encrypt`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::encryption::{Encrypt, Encrypted};
use wardkeep_kms as kms;
use wardkeep_model::{KeyId, action};

use crate::http::extract::{Asker, Use};
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Encrypts up to 64 KiB under a key of usage `encrypt`.
#[utoipa::path(post, path = "/v1/encrypt", tag = "cryptography", request_body = Encrypt,
    responses((status = 200, body = Encrypted)))]
pub async fn encrypt(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<Encrypt>,
) -> Result<Json<Encrypted>, Fault> {
    let Encrypt { key, plaintext, context } = body;
    let key = KeyId::parse(&key)?;
    let context = wire::context(context)?;

    let used = Use { key: &key, context: Some(&context), recipient: None, compromised: false };
    let permit = asker.permit_use::<action::Encrypt>(used).await?;
    let asked = kms::Encrypt { key: key.clone(), context, plaintext: plaintext.into_bytes() };
    let kms::Encrypted { ciphertext, version } = app.kms.encrypt(permit, asked).await?;
    Ok(Json(Encrypted { key: key.to_string(), version: version.get(), ciphertext: ciphertext.into() }))
}
