//! `GET /v1/audit/head`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::audit::AuditHead;
use wardkeep_model::action::ReadAudit;

use crate::http::extract::Asker;
use crate::http::idempotency::hex;
use crate::http::problem::Fault;
use crate::state::App;

/// The newest signed head: keep it elsewhere, and a log that is cut or put back will not go unnoticed.
#[utoipa::path(get, path = "/v1/audit/head", tag = "audit", responses((status = 200, body = AuditHead)))]
pub async fn get_audit_head(State(app): State<Arc<App>>, asker: Asker) -> Result<Json<AuditHead>, Fault> {
    let permit = asker.permit_control::<ReadAudit>("audit").await?;
    let (signed, public_key) = app.admin.audit_head(permit).await?;
    Ok(Json(AuditHead {
        records: signed.head.length,
        hash: hex(&signed.head.hash),
        time: signed.head.time.to_string(),
        signed: signed.to_bytes().into(),
        public_key: public_key.to_vec().into(),
    }))
}
