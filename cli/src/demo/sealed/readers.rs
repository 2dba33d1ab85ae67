//! The three readers, with the keys that the key service issued for what their entities say.

use wardkeep_abe::Attributes;
use wardkeep_client::abe::Key;
use wardkeep_client::{Client, KeyId};

use super::super::DemoError;
use super::super::cast::{Cast, Role};
use crate::command::CommandError;

/// One reader: a key, and the attributes that it was issued for.
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    pub(crate) attributes: Attributes,
    pub(crate) key: Key,
    pub(crate) serial: u32,
}

/// All three.
pub(crate) struct Readers(pub(crate) Vec<Reader>);

impl Readers {
    /// Has a key issued for each of them.
    pub(crate) async fn with_keys(cast: &Cast, key: &KeyId) -> Result<Self, CommandError> {
        let mut readers = Vec::new();
        for role in [Role::Doctor, Role::Patient, Role::Pharmacy] {
            let client = cast.of(role).ok_or(DemoError::Stopped)?;
            readers.push(issue(client, key, role.as_str()).await?);
        }
        Ok(Self(readers))
    }
}

/// A key for whoever calls. What it says is the server's answer, read as anybody would read it.
pub(crate) async fn issue(client: &Client, key: &KeyId, name: &'static str) -> Result<Reader, CommandError> {
    let (issued, key) = client.user_keys().issue(key, &Default::default()).await.map_err(DemoError::from)?;
    let attributes = Attributes::parse(&issued.attributes, key.parameters().schema()).map_err(DemoError::from)?;
    Ok(Reader { name, attributes, key, serial: issued.serial })
}
