//! `wardkeep abe key`: user keys that the key service issues.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wardkeep_client::abe::Key;
use wardkeep_client::user_keys::{self, Answered, Issued, SealedKey, Wish};
use wardkeep_client::{Client, EntityUid, KeyId, Paging, RsaHolder};

use super::authority::pinned;
use super::when::moment;
use super::{AbeError, files};
use crate::args::abe::remote::{IssueKey, ListKeys, RevokeKeys, Unseal, UserKey, Which};
use crate::args::connection::Connection;
use crate::command::CommandError;
use crate::command::remote::{all_pages, with_client};
use crate::error::FileError;
use crate::output::{self, Format};
use crate::stop::sweep_when_told;
use crate::whole_file::{Readers, WholeFile};

/// What a list of user keys shows.
const COLUMNS: [&str; 7] = ["key", "version", "serial", "subject", "attributes", "valid_until", "revoked"];

/// A key, as shown.
#[derive(Serialize)]
struct Shown {
    file: PathBuf,
    key: String,
    version: u32,
    serial: u32,
    attributes: String,
    valid_until: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    sealed_for: Option<String>,
}

/// A key that was opened, as shown.
#[derive(Serialize)]
struct Unsealed {
    file: PathBuf,
    authority: String,
    version: u32,
    serial: Option<u32>,
    attributes: Vec<String>,
    ends: Option<String>,
}

/// What a revocation did, as shown.
#[derive(Serialize)]
struct Revoked {
    revoked: u64,
    /// The keys that were named by their serials.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    keys: Vec<Named>,
    lists: Vec<List>,
}

/// A key that was revoked, as shown.
#[derive(Serialize)]
struct Named {
    version: u32,
    serial: u32,
    /// Absent where it was not found: its key expired, or the caller may not list keys.
    holder: Option<String>,
}

/// A list that came of it, as shown.
#[derive(Serialize)]
struct List {
    version: u32,
    number: u64,
}

/// Most pages of issued keys that are looked through for the holders of revoked ones.
const PAGES: usize = 50;

/// Carries out a verb on user keys.
pub(super) fn run(format: Format, verb: UserKey) -> Result<(), CommandError> {
    match verb {
        UserKey::Issue(args) => issue(format, args),
        UserKey::Unseal(args) => unseal(format, &args),
        UserKey::List(args) => list(format, args),
        UserKey::Revoke(args) => revoke(format, args),
    }
}

fn issue(format: Format, args: IssueKey) -> Result<(), CommandError> {
    let IssueKey { key, out, valid_for, version, sealed, private_key, force, pin, connection } = args;
    let wish = Wish { valid_for, version };
    let holder = match (private_key, sealed) {
        (Some(path), _) => Some(files::holder(&path)?),
        (None, true) => Some(RsaHolder::generate()?),
        (None, false) => None,
    };
    sweep_when_told()?;
    // The file first: a place that cannot be written to costs no serial. Whether a subject that is named is the caller,
    // the server knows: what it answers may be the key itself.
    let target = WholeFile::create(&out, Readers::Owner, force)?;
    let for_subject = connection.subject.is_some();
    if for_subject && pin.signing_key.is_some() {
        // A key that stays sealed shows nobody here whose it is. What the authority publishes does, to the caller in their
        // own name.
        let own = Connection { subject: None, ..connection.clone() };
        let (key, pin) = (&key, &pin);
        with_client(&own, |client: Client| async move {
            pinned(&client, key, pin)?;
            Ok(client.authorities().parameters(key, wish.version).await?)
        })?;
    }
    let answered = with_client(&connection, |client: Client| async move {
        pinned(&client, &key, &pin)?;
        let keys = client.user_keys();
        Ok(match &holder {
            None if for_subject => keys.issue_for_subject(&key, &wish).await?,
            None => keys.issue(&key, &wish).await.map(|(issued, key)| Answered::Open(issued, key))?,
            Some(holder) => {
                keys.issue_sealed(&key, &wish, holder).await.map(|(issued, key)| Answered::Open(issued, key))?
            }
        })
    })?;
    match answered {
        Answered::Open(issued, made) => keep(format, target, (&out, &made.to_bytes()), issued, None),
        Answered::Sealed(SealedKey { issued, envelope, recipient }) => {
            keep(format, target, (&out, &envelope), issued, Some(recipient))
        }
    }
}

