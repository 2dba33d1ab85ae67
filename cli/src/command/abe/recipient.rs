//! `wardkeep abe recipient`: public keys registered for people, for whom others have user keys issued.

use crate::args::abe::remote::Recipient;
use crate::command::CommandError;
use crate::command::data_key::recipient;
use crate::command::remote::with_client;
use crate::output::{self, Format};

/// Carries out a verb on registered public keys.
pub(super) fn run(format: Format, verb: Recipient) -> Result<(), CommandError> {
    let shown = match verb {
        Recipient::Put(args) => {
            let (key, entity) = (recipient(&args.recipient)?, args.subject.entity);
            with_client(&args.subject.connection, |client| async move {
                Ok(client.recipients().put(&entity, key, None).await?)
            })?
        }
        Recipient::Get(args) => {
            with_client(&args.connection, |client| async move { Ok(client.recipients().get(&args.entity).await?) })?
        }
        Recipient::Delete(args) => {
            return with_client(&args.connection, |client| async move {
                Ok(client.recipients().delete(&args.entity, None).await?)
            });
        }
    };
    Ok(output::show(format, &shown, &[])?)
}
