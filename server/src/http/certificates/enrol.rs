//! `POST /v1/enrol`, the one route of the enrolment listener.

use std::sync::Arc;

use axum::extract::State;
use axum::{Extension, Json};
use http::StatusCode;
use wardkeep_api::certificate::{Enrol, IssuedCertificate};
use wardkeep_model::RequestId;

use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::state::App;

/// Redeems a one-time token for a certificate. The name comes from the token, never from the request.
#[utoipa::path(post, path = "/v1/enrol", tag = "certificates", request_body = Enrol, security(()),
    responses((status = 201, body = IssuedCertificate)))]
pub async fn enrol(
    State(app): State<Arc<App>>,
    Extension(request): Extension<RequestId>,
    Body(body): Body<Enrol>,
) -> Result<(StatusCode, Json<IssuedCertificate>), Fault> {
    let _place = app.limits.enrolling()?;
    let Enrol { token, csr_pem } = body;
    let made = app.admin.enrol(token, csr_pem, request).await?;
    Ok((StatusCode::CREATED, Json(super::issued(made))))
}
