//! `POST /v1/audit/verify`

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use wardkeep_api::audit::{AuditStatus, AuditVerdict};
use wardkeep_api::page::Nothing;
use wardkeep_model::action::VerifyAudit;
use wardkeep_store::{Status, Verdict, VerifyError};

use crate::http::extract::Asker;
use crate::http::json::OptionalJson;
use crate::http::problem::Fault;
use crate::state::App;

/// Walks the whole log and compares it with the newest head. Names the first bad record, if there is one.
#[utoipa::path(post, path = "/v1/audit/verify", tag = "audit", request_body = Nothing,
    responses((status = 200, body = AuditVerdict)))]
pub async fn verify_audit(
    State(app): State<Arc<App>>,
    asker: Asker,
    _: OptionalJson<Nothing>,
) -> Result<Json<AuditVerdict>, Fault> {
    let _place = app.limits.dear()?;
    let permit = asker.permit_control::<VerifyAudit>("audit").await?;
    Ok(Json(verdict(app.admin.verify_audit(permit).await?)))
}

fn verdict(walked: Result<Verdict, VerifyError>) -> AuditVerdict {
    match walked {
        Ok(Verdict { records, status: Status::Verified }) => {
            AuditVerdict { status: AuditStatus::Verified, records, first_bad: None, detail: None }
        }
        Ok(Verdict { records, status: Status::Consistent }) => {
            let detail = Some("rollback not checkable: no head is kept outside the database".to_owned());
            AuditVerdict { status: AuditStatus::Consistent, records, first_bad: None, detail }
        }
        Err(error) => {
            let first_bad = first_bad(&error);
            let records = first_bad.map_or(0, |record| record.saturating_sub(1));
            // A head file's error tells its path, which is the operator's business and stands in the log.
            tracing::error!(%error, "the audit log does not verify");
            let detail = Some(match &error {
                VerifyError::Head(_) => "the head file does not fit the log: see the server's log".to_owned(),
                other => other.to_string(),
            });
            AuditVerdict { status: AuditStatus::Broken, records, first_bad, detail }
        }
    }
}

fn first_bad(error: &VerifyError) -> Option<u64> {
    match error {
        VerifyError::Record { record } | VerifyError::Malformed { record, .. } => Some(*record),
        VerifyError::Cut { found, .. } => Some(found.saturating_add(1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_could_have_been_put_back_is_never_called_verified() {
        let said = verdict(Ok(Verdict { records: 7, status: Status::Consistent }));
        assert_eq!((said.status, said.records), (AuditStatus::Consistent, 7));
        assert!(said.detail.unwrap().starts_with("rollback not checkable"));
    }

    #[test]
    fn the_first_bad_record_is_named() {
        let said = verdict(Err(VerifyError::Record { record: 5 }));
        assert_eq!((said.status, said.records, said.first_bad), (AuditStatus::Broken, 4, Some(5)));
        let said = verdict(Err(VerifyError::Cut { found: 9, expected: 12 }));
        assert_eq!(said.first_bad, Some(10));
    }
}
