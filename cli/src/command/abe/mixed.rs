//! Policies beside the key service: `wardkeep encrypt --policy` and `wardkeep decrypt --abe-key`.
//!
//! | flags of `encrypt` | who opens |
//! |---|---|
//! | `--key` | whoever the key service lets |
//! | `--policy` | whoever satisfies the policy, off line |
//! | `--policy --key` | either of the two |
//! | `--policy --key --require-online` | who satisfies the policy *and* is let by the key service, every time anew |

use std::path::PathBuf;

use wardkeep_client::data_keys::new_data_key;
use wardkeep_client::wire;
use wardkeep_client::wire::data_key::UnwrapDataKey;
use wardkeep_client::{EncryptionContext, KeyId};
use wardkeep_envelope::{
    AbeReader, AbeRecipient, AllOf, AllOfStanza, DataKey, FileKey, OpenError, Opener, Recipient, Sealer, Stanza,
    Unwrap, WrappedKey,
};

use super::content::{context_bytes, expected, explained, pour_into};
use super::{AbeError, files, policy, random};
use crate::args::abe::Demands;
use crate::args::abe::remote::RemoteOpen;
use crate::args::connection::Connection;
use crate::command::CommandError;
use crate::command::abe::text::Text;
use crate::command::file::{Target, Watched, finish, pour};
use crate::command::remote::with_client;
use crate::installation::Machine;
use crate::output::Format;
use crate::stop::sweep_when_told;
use crate::whole_file::Readers;

/// What the flags of `encrypt --policy` say.
pub(crate) struct Sealing {
    pub(crate) parameters: PathBuf,
    pub(crate) policy: Text,
    pub(crate) demands: Demands,
    pub(crate) key: Option<KeyId>,
    pub(crate) require_online: bool,
    pub(crate) context: EncryptionContext,
}

/// From where to where.
pub(crate) struct Places {
    pub(crate) input: PathBuf,
    pub(crate) place: PathBuf,
    pub(crate) force: bool,
}

/// Protects a file under a policy, and a key of the key service where one is named.
pub(crate) fn encrypt(
    format: Format,
    sealing: &Sealing,
    places: Places,
    connection: &Connection,
) -> Result<(), CommandError> {
    let machine = Machine::default();
    let parameters = files::parameters(&sealing.parameters)?;
    let policy = policy(&sealing.policy, &sealing.demands, &parameters, &machine)?;
    let context = context_bytes(&sealing.context)?;
    sweep_when_told()?;
    let Places { input, place, force } = places;
    let source = Watched::open(&input, "encrypting")?;
    let target = Target::create(&place, Readers::Anyone, force)?;
    let recipient = AbeRecipient::new(&parameters, policy);
    let data_key = sealing.key.as_ref().map(|key| generated(key, &sealing.context, connection)).transpose()?;
    let mut random = random(&machine);
    let fresh = FileKey::random(&mut random).map_err(AbeError::from)?;
    let sealer = match &data_key {
        None => Sealer::new(&fresh, &[&recipient], &context, &mut random),
        Some(data_key) if sealing.require_online => {
            let both: [&dyn Recipient; 2] = [&recipient, data_key];
            Sealer::new(&fresh, &[&AllOf::new(&both).map_err(AbeError::from)?], &context, &mut random)
        }
        Some(data_key) => Sealer::new(data_key.file_key(), &[data_key, &recipient], &context, &mut random),
    };
    let (target, bytes) = pour_into(sealer.map_err(AbeError::from)?, (source, &input), (target, &place))?;
    finish(format, target, place, bytes)
}

/// Opens a file with a key for attributes; the key service is asked only where the file asks for both, and only once
/// the attributes are known to be enough.
pub(crate) fn decrypt(
    format: Format,
    key: &std::path::Path,
    places: Places,
    connection: &Connection,
) -> Result<(), CommandError> {
    opened(format, key, (None, places), connection)
}

