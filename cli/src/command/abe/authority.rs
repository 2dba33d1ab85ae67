//! `wardkeep abe authority` and `revocations`: authorities of the key service, and what they publish.

use std::path::PathBuf;

use serde::Serialize;
use wardkeep_client::Client;

use super::custody;
use super::files::Published;
use super::when::moment;
use crate::args::abe::remote::{Authority, Fetch, Pin};
use crate::args::keys::KeyList;
use crate::command::CommandError;
use crate::command::remote::{all_pages, with_client};
use crate::output::{self, Format};
use crate::stop::sweep_when_told;
use crate::whole_file::{self, Readers};

/// What a list of authorities shows.
const COLUMNS: [&str; 4] = ["key", "labels", "rotation_days", "created"];

/// Public parameters that were fetched, as shown.
#[derive(Serialize)]
struct Parameters {
    file: PathBuf,
    authority: String,
    version: u32,
    fingerprint: String,
    signing_key: String,
}

/// A list that was fetched, as shown.
#[derive(Serialize)]
struct List {
    file: PathBuf,
    version: u32,
    number: u64,
    revoked: usize,
    issued: String,
    next_update: String,
}

/// Carries out a verb on authorities.
pub(super) fn run(format: Format, verb: Authority) -> Result<(), CommandError> {
    let key = match verb {
        Authority::List(args) => return list(format, args),
        Authority::Parameters(args) => return parameters(format, args),
        Authority::Escrow(args) => return custody::escrow(format, args),
        Authority::Combine(args) => return custody::combine(format, &args),
        Authority::Create(args) => {
            with_client(&args.connection, |client| async move { Ok(client.authorities().create(&args.key).await?) })?
        }
        Authority::Get(args) => {
            with_client(&args.connection, |client| async move { Ok(client.keys().describe(&args.key).await?) })?
        }
        Authority::Rotate(args) => {
            with_client(
                &args.connection,
                |client| async move { Ok(client.authorities().rotate(&args.key, None).await?) },
            )?
        }
    };
    Ok(output::show(format, &key, &[])?)
}

fn list(format: Format, args: KeyList) -> Result<(), CommandError> {
    let (ring, limit) = (args.ring, args.list.limit);
    let mut found = with_client(&args.list.connection, |client| async move {
        // All pages, and then as many as were asked for: a page may hold keys of other usages, which are left out.
        all_pages(None, |paging| {
            let (client, ring) = (client.clone(), ring.clone());
            async move { client.authorities().list(ring.as_ref(), &paging).await }
        })
        .await
    })?;
    found.truncate(limit.unwrap_or(usize::MAX));
    Ok(output::show(format, &found, &COLUMNS)?)
}

/// The client, with the signing key pinned where one is named.
pub(super) fn pinned(client: &Client, key: &wardkeep_client::KeyId, pin: &Pin) -> Result<(), CommandError> {
    match &pin.signing_key {
        Some(signing_key) => Ok(client.authorities().pin(key, signing_key)?),
        None => Ok(()),
    }
}

fn parameters(format: Format, args: Fetch) -> Result<(), CommandError> {
    let Fetch { key, version, out, force, pin, connection } = args;
    Published::Parameters.check_place(&out, force)?;
    sweep_when_told()?;
    let found = with_client(&connection, |client| async move {
        pinned(&client, &key, &pin)?;
        Ok(client.authorities().parameters(&key, version).await?)
    })?;
    whole_file::write(&out, found.to_bytes(), Readers::Anyone, true)?;
    let shown = Parameters {
        file: out,
        authority: found.authority().to_string(),
        version: found.version(),
        fingerprint: hex(found.fingerprint()),
        signing_key: hex(found.signing_key()),
    };
    Ok(output::show(format, &shown, &[])?)
}

/// Fetches the newest revocation list.
pub(super) fn revocations(format: Format, args: Fetch) -> Result<(), CommandError> {
    let Fetch { key, version, out, force, pin, connection } = args;
    Published::List.check_place(&out, force)?;
    sweep_when_told()?;
    let (version, found) = with_client(&connection, |client| async move {
        pinned(&client, &key, &pin)?;
        let version = client.authorities().parameters(&key, version).await?.version();
        Ok((version, client.authorities().revocations(&key, Some(version)).await?))
    })?;
    whole_file::write(&out, found.to_bytes(), Readers::Anyone, true)?;
    let dates = found.dates();
    let shown = List {
        file: out,
        version,
        number: dates.number,
        revoked: found.revoked().len(),
        issued: moment(dates.issued_at),
        next_update: moment(dates.next_update),
    };
    Ok(output::show(format, &shown, &[])?)
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
