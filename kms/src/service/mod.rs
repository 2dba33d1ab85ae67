//! The verbs, one function each, split by noun; this file holds what they share.
//!
//! A verb takes its permit by value, so that it cannot be reached without a decision:
//!
//! ```compile_fail,E0061
//! async fn destroy(kms: &wardkeep_kms::Kms, id: &wardkeep_model::KeyId) {
//!     let _ = kms.destroy_key(id, wardkeep_kms::Precondition::default(), None).await;
//! }
//! ```
//!
//! and the permit of one verb is not that of another:
//!
//! ```compile_fail,E0308
//! use wardkeep_model::action::DescribeKey;
//! async fn destroy(kms: &wardkeep_kms::Kms, permit: wardkeep_model::Permit<DescribeKey>, id: &wardkeep_model::KeyId) {
//!     let _ = kms.destroy_key(permit, id, Default::default(), None).await;
//! }
//! ```
//!
//! | file | verbs |
//! |---|---|
//! | [`ring`] | create, describe, list, delete |
//! | [`create`] | create a key |
//! | [`describe`] | describe and list keys |
//! | [`change`] | update, rotate, enable, suspend, deactivate, compromise |
//! | [`deletion`] | schedule and cancel a deletion, destroy |
//! | [`data_key`] | generate, unwrap, rewrap |
//! | [`data`] | encrypt, decrypt |
//! | [`signature`] | sign, verify |
//! | [`random`] | random bytes |
//! | [`authority`] | public parameters and revocation lists of an authority |
//! | [`user_key`] | issue a user key |
//! | [`issued`] | list issued user keys |
//! | [`revoke`] | revoke and sweep issued user keys |
//! | [`departure`] | what goes with subjects whose entities go |
//! | [`registered`] | register, describe and remove a subject's public key |
//! | [`escrow`] | export an authority as shares |

pub mod authority;
pub mod change;
pub mod create;
pub mod data;
pub mod data_key;
pub mod deletion;
pub mod departure;
pub mod describe;
mod ending;
pub mod escrow;
mod guard;
pub mod issued;
mod once;
pub mod random;
mod record;
pub mod registered;
mod revocation;
pub mod revoke;
pub mod ring;
pub mod signature;
pub mod user_key;

use std::sync::Arc;

use moka::sync::Cache;
use tokio::sync::Semaphore;
use wardkeep_model::{Clock, Entropy, KeyFacts, KeyId, KeyState, KeyVersion, RingName};
use wardkeep_store::{Store, Table};

pub use authority::{PublishedParameters, RevocationInfo, WidestCover};
pub use change::KeyUpdate;
pub use create::NewKey;
pub use data::{Decrypt, Encrypt, Encrypted, Opened};
pub use data_key::{DataKey, GenerateDataKey, RewrapDataKey, Rewrapped, UnwrapDataKey, Unwrapped};
pub use deletion::DeletionPlan;
pub use departure::{Departure, Gone};
pub use describe::{KeyInfo, ListKeys, Page, VersionInfo};
pub use escrow::{Escrow, EscrowPackage, Escrowed};
pub use issued::{ListUserKeys, UserKeyInfo};
pub use registered::RegisteredRecipient;
pub use revoke::{Revoke, RevokedUserKeys};
pub use ring::{ListRings, NewRing, RingInfo};
pub use signature::{Sign, SignatureInput, Signed, Verified, Verify};
pub use user_key::{IssueUserKey, IssuedUserKey, Sealed};

use crate::error::{KmsError, LoadError};
use crate::issued::{Book, rollback};
use crate::keyring::{Key, Keyring, version_row};
use crate::material::{self, Material, RSA_WEIGHT};
use crate::pool::Pool;
use crate::wrapped::{self, WrappedInfo};

/// Most labels of a key or ring.
pub const MAX_LABELS: usize = 64;
/// Longest label name, in bytes.
pub const MAX_LABEL_NAME: usize = 63;
/// Longest label value, in bytes.
pub const MAX_LABEL_VALUE: usize = 256;
/// Most items of a page.
pub const MAX_PAGE: usize = 1000;
/// How long an idempotency key is remembered, in milliseconds: 24 hours.
pub const REPLAY_MILLIS: u64 = 24 * 3_600_000;

