//! `POST /v1/decrypt`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::encryption::{Decrypt, Decrypted};
use wardkeep_kms as kms;
use wardkeep_model::action;

use crate::http::extract::{Asker, Use};
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::http::wire;
use crate::state::App;

/// Decrypts what `encrypt` made.
#[utoipa::path(post, path = "/v1/decrypt", tag = "cryptography", request_body = Decrypt,
    responses((status = 200, body = Decrypted)))]
pub async fn decrypt(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<Decrypt>,
) -> Result<Json<Decrypted>, Fault> {
    let asked = kms::Decrypt { ciphertext: body.ciphertext.0, context: wire::context(body.context)? };
    let named = app.kms.peek(&asked.ciphertext)?;
    let compromised = app.kms.is_compromised(&named.key, named.version);

    let used = Use { key: &named.key, context: Some(&asked.context), recipient: None, compromised };
    let permit = asker.permit_use::<action::Decrypt>(used).await?;
    let kms::Opened { plaintext, key, version } = app.kms.decrypt(permit, asked).await?;
    let plaintext = plaintext.into_inner().into();
    Ok(Json(Decrypted { key: key.to_string(), version: version.get(), plaintext }))
}
