//! Data keys that may be used again without asking the server: bounded by uses, bytes, age and number.
//!
//! **The age is the bound on revocation**: a right that is taken away, or a key that is suspended, stops
//! a client at the latest when its copy of the data key ages out (5 minutes unless configured). It is counted
//! on two clocks, and the one that says more holds: a wall clock that is set back lengthens no life, and a
//! monotonic one that stands while the machine sleeps does not either. What is too old is dropped, and so
//! zeroed, by whatever uses the cache next and by the client's keeper, asked for again or not. Answers
//! from the cache are not in the server's audit log. Where that is not wanted, switch it off.
//!
//! Every entry belongs to one holder: the identity that asked and the subject it asked for. One
//! subject's allowed read never answers another's (as in CVE-2026-33729).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wardkeep_model::{BindingDigest, Clock, EncryptionContext, EntityUid, Identity, KeyId};
use zeroize::Zeroizing;

use self::aged::{Aged, Moment};
use crate::system::Steady;

pub(crate) mod aged;

/// How often and how long data keys may be used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CacheLimits {
    /// For reading: unwrapped data keys. `None` asks the server at every read.
    pub read: Option<ReadLimits>,
    /// For protecting: one data key for several records of the *same* key, context and subject. `None`,
    /// the default, makes a new data key for every record.
    pub protect: Option<ProtectLimits>,
}

/// Bounds on unwrapped data keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadLimits {
    /// Longest time between the server's answer and a use of it.
    pub age: Duration,
    /// Most data keys held.
    pub count: usize,
}

/// Bounds on data keys that protect more than one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProtectLimits {
    /// Longest time between the server's answer and a use of it.
    pub age: Duration,
    /// Most data keys held.
    pub count: usize,
    /// Most records under one data key.
    pub uses: u64,
    /// Most plaintext bytes under one data key.
    pub bytes: u64,
}

/// A data key in the clear: 32 bytes, zeroed when the last holder lets go.
pub struct PlainDataKey(Zeroizing<[u8; 32]>);

/// A data key with what makes it readable again.
#[derive(Clone)]
pub(crate) struct Protecting {
    pub(crate) plain: Arc<PlainDataKey>,
    pub(crate) wrapped: Arc<[u8]>,
}

/// Who asked, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Holder {
    pub(crate) actor: Option<Identity>,
    pub(crate) subject: Option<EntityUid>,
}

#[derive(PartialEq, Eq, Hash, Clone)]
struct ReadKey {
    holder: Holder,
    key: KeyId,
    wrapped: [u8; 32],
    context: [u8; 32],
}

#[derive(PartialEq, Eq, Hash, Clone)]
struct ProtectKey {
    holder: Holder,
    key: KeyId,
    context: [u8; 32],
}

struct Spent {
    data_key: Protecting,
    uses: u64,
    bytes: u64,
}

/// When a question left, and after how many clearings.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked {
    at: Moment,
    epoch: u64,
}

/// Both caches of a client.
pub(crate) struct Cache {
    limits: CacheLimits,
    clock: Arc<dyn Clock>,
    steady: Arc<dyn Steady>,
    /// Counts the clearings: an answer to a question of before the last one is not kept.
    epoch: AtomicU64,
    reads: Mutex<Aged<ReadKey, Arc<PlainDataKey>>>,
    protects: Mutex<Aged<ProtectKey, Spent>>,
}

impl Default for CacheLimits {
    fn default() -> Self {
        Self { read: Some(ReadLimits::default()), protect: None }
    }
}

impl CacheLimits {
    /// No data key is used twice, and every read is decided by the server.
    pub const OFF: Self = Self { read: None, protect: None };
}

impl Default for ReadLimits {
    /// 5 minutes, 1 024 data keys.
    fn default() -> Self {
        Self { age: Duration::from_secs(300), count: 1024 }
    }
}

impl Default for ProtectLimits {
    /// 1 minute, 256 data keys, each for 100 records and 16 MiB.
    fn default() -> Self {
        Self { age: Duration::from_secs(60), count: 256, uses: 100, bytes: 16 << 20 }
    }
}

impl PlainDataKey {
    /// Takes the bytes over.
    pub(crate) fn new(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// The 32 bytes. Copy them nowhere that is not zeroed.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for PlainDataKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(_) = self;
        f.write_str("PlainDataKey")
    }
}

impl Cache {
    /// Empty caches under these limits.
    pub(crate) fn new(limits: CacheLimits, clock: Arc<dyn Clock>, steady: Arc<dyn Steady>) -> Self {
        let (reads, protects) = (Mutex::new(Aged::new()), Mutex::new(Aged::new()));
        Self { limits, clock, steady, epoch: AtomicU64::new(0), reads, protects }
    }

