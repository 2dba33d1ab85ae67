//! `wardkeep abe authority escrow` and `combine`: an authority as shares for custodians, and back.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wardkeep_abe::{Authority, RevocationList};
use wardkeep_client::RsaHolder;
use wardkeep_client::wire::authority::{EscrowAuthority, EscrowPackage};
use wardkeep_envelope::{OpenError, Opener};
use wardkeep_kms::escrow;
use zeroize::Zeroizing;

use super::folder::Folder;
use super::ledger::Ledger;
use super::{AbeError, files};
use crate::args::abe::remote::{Combine, Escrow};
use crate::command::CommandError;
use crate::command::data_key::recipient;
use crate::command::remote::with_client;
use crate::error::FileError;
use crate::installation::folder_of_owner;
use crate::output::{self, Format};
use crate::stop::sweep_when_told;
use crate::whole_file::{Readers, WholeFile};

/// What an envelope begins with.
const ENVELOPE: &[u8] = b"WARDKEEP";

/// What the context of a sealed share begins with; `docs/formats.md`, *Escrow*.
const CONTEXT: &[u8] = b"wardkeep escrow ";

/// A share, as shown.
#[derive(Serialize)]
struct Share {
    share: u8,
    file: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    recipient: Option<String>,
}

/// An authority that came back, as shown.
#[derive(Serialize)]
struct Combined {
    key: String,
    authority: String,
    version: u32,
    dir: PathBuf,
}

/// Exports an authority.
pub(super) fn escrow(format: Format, args: Escrow) -> Result<(), CommandError> {
    let Escrow { key, version, threshold, shares, recipients, plain, dir, connection } = args;
    // Before anybody is asked: an export that is refused half way is on record for nothing.
    if threshold > shares {
        let remedy = "at most as many as there are can be needed";
        return Err(AbeError::Shares { given: threshold.into(), what: "needed", shares, remedy }.into());
    }
    if !plain && recipients.len() != usize::from(shares) {
        let remedy = "name one for each, in their order";
        return Err(AbeError::Shares { given: recipients.len(), what: "recipients", shares, remedy }.into());
    }
    let recipients = recipients.iter().map(|path| recipient(path)).collect::<Result<_, _>>()?;
    let asked = EscrowAuthority { threshold, shares, version, recipients, plain };
    sweep_when_told()?;
    // Before anything is exported: what could not be kept anywhere would be an entry in the audit log for nothing.
    folder_of_owner(&dir)?;
    let readers = if asked.recipients.is_empty() { Readers::Owner } else { Readers::Anyone };
    let place = |share: u8| dir.join(format!("share-{share}"));
    let mut targets: BTreeMap<u8, WholeFile> = (1..=shares)
        .map(|share| Ok((share, WholeFile::create(&place(share), readers, false)?)))
        .collect::<Result<_, FileError>>()?;
    let made = with_client(&connection, |client| async move { Ok(client.authorities().escrow(&key, &asked).await?) })?;
    if made.packages.len() != targets.len() {
        return Err(AbeError::Answer.into());
    }
    // By its number, not by its place in the answer: each custodian is given the share that is sealed for them.
    let keep = |package: EscrowPackage| {
        let target = targets.remove(&package.share).ok_or(AbeError::Answer)?;
        keep(target, place(package.share), package)
    };
    let shown = made.packages.into_iter().map(keep).collect::<Result<Vec<_>, CommandError>>()?;
    Ok(output::show(format, &shown, &[])?)
}

/// Writes a share: sealed for its custodian, else as it is.
fn keep(mut target: WholeFile, file: PathBuf, package: EscrowPackage) -> Result<Share, CommandError> {
    let EscrowPackage { share, package, sealed } = package;
    let bytes = match (&package, &sealed) {
        (Some(plain), None) => plain.expose(),
        (None, Some(sealed)) => sealed.envelope.as_bytes(),
        _ => return Err(AbeError::Answer.into()),
    };
    target.write_all(bytes).map_err(FileError::at("write", &file))?;
    target.finish()?;
    Ok(Share { share, file, recipient: sealed.map(|sealed| sealed.recipient) })
}

/// Puts shares together into a folder of `wardkeep abe local`.
pub(super) fn combine(format: Format, args: &Combine) -> Result<(), CommandError> {
    let holders = args.private_keys.iter().map(|path| files::holder(path)).collect::<Result<Vec<_>, _>>()?;
    let packages = args.shares.iter().map(|path| share(path, &holders)).collect::<Result<Vec<_>, _>>()?;
    let found = escrow::combine(&packages)?;
    let decode = AbeError::decoding(&args.dir);
    let authority = Authority::from_bytes(found.authority.expose()).map_err(decode)?;
    let parameters = authority.parameters();
    let list = args.revocations.as_deref().map(|path| files::revocations(path, parameters)).transpose()?;
    let ledger = ledger(args, &found.key.to_string(), &authority, list.as_ref());

    sweep_when_told()?;
    Folder::create(&args.dir)?.found(&authority, &ledger)?;
    if list.is_none() {
        output::remark(
            "wardkeep: without `--revocations` no key counts as revoked here: lists of this folder would let those back in",
        );
    }
    let (authority, version) = (parameters.authority().to_string(), parameters.version());
    Ok(output::show(format, &Combined { key: found.key.to_string(), authority, version, dir: args.dir.clone() }, &[])?)
}

/// The serials that the service gave are not known here, and none may be given twice: without a word from the caller all
/// of them count as given.
fn ledger(args: &Combine, name: &str, authority: &Authority, list: Option<&RevocationList>) -> Ledger {
    let parameters = authority.parameters();
    let all = 1_u64 << parameters.terms().serial_bits();
    let next = args.next_serial.map_or(all, u64::from);
    Ledger::recovered(name, parameters.version(), next, list)
}

/// A share out of its file, opened where it is sealed.
fn share(path: &Path, holders: &[RsaHolder]) -> Result<Zeroizing<Vec<u8>>, CommandError> {
    let bytes = files::public(path)?;
    if !bytes.starts_with(ENVELOPE) {
        // Not sealed: then it is a secret, and read as one.
        return Ok(files::secret(path)?);
    }
    let opener = Opener::from_bytes(&bytes).map_err(AbeError::from)?;
    let context = opener.claimed_context().to_vec();
    if !context.starts_with(CONTEXT) {
        return Err(AbeError::Open(Box::new(OpenError::OtherContext)).into());
    }
    let holders: Vec<&dyn wardkeep_envelope::Unwrap> =
        holders.iter().map(|holder| holder as &dyn wardkeep_envelope::Unwrap).collect();
    Ok(Zeroizing::new(opener.open(&holders, &context).map_err(AbeError::from)?))
}
