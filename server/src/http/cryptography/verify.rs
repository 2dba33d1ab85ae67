//! `POST /v1/verify`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::signature::{Verified, Verify};
use wardkeep_kms as kms;
use wardkeep_model::{KeyId, KeyVersion, action};

use crate::http::extract::{Asker, Use};
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::state::App;

/// Verifies a signature. One that does not hold is an answer, not a problem.
#[utoipa::path(post, path = "/v1/verify", tag = "cryptography", request_body = Verify,
    responses((status = 200, body = Verified)))]
pub async fn verify(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<Verify>,
) -> Result<Json<Verified>, Fault> {
    let Verify { key, version, message, digest, signature } = body;
    let key = KeyId::parse(&key)?;
    let version = KeyVersion::new(version).ok_or(Fault::VersionZero)?;
    let input = super::input(message, digest)?;
    let asked = kms::Verify { key: key.clone(), version, input, signature: signature.0 };

    let compromised = app.kms.is_compromised(&key, version);
    let used = Use { key: &key, context: None, recipient: None, compromised };
    let permit = asker.permit_use::<action::Verify>(used).await?;
    let kms::Verified { valid, version } = app.kms.verify(permit, asked).await?;
    Ok(Json(Verified { key: key.to_string(), version: version.get(), valid }))
}