    /// The data key that this holder has unwrapped before, while it is fresh.
    pub(crate) fn read(
        &self,
        holder: &Holder,
        key: &KeyId,
        wrapped: &[u8],
        context: &EncryptionContext,
    ) -> Option<Arc<PlainDataKey>> {
        let limits = self.limits.read?;
        let key = ReadKey::new(holder, key, wrapped, context);
        lock(&self.reads).get(&key, self.moment(), limits.age).map(|plain| plain.clone())
    }

    /// Keeps an unwrapped data key.
    ///
    /// `asked` is from [`Cache::asking`], taken before the question left.
    pub(crate) fn keep_read(
        &self,
        holder: &Holder,
        key: &KeyId,
        wrapped: &[u8],
        context: &EncryptionContext,
        (plain, asked): (&Arc<PlainDataKey>, Asked),
    ) {
        let Some(limits) = self.limits.read else { return };
        let key = ReadKey::new(holder, key, wrapped, context);
        let mut reads = lock(&self.reads);
        if self.is_current(asked) {
            reads.sweep(self.moment(), limits.age);
            reads.put(key, plain.clone(), asked.at, limits.count);
        }
    }

    /// A data key for one more record of `bytes` bytes, and counts that use.
    pub(crate) fn protect(
        &self,
        holder: &Holder,
        key: &KeyId,
        context: &EncryptionContext,
        bytes: u64,
    ) -> Option<Protecting> {
        let limits = self.limits.protect?;
        let key = ProtectKey::new(holder, key, context);
        let mut protects = lock(&self.protects);
        let spent = protects.get(&key, self.moment(), limits.age)?;
        if spent.uses >= limits.uses || spent.bytes.saturating_add(bytes) > limits.bytes {
            protects.remove(&key);
            return None;
        }
        spent.uses += 1;
        spent.bytes += bytes;
        Some(spent.data_key.clone())
    }

    /// Keeps a data key that has just protected its first record of `bytes` bytes.
    pub(crate) fn keep_protect(
        &self,
        holder: &Holder,
        key: &KeyId,
        context: &EncryptionContext,
        (data_key, bytes, asked): (&Protecting, u64, Asked),
    ) {
        let Some(limits) = self.limits.protect else { return };
        if limits.uses <= 1 || bytes >= limits.bytes {
            return;
        }
        let spent = Spent { data_key: data_key.clone(), uses: 1, bytes };
        let mut protects = lock(&self.protects);
        if self.is_current(asked) {
            protects.sweep(self.moment(), limits.age);
            protects.put(ProtectKey::new(holder, key, context), spent, asked.at, limits.count);
        }
    }

    /// To be taken before a question leaves: an answer that took long is not younger for it, and one that a
    /// clearing overtook is not kept.
    pub(crate) fn asking(&self) -> Asked {
        Asked { epoch: self.epoch.load(Ordering::SeqCst), at: self.moment() }
    }

    /// Forgets everything now.
    pub(crate) fn clear(&self) {
        // Before the maps: whoever puts something in afterwards sees the new count under the map's lock.
        self.epoch.fetch_add(1, Ordering::SeqCst);
        *lock(&self.reads) = Aged::new();
        *lock(&self.protects) = Aged::new();
    }

    /// Drops everything that is too old.
    pub(crate) fn purge(&self) {
        let now = self.moment();
        if let Some(limits) = self.limits.read {
            lock(&self.reads).purge(now, limits.age);
        }
        if let Some(limits) = self.limits.protect {
            lock(&self.protects).purge(now, limits.age);
        }
    }

    fn moment(&self) -> Moment {
        Moment { wall: self.clock.now(), steady: self.steady.steady() }
    }

    fn is_current(&self, asked: Asked) -> bool {
        self.epoch.load(Ordering::SeqCst) == asked.epoch
    }
}

impl ReadKey {
    fn new(holder: &Holder, key: &KeyId, wrapped: &[u8], context: &EncryptionContext) -> Self {
        let wrapped = Sha256::digest(wrapped).into();
        Self { holder: holder.clone(), key: key.clone(), wrapped, context: digest(context) }
    }
}

impl ProtectKey {
    fn new(holder: &Holder, key: &KeyId, context: &EncryptionContext) -> Self {
        Self { holder: holder.clone(), key: key.clone(), context: digest(context) }
    }
}

fn digest(context: &EncryptionContext) -> [u8; 32] {
    *BindingDigest::new(context, None).as_bytes()
}

/// A lock that outlives a panic of its holder: the maps are valid between any two statements.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