/// Seconds of a day.
const DAY: u64 = 86_400;

/// How the key service runs.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Threads for RSA private operations and user keys; as many as processors.
    pub rsa_threads: usize,
    /// Such operations that may wait for a thread before others are refused.
    pub rsa_queue: usize,
    /// RSA keys and authorities that may wait to be made, by one thread of their own.
    pub making_queue: usize,
    /// Parsed RSA keys kept in memory; 16 AES or elliptic-curve keys count as one, an authority as 16.
    pub parsed_keys: usize,
    /// Longest life of a user key, in seconds, before it is rounded up to a time bucket.
    pub user_key_seconds: u64,
    /// Life of a revocation list, in seconds; it is signed anew from the half of it on.
    pub list_seconds: u64,
}

/// An `If-Match` of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Precondition {
    /// The revision that must still be the newest; `None` for any.
    pub revision: Option<u64>,
}

/// Names a request, so that it takes effect once however often it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Idempotency {
    /// Digest of actor, subject, route and the caller's idempotency key.
    pub id: [u8; 32],
    /// Digest of the request's body.
    pub body: [u8; 32],
}

/// The key service. Cheap to clone; all clones are one service.
#[derive(Clone)]
pub struct Kms {
    /// Shared by all clones and by the tasks of changes under way.
    pub(crate) inner: Arc<Inner>,
}

/// What the verbs work on.
pub(crate) struct Inner {
    /// The truth; memory follows it.
    pub(crate) store: Arc<dyn Store>,
    /// The wall clock.
    pub(crate) clock: Arc<dyn Clock>,
    /// Nonces, data keys, AES keys and seeds come from here.
    pub(crate) entropy: Arc<dyn Entropy>,
    /// Newest states of rings and keys.
    pub(crate) keyring: Keyring,
    /// Serials of user keys that were issued.
    pub(crate) issued: Book,
    /// Places of issues in the queue of `rsa`: half of it, so that unwraps and signatures find the other half.
    pub(crate) issues: Arc<Semaphore>,
    /// Longest life of a user key, in seconds.
    pub(crate) user_key_seconds: u64,
    /// Life of a revocation list, in seconds.
    pub(crate) list_seconds: u64,
    /// Parsed material by slot number.
    cache: Cache<u64, Arc<Material>>,
    /// What is being made under an idempotency key.
    pub(crate) making: once::Making,
    /// For RSA private operations.
    pub(crate) rsa: Pool,
    /// For making RSA keys, which takes up to seconds and must not stand before private operations.
    pub(crate) maker: Pool,
}

impl Default for Settings {
    fn default() -> Self {
        let rsa_threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        let (user_key_seconds, list_seconds) = (DAY, DAY);
        Self { rsa_threads, rsa_queue: 256, making_queue: 32, parsed_keys: 512, user_key_seconds, list_seconds }
    }
}

impl Kms {
    /// Loads rings and keys; material is read and parsed at first use.
    ///
    /// # Errors
    /// [`LoadError`] if the store cannot be read, or holds a row that is not understood.
    pub fn load(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: Settings,
    ) -> Result<Self, LoadError> {
        let keyring = Keyring::load(store.as_ref())?;
        let issued = Book::load(store.as_ref())?;
        rollback::heed(store.as_ref(), &keyring, &issued)?;
        let Settings { user_key_seconds, list_seconds, .. } = settings;
        let capacity = settings.parsed_keys.saturating_mul(RSA_WEIGHT as usize) as u64;
        let cache =
            Cache::builder().weigher(|_, material: &Arc<Material>| material.weight()).max_capacity(capacity).build();
        let rsa = Pool::new("kms-rsa", settings.rsa_threads, settings.rsa_queue).map_err(LoadError::Threads)?;
        let maker = Pool::new("kms-make", 1, settings.making_queue).map_err(LoadError::Threads)?;
        Ok(Self {
            inner: Arc::new(Inner {
                store,
                clock,
                entropy,
                keyring,
                issued,
                issues: Arc::new(Semaphore::new((settings.rsa_queue / 2).max(1))),
                user_key_seconds,
                list_seconds,
                cache,
                making: once::Making::default(),
                rsa,
                maker,
            }),
        })
    }

