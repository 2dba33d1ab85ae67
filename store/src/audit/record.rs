//! One record of the audit log, as it is stored and as it is read.

use std::collections::BTreeMap;

use serde::Deserialize;
use wardkeep_model::{AuditEvent, Decision, EntityUid, Timestamp};

use super::line;

/// The version that new lines carry.
pub const RECORD_VERSION: u64 = 1;

/// A numbered, chained record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRecord {
    /// Its number, counted from 1.
    pub sequence: u64,
    /// The chain's hash before it.
    pub previous: [u8; 32],
    /// SHA-256 over `previous` and the line's bytes.
    pub hash: [u8; 32],
    /// The event as canonical JSON, printable ASCII only.
    pub line: String,
}

/// A record's line, read back. Unlike `AuditEvent` it owns what older versions of Wardkeep wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordedEvent {
    /// When the decision was taken.
    pub time: Timestamp,
    /// Who called.
    pub actor: EntityUid,
    /// For whom.
    pub subject: EntityUid,
    /// What was asked.
    pub action: String,
    /// On what.
    pub resource: EntityUid,
    /// The record a data key protects, and the action decided on it.
    pub record: Option<(EntityUid, String)>,
    /// The decision.
    pub decision: Decision,
    /// Policies that determined it.
    pub policies: Vec<String>,
    /// Policies whose evaluation erred.
    pub errors: Vec<String>,
    /// Version of the policy set that decided.
    pub policy_version: u64,
    /// `ok`, `denied` or an error's code.
    pub outcome: String,
    /// The request.
    pub request: String,
    /// The actor's certificate.
    pub serial: Option<String>,
    /// Further facts by the name of their field.
    pub detail: BTreeMap<String, String>,
    /// Reserved: personal details sealed under a key of their subject, as raw JSON. Version 1 writes none.
    pub personal: Option<String>,
}

/// Why a line is not a record.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// Not the JSON of a record.
    #[error("the audit line is not a record")]
    Json(#[from] serde_json::Error),
    /// Written by a newer version.
    #[error("the audit line has version {found}, this program reads up to {RECORD_VERSION}: use a newer one")]
    Version {
        /// What the line says.
        found: u64,
    },
    /// A name or a time in it is malformed.
    #[error("the audit line's `{member}` is malformed")]
    Member {
        /// Which member.
        member: &'static str,
    },
}

/// The line of an event: canonical JSON in printable ASCII, without a line end.
#[must_use]
pub fn line_of(event: &AuditEvent) -> String {
    let mut out = Vec::with_capacity(512);
    line::write(&mut out, event);
    String::from_utf8(out).unwrap_or_default()
}

/// Appends the line of an event to `out`.
pub(crate) fn write_line(out: &mut Vec<u8>, event: &AuditEvent) {
    line::write(out, event);
}