/// `wardkeep abe open`: the same, with the context that the caller expects and standard streams.
pub(super) fn open(format: Format, args: RemoteOpen) -> Result<(), CommandError> {
    let RemoteOpen { key_file, input, out, force, context, connection } = args;
    let expected = expected(&context)?;
    opened(format, &key_file, (expected, Places { input, place: out, force }), &connection)
}

fn opened(
    format: Format,
    key: &std::path::Path,
    (expected, places): (Option<Vec<u8>>, Places),
    connection: &Connection,
) -> Result<(), CommandError> {
    let (parameters, user_key) = files::key(key)?;
    let reader = AbeReader::new(&parameters, &user_key).map_err(AbeError::decoding(key))?;
    let Places { input, place, force } = places;
    sweep_when_told()?;
    let opener = Opener::from_reader(Watched::open_or_stdin(&input, "decrypting")?).map_err(AbeError::from)?;
    let (stanzas, claimed) = (opener.stanzas().to_vec(), opener.claimed_context().to_vec());
    // Before a server is asked about it: it would decide on the record that the file claims to be.
    if expected.as_ref().is_some_and(|expected| *expected != claimed) {
        return Err(AbeError::Open(Box::new(OpenError::OtherContext)).into());
    }
    let context = claimed;
    let wrapped = beside(&stanzas, &reader);
    let data_key = wrapped.map(|wrapped| unwrapped(&wrapped, &context, connection)).transpose()?;
    let mut holders: Vec<&dyn Unwrap> = vec![&reader];
    holders.extend(data_key.iter().map(|key| key as &dyn Unwrap));
    let opened = opener.reader(&holders, &context).map_err(|error| explained(error, &stanzas, &user_key))?;
    let mut target = Target::create_or_stdout(&place, Readers::Owner, force)?;
    let bytes = pour(opened, &mut target, (&input, &place))?;
    finish(format, target, place, bytes)
}

/// The wrapped data key that the key service is to be asked about: that of the first combination whose policy this
/// reader satisfies. `None` where the reader opens the envelope alone, or not at all.
fn beside(stanzas: &[Stanza], reader: &AbeReader<'_>) -> Option<WrappedKey> {
    let opens = |stanza: &Stanza| matches!(reader.unwrap(stanza), Some(Ok(_)));
    if stanzas.iter().any(opens) {
        return None;
    }
    let combined = stanzas.iter().filter_map(|stanza| AllOfStanza::read(stanza)?.ok());
    combined
        .filter(|combined| combined.parts().iter().any(opens))
        .find_map(|combined| combined.parts().iter().find_map(|part| WrappedKey::read(part)?.ok()))
}

fn generated(key: &KeyId, context: &EncryptionContext, connection: &Connection) -> Result<DataKey, CommandError> {
    let question = new_data_key(key, context);
    let made = with_client(connection, |client| async move { Ok(client.data_keys().generate(&question).await?) })?;
    let plain = made.plaintext.and_then(|plain| FileKey::from_slice(plain.expose())).ok_or(AbeError::Answer)?;
    Ok(DataKey::new(&made.key, made.wrapped.0, plain).map_err(AbeError::from)?)
}

fn unwrapped(wrapped: &WrappedKey, context: &[u8], connection: &Connection) -> Result<DataKey, CommandError> {
    // The context goes to the service as the envelope has it: unwrapping is bound to it, and the check binds it again.
    let context: wire::Context = serde_json::from_slice(context).map_err(AbeError::ForeignContext)?;
    let question = UnwrapDataKey { wrapped: wrapped.wrapped().into(), context, recipient: None };
    let opened = with_client(connection, |client| async move { Ok(client.data_keys().unwrap(&question).await?) })?;
    let plain = opened.plaintext.and_then(|plain| FileKey::from_slice(plain.expose())).ok_or(AbeError::Answer)?;
    Ok(DataKey::new(wrapped.key(), wrapped.wrapped().to_vec(), plain).map_err(AbeError::from)?)
}
