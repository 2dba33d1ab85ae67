//! An authority in a folder: setup, issue, revoke, revocations, rotate; and delegate, which needs none.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wardkeep_abe::{
    Attributes, Authority, AuthorityId, Bucket, BucketLength, Dates, Grant, IssueError, Narrowing, PublicParameters,
    Serial, Terms, UserKey, to_key_file,
};

use super::error::InText as _;
use super::files::Published;
use super::folder::Folder;
use super::ledger::Ledger;
use super::when::{self, Edge, When};
use super::{AbeError, files, now, seed};
use crate::args::abe::{self as args, SerialChoice};
use crate::command::CommandError;
use crate::error::FileError;
use crate::installation::Machine;
use crate::output::{self, Format};
use crate::stop::sweep_when_told;
use crate::whole_file::{self, Readers, WholeFile};

/// An authority, as shown.
#[derive(Serialize)]
struct Shown {
    name: String,
    authority: String,
    version: u32,
    parameters: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    former: Option<PathBuf>,
}

/// A key, as shown.
#[derive(Serialize)]
struct ShownKey {
    key: PathBuf,
    authority: String,
    version: u32,
    attributes: Vec<String>,
    valid_until: Option<String>,
    serial: Option<u32>,
}

/// Makes an authority.
pub(super) fn setup(format: Format, args: &args::Setup) -> Result<(), CommandError> {
    let machine = Machine::default();
    let schema = files::schema(args.schema.as_deref())?;
    let terms = Terms::new(length(args.bucket), args.serial_bits).map_err(AbeError::from)?;
    let name = args.name.clone().unwrap_or_else(|| name_of(&args.dir));
    sweep_when_told()?;
    let folder = Folder::create(&args.dir)?;
    let mut id = [0; 16];
    machine.entropy.fill(&mut id).map_err(AbeError::from)?;
    let authority = Authority::generate(AuthorityId(id), schema, terms, seed(&machine)?);
    let ledger = Ledger::new(&name, authority.parameters().version());
    folder.found(&authority, &ledger)?;
    show(format, &folder, &authority, ledger, None)
}

/// Begins a new version.
pub(super) fn rotate(format: Format, args: &args::Rotate) -> Result<(), CommandError> {
    let machine = Machine::default();
    sweep_when_told()?;
    let folder = Folder::open(&args.dir)?;
    let (former, kept) = folder.load()?;
    let (schema, terms) = (former.parameters().schema(), former.parameters().terms());
    let schema = match &args.schema {
        Some(path) => files::schema(Some(path))?,
        None => schema.clone(),
    };
    let bucket = args.bucket.map_or(terms.bucket_length(), length);
    let terms = Terms::new(bucket, args.serial_bits.unwrap_or(terms.serial_bits())).map_err(AbeError::from)?;
    let new = former.rotate(schema, terms, seed(&machine)?).map_err(AbeError::from)?;
    let ledger = Ledger::new(&kept.name, new.parameters().version());
    let below = folder.replace((&former, &kept), (&new, &ledger))?;
    show(format, &folder, &new, ledger, Some(below))
}

fn show(
    format: Format,
    folder: &Folder,
    authority: &Authority,
    ledger: Ledger,
    former: Option<PathBuf>,
) -> Result<(), CommandError> {
    let parameters = authority.parameters();
    let (authority, version) = (parameters.authority().to_string(), parameters.version());
    let shown = Shown { name: ledger.name, authority, version, parameters: folder.parameters(), former };
    Ok(output::show(format, &shown, &["name", "authority", "version", "parameters", "former"])?)
}

/// Issues a key.
pub(super) fn issue(format: Format, args: &args::Issue) -> Result<(), CommandError> {
    let machine = Machine::default();
    let (text, file) = args.attributes.read()?;
    sweep_when_told()?;
    let folder = Folder::open(&args.dir)?;
    let (authority, mut ledger) = folder.load()?;
    let parameters = authority.parameters();
    let attributes = Attributes::parse(&text, parameters.schema())
        .map_err(|error| error.in_text(&text, file.map(PathBuf::as_path)))?;
    let valid_until = until(args, parameters.terms(), now(&machine))?;
    remark_on_past(valid_until, parameters.terms(), now(&machine));
    // The file first, then the serial, durable, then the key: a place that cannot be written to costs no serial, and
    // a serial that was given is never given again, whatever happens next.
    let target = WholeFile::create(&args.out, Readers::Owner, args.force)?;
    let serial = match args.serial {
        None => None,
        Some(choice) => Some(number(&folder, &mut ledger, choice, (parameters.terms(), valid_until))?),
    };
    if serial.is_some() && valid_until.is_none() {
        output::remark(
            "wardkeep: a key that does not expire opens nothing that was sealed with a list of revoked keys",
        );
    }
    let grant = Grant { attributes: &attributes, valid_until, serial };
    let key = authority.issue(&grant, seed(&machine)?).map_err(AbeError::from)?;
    keep(format, target, &args.out, parameters, &key)
}

/// Gives a serial; durable when this returns.
fn number(
    folder: &Folder,
    ledger: &mut Ledger,
    choice: SerialChoice,
    (terms, valid_until): (&Terms, Option<Bucket>),
) -> Result<Serial, AbeError> {
    let wanted = match choice {
        SerialChoice::Auto => None,
        SerialChoice::Number(number) => Some(number),
    };
    let serial = ledger.give(wanted, valid_until)?;
    if !terms.has_serial(serial) {
        return Err(IssueError::SerialOutOfRange { serial }.into());
    }
    folder.keep(ledger)?;
    Ok(serial)
}

