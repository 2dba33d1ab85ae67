//! Data keys that may be used again without asking the server: bounded by uses, bytes, age and number.
//!
//! **The age is the bound on revocation**: a right that is taken away, or a key that is suspended, stops
//! a client at the latest when its copy of the data key ages out (5 minutes unless configured). Answers
//! from the cache are not in the server's audit log. Where that is not wanted, switch it off.
//!
//! Every entry belongs to one holder: the identity that asked and the subject it asked for. One
//! subject's allowed read never answers another's (as in CVE-2026-33729).

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use wardkeep_model::{BindingDigest, Clock, EncryptionContext, EntityUid, Identity, KeyId, Timestamp};
use zeroize::Zeroizing;

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

/// Both caches of a client.
pub(crate) struct Cache {
    limits: CacheLimits,
    clock: Arc<dyn Clock>,
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
    pub(crate) fn new(limits: CacheLimits, clock: Arc<dyn Clock>) -> Self {
        Self { limits, clock, reads: Mutex::new(Aged::new()), protects: Mutex::new(Aged::new()) }
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
        lock(&self.reads).get(&key, self.clock.now(), limits.age).map(|plain| plain.clone())
    }

    /// Keeps an unwrapped data key.
    ///
    /// `asked` is when the question left: an answer that took long is not younger for it.
    pub(crate) fn keep_read(
        &self,
        holder: &Holder,
        key: &KeyId,
        wrapped: &[u8],
        context: &EncryptionContext,
        (plain, asked): (&Arc<PlainDataKey>, Timestamp),
    ) {
        let Some(limits) = self.limits.read else { return };
        let key = ReadKey::new(holder, key, wrapped, context);
        lock(&self.reads).put(key, plain.clone(), asked, limits.count);
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
        let spent = protects.get(&key, self.clock.now(), limits.age)?;
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
        (data_key, bytes, asked): (&Protecting, u64, Timestamp),
    ) {
        let Some(limits) = self.limits.protect else { return };
        if limits.uses <= 1 || bytes >= limits.bytes {
            return;
        }
        let spent = Spent { data_key: data_key.clone(), uses: 1, bytes };
        lock(&self.protects).put(ProtectKey::new(holder, key, context), spent, asked, limits.count);
    }

    /// The time by the clock that ages are counted on.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Forgets everything now.
    pub(crate) fn clear(&self) {
        *lock(&self.reads) = Aged::new();
        *lock(&self.protects) = Aged::new();
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

/// A bounded map whose oldest entry goes first.
struct Aged<K, V> {
    entries: HashMap<K, (V, Timestamp, u64)>,
    order: BTreeMap<u64, K>,
    next: u64,
}

impl<K: Clone + Eq + Hash, V> Aged<K, V> {
    fn new() -> Self {
        Self { entries: HashMap::new(), order: BTreeMap::new(), next: 0 }
    }

    /// The value, unless it is older than `age`. A clock that went backwards makes it old, not young.
    fn get(&mut self, key: &K, now: Timestamp, age: Duration) -> Option<&mut V> {
        let (_, born, _) = self.entries.get(key)?;
        let fresh = now >= *born && u128::from(now.millis_since(*born)) < age.as_millis();
        if !fresh {
            self.remove(key);
        }
        self.entries.get_mut(key).map(|(value, ..)| value)
    }

    fn put(&mut self, key: K, value: V, born: Timestamp, count: usize) {
        self.remove(&key);
        while self.entries.len() >= count {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.entries.remove(&oldest);
        }
        let number = self.next;
        self.next += 1;
        self.order.insert(number, key.clone());
        self.entries.insert(key, (value, born, number));
    }

    fn remove(&mut self, key: &K) {
        if let Some((_, _, number)) = self.entries.remove(key) {
            self.order.remove(&number);
        }
    }
}

#[cfg(test)]
mod tests;
