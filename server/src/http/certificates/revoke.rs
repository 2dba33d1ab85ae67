//! `POST /v1/certificates/revoke`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::certificate::{RevokeCertificates, RevokedCertificates};
use wardkeep_model::action::RevokeCertificate;
use wardkeep_model::{CertificateSerial, Identity};

use crate::ca::Target;
use crate::http::extract::Asker;
use crate::http::json::Json as Body;
use crate::http::problem::Fault;
use crate::state::App;

/// Revokes one certificate with all that were renewed from it, or all of an identity so far.
#[utoipa::path(post, path = "/v1/certificates/revoke", tag = "certificates", request_body = RevokeCertificates,
    responses((status = 200, body = RevokedCertificates)))]
pub async fn revoke_certificates(
    State(app): State<Arc<App>>,
    asker: Asker,
    Body(body): Body<RevokeCertificates>,
) -> Result<Json<RevokedCertificates>, Fault> {
    let target = match body {
        RevokeCertificates::Serial(serial) => Target::Serial(CertificateSerial::parse(&serial)?),
        RevokeCertificates::Identity(uri) => Target::Identity { identity: Identity::parse(&uri)?, keep: Vec::new() },
    };

    let permit = asker.permit_control::<RevokeCertificate>("certificates").await?;
    let revoked = app.admin.revoke_certificates(permit, target).await?;
    Ok(Json(RevokedCertificates { serials: revoked.iter().map(ToString::to_string).collect() }))
}
