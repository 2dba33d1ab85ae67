//! Policies beside the key service: `wardkeep encrypt --policy` and `wardkeep decrypt --abe-key`.
//!
//! | flags of `encrypt` | who opens |
//! |---|---|
//! | `--key` | whoever the key service lets |
//! | `--policy` | whoever satisfies the policy, off line |
//! | `--policy --key` | either of the two |
//! | `--policy --key --require-online` | who satisfies the policy *and* is let by the key service, every time anew |

use std::path::{Path, PathBuf};

use wardkeep_client::data_keys::new_data_key;
use wardkeep_client::{EncryptionContext, KeyId};
use wardkeep_envelope::{AbeRecipient, AllOf, DataKey, FileKey, Recipient, Sealer};

use super::content::{context_bytes, opening, pour_into, refused};
use super::{AbeError, files, policy, random};
use crate::args::abe::Demands;
use crate::args::abe::remote::RemoteOpen;
use crate::args::connection::Connection;
use crate::command::abe::text::Text;
use crate::command::file::{Target, Watched, finish, pour};
use crate::command::remote::with_client;
use crate::command::{CommandError, context};
use crate::installation::Machine;
use crate::output::Format;
use crate::stop::sweep_when_told;
use crate::whole_file::Readers;

/// What the flags of `encrypt --policy` say.
pub(crate) struct Sealing {
    pub(crate) parameters: PathBuf,
    pub(crate) signing_key: Option<[u8; 32]>,
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
    let parameters = files::parameters_of(&sealing.parameters, sealing.signing_key.as_ref())?;
    let policy = policy(&sealing.policy, &sealing.demands, &parameters, &machine)?;
    let context = context_bytes(&sealing.context)?;
    sweep_when_told()?;
    let Places { input, place, force } = places;
    let source = Watched::open_or_stdin(&input, "encrypting")?;
    let target = Target::create_or_stdout(&place, Readers::Anyone, force)?;
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
pub(crate) fn decrypt(format: Format, key: &Path, places: Places, connection: &Connection) -> Result<(), CommandError> {
    opened(format, key, (EncryptionContext::default(), places), connection)
}

/// `wardkeep abe open`: the same, with the context that the caller expects and standard streams.
pub(super) fn open(format: Format, args: RemoteOpen) -> Result<(), CommandError> {
    let RemoteOpen { key_file, input, out, force, context, connection } = args;
    let expected = context::of(&context)?;
    opened(format, &key_file, (expected, Places { input, place: out, force }), &connection)
}

fn opened(
    format: Format,
    key: &Path,
    (expected, places): (EncryptionContext, Places),
    connection: &Connection,
) -> Result<(), CommandError> {
    let key = &files::reader(key)?;
    let Places { input, place, force } = places;
    // Before the key service decides, which is on record: a place that is taken costs no decision.
    Target::check(&place, force)?;
    sweep_when_told()?;
    // A context that is not the expected one too: the service would decide on the record that the file claims to be.
    let opening = opening(Watched::open_or_stdin(&input, "decrypting")?, expected)?;
    let released = match opening.needs_server(key)? {
        true => {
            let opening = &opening;
            with_client(connection, |client| async move { Ok(client.released(opening, key).await?) })?
        }
        false => None,
    };
    let opened = opening.reader(key, released.as_ref()).map_err(refused)?;
    let mut target = Target::create_or_stdout(&place, Readers::Owner, force)?;
    let bytes = pour(opened, &mut target, (&input, &place))?;
    finish(format, target, place, bytes)
}

fn generated(key: &KeyId, context: &EncryptionContext, connection: &Connection) -> Result<DataKey, CommandError> {
    let question = new_data_key(key, context);
    let made = with_client(connection, |client| async move { Ok(client.data_keys().generate(&question).await?) })?;
    let plain = made.plaintext.and_then(|plain| FileKey::from_slice(plain.expose())).ok_or(AbeError::Answer)?;
    Ok(DataKey::new(&made.key, made.wrapped.0, plain).map_err(AbeError::from)?)
}
