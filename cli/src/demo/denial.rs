//! Why: one refusal of each role, beside what the audit log says about it.

use serde::Serialize;
use serde_json::Value;
use wardkeep_client::admin::AuditQuery;
use wardkeep_client::{EncryptionContext, RecordError, records::inspect};

use super::cast::{Cast, Role};
use super::readback::Read;
use super::record::Records;
use crate::command::CommandError;

/// How far back the audit records of the examples can lie.
const LOOK_BACK: u64 = 100;
/// Most records of one page.
const MAX_PAGE: u32 = 500;

/// One refusal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Denial {
    /// Who asked.
    pub(crate) role: &'static str,
    /// For which record.
    pub(crate) record: String,
    /// What the server answered.
    pub(crate) answer: String,
    /// What the audit log says: the rule that forbids, or that none permits.
    pub(crate) reason: String,
}

/// Has each role ask once more for a record it was refused, and looks the request up in the audit log.
pub(crate) async fn explain(records: &Records, read: &Read, cast: &Cast) -> Result<Vec<Denial>, CommandError> {
    let mut denials = Vec::new();
    for (role, tally) in Role::ALL.into_iter().zip(&read.roles) {
        let example = tally.example().and_then(|place| records.all.get(place));
        let (Some(record), Some(client)) = (example, cast.of(role)) else { continue };
        let envelope = record.load(&records.folder)?;
        let name = name_of(&inspect(&envelope)?.context);
        if let Err(RecordError::Call(error)) = client.read(&envelope).await {
            let request = error.request_id().map(ToString::to_string).unwrap_or_default();
            let reason = reason(cast, &request).await?;
            denials.push(Denial { role: role.as_str(), record: name, answer: error.to_string(), reason });
        }
    }
    Ok(denials)
}

fn name_of(context: &EncryptionContext) -> String {
    context.resource().map_or_else(String::new, |resource| resource.entity.id().to_owned())
}

/// The audit record of a request, in words.
async fn reason(cast: &Cast, request: &str) -> Result<String, CommandError> {
    let audit = cast.administrator.audit();
    let newest = audit.head().await?.records;
    let from = newest.saturating_sub(LOOK_BACK).max(1);
    let page = audit.records(&AuditQuery { from: Some(from), limit: Some(MAX_PAGE) }).await?;
    let lines = page.records.iter().rev().filter_map(|record| serde_json::from_str::<Value>(&record.line).ok());
    let found = lines.into_iter().find(|line| line.get("request").and_then(Value::as_str) == Some(request));
    Ok(found.map_or_else(|| "not found in the newest audit records".to_owned(), |line| in_words(&line)))
}

fn in_words(line: &Value) -> String {
    let policies: Vec<&str> =
        line.get("policies").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
    match policies.as_slice() {
        [] => "no rule permits it".to_owned(),
        some => format!("forbidden by {}", some.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_denial_says_which_rule_or_that_there_is_none() {
        let forbidden = serde_json::json!({"policies": ["doctors-see-no-billing"]});
        assert_eq!(in_words(&forbidden), "forbidden by doctors-see-no-billing");
        assert_eq!(in_words(&serde_json::json!({"policies": []})), "no rule permits it");
        assert_eq!(in_words(&serde_json::json!({})), "no rule permits it");
    }
}
