//! `wardkeep demo`: the main job on real input, end to end, with nothing left out.
//!
//! A server of its own in a temporary folder; real certificates by one-time tokens; the rules of
//! `policies/clinic`; every FHIR resource under a data key of its own, wrapped by RSA-3072, whose context names
//! the resource; read back as doctor, patient, pharmacy and admin, where *the server's* decision on the record is
//! what refuses; then the key is rotated, every data key wrapped anew, everything sealed once more for readers who are
//! off line, and the audit log verified.
//!
//! | file | job |
//! |---|---|
//! | [`input`] | FHIR bundles, one at a time, and the raw bytes of their resources |
//! | [`cast`] | who takes part, and their clients |
//! | [`record`] | what is remembered of a resource, and where its envelope lies |
//! | [`protect`] | from bundle to envelopes on disk |
//! | [`readback`] | reading as each role, and as the portal for each patient |
//! | [`renewal`] | rotating the key, wrapping anew |
//! | [`denial`] | why: refusals beside their audit records |
//! | [`sealed`] | the same for readers off line: attribute-based encryption |
//! | [`report`] | counts and rates |
//!
//! Each envelope is a file of its own (`records/BUNDLE/NUMBER.wk`), so that `wardkeep decrypt` opens any of them
//! in a folder that was kept; they are not synced one by one, for the demo's records exist elsewhere.

pub(crate) mod cast;
pub(crate) mod denial;
pub(crate) mod input;
pub(crate) mod protect;
pub(crate) mod readback;
pub(crate) mod record;
pub(crate) mod renewal;
pub(crate) mod report;
pub(crate) mod sealed;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use wardkeep_client::KeyId;
use wardkeep_client::wire::audit::AuditStatus;
use wardkeep_client::wire::key::{CreateKey, KeySpec, KeyUsage};
use wardkeep_client::wire::ring::CreateRing;
use wardkeep_policy::BundleSource;

use self::cast::Cast;
use self::input::Source;
use self::report::Report;
use self::sealed::after::Kept;
use crate::args::local::Demo;
use crate::command::CommandError;
use crate::command::remote::runtime;
use crate::error::FileError;
use crate::ground::{Founder, Ground};
use crate::output::{self, Format};
use crate::stop::Stop;
use crate::system::Stopwatch;

/// The ring and the key of the demo.
const RING: &str = "clinic";
const KEY: &str = "clinic/records";
/// How long the server may walk its log.
const VERIFY_LIMIT: Duration = Duration::from_secs(600);

