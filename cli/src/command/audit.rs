//! `wardkeep audit`: list, tail, verify, head.

use std::time::Duration;

use serde_json::Value;
use wardkeep_client::admin::AuditQuery;
use wardkeep_client::connect::ConnectError;
use wardkeep_client::wire::audit::{AuditRecord, AuditStatus, AuditVerdict};
use wardkeep_client::{CallError, Client};

use super::CommandError;
use super::remote::with_client;
use crate::args::admin::{Audit, AuditList, AuditTail};
use crate::error::with_causes;
use crate::output::{self, Format};
use crate::stop::Stop;

/// How often `tail --follow` asks for more.
const FOLLOW_EVERY: Duration = Duration::from_millis(500);
/// How long the server may walk its log.
const VERIFY_LIMIT: Duration = Duration::from_secs(600);
/// Most records of one page.
const MAX_PAGE: usize = 500;
/// What a list of records shows.
const COLUMNS: [&str; 8] = ["sequence", "time", "actor", "action", "resource", "record", "outcome", "why"];

/// Carries out a verb on the audit log.
pub(crate) fn run(format: Format, verb: Audit) -> Result<(), CommandError> {
    match verb {
        Audit::List(args) => list(format, args),
        Audit::Tail(args) => tail(format, args),
        Audit::Verify(connection) => verdict(format, &connection),
        Audit::Head(connection) => {
            let head = with_client(&connection, |client| async move { Ok(client.audit().head().await?) })?;
            Ok(output::show(format, &head, &[])?)
        }
    }
}

/// Shows what came of a verification; a broken log is an error of the server's.
fn verdict(format: Format, connection: &crate::args::connection::Connection) -> Result<(), CommandError> {
    let verdict =
        with_client(
            connection,
            |client| async move { Ok(client.with_deadline(VERIFY_LIMIT).audit().verify().await?) },
        )?;
    output::show(format, &verdict, &[])?;
    match verdict.status {
        AuditStatus::Verified => Ok(()),
        AuditStatus::Consistent => {
            output::remark("consistent; rollback not checkable (no head is kept outside the database)");
            Ok(())
        }
        AuditStatus::Broken => Err(CommandError::AuditBroken { detail: broken(verdict) }),
    }
}

fn broken(verdict: AuditVerdict) -> String {
    let place = verdict.first_bad.map_or_else(String::new, |record| format!(" at record {record}"));
    let detail = verdict.detail.map_or_else(String::new, |detail| format!(": {detail}"));
    format!("{place}{detail}")
}

fn list(format: Format, args: AuditList) -> Result<(), CommandError> {
    let AuditList { from, list } = args;
    let limit = list.limit.unwrap_or(usize::MAX);
    let records = with_client(&list.connection, |client| async move {
        let newest = client.audit().head().await?.records;
        records(&client, from, newest, limit).await
    })?;
    show(format, &records)
}

fn tail(format: Format, args: AuditTail) -> Result<(), CommandError> {
    let AuditTail { lines, follow, connection } = args;
    with_client(&connection, |client| async move {
        let newest = client.audit().head().await?.records;
        let from = newest.saturating_sub(lines) + 1;
        let found = records(&client, from, newest, usize::MAX).await?;
        let next = from + found.len() as u64;
        if !follow {
            return show(format, &found);
        }
        let mut stop = Stop::of_work()?;
        if !found.is_empty() {
            show(format, &found)?;
        }
        tokio::select! {
            ended = keep_on(format, &client, next) => ended,
            // Whoever follows a log ends it so: nothing failed.
            _ = stop.told() => Ok(()),
        }
    })
}

/// Shows records as they come, for ever. A server that is away comes back: it is asked until it does.
async fn keep_on(format: Format, client: &Client, mut next: u64) -> Result<(), CommandError> {
    let mut away = false;
    loop {
        tokio::time::sleep(FOLLOW_EVERY).await;
        match newer(client, next).await {
            Ok(found) => {
                if std::mem::take(&mut away) {
                    output::remark("wardkeep: the server answers again");
                }
                next += found.len() as u64;
                if !found.is_empty() {
                    show(format, &found)?;
                }
            }
            Err(CommandError::Call(error)) if passes(&error) => {
                if !std::mem::replace(&mut away, true) {
                    output::remark(&format!("wardkeep: {}; asking again until it answers", with_causes(&error)));
                }
            }
            Err(error) => return Err(error),
        }
    }
}

async fn newer(client: &Client, next: u64) -> Result<Vec<AuditRecord>, CommandError> {
    let newest = client.audit().head().await?.records;
    records(client, next, newest, usize::MAX).await
}

/// Whether it is of the moment: a server that restarts, a connection that was cut, too much at once.
fn passes(error: &CallError) -> bool {
    match error {
        CallError::Connect { source: ConnectError::Tls { .. }, .. } => false,
        CallError::Connect { .. }
        | CallError::Broken { .. }
        | CallError::Timeout { .. }
        | CallError::Unavailable { .. }
        | CallError::RateLimited { .. } => true,
        _ => false,
    }
}

/// Records `from` to `newest`. Reading is itself recorded, so "until nothing is left" would never end.
async fn records(client: &Client, from: u64, newest: u64, limit: usize) -> Result<Vec<AuditRecord>, CommandError> {
    let mut all: Vec<AuditRecord> = Vec::new();
    let mut from = from;
    while all.len() < limit && from <= newest {
        let size = u32::try_from((limit - all.len()).min(MAX_PAGE)).unwrap_or(500);
        let page = client.audit().records(&AuditQuery { from: Some(from), limit: Some(size) }).await?;
        if page.records.is_empty() {
            break;
        }
        from = page.next;
        all.extend(page.records.into_iter().filter(|record| record.sequence <= newest));
    }
    all.truncate(limit);
    Ok(all)
}

/// A table shows what the record says; JSON and YAML show the record as it stands in the chain.
fn show(format: Format, records: &[AuditRecord]) -> Result<(), CommandError> {
    if format != Format::Table {
        return Ok(output::show(format, &records, &[])?);
    }
    let rows: Vec<Value> = records.iter().map(row).collect();
    Ok(output::show(format, &rows, &COLUMNS)?)
}

/// One line for people: entities in Cedar's spelling, and why it went as it went.
fn row(record: &AuditRecord) -> Value {
    let line = serde_json::from_str(&record.line).unwrap_or(Value::Null);
    let text = |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let entity = |name: &str| {
        let part = |part: &str| line.get(name)?.get(part)?.as_str();
        part("type").zip(part("id")).map_or_else(String::new, |(kind, id)| format!("{kind}::{id:?}"))
    };
    let (actor, subject) = (entity("actor"), entity("subject"));
    let actor = if actor == subject { actor } else { format!("{actor} for {subject}") };
    let policies = line.get("policies").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let policies: Vec<&str> = policies.iter().filter_map(Value::as_str).collect();
    let reason = line.get("detail").and_then(|detail| detail.get("reason")).and_then(Value::as_str);
    let why = reason.into_iter().chain(policies).collect::<Vec<_>>().join(", ");
    serde_json::json!({
        "sequence": record.sequence, "time": text("time"), "actor": actor, "action": text("action"),
        "resource": entity("resource"), "record": entity("record"), "outcome": text("outcome"), "why": why,
    })
}

#[cfg(test)]
mod tests;
