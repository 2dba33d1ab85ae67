//! `wardkeep key`: create, list, describe, and the rest of a key's life.

use wardkeep_client::wire::key::{CreateKey, Key as KeyAnswer, UpdateKey};
use wardkeep_client::{Client, KeyId};

use super::CommandError;
use super::remote::{all_pages, with_client};
use crate::args::keys::{Key, KeyCreate, KeyList, KeyState1, KeyUpdate};
use crate::output::{self, Format};

/// What a list of keys shows.
const COLUMNS: [&str; 6] = ["key", "spec", "usage", "labels", "rotation_days", "created"];

/// Carries out a verb on keys.
pub(crate) fn run(format: Format, verb: Key) -> Result<(), CommandError> {
    let key = match verb {
        Key::List(args) => return list(format, args),
        Key::Create(args) => create(args)?,
        Key::Describe(args) => {
            with_client(&args.connection, |client| async move { Ok(client.keys().describe(&args.key).await?) })?
        }
        Key::Update(args) => update(args)?,
        Key::Rotate(args) => {
            with_client(&args.connection, |client| async move { Ok(client.keys().rotate(&args.key, None).await?) })?
        }
        Key::Enable(args) => state(args, async |client, key, version| client.keys().enable(key, version, None).await)?,
        Key::Suspend(args) => {
            state(args, async |client, key, version| client.keys().suspend(key, version, None).await)?
        }
        Key::Deactivate(args) => {
            state(args, async |client, key, version| client.keys().deactivate(key, version, None).await)?
        }
        Key::Compromise(args) => {
            state(args, async |client, key, version| client.keys().compromise(key, version, None).await)?
        }
        Key::ScheduleDeletion(args) => with_client(&args.key.connection, |client| async move {
            Ok(client.keys().schedule_deletion(&args.key.key, args.days, None).await?)
        })?,
        Key::CancelDeletion(args) => {
            with_client(
                &args.connection,
                |client| async move { Ok(client.keys().cancel_deletion(&args.key, None).await?) },
            )?
        }
        Key::Destroy(args) => {
            with_client(&args.connection, |client| async move { Ok(client.keys().destroy(&args.key, None).await?) })?
        }
    };
    Ok(output::show(format, &key, &[])?)
}

fn list(format: Format, args: KeyList) -> Result<(), CommandError> {
    let (ring, limit) = (args.ring, args.list.limit);
    let keys = with_client(&args.list.connection, |client| async move {
        all_pages(limit, |paging| {
            let (client, ring) = (client.clone(), ring.clone());
            async move { client.keys().list(ring.as_ref(), &paging).await }
        })
        .await
    })?;
    Ok(output::show(format, &keys, &COLUMNS)?)
}

fn create(args: KeyCreate) -> Result<KeyAnswer, CommandError> {
    let KeyCreate { key, spec, usage, labels, rotation_days, inactive, connection } = args;
    let word = |text: &str| serde_json::Value::String(text.to_owned());
    let request = CreateKey {
        key: key.as_str().to_owned(),
        // The command line took only words of the wire's own lists.
        spec: serde_json::from_value(word(&spec)).map_err(CommandError::Word)?,
        usage: serde_json::from_value(word(&usage)).map_err(CommandError::Word)?,
        labels: labels.into_iter().collect(),
        rotation_days,
        activate: !inactive,
    };
    with_client(&connection, |client| async move { Ok(client.keys().create(&request).await?) })
}

/// A read, then a change that holds only if nobody changed the key in between.
fn update(args: KeyUpdate) -> Result<KeyAnswer, CommandError> {
    let KeyUpdate { labels, rotation_days, key } = args;
    let change = UpdateKey { labels: labels.map(|labels| labels.into_iter().collect()), rotation_days };
    with_client(&key.connection, |client| async move {
        let revision = client.keys().describe(&key.key).await?.revision;
        Ok(client.keys().update(&key.key, &change, revision).await?)
    })
}

fn state(
    args: KeyState1,
    verb: impl AsyncFnOnce(&Client, &KeyId, Option<u32>) -> Result<KeyAnswer, wardkeep_client::CallError>,
) -> Result<KeyAnswer, CommandError> {
    let KeyState1 { version, key } = args;
    with_client(&key.connection, |client| async move { Ok(verb(&client, &key.key, version).await?) })
}
