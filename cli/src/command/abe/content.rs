//! `wardkeep abe local seal` and `open`: whole files, in memory that does not grow with them.

use std::path::Path;

use wardkeep_abe::{AuthorityId, PublicParameters, UserKey};
use wardkeep_client::EncryptionContext;
use wardkeep_client::data_keys::opened_data_key;
use wardkeep_envelope::{
    AbeReader, AbeRecipient, AbeStanza, AllOfStanza, FileKey, OpenError, Opener, Sealer, Stanza, UnwrapError,
};

use super::{AbeError, files, folder, policy, random};
use crate::args::abe::{Open, Public, Seal};
use crate::args::keys::Context;
use crate::command::CommandError;
use crate::command::context;
use crate::command::file::{Target, Watched, finish, pour};
use crate::installation::Machine;
use crate::output::Format;
use crate::stop::sweep_when_told;
use crate::whole_file::Readers;

/// Protects a file under a policy.
pub(super) fn seal(format: Format, args: Seal) -> Result<(), CommandError> {
    let Seal { public, policy: text, input, out, context: flags, demands, force } = args;
    let machine = Machine::default();
    let parameters = parameters(&public)?;
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
    let (parameters, key) = files::key(&key)?;
    let expected = expected(&flags)?;
    // Whatever ends it before its time, no plaintext stays.
    sweep_when_told()?;
    let source = Watched::open_or_stdin(&input, "opening")?;
    let opener = Opener::from_reader(source).map_err(AbeError::from)?;
    let context = expected.unwrap_or_else(|| opener.claimed_context().to_vec());
    let stanzas = opener.stanzas().to_vec();
    let reader = AbeReader::new(&parameters, &key).map_err(AbeError::decoding(&input))?;
    let opened = opener.reader(&[&reader], &context);
    let plain = opened.map_err(|error| explained(error, &stanzas, &key))?;
    // Only now: a refusal leaves a file that stands there alone, and asks for no room.
    let mut target = Target::create_or_stdout(&out, Readers::Owner, force)?;
    let bytes = pour(plain, &mut target, (&input, &out))?;
    finish(format, target, out, bytes)
}

fn parameters(public: &Public) -> Result<PublicParameters, AbeError> {
    match (&public.parameters, &public.dir) {
        (Some(path), _) => files::parameters(path),
        (None, Some(dir)) => folder::parameters(dir),
        // The command line takes exactly one of the two.
        (None, None) => Err(AbeError::NoAuthority { path: ".".into() }),
    }
}

/// The context that an opener asks for; `None` where the flags name none, and the envelope's own is taken.
pub(super) fn expected(flags: &Context) -> Result<Option<Vec<u8>>, CommandError> {
    let context = context::of(flags)?;
    if context == EncryptionContext::default() { Ok(None) } else { context_bytes(&context).map(Some) }
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

/// The policies of an envelope, those in combinations included.
pub(super) fn policies(stanzas: &[Stanza]) -> impl Iterator<Item = AbeStanza> {
    let parts = |stanza: &Stanza| match AllOfStanza::read(stanza) {
        Some(Ok(combined)) => combined.parts().to_vec(),
        _ => vec![stanza.clone()],
    };
    stanzas.iter().flat_map(parts).filter_map(|stanza| AbeStanza::read(&stanza)?.ok())
}

/// Says more of a refusal than the envelope's room can: whose key it would take.
pub(super) fn explained(error: OpenError, stanzas: &[Stanza], key: &UserKey) -> AbeError {
    match error {
        OpenError::NotForUs { .. } => {
            let sealed: Vec<(AuthorityId, u32)> =
                policies(stanzas).map(|found| (found.ciphertext().authority(), found.ciphertext().version())).collect();
            let (authority, version) = (key.authority(), key.version());
            match (sealed.iter().find(|(found, _)| *found == authority), sealed.first()) {
                (Some(&(_, found)), _) => AbeError::OtherVersion { found, held: version },
                (None, Some(&(found, _))) => AbeError::OtherAuthority { found, held: authority },
                (None, None) => AbeError::NoPolicy,
            }
        }
        OpenError::Unwrap(UnwrapError::PartMissing { .. }) => AbeError::NeedsServer,
        other => other.into(),
    }
}
