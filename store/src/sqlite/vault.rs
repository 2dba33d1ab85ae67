//! The secrets of an open store, and the few rows that hold them.
//!
//! | row of `meta` | value |
//! |---|---|
//! | `store` | the store's id, 16 bytes |
//! | `root` | the check value of the root key, 32 bytes |
//! | `generation` | the sealing generation, 4 bytes |
//! | `keys` | sealed: seed of the head signer, key of the row tags, first and second key of the state digest |

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension};
use wardkeep_model::Entropy;
use zeroize::Zeroizing;

use crate::audit::head::HeadSigner;
use crate::sealing::{FIRST_GENERATION, Keyed, Purpose, Sealer};
use crate::{OpenError, RootKey, StoreId};

/// Everything secret that reading and writing needs.
pub(crate) struct Vault {
    /// The store's id.
    pub(crate) store: StoreId,
    /// Seals rows and batches.
    pub(crate) sealer: Sealer,
    /// Blinds ids.
    pub(crate) tags: Keyed,
    /// First key of the state digest: one HMAC a row.
    pub(crate) rows: Keyed,
    /// Second key of the state digest: the HMAC that heads carry.
    pub(crate) state: Keyed,
    /// Signs heads and tombstones.
    pub(crate) signer: HeadSigner,
}

const KEYS: usize = 4 * 32;

/// Makes the secrets of a new store and writes their rows.
pub(crate) fn create(connection: &Connection, root: &RootKey, entropy: &Arc<dyn Entropy>) -> Result<Vault, OpenError> {
    let (mut id, mut keys) = ([0; 16], Zeroizing::new([0; KEYS]));
    entropy.fill(&mut id)?;
    entropy.fill(keys.as_mut())?;
    let store = StoreId::from_bytes(id);
    let sealer = Sealer::new(root, store, FIRST_GENERATION, entropy.clone());
    let sealed = sealer.seal(Purpose::Keys, b"keys", keys.as_ref())?;
    let rows: [(&str, &[u8]); 4] = [
        ("store", store.as_bytes()),
        ("root", &root.check_value(&store)),
        ("generation", &FIRST_GENERATION.to_be_bytes()),
        ("keys", &sealed),
    ];
    for (name, value) in rows {
        connection.execute("INSERT INTO meta (name, value) VALUES (?1, ?2)", (name, value))?;
    }
    vault(store, sealer, keys.as_ref()).ok_or(OpenError::SigningKey)
}

/// Reads and opens the secrets.
pub(crate) fn open(connection: &Connection, root: &RootKey, entropy: &Arc<dyn Entropy>) -> Result<Vault, OpenError> {
    let id = read(connection, "store")?.try_into().map_err(|_| OpenError::Meta { name: "store" })?;
    let store = StoreId::from_bytes(id);
    if !root.matches(&store, &read(connection, "root")?) {
        return Err(OpenError::WrongRootKey);
    }
    let generation = read(connection, "generation")?.try_into().map_err(|_| OpenError::Meta { name: "generation" })?;
    let sealer = Sealer::new(root, store, u32::from_be_bytes(generation), entropy.clone());
    let keys = sealer.open(Purpose::Keys, b"keys", &read(connection, "keys")?);
    let keys = keys.ok_or(OpenError::Meta { name: "keys" })?;
    vault(store, sealer, &keys).ok_or(OpenError::Meta { name: "keys" })
}

fn read(connection: &Connection, name: &'static str) -> Result<Vec<u8>, OpenError> {
    let value = connection.query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0)).optional()?;
    value.ok_or(OpenError::Meta { name })
}

fn vault(store: StoreId, sealer: Sealer, keys: &[u8]) -> Option<Vault> {
    let mut parts = keys.chunks_exact(32);
    let signer = HeadSigner::from_seed(parts.next()?)?;
    let tags = Keyed::new(parts.next()?)?;
    let rows = Keyed::new(parts.next()?)?;
    let state = Keyed::new(parts.next()?)?;
    Some(Vault { store, sealer, tags, rows, state, signer })
}