    /// What policies may know about a key, destroyed ones included; for deciding only.
    #[must_use]
    pub fn facts(&self, key: &KeyId) -> Option<KeyFacts> {
        self.inner.keyring.key(key).map(|key| key.facts.clone())
    }

    /// A ring, for deciding only.
    #[must_use]
    pub fn ring(&self, name: &RingName) -> Option<Arc<RingInfo>> {
        self.inner.keyring.ring(name).map(|ring| Arc::new(RingInfo::new(name.clone(), &ring)))
    }

    /// Which key and version a wrapped data key or ciphertext names, unauthenticated; for deciding only.
    ///
    /// # Errors
    /// [`KmsError::Malformed`] for anything this service never made.
    pub fn peek(&self, wrapped: &[u8]) -> Result<WrappedInfo, KmsError> {
        wrapped::parse(wrapped).map(|(info, _)| info)
    }

    /// Whether that version is compromised, so that a use of it needs `UseCompromisedKey`; for deciding only.
    #[must_use]
    pub fn is_compromised(&self, key: &KeyId, version: KeyVersion) -> bool {
        let key = self.inner.keyring.key(key);
        key.is_some_and(|key| key.version(version).is_some_and(|found| found.state == KeyState::Compromised))
    }

    /// Whether any version of the key is compromised; for deciding only.
    #[must_use]
    pub fn any_compromised(&self, key: &KeyId) -> bool {
        let key = self.inner.keyring.key(key);
        key.is_some_and(|key| key.body.versions.iter().any(|version| version.state == KeyState::Compromised))
    }

    /// How many keys are not destroyed, for metrics.
    #[must_use]
    pub fn key_count(&self) -> usize {
        self.inner.keyring.keys_after(None, usize::MAX).iter().filter(|key| !key.is_destroyed()).count()
    }
}

impl Inner {
    /// A version's parsed secret, from the cache or the store. RSA keys are parsed on the worker pool.
    pub(crate) async fn material(
        self: &Arc<Self>,
        key: &Arc<Key>,
        version: KeyVersion,
    ) -> Result<Arc<Material>, KmsError> {
        let slot = key.slot(version).ok_or(KmsError::VersionNotFound { version })?;
        if let Some(material) = self.cache.get(&slot.number) {
            return Ok(material);
        }
        if !material::is_dear(key.body.spec) {
            return self.read_material(key, version, slot.number);
        }
        let (inner, key, number) = (Arc::clone(self), Arc::clone(key), slot.number);
        // Whoever waited while another parsed the same key finds it in the cache.
        let job = move || inner.cache.get(&number).map_or_else(|| inner.read_material(&key, version, number), Ok);
        self.rsa.run(job).await
    }

    /// Reads and parses a version's secret, and keeps it in the cache unless it was destroyed meanwhile.
    fn read_material(&self, key: &Key, version: KeyVersion, slot: u64) -> Result<Arc<Material>, KmsError> {
        let id = &key.facts.id;
        let found = self.store.read(Table::Material, &version_row(id, version));
        let found = found.map_err(|_| KmsError::StoreUnreadable)?;
        // No row: destroyed between the check of the state and here.
        let found = found.ok_or(KmsError::KeyDestroyed)?;
        let material = Arc::new(Material::parse(key.body.spec, key.body.usage, &found.value)?);
        if material.authority().is_ok_and(|authority| authority.version() != version.get()) {
            return Err(KmsError::RowUnreadable);
        }
        self.cache.insert(slot, Arc::clone(&material));
        // Whoever destroys forgets the material after the state has changed. If the state changed while we
        // read, that may have been before the line above.
        let now = self.keyring.key(id);
        if now.is_none_or(|now| now.version(version).is_none_or(|found| found.state == KeyState::Destroyed)) {
            self.cache.invalidate(&slot);
        }
        Ok(material)
    }

    /// Drops a key's parsed secrets from memory.
    pub(crate) fn forget(&self, key: &Key) {
        for slot in key.slots() {
            self.cache.invalidate(&slot.number);
        }
        self.cache.run_pending_tasks();
    }
}

impl std::fmt::Debug for Kms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kms(..)")
    }
}