/// What must not happen.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DemoError {
    /// A record came back other than it was.
    #[error("{count} records were opened to other bytes than were protected")]
    Different { count: u64 },
    /// The audit log did not verify.
    #[error("the audit log did not verify")]
    Audit,
    /// There is nothing to protect.
    #[error("{place} holds no resource: expected `entry[].resource` in FHIR bundles")]
    NoResources { place: String },
    /// Off line somebody read more or less than they may, or what had to hold did not.
    #[error("sealed records did not open for exactly those whom their formulas name: see the report")]
    Sealed,
    /// Sealing under a policy.
    #[error(transparent)]
    Abe(#[from] wardkeep_client::AbeError),
    /// Getting a user key.
    #[error(transparent)]
    UserKey(#[from] wardkeep_client::UserKeyError),
    /// Reading the attributes of a user key.
    #[error("the attributes of the user key cannot be read: {0}")]
    Attributes(#[from] wardkeep_abe::AttributeError),
    /// Sealing a record of a batch.
    #[error(transparent)]
    Record(#[from] wardkeep_envelope::batch::RecordSealError),
    /// A thread ended before its work did.
    #[error("a worker of the demo stopped before it was done")]
    Stopped,
}

/// Runs the whole of it.
pub(crate) fn run(format: Format, args: &Demo) -> Result<(), CommandError> {
    let source = args.data.as_deref().map_or(Ok(Source::Sample), Source::of)?;
    let runtime = runtime()?;
    // Before there is a folder: it holds a root key and, under way, records.
    let mut stop = {
        let _inside = runtime.enter();
        Stop::of_work()?
    };
    let temporary;
    let folder = match &args.keep {
        Some(folder) => absent_or_empty(folder)?,
        None => {
            temporary = tempfile::Builder::new().prefix("wardkeep-demo-").tempdir().map_err(CommandError::Temporary)?;
            temporary.path().to_owned()
        }
    };
    let jobs = usize::from(args.jobs);
    let talks = format == Format::Table;
    let played = runtime.block_on(async {
        let whole = Stopwatch::start();
        let ground = tokio::select! {
            ground = Ground::found(&folder, Founder::clinic()) => ground?,
            told = stop.told() => return Err(CommandError::Stopped(told)),
        };
        let played = tokio::select! {
            played = play(&source, &ground, &folder, (jobs, talks)) => played,
            told = stop.told() => Err(CommandError::Stopped(told)),
        };
        // Also after an error: nothing may write into the folder any more when it is removed.
        ground.shutdown().await;
        let (mut report, kept) = played?;
        report.sealed.without_server = kept.open()?;
        report.seconds.whole = whole.elapsed().as_secs_f64();
        Ok(report)
    });
    // Before the folder goes: what still runs would write into it.
    drop(runtime);
    let report = played?;
    report.show(format)?;
    if !report.sealed.holds(report.resources()) {
        return Err(DemoError::Sealed.into());
    }
    if report.different > 0 {
        return Err(DemoError::Different { count: report.different }.into());
    }
    if report.audit_verified { Ok(()) } else { Err(DemoError::Audit.into()) }
}

async fn play(
    source: &Source,
    ground: &Ground,
    folder: &Path,
    (jobs, talks): (usize, bool),
) -> Result<(Report, Kept), CommandError> {
    let say = |text: &str| if talks { output::line(text) } else { Ok(()) };
    say(&format!("A server with mutual TLS answers at {}; its folder is {}.", ground.address(), folder.display()))?;
    say("\nThese rules are in force (policies/clinic):\n")?;
    if talks {
        print_rules()?;
    }
    let mut cast = Cast::assemble(ground).await?;
    let key = KeyId::parse(KEY)?;
    make_key(&cast, &key).await?;
    say(&format!("\nProtecting {source}: one data key a resource, wrapped by RSA-3072 in `{KEY}`."))?;

    let mut report = Report::default();
    let watch = Stopwatch::start();
    let records = Arc::new(protect::all(source, &folder.join("records"), &cast.ingest, &key, jobs).await?);
    report.protected(&records, watch);
    let first = records.patients.first().cloned().unwrap_or_default();
    cast.admit_patient(ground, &first).await?;
    cast.introduce_patients(&records.patients).await?;
    let cast = Arc::new(cast);

    say("Reading every one as doctor, patient, pharmacy and admin; the server decides each.")?;
    let watch = Stopwatch::start();
    let read = readback::by_everybody(&records, &cast, jobs).await?;
    report.read(&read, watch);
    report.denials = denial::explain(&records, &read, &cast).await?;

    say("Rotating the key, and wrapping every data key anew.")?;
    report.key_version = renewal::rotate(&cast, &key).await?;
    let watch = Stopwatch::start();
    let rewrapped = renewal::rewrap_all(&records, &cast, jobs).await?;
    report.rewrapped(rewrapped, watch);
    report.reopened = renewal::reopen(&records, &cast).await?;

    say("Sealing every one under a formula of its own, for readers who are off line; three try each.")?;
    let (sealed, kept) = sealed::play(source, &cast, &folder.join("sealed")).await?;
    report.sealed = sealed;

    let verdict = cast.administrator.with_deadline(VERIFY_LIMIT).audit().verify().await?;
    report.audit_verified = verdict.status == AuditStatus::Verified;
    report.audit_records = verdict.records;
    Ok((report, kept))
}

async fn make_key(cast: &Cast, key: &KeyId) -> Result<(), CommandError> {
    let admin = &cast.admin;
    admin.rings().create(&CreateRing { name: RING.to_owned(), labels: [].into() }).await?;
    let new = CreateKey {
        key: key.as_str().to_owned(),
        spec: KeySpec::Rsa3072,
        usage: KeyUsage::Wrap,
        labels: [].into(),
        rotation_days: None,
        activate: true,
    };
    admin.keys().create(&new).await?;
    Ok(())
}

/// The rules on records, without the comments of their file's head.
fn print_rules() -> Result<(), CommandError> {
    for (name, text) in BundleSource::clinic().policies {
        output::line(&format!("  // {name}"))?;
        for line in text.lines().filter(|line| !line.starts_with("//") && !line.trim().is_empty()) {
            output::line(&format!("  {line}"))?;
        }
        output::line("")?;
    }
    Ok(())
}

/// A folder to keep must be new: a server's state and somebody's files do not mix.
fn absent_or_empty(folder: &Path) -> Result<PathBuf, CommandError> {
    std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
    let mut inside = std::fs::read_dir(folder).map_err(FileError::at("read", folder))?;
    if inside.next().is_some() {
        let error = std::io::Error::new(std::io::ErrorKind::AlreadyExists, "it is not empty; name another folder");
        return Err(FileError::at("use", folder)(error).into());
    }
    Ok(std::path::absolute(folder).map_err(FileError::at("name", folder))?)
}
