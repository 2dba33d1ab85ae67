//! `POST /v1/certificates/renew`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use wardkeep_api::certificate::{IssuedCertificate, RenewCertificate};

use crate::http::extract::Asker;
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::state::App;

/// Renews the certificate that the caller came with. What is revoked with it, is revoked with the new one too.
#[utoipa::path(post, path = "/v1/certificates/renew", tag = "certificates", request_body = RenewCertificate,
    responses((status = 201, body = IssuedCertificate)))]
pub async fn renew_certificate(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<RenewCertificate>,
) -> Result<(StatusCode, Json<IssuedCertificate>), Fault> {
    asker.acts_for_itself("RenewCertificate")?;
    let _place = app.limits.dear()?;
    let request = asker.caller().request().clone();
    let made = app.admin.renew(asker.peer().clone(), body.csr_pem, request).await?;
    Ok((StatusCode::CREATED, Json(super::issued(made))))
}
