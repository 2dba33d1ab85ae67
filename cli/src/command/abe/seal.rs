//! `wardkeep abe seal`: a file under a policy, with what the server publishes of the authority.

use wardkeep_abe::RevocationError;
use wardkeep_client::{AbeError as ClientError, AuthorityError};

use super::AbeError;
use super::authority::pinned;
use super::content::pour_into;
use super::error::InText as _;
use super::when::moment;
use crate::args::abe::remote::RemoteSeal;
use crate::command::file::{Target, Watched, finish};
use crate::command::remote::with_client;
use crate::command::{CommandError, context};
use crate::output::Format;
use crate::stop::sweep_when_told;
use crate::whole_file::Readers;

/// Protects a file.
pub(super) fn run(format: Format, args: RemoteSeal) -> Result<(), CommandError> {
    let RemoteSeal { key, policy, input, out, online_key, without_revocations, without_time, force, .. } = args;
    let (policy, file) = policy.read().map(|(text, file)| (text, file.cloned()))?;
    let context = context::of(&args.context)?;
    sweep_when_told()?;
    let source = Watched::open_or_stdin(&input, "sealing")?;
    let target = Target::create_or_stdout(&out, Readers::Anyone, force)?;
    let (pin, text) = (args.pin, policy.clone());
    let header = with_client(&args.connection, |client| async move {
        pinned(&client, &key, &pin)?;
        let mut sealer = client.abe(key.as_str()).await?;
        if let Some(online) = online_key {
            sealer = sealer.require_online(online);
        }
        if without_revocations {
            sealer = sealer.without_revocations();
        }
        if without_time {
            sealer = sealer.without_time();
        }
        Ok(sealer.start(&text, &context).await?)
    });
    let header = header.map_err(|error| match error {
        CommandError::Seal(ClientError::Policy(error)) => error.in_text(&policy, file.as_deref()).into(),
        CommandError::Seal(ClientError::Authority(AuthorityError::List(RevocationError::Stale {
            next_update,
            now,
        }))) => AbeError::StalePublished { next_update: moment(next_update), now: moment(now) }.into(),
        other => other,
    })?;
    let (target, bytes) = pour_into(header, (source, &input), (target, &out))?;
    finish(format, target, out, bytes)
}
