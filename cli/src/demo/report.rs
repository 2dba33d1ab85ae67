//! What the demo did: counts, rates, examples.

use std::sync::atomic::Ordering;

use serde::Serialize;
use serde_json::json;

use super::cast::Role;
use super::denial::Denial;
use super::readback::{Read, Tally};
use super::record::Records;
use super::sealed::Sealed;
use crate::command::CommandError;
use crate::output::{self, Format};
use crate::system::Stopwatch;

/// A count for each of the four.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct ByRole {
    doctor: u64,
    patient: u64,
    pharmacy: u64,
    admin: u64,
}

/// Seconds that the parts took.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(crate) struct Seconds {
    protect: f64,
    read: f64,
    rewrap: f64,
    /// From start to end.
    pub(crate) whole: f64,
}

/// Things a second.
#[derive(Debug, Default, Clone, Copy, Serialize)]
pub(crate) struct Rates {
    protected: f64,
    decided: f64,
    rewrapped: f64,
}

/// Everything that is printed. The first members are those of the documented form; more follow.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Report {
    resources: u64,
    bytes: u64,
    equal: u64,
    allowed: ByRole,
    denied: ByRole,
    /// Whether the chain fits the head that is kept outside the database.
    pub(crate) audit_verified: bool,
    /// Openings that gave other bytes than were protected.
    pub(crate) different: u64,
    /// Records that nobody opened, for no rule lets anybody.
    unread: u64,
    bundles: u64,
    patients: u64,
    /// Read by the portal on behalf of the patient, for none of the four may.
    portal_allowed: u64,
    portal_denied: u64,
    rewrapped: u64,
    /// Records of a sample that were opened again under the new version.
    pub(crate) reopened: u64,
    /// The key's newest version.
    pub(crate) key_version: u32,
    /// Records in the audit log.
    pub(crate) audit_records: u64,
    /// Seconds that the parts took.
    pub(crate) seconds: Seconds,
    rates: Rates,
    /// Off line.
    pub(crate) sealed: Sealed,
    /// One refusal of each role.
    pub(crate) denials: Vec<Denial>,
}

impl Report {
    /// After protecting.
    pub(crate) fn protected(&mut self, records: &Records, watch: Stopwatch) {
        self.resources = records.all.len() as u64;
        self.bytes = records.bytes;
        self.bundles = records.bundles;
        self.patients = records.patients.len() as u64;
        self.seconds.protect = watch.elapsed().as_secs_f64();
        self.rates.protected = watch.rate(self.resources);
    }

    /// After reading.
    pub(crate) fn read(&mut self, read: &Read, watch: Stopwatch) {
        let [doctor, patient, pharmacy, admin] = read.roles.each_ref().map(allowed);
        self.allowed = ByRole { doctor, patient, pharmacy, admin };
        let [doctor, patient, pharmacy, admin] = read.roles.each_ref().map(denied);
        self.denied = ByRole { doctor, patient, pharmacy, admin };
        self.portal_allowed = allowed(&read.portal);
        self.portal_denied = denied(&read.portal);
        self.equal = read.equal();
        self.different = read.different();
        self.unread = self.resources.saturating_sub(self.equal + self.different);
        self.seconds.read = watch.elapsed().as_secs_f64();
        let decided = self.resources * Role::ALL.len() as u64 + self.portal_allowed + self.portal_denied;
        self.rates.decided = watch.rate(decided);
    }

    /// After wrapping anew.
    pub(crate) fn rewrapped(&mut self, count: u64, watch: Stopwatch) {
        self.rewrapped = count;
        self.seconds.rewrap = watch.elapsed().as_secs_f64();
        self.rates.rewrapped = watch.rate(count);
    }

    /// How many resources there are.
    pub(crate) fn resources(&self) -> u64 {
        self.resources
    }

