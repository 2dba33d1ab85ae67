//! `GET /v1/certificates`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::Page;
use wardkeep_api::certificate::{Certificate, CertificateState};
use wardkeep_model::action::DescribeCertificate;

use crate::ca::{self, CertificateRecord};
use crate::http::extract::Asker;
use crate::http::paging::{Asked, PageQuery, by_name};
use crate::http::problem::Fault;
use crate::state::App;

/// Lists the certificates that were issued here, newest first.
#[utoipa::path(get, path = "/v1/certificates", tag = "certificates", params(PageQuery),
    responses((status = 200, body = Page<Certificate>)))]
pub async fn list_certificates(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(page): Asked<PageQuery>,
) -> Result<Json<Page<Certificate>>, Fault> {
    let (limit, after) = (page.limit()?, page.after(|serial| Some(serial.to_owned()))?);

    let permit = asker.permit_control::<DescribeCertificate>("certificates").await?;
    let all = app.authority.certificates(permit).await?.into_iter().map(certificate).collect();
    Ok(Json(by_name(all, limit, after, |certificate: &Certificate| &certificate.serial)))
}

fn certificate(record: CertificateRecord) -> Certificate {
    let CertificateRecord { serial, identity, parent, issued, not_before: _, not_after, state } = record;
    Certificate {
        serial: serial.to_string(),
        identity: identity.to_string(),
        issued: issued.to_string(),
        not_after: not_after.to_string(),
        parent: parent.map(|serial| serial.to_string()),
        state: match state {
            ca::CertificateState::Valid => CertificateState::Valid,
            ca::CertificateState::Expired => CertificateState::Expired,
            ca::CertificateState::Revoked => CertificateState::Revoked,
        },
    }
}
