//! `wardkeep ring`: create, list, describe, delete.

use wardkeep_client::wire::ring::CreateRing;

use super::CommandError;
use super::remote::{all_pages, with_client};
use crate::args::keys::Ring;
use crate::output::{self, Format};

/// What a list of rings shows.
const COLUMNS: [&str; 3] = ["name", "labels", "created"];

/// Carries out a verb on rings.
pub(crate) fn run(format: Format, verb: Ring) -> Result<(), CommandError> {
    match verb {
        Ring::Create(args) => {
            let ring = CreateRing { name: args.name.as_str().to_owned(), labels: args.labels.into_iter().collect() };
            let made = with_client(&args.connection, |client| async move { Ok(client.rings().create(&ring).await?) })?;
            output::show(format, &made, &[])?;
        }
        Ring::List(args) => {
            let limit = args.limit;
            let rings = with_client(&args.connection, |client| async move {
                all_pages(limit, |paging| {
                    let client = client.clone();
                    async move { client.rings().list(&paging).await }
                })
                .await
            })?;
            output::show(format, &rings, &COLUMNS)?;
        }
        Ring::Describe(args) => {
            let name = args.name;
            let ring =
                with_client(&args.connection, |client| async move { Ok(client.rings().describe(&name).await?) })?;
            output::show(format, &ring, &[])?;
        }
        Ring::Delete(args) => {
            let name = args.name;
            with_client(&args.connection, |client| async move { Ok(client.rings().delete(&name, None).await?) })?;
        }
    }
    Ok(())
}
