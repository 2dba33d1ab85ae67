//! `wardkeep entity` and `wardkeep role`.

use std::io::Read as _;
use std::path::Path;

use wardkeep_client::wire::entity::Entity as WireEntity;

use super::CommandError;
use super::remote::{all_pages, with_client};
use crate::args::rules::{Entity, Role};
use crate::error::FileError;
use crate::output::{self, Format};

/// Carries out a verb on entities.
pub(crate) fn run(format: Format, verb: Entity) -> Result<(), CommandError> {
    match verb {
        Entity::Put(args) => {
            let entities: Vec<WireEntity> = read(&args.file)?;
            let done =
                with_client(&args.connection, |client| async move { Ok(client.entities().put(entities).await?) })?;
            output::show(format, &done, &[])?;
        }
        Entity::Get(args) => {
            let found =
                with_client(
                    &args.connection,
                    |client| async move { Ok(client.entities().describe(&args.entity).await?) },
                )?;
            output::show(format, &found, &[])?;
        }
        Entity::List(args) => {
            let limit = args.limit;
            let found = with_client(&args.connection, |client| async move {
                all_pages(limit, |paging| {
                    let client = client.clone();
                    async move { client.entities().list(None, &paging).await }
                })
                .await
            })?;
            output::show(format, &found, &["uid", "parents", "attrs"])?;
        }
        Entity::Delete(args) => {
            with_client(&args.connection, |client| async move { Ok(client.entities().delete(&args.entity).await?) })?;
        }
    }
    Ok(())
}

/// Carries out a verb on control roles.
pub(crate) fn role(format: Format, verb: Role) -> Result<(), CommandError> {
    match verb {
        Role::List(connection) => {
            let roles = with_client(&connection, |client| async move { Ok(client.roles().list().await?) })?;
            output::show(format, &roles.roles, &["role", "members"])?;
        }
        Role::Grant(args) => {
            let role = word(&args.role)?;
            let done = with_client(&args.connection, |client| async move {
                Ok(client.roles().grant(role, &args.identity, args.keep).await?)
            })?;
            output::show(format, &done, &[])?;
        }
        Role::Revoke(args) => {
            let role = word(&args.role)?;
            with_client(
                &args.connection,
                |client| async move { Ok(client.roles().revoke(role, &args.identity).await?) },
            )?;
        }
    }
    Ok(())
}

fn word(role: &str) -> Result<wardkeep_client::wire::role::Role, CommandError> {
    serde_json::from_value(serde_json::Value::String(role.to_owned())).map_err(CommandError::Word)
}

/// Most bytes of a file with entities; the server takes 8 MiB.
const MAX_FILE: u64 = 8 * 1024 * 1024;

fn read(file: &Path) -> Result<Vec<WireEntity>, CommandError> {
    let mut bytes = Vec::new();
    let read = if file == Path::new("-") {
        std::io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)
    } else {
        std::fs::File::open(file).and_then(|input| input.take(MAX_FILE).read_to_end(&mut bytes))
    };
    read.map_err(FileError::at("read", file))?;
    serde_json::from_slice(&bytes).map_err(|error| CommandError::JsonFile { path: file.to_owned(), error })
}
