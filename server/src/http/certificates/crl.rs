//! `GET /v1/crl`

use std::sync::Arc;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, header};

use crate::ca::AuthorityError;
use crate::http::extract::Asker;
use crate::http::problem::Fault;
use crate::state::App;

/// The newest CRL of the built-in CA, DER (RFC 5280 section 5). Public by nature: any known caller may have it.
#[utoipa::path(get, path = "/v1/crl", tag = "certificates",
    responses((status = 200, content_type = "application/pkix-crl", body = Vec<u8>)))]
pub async fn get_crl(State(app): State<Arc<App>>, asker: Asker) -> Result<Response, Fault> {
    if !asker.is_known() {
        return Err(Fault::UnknownIdentity);
    }
    asker.acts_for_itself("crl")?;
    let crl = app.authority.crl().ok_or(AuthorityError::NotOurs)?;
    let kind = HeaderValue::from_static("application/pkix-crl");
    Ok(([(header::CONTENT_TYPE, kind)], crl.der.to_vec()).into_response())
}
