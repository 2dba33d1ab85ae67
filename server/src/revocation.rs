//! Who was shut out: asked at every handshake and every request, and told to live connections.
//!
//! The set is the product of three sources: serials revoked here, identities whose earlier certificates were all
//! revoked here, and the entries of CRL files of a foreign CA. Readers take one atomic load, writers replace the set.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use tokio::sync::watch;
use wardkeep_model::{CertificateSerial, Identity, Timestamp};

use crate::peer::Peer;

/// A certificate's name among all issuers.
pub type CertificateName = ([u8; 32], CertificateSerial);

/// Stands for every issuer: with a foreign CA a serial is revoked here without knowing which of its CAs signed it.
pub const ANY_ISSUER: [u8; 32] = [0; 32];

/// Why a peer is refused although its certificate once was good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Revocation {
    /// Its serial is revoked.
    #[error("the certificate is revoked")]
    Serial,
    /// Everything issued to the identity before a moment is revoked.
    #[error("all earlier certificates of the identity are revoked")]
    Identity,
    /// The certificate ended while its connection lived.
    #[error("the certificate has expired")]
    Expired,
}

impl Revocation {
    /// A stable word for logs, metrics and problem types.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Serial => "certificate-revoked",
            Self::Identity => "identity-revoked",
            Self::Expired => "certificate-expired",
        }
    }
}

/// That certificates of an identity are refused if they were issued up to a moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdentityCut {
    /// The moment.
    pub at: Timestamp,
    /// Serials that were spared.
    pub keep: HashSet<CertificateSerial>,
}

/// The revoked set. Shared by the accept loops, the authority and the reloader.
#[derive(Debug)]
pub struct Revoked {
    current: ArcSwap<Lists>,
    writing: Mutex<()>,
    changes: watch::Sender<u64>,
}

#[derive(Debug, Default, Clone)]
struct Lists {
    own_issuer: Option<[u8; 32]>,
    own: HashSet<CertificateName>,
    identities: HashMap<Identity, IdentityCut>,
    listed: HashSet<CertificateName>,
}

impl Default for Revoked {
    fn default() -> Self {
        Self { current: ArcSwap::default(), writing: Mutex::new(()), changes: watch::Sender::new(0) }
    }
}

impl Revoked {
    /// An empty set.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether a peer is refused at this moment. One atomic load and at most three look-ups: made for every request.
    #[must_use]
    pub fn refuses(&self, peer: &Peer, now: Timestamp) -> Option<Revocation> {
        if now > peer.not_after.plus_millis(999) {
            return Some(Revocation::Expired);
        }
        self.current.load().refuses(peer)
    }

    /// Whether a serial of an issuer is revoked by itself.
    #[must_use]
    pub fn contains(&self, issuer: &[u8; 32], serial: &CertificateSerial) -> bool {
        self.current.load().names(&(*issuer, serial.clone()))
    }

    /// Whether a certificate that was good at `decided` has been revoked here since, for work that waited. With our own
    /// CA the serials say it all; of a foreign one a later cut of the identity counts too.
    #[must_use]
    pub fn shut_out_since(
        &self,
        decided: Timestamp,
        identity: &Identity,
        issuer: [u8; 32],
        serial: &CertificateSerial,
    ) -> bool {
        let lists = self.current.load();
        let cut = || lists.identities.get(identity).is_some_and(|cut| cut.at >= decided && !cut.keep.contains(serial));
        lists.names(&(issuer, serial.clone())) || (lists.own_issuer != Some(issuer) && cut())
    }

    /// A receiver that wakes at every change; the accept loops cut live connections by it.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    /// How many serials and identities are in the set.
    #[must_use]
    pub fn len(&self) -> usize {
        let lists = self.current.load();
        lists.own.len() + lists.identities.len() + lists.listed.len()
    }

    /// Whether nobody is revoked.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Says which issuer is the built-in CA, all of whose certificates are known by serial.
    pub fn set_own_issuer(&self, issuer: [u8; 32]) {
        self.change(|lists| lists.own_issuer = Some(issuer));
    }

    /// Adds serials.
    pub fn add_serials(&self, names: impl IntoIterator<Item = CertificateName>) {
        self.change(|lists| lists.own.extend(names));
    }

    /// Refuses what was issued to an identity up to `cut.at`; a later cut replaces an earlier one.
    pub fn add_identity(&self, identity: Identity, cut: IdentityCut) {
        self.change(|lists| {
            lists.identities.insert(identity, cut);
        });
    }

    /// Replaces what the CRL files of a foreign CA list.
    pub fn replace_listed(&self, names: HashSet<CertificateName>) {
        self.change(|lists| lists.listed = names);
    }

    /// Writers queue at the mutex: two `ArcSwap::rcu` would copy the set again and again under contention.
    fn change(&self, edit: impl FnOnce(&mut Lists)) {
        let turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lists = Lists::clone(&self.current.load());
        edit(&mut lists);
        self.current.store(Arc::new(lists));
        drop(turn);
        self.changes.send_modify(|count| *count = count.wrapping_add(1));
    }
}

impl Lists {
    fn names(&self, name: &CertificateName) -> bool {
        let any = || self.own.contains(&(ANY_ISSUER, name.1.clone()));
        self.own.contains(name) || self.listed.contains(name) || any()
    }

    fn refuses(&self, peer: &Peer) -> Option<Revocation> {
        if self.own.is_empty() && self.listed.is_empty() && self.identities.is_empty() {
            return None;
        }
        if self.names(&(peer.issuer_digest, peer.serial.clone())) {
            return Some(Revocation::Serial);
        }
        let cut = self.identities.get(&peer.identity)?;
        if cut.keep.contains(&peer.serial) {
            return None;
        }
        // Certificates tell whole seconds. Of our own CA every serial up to the cut is in the list, so that one issued
        // later in the same second is good; of a foreign CA nothing else tells them apart, so the second is refused.
        let own = self.own_issuer == Some(peer.issuer_digest);
        let (issued, at) = (peer.not_before.seconds(), cut.at.seconds());
        let refused = if own { issued < at } else { issued <= at };
        refused.then_some(Revocation::Identity)
    }
}

#[cfg(test)]
mod tests;
