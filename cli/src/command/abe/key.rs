//! `wardkeep abe key`: user keys that the key service issues.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wardkeep_client::abe::Key;
use wardkeep_client::user_keys::{self, Issued, SealedKey, Wish};
use wardkeep_client::{Client, RsaHolder};

use super::authority::pinned;
use super::when::moment;
use super::{AbeError, files};
use crate::args::abe::remote::{IssueKey, ListKeys, RevokeKeys, Unseal, UserKey, Which};
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
    lists: Vec<u64>,
}

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
        (Some(path), _) => Some(RsaHolder::from_file(&path)?),
        (None, true) => Some(RsaHolder::generate()?),
        (None, false) => None,
    };
    sweep_when_told()?;
    // The file first: a place that cannot be written to costs no serial.
    let (for_another, readers) = match connection.subject.is_some() {
        true => (true, Readers::Anyone),
        false => (false, Readers::Owner),
    };
    let target = WholeFile::create(&out, readers, force)?;
    if for_another {
        let made =
            with_client(
                &connection,
                |client| async move { Ok(client.user_keys().issue_for_another(&key, &wish).await?) },
            )?;
        let SealedKey { issued, envelope, recipient } = made;
        return keep(format, target, (&out, &envelope), issued, Some(recipient));
    }
    let (issued, made) = with_client(&connection, |client: Client| async move {
        pinned(&client, &key, &pin)?;
        let keys = client.user_keys();
        Ok(match &holder {
            Some(holder) => keys.issue_sealed(&key, &wish, holder).await?,
            None => keys.issue(&key, &wish).await?,
        })
    })?;
    keep(format, target, (&out, &made.to_bytes()), issued, None)
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
    let holder = RsaHolder::from_file(&args.private_key)?;
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
    let done = with_client(&connection, |client| async move {
        Ok(match holder {
            Some(holder) => client.user_keys().revoke_all_of(&key, &holder).await?,
            None => client.user_keys().revoke(&key, version, &serials).await?,
        })
    })?;
    let lists = done.lists.iter().map(|list| list.number).collect();
    Ok(output::show(format, &Revoked { revoked: done.revoked, lists }, &[])?)
}
