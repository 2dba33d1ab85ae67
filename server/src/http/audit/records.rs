//! `GET /v1/audit/records`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use wardkeep_api::audit::{AuditPage, AuditRecord};
use wardkeep_model::action::ReadAudit;

use crate::http::extract::Asker;
use crate::http::idempotency::hex;
use crate::http::paging::{Asked, limit as bounded};
use crate::http::problem::Fault;
use crate::state::App;

/// Which records.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RecordsQuery {
    /// The first record, counted from 1. Default: 1.
    from: Option<u64>,
    /// Records a page, 1 to 500. Default: 100.
    limit: Option<usize>,
}

/// Reads the audit log in order. The record of this reading itself comes after what it shows.
#[utoipa::path(get, path = "/v1/audit/records", tag = "audit", params(RecordsQuery),
    responses((status = 200, body = AuditPage)))]
pub async fn list_audit_records(
    State(app): State<Arc<App>>,
    asker: Asker,
    Asked(query): Asked<RecordsQuery>,
) -> Result<Json<AuditPage>, Fault> {
    let from = query.from.unwrap_or(1).max(1);
    let limit = bounded(query.limit)?;

    let _place = app.limits.dear()?;
    let permit = asker.permit_control::<ReadAudit>("audit").await?;
    let found = app.admin.audit_records(permit, from, limit).await?;
    let next = found.last().map_or(from, |last| last.sequence.saturating_add(1));
    let record = |record: wardkeep_store::AuditRecord| AuditRecord {
        sequence: record.sequence,
        previous: hex(&record.previous),
        hash: hex(&record.hash),
        line: record.line,
    };
    Ok(Json(AuditPage { records: found.into_iter().map(record).collect(), next }))
}