#[derive(Deserialize)]
struct VersionOnly {
    v: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    #[serde(rename = "v")]
    _version: u64,
    time: String,
    actor: Uid,
    subject: Uid,
    action: String,
    resource: Uid,
    record: Option<Uid>,
    record_action: Option<String>,
    decision: String,
    policies: Vec<String>,
    errors: Vec<String>,
    policy_version: u64,
    outcome: String,
    request: String,
    serial: Option<String>,
    #[serde(default)]
    detail: BTreeMap<String, String>,
    personal: Option<Box<serde_json::value::RawValue>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uid {
    #[serde(rename = "type")]
    kind: String,
    id: String,
}

impl AuditRecord {
    /// The event that the line holds.
    pub fn event(&self) -> Result<RecordedEvent, RecordError> {
        RecordedEvent::parse(&self.line)
    }
}

impl RecordedEvent {
    /// Reads a line.
    pub fn parse(text: &str) -> Result<Self, RecordError> {
        let VersionOnly { v } = serde_json::from_str(text)?;
        if v != RECORD_VERSION {
            return Err(RecordError::Version { found: v });
        }
        let line: Line = serde_json::from_str(text)?;
        let record = match (line.record, line.record_action) {
            (Some(uid), Some(action)) => Some((entity("record", &uid)?, action)),
            (None, None) => None,
            _ => return Err(RecordError::Member { member: "record" }),
        };
        let decision = match line.decision.as_str() {
            "allow" => Decision::Allow,
            "deny" => Decision::Deny,
            _ => return Err(RecordError::Member { member: "decision" }),
        };
        Ok(Self {
            time: parse_time(&line.time).ok_or(RecordError::Member { member: "time" })?,
            actor: entity("actor", &line.actor)?,
            subject: entity("subject", &line.subject)?,
            action: line.action,
            resource: entity("resource", &line.resource)?,
            record,
            decision,
            policies: line.policies,
            errors: line.errors,
            policy_version: line.policy_version,
            outcome: line.outcome,
            request: line.request,
            serial: line.serial,
            detail: line.detail,
            personal: line.personal.map(|raw| raw.get().to_owned()),
        })
    }
}

fn entity(member: &'static str, uid: &Uid) -> Result<EntityUid, RecordError> {
    EntityUid::new(&uid.kind, &uid.id).map_err(|_| RecordError::Member { member })
}

/// Reads what `Timestamp` prints, and nothing else.
fn parse_time(text: &str) -> Option<Timestamp> {
    let (date, clock) = text.strip_suffix('Z')?.split_once('T')?;
    let number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u64>().ok()).flatten();
    let mut date = date.split('-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (clock, milli) = clock.split_once('.')?;
    let mut clock = clock.split(':').map(number);
    let (hour, minute, second) = (clock.next()??, clock.next()??, clock.next()??);
    if !(1970..=300_000_000).contains(&year) || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let seconds = hour.checked_mul(3600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let millis = days_from_civil(year, month, day)?
        .checked_mul(86_400_000)?
        .checked_add(seconds.checked_mul(1000)?)?
        .checked_add(number(milli)?)?;
    let time = Timestamp::from_millis(millis);
    // What prints differently was not canonical: a 31st of February, an hour of 25, two digits too few.
    (time.to_string() == text).then_some(time)
}

/// Days since 1970-01-01 (Hinnant, chrono-compatible low-level date algorithms).
fn days_from_civil(year: u64, month: u64, day: u64) -> Option<u64> {
    let year = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (year / 400, year % 400);
    let shifted = if month > 2 { month - 3 } else { month + 9 };
    let day_of_year = (153 * shifted + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era).checked_sub(719_468)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use wardkeep_model::{EventDetail, RequestId};

    use super::*;
    use crate::testing;

    #[test]
    fn the_golden_line_never_changes() {
        let text = include_str!("../../testdata/record-v1.jsonl");
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines, [line_of(&testing::full_event()), line_of(&testing::event("ana"))]);
    }

    #[test]
    fn a_line_reads_back_as_its_event() {
        let event = testing::full_event();
        let read = RecordedEvent::parse(&line_of(&event)).unwrap();
        assert_eq!((read.time, &read.actor, &read.subject), (event.time, &event.actor, &event.subject));
        assert_eq!((&read.action, &read.resource, &read.record), (&event.action, &event.resource, &event.record));
        assert_eq!((&read.policies, &read.errors), (&event.policies, &event.errors));
        assert_eq!((read.policy_version, read.outcome.as_str()), (event.policy_version, event.outcome));
        assert_eq!(read.serial.as_deref(), event.serial.as_ref().map(|serial| serial.as_str()));
        assert_eq!(read.detail.len(), event.detail.len());
        assert_eq!(read.personal, None);
    }

    #[test]
    fn no_caller_can_break_or_forge_a_line() {
        let nasty = "a\r\n{\"v\":1}\u{202e}\u{0}\u{7f}\u{2028}\u{1f600}\\\"";
        let mut event = testing::event("ana").with(EventDetail::Reason, nasty);
        event.action = nasty.to_owned();
        event.policies = vec![nasty.to_owned()];
        let line = line_of(&event);
        assert!(line.bytes().all(|byte| (0x20..=0x7e).contains(&byte)), "{line}");
        let read = RecordedEvent::parse(&line).unwrap();
        assert_eq!((read.action.as_str(), read.detail["reason"].as_str()), (nasty, nasty));
    }

    #[test]
    fn a_fact_set_twice_stands_once() {
        let event = testing::event("ana").with(EventDetail::Count, "1").with(EventDetail::Count, "2");
        let line = line_of(&event);
        assert_eq!(line.matches("count").count(), 1);
        assert_eq!(RecordedEvent::parse(&line).unwrap().detail["count"], "2");
    }

    #[test]
    fn other_versions_unknown_members_and_nonsense_are_refused() {
        let line = line_of(&testing::full_event());
        for (from, to) in [
            ("\"v\":1", "\"v\":2"),
            ("\"v\":1", "\"v\":1,\"extra\":0"),
            ("\"allow\"", "\"maybe\""),
            ("2026-", "2026-13-"),
            ("\"record_action\":\"read\",", ""),
            ("\"type\":\"User\"", "\"type\":\"1User\""),
            ("{\"v\"", "[{\"v\""),
        ] {
            let forged = line.replacen(from, to, 1);
            assert_ne!(forged, line, "{from}");
            assert!(RecordedEvent::parse(&forged).is_err(), "{forged}");
        }
        let with_personal = line.replacen("{\"v\":1", "{\"personal\":{\"sealed\":\"AA==\"},\"v\":1", 1);
        let read = RecordedEvent::parse(&with_personal).unwrap();
        assert_eq!(read.personal.as_deref(), Some("{\"sealed\":\"AA==\"}"));
    }

    #[test]
    fn impossible_times_are_refused() {
        for bad in ["2026-02-31T00:00:00.000Z", "2026-01-01T25:00:00.000Z", "2026-01-01T00:00:00Z", "", "T.Z"] {
            assert_eq!(parse_time(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_text_survives(text in "\\PC{0,40}|(?s).{0,40}", millis in 0_u64..253_402_300_800_000) {
            let mut event = testing::event("ana").with(EventDetail::Filter, text.clone());
            event.time = Timestamp::from_millis(millis);
            event.request = RequestId::from_random(7);
            let read = RecordedEvent::parse(&line_of(&event)).unwrap();
            prop_assert_eq!(read.time, event.time);
            prop_assert_eq!(read.detail.get("filter"), Some(&text));
        }
    }
}