/// The last bucket that was asked for.
fn until(args: &args::Issue, terms: &Terms, now: u64) -> Result<Option<Bucket>, AbeError> {
    let days = |days: u32| {
        let end = now.saturating_add(u64::from(days) * 86_400);
        terms.bucket_at(end).ok_or(AbeError::OutOfTime)
    };
    match (args.valid_until, args.days) {
        (Some(when), _) => when.bucket(Edge::End, terms, now).map(Some),
        (None, Some(count)) => days(count).map(Some),
        (None, None) => Ok(None),
    }
}

/// A key that ends before it begins opens what was sealed for then: rarely what is meant.
fn remark_on_past(valid_until: Option<Bucket>, terms: &Terms, now: u64) {
    if let Some(bucket) = valid_until.filter(|bucket| terms.end_of(*bucket) <= now) {
        let end = when::last_moment(terms, bucket);
        output::remark(&format!(
            "wardkeep: the key ends with {end}, before now: it opens nothing that is sealed from now on"
        ));
    }
}

/// Writes a key file and shows what the key is.
fn keep(
    format: Format,
    mut target: WholeFile,
    place: &Path,
    parameters: &PublicParameters,
    key: &UserKey,
) -> Result<(), CommandError> {
    target.write_all(&to_key_file(parameters, key)).map_err(FileError::at("write", place))?;
    target.finish()?;
    let shown = ShownKey {
        key: place.to_owned(),
        authority: key.authority().to_string(),
        version: key.version(),
        attributes: key.attributes(),
        valid_until: key.valid_until().map(|bucket| when::last_moment(parameters.terms(), bucket)),
        serial: key.serial().map(Serial::number),
    };
    Ok(output::show(format, &shown, &["key", "authority", "version", "attributes", "valid_until", "serial"])?)
}

/// What a revocation shows.
#[derive(Serialize)]
struct Revoked {
    revoked: Vec<u32>,
    next: &'static str,
}

/// Revokes keys: all of them, or none where one was never given.
pub(super) fn revoke(format: Format, args: &args::Revoke) -> Result<(), CommandError> {
    sweep_when_told()?;
    let folder = Folder::open(&args.dir)?;
    let (_, mut ledger) = folder.load()?;
    let mut revoked = Vec::new();
    for serial in &args.serials {
        if ledger.revoke(*serial)? {
            revoked.push(*serial);
        } else {
            output::remark(&format!("wardkeep: serial {serial} was revoked before"));
        }
    }
    folder.keep(&ledger)?;
    let next = "wardkeep abe local revocations, and give the list to whoever seals";
    Ok(output::show(format, &Revoked { revoked, next }, &[])?)
}

/// A list, as shown.
#[derive(Serialize)]
struct List {
    list: PathBuf,
    number: u64,
    revoked: usize,
    next_update: String,
}

/// Signs the list of revoked keys.
pub(super) fn revocations(format: Format, args: &args::Revocations) -> Result<(), CommandError> {
    let machine = Machine::default();
    Published::List.check_place(&args.out, args.force)?;
    sweep_when_told()?;
    let folder = Folder::open(&args.dir)?;
    let (authority, mut ledger) = folder.load()?;
    let (issued_at, terms) = (now(&machine), authority.parameters().terms());
    let next_update = issued_at.saturating_add(u64::from(args.life_days) * 86_400);
    let number = ledger.next_list();
    let bucket = terms.bucket_at(issued_at).ok_or(AbeError::OutOfTime)?;
    let last = Bucket::new(u32::MAX >> (32 - terms.bucket_length().bits()));
    let revoked = ledger.revoked(bucket, last);
    let count = revoked.len();
    // The number is durable before a list carries it: of two lists of one number, nobody could say which is newer.
    folder.keep(&ledger)?;
    let list = authority.revocation_list(Dates { number, issued_at, next_update }, revoked).map_err(AbeError::from)?;
    whole_file::write(&args.out, list.to_bytes(), Readers::Anyone, true)?;
    let shown = List { list: args.out.clone(), number, revoked: count, next_update: when::moment(next_update) };
    Ok(output::show(format, &shown, &["list", "number", "revoked", "next_update"])?)
}

/// Derives a weaker key.
pub(super) fn delegate(format: Format, args: args::Delegate) -> Result<(), CommandError> {
    let args::Delegate { key, out, without, without_value, valid_until, force } = args;
    let machine = Machine::default();
    let (parameters, parent) = files::key(&key)?;
    let valid_until = valid_until.map(|when: When| when.bucket(Edge::End, parameters.terms(), now(&machine)));
    let valid_until = valid_until.transpose()?;
    remark_on_past(valid_until, parameters.terms(), now(&machine));
    let narrowing = Narrowing { without, without_values: without_value, valid_until };
    sweep_when_told()?;
    let target = WholeFile::create(&out, Readers::Owner, force)?;
    let child = parent.delegate(&parameters, &narrowing, seed(&machine)?).map_err(AbeError::from)?;
    keep(format, target, &out, &parameters, &child)
}

fn length(bucket: args::Bucket) -> BucketLength {
    match bucket {
        args::Bucket::Day => BucketLength::Day,
        args::Bucket::Hour => BucketLength::Hour,
    }
}

/// The folder's own name; for `.` that of where it leads to.
fn name_of(dir: &Path) -> String {
    let absolute = std::path::absolute(dir).unwrap_or_else(|_| dir.to_owned());
    absolute.file_name().map_or_else(|| "authority".to_owned(), |name| name.to_string_lossy().into_owned())
}
