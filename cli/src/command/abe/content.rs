//! `wardkeep abe local seal` and `open`: whole files, in memory that does not grow with them.

use std::path::Path;

use wardkeep_abe::PublicParameters;
use wardkeep_client::abe::Opening;
use wardkeep_client::data_keys::opened_data_key;
use wardkeep_client::{AbeError as ClientError, EncryptionContext};
use wardkeep_envelope::{AbeRecipient, FileKey, Sealer};

use super::{AbeError, files, folder, policy, random};
use crate::args::abe::remote::Pin;
use crate::args::abe::{Open, Public, Seal};
use crate::command::CommandError;
use crate::command::context;
use crate::command::file::{Target, Watched, finish, pour};
use crate::installation::Machine;
use crate::output::Format;
use crate::stop::sweep_when_told;
use crate::whole_file::Readers;

/// Protects a file under a policy.
pub(super) fn seal(format: Format, args: Seal) -> Result<(), CommandError> {
    let Seal { public, pin, policy: text, input, out, context: flags, demands, force } = args;
    let machine = Machine::default();
    let parameters = parameters(&public, &pin)?;
    let policy = policy(&text, &demands, &parameters, &machine)?;
    let context = context_bytes(&context::of(&flags)?)?;
    sweep_when_told()?;
    let source = Watched::open_or_stdin(&input, "sealing")?;
    let target = Target::create_or_stdout(&out, Readers::Anyone, force)?;
    let mut random = random(&machine);
    let file_key = FileKey::random(&mut random).map_err(AbeError::from)?;
    let recipient = AbeRecipient::new(&parameters, policy);
    let sealer = Sealer::new(&file_key, &[&recipient], &context, &mut random).map_err(AbeError::from)?;
    let (target, bytes) = pour_into(sealer, (source, &input), (target, &out))?;
    finish(format, target, out, bytes)
}

/// Opens a protected file, off line. After any error nothing stands under the output's name.
pub(super) fn open(format: Format, args: Open) -> Result<(), CommandError> {
    let Open { key, input, out, context: flags, force } = args;
    let (key, context) = (files::reader(&key)?, context::of(&flags)?);
    Target::check(&out, force)?;
    // Whatever ends it before its time, no plaintext stays.
    sweep_when_told()?;
    let opening = opening(Watched::open_or_stdin(&input, "opening")?, context)?;
    let plain = opening.reader(&key, None).map_err(refused)?;
    // Only now: a refusal leaves a file that stands there alone, and asks for no room.
    let mut target = Target::create_or_stdout(&out, Readers::Owner, force)?;
    let bytes = pour(plain, &mut target, (&input, &out))?;
    finish(format, target, out, bytes)
}

fn parameters(public: &Public, pin: &Pin) -> Result<PublicParameters, AbeError> {
    let (path, found) = match (&public.parameters, &public.dir) {
        (Some(path), _) => (path, files::parameters(path)?),
        (None, Some(dir)) => (dir, folder::parameters(dir)?),
        // The command line takes exactly one of the two.
        (None, None) => return Err(AbeError::NoAuthority { path: ".".into() }),
    };
    files::signed_by(&found, pin.signing_key.as_ref(), path)?;
    Ok(found)
}

/// A file whose header was read. It has to be of the context that the flags name; where they name none, it is of its own.
pub(super) fn opening(source: Watched, expected: EncryptionContext) -> Result<Opening<Watched>, CommandError> {
    let read = Opening::read(source).map_err(refused)?;
    if expected == EncryptionContext::default() { Ok(read) } else { read.expecting(&expected).map_err(refused) }
}

/// Why a file did not open, with what to do about it on a command line.
pub(super) fn refused(error: ClientError) -> CommandError {
    match error {
        ClientError::NeedsServer => AbeError::NeedsServer.into(),
        ClientError::NoPolicy => AbeError::NoPolicy.into(),
        other => other.into(),
    }
}

/// A context as it stands in the envelopes of the client: its wire form, so that files go both ways.
pub(super) fn context_bytes(context: &EncryptionContext) -> Result<Vec<u8>, CommandError> {
    let question = opened_data_key(&[], context, None);
    serde_json::to_vec(&question.context).map_err(|error| AbeError::Context(error).into())
}

/// Seals all of a source.
pub(super) fn pour_into(
    sealer: Sealer,
    (source, from): (Watched, &Path),
    (target, to): (Target, &Path),
) -> Result<(Target, u64), CommandError> {
    let failed = |error| crate::error::FileError::at("write", to)(error);
    let mut writer = sealer.writer(target).map_err(failed)?;
    let bytes = pour(source, &mut writer, (from, to))?;
    Ok((writer.finish().map_err(failed)?, bytes))
}