    /// Prints it.
    pub(crate) fn show(&self, format: Format) -> Result<(), CommandError> {
        if format != Format::Table {
            return Ok(output::show(format, self, &[])?);
        }
        output::line("\nRefusals, one of each role:")?;
        output::show(format, &self.denials, &["role", "record", "reason"])?;
        output::line("")?;
        output::show(format, &self.by_role(), &["reader", "allowed", "denied"])?;
        output::line("")?;
        output::line("Off line, with user keys alone (clinic/records-abe):\n")?;
        output::show(format, &self.sealed.readers, &["reader", "attributes", "opened", "refused"])?;
        output::line("")?;
        output::show(format, &self.summary(), &[])?;
        Ok(())
    }

    /// What came of sealing for readers off line.
    fn sealed_rows(&self) -> [(&'static str, String); 5] {
        let Sealed { resources, formulas, batches, disagree, sample, seconds, .. } = &self.sealed;
        let Sealed { revoked_opens, revoked_tries, last_opens, expired_opens, expired_tries, .. } = &self.sealed;
        let without = if self.sealed.without_server { "files open" } else { "FILES DO NOT OPEN" };
        [
            (
                "sealed by formula",
                format!("{resources} under {formulas} formulas, {batches} batches, in {seconds:.1} s"),
            ),
            ("against plain evaluation", format!("{disagree} differ, over three readers")),
            ("a revoked key", format!("opens {revoked_opens} of {revoked_tries} sealed afterwards")),
            (
                "keys at their end",
                format!(
                    "open {last_opens} of {expired_tries} sealed for their last moment, {expired_opens} of {expired_tries} for the next"
                ),
            ),
            ("without the server", format!("{without}, a key and {sample} resources")),
        ]
    }

    fn by_role(&self) -> serde_json::Value {
        let row =
            |reader: &str, allowed: u64, denied: u64| json!({"reader": reader, "allowed": allowed, "denied": denied});
        json!([
            row("doctor", self.allowed.doctor, self.denied.doctor),
            row("patient", self.allowed.patient, self.denied.patient),
            row("pharmacy", self.allowed.pharmacy, self.denied.pharmacy),
            row("admin", self.allowed.admin, self.denied.admin),
            row("portal, for patients", self.portal_allowed, self.portal_denied),
        ])
    }

    fn summary(&self) -> Vec<serde_json::Value> {
        let row = |what: &str, value: String| json!({"what": what, "value": value});
        let sealed = self.sealed_rows().into_iter().map(|(what, value)| row(what, value));
        let audit = if self.audit_verified { "verified" } else { "NOT VERIFIED" };
        let mut rows = vec![
            row(
                "resources",
                format!(
                    "{} of {} patients in {} bundles, {} bytes",
                    self.resources, self.patients, self.bundles, self.bytes
                ),
            ),
            row("equal after reading", format!("{} of {} (SHA-256)", self.equal, self.resources)),
            row("protected", format!("{:.0}/s in {:.1} s", self.rates.protected, self.seconds.protect)),
            row("decided", format!("{:.0}/s in {:.1} s", self.rates.decided, self.seconds.read)),
            row(
                "wrapped anew",
                format!(
                    "{} under version {}, {:.0}/s in {:.1} s",
                    self.rewrapped, self.key_version, self.rates.rewrapped, self.seconds.rewrap
                ),
            ),
            row("opened again", format!("{} of a sample, by the doctor", self.reopened)),
        ];
        rows.extend(sealed);
        rows.push(row("audit log", format!("{audit}, {} records", self.audit_records)));
        rows.push(row("whole", format!("{:.1} s", self.seconds.whole)));
        rows
    }
}

fn allowed(tally: &Tally) -> u64 {
    tally.allowed.load(Ordering::Relaxed)
}

fn denied(tally: &Tally) -> u64 {
    tally.denied.load(Ordering::Relaxed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_the_documented_members_first() {
        let text = serde_json::to_string(&Report::default()).unwrap();
        let head = r#"{"resources":0,"bytes":0,"equal":0,"allowed":{"doctor":0,"patient":0,"pharmacy":0,"admin":0},"denied":{"doctor":0,"patient":0,"pharmacy":0,"admin":0},"audit_verified":false"#;
        assert!(text.starts_with(head), "{text}");
    }
}
