//! The way from a command to its server: settings, a runtime, a client.

use std::future::Future;

use wardkeep_client::wire::Page;
use wardkeep_client::{Client, EntityUid, Paging, Renewal, Settings};

use super::CommandError;
use crate::args::connection::Connection;

/// What is missing before a server can be called.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectionError {
    /// A flag that has no default.
    #[error("{what} is not given: set `{flag}` or `{twin}` (`wardkeep dev` prints all of them)")]
    Missing { what: &'static str, flag: &'static str, twin: &'static str },
}

/// Opens a client and runs `work` with it to its end.
pub(crate) fn with_client<T, F>(connection: &Connection, work: impl FnOnce(Client) -> F) -> Result<T, CommandError>
where
    F: Future<Output = Result<T, CommandError>>,
{
    let settings = settings(connection)?;
    let subject = connection.subject.as_deref().map(EntityUid::parse).transpose()?;
    runtime()?.block_on(async {
        let client = Client::connect(settings).await?;
        work(match subject {
            Some(subject) => client.on_behalf_of(subject),
            None => client,
        })
        .await
    })
}

/// A runtime for one command.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime, CommandError> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(CommandError::Runtime)
}

/// The client's settings. A command does not renew the certificate behind its caller's back: `cert renew` does.
pub(crate) fn settings(connection: &Connection) -> Result<Settings, CommandError> {
    let Connection { address, ca, cert, cert_key, subject: _ } = connection;
    let missing = |what, flag, twin| ConnectionError::Missing { what, flag, twin };
    let address = address.as_deref().ok_or(missing("the server", "--address", "WARDKEEP_ADDRESS"))?;
    let ca = ca.as_ref().ok_or(missing("the server's CA", "--ca", "WARDKEEP_CA"))?;
    let cert = cert.as_ref().ok_or(missing("the caller's certificate", "--cert", "WARDKEEP_CERT"))?;
    let key = cert_key.as_ref().ok_or(missing("the certificate's key", "--cert-key", "WARDKEEP_KEY"))?;
    let mut settings = Settings::new(address, ca, cert, key)?;
    settings.renewal = Renewal::Elsewhere;
    Ok(settings)
}

/// Asks for page after page until the list ends or holds `limit` items.
pub(crate) async fn all_pages<T, F>(
    limit: Option<usize>,
    mut page: impl FnMut(Paging) -> F,
) -> Result<Vec<T>, CommandError>
where
    F: Future<Output = Result<Page<T>, wardkeep_client::CallError>>,
{
    let mut items = Vec::new();
    let mut cursor = None;
    loop {
        let wanted = limit.map(|limit| limit.saturating_sub(items.len()));
        if wanted == Some(0) {
            return Ok(items);
        }
        let size = wanted.map(|wanted| u32::try_from(wanted.min(100)).unwrap_or(100));
        let answer = page(Paging { limit: size, cursor: cursor.take() }).await?;
        items.extend(answer.items);
        if let Some(limit) = limit {
            items.truncate(limit);
        }
        match answer.next {
            Some(next) => cursor = Some(next),
            None => return Ok(items),
        }
    }
}