fn keep(
    format: Format,
    target: WholeFile,
    (out, bytes): (&Path, &[u8]),
    issued: Issued,
    sealed_for: Option<String>,
) -> Result<(), CommandError> {
    written(target, out, bytes)?;
    let Issued { key, version, serial, attributes, valid_until, parameters: _ } = issued;
    let (file, key) = (out.to_owned(), key.to_string());
    Ok(output::show(format, &Shown { file, key, version, serial, attributes, valid_until, sealed_for }, &[])?)
}

fn written(mut target: WholeFile, out: &Path, bytes: &[u8]) -> Result<(), CommandError> {
    target.write_all(bytes).map_err(FileError::at("write", out))?;
    Ok(target.finish()?)
}

fn unseal(format: Format, args: &Unseal) -> Result<(), CommandError> {
    let holder = files::holder(&args.private_key)?;
    let opened: Key = user_keys::unseal(&files::public(&args.input)?, None, &holder)?;
    if let Some(signing_key) = &args.pin.signing_key {
        opened.check_signer(signing_key).map_err(AbeError::decoding(&args.input))?;
    }
    sweep_when_told()?;
    written(WholeFile::create(&args.out, Readers::Owner, args.force)?, &args.out, &opened.to_bytes())?;
    let shown = Unsealed {
        file: args.out.clone(),
        authority: opened.parameters().authority().to_string(),
        version: opened.parameters().version(),
        serial: opened.serial(),
        attributes: opened.attributes(),
        ends: opened.ends_at().map(moment),
    };
    Ok(output::show(format, &shown, &[])?)
}

fn list(format: Format, args: ListKeys) -> Result<(), CommandError> {
    let ListKeys { key, holder, list } = args;
    let limit = list.limit;
    let found = with_client(&list.connection, |client| async move {
        all_pages(limit, |paging| {
            let (client, key, holder) = (client.clone(), key.clone(), holder.clone());
            async move { client.user_keys().list(key.as_ref(), holder.as_ref(), &paging).await }
        })
        .await
    })?;
    Ok(output::show(format, &found, &COLUMNS)?)
}

fn revoke(format: Format, args: RevokeKeys) -> Result<(), CommandError> {
    let RevokeKeys { key, version, which: Which { serials, holder }, connection } = args;
    let (done, keys) = with_client(&connection, |client| async move {
        if let Some(holder) = holder {
            return Ok((client.user_keys().revoke_all_of(&key, &holder).await?, Vec::new()));
        }
        let version = match version {
            Some(version) => version,
            None => only_version(&client, &key).await?,
        };
        let done = client.user_keys().revoke(&key, Some(version), &serials).await?;
        Ok((done, named(&client, &key, version, &serials).await))
    })?;
    let lists = done.lists.iter().map(|list| List { version: list.version, number: list.number }).collect();
    Ok(output::show(format, &Revoked { revoked: done.revoked, keys, lists }, &[])?)
}

/// The version that serials without one are of. Every version counts them anew: where there is more than one, they name
/// several people's keys, and the newest one's holder is rarely meant.
async fn only_version(client: &Client, key: &KeyId) -> Result<u32, CommandError> {
    match client.authorities().parameters(key, None).await {
        Ok(parameters) if parameters.version() == 1 => Ok(1),
        Ok(parameters) => Err(AbeError::WhichVersion { newest: parameters.version() }.into()),
        Err(error) => Err(error.into()),
    }
}

/// Whose keys they were. The revocation stands already: what cannot be had is left out.
async fn named(client: &Client, key: &KeyId, version: u32, serials: &[u32]) -> Vec<Named> {
    let mut keys: Vec<Named> = serials.iter().map(|serial| Named { version, serial: *serial, holder: None }).collect();
    let mut cursor = None;
    for _ in 0..PAGES {
        let paging = Paging { limit: Some(100), cursor: cursor.take() };
        let Ok(page) = client.user_keys().list(Some(key), None, &paging).await else { break };
        for found in page.items.iter().filter(|found| found.version == version) {
            for named in keys.iter_mut().filter(|named| named.serial == found.serial) {
                named.holder = EntityUid::new(&found.subject.kind, &found.subject.id).ok().map(|uid| uid.to_string());
            }
        }
        cursor = page.next;
        if cursor.is_none() || keys.iter().all(|named| named.holder.is_some()) {
            break;
        }
    }
    keys
}
