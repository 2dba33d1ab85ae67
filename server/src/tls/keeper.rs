//! Keeps the listeners' TLS configurations: builds them from files or the built-in CA, and replaces them whole.
//!
//! Everything is built before anything is put into force; an error leaves what was.

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use tokio_util::sync::CancellationToken;
use wardkeep_model::{CertificateSerial, Clock, Timestamp};
use x509_parser::prelude::FromDer;

use super::files::{self, FileError};
use super::{ListenerKey, TlsError, TlsSlot, Trust, mutual, server_only};
use crate::ca::{Authority, AuthorityError};
use crate::config::{CaSettings, Config, RevocationMode, TlsSettings};
use crate::peer::issuer_digest;
use crate::revocation::{CertificateName, Revoked};
use crate::telemetry::Metrics;

/// How often the end of the listeners' certificate and of the CRLs is looked at.
const LOOK: Duration = Duration::from_secs(30);
/// How long before its end a CRL is warned about.
const WARN_BEFORE_MILLIS: u64 = 3_600_000;

/// Why the listeners' TLS could not be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeeperError {
    /// A file.
    #[error(transparent)]
    File(#[from] FileError),
    /// What rustls says.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// What the built-in CA says.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// A trust root that is a leaf: whoever holds its key would be trusted to name anybody.
    #[error("`{path}` holds a certificate that is not a CA's: a leaf is no trust root")]
    LeafAsRoot {
        /// The file.
        path: PathBuf,
    },
    /// A CRL that does not read.
    #[error("`{path}` holds a CRL that does not read")]
    Crl {
        /// The file.
        path: PathBuf,
    },
    /// A CRL that is stale already would refuse everybody.
    #[error("the CRL in `{path}` went stale at {since}: refresh it")]
    StaleCrl {
        /// The file.
        path: PathBuf,
        /// When.
        since: Timestamp,
    },
}

/// What the keeper is told; replaced by a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    tls: TlsSettings,
    ca: CaSettings,
}

/// The listeners' TLS configurations and where they come from.
pub struct Keeper {
    authority: Arc<Authority>,
    clock: Arc<dyn Clock>,
    revoked: Arc<Revoked>,
    metrics: Arc<Metrics>,
    state: Mutex<State>,
    api: TlsSlot,
    enrol: TlsSlot,
}

#[derive(Debug)]
struct State {
    told: Told,
    made: Option<Made>,
    crl_end: Option<Timestamp>,
    freshness: Freshness,
}

/// How the oldest CRL stands; each step is logged once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Ending,
    Stale,
}

/// A listener certificate of the built-in CA.
#[derive(Debug)]
struct Made {
    key: ListenerKey,
    names: Vec<String>,
    renew_at: Timestamp,
}

struct Built {
    api: rustls::ServerConfig,
    enrol: rustls::ServerConfig,
    listed: HashSet<CertificateName>,
    listener_end: Timestamp,
    crl_end: Option<Timestamp>,
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("state", &self.state).finish_non_exhaustive()
    }
}

impl Keeper {
    /// Builds the first configurations.
    ///
    /// # Errors
    /// [`KeeperError`]: a server does not start on a broken certificate.
    pub fn new(
        config: &Config,
        authority: Arc<Authority>,
        clock: Arc<dyn Clock>,
        revoked: Arc<Revoked>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, KeeperError> {
        let told = Told { tls: config.tls.clone(), ca: config.ca.clone() };
        let mut state = State { told, made: None, crl_end: None, freshness: Freshness::Fresh };
        let built = build(&mut state, &authority, &clock)?;
        state.crl_end = built.crl_end;
        let slot = |config| Arc::new(ArcSwap::from_pointee(config));
        announce(&built, &metrics);
        revoked.replace_listed(built.listed);
        let (api, enrol) = (slot(built.api), slot(built.enrol));
        Ok(Self { authority, clock, revoked, metrics, state: Mutex::new(state), api, enrol })
    }

    /// The mutual-TLS listener's configuration.
    #[must_use]
    pub fn api(&self) -> TlsSlot {
        self.api.clone()
    }

    /// The enrolment listener's configuration.
    #[must_use]
    pub fn enrol(&self) -> TlsSlot {
        self.enrol.clone()
    }

    /// Reads everything anew, with other settings if given. On an error what was stays in force, settings too.
    ///
    /// # Errors
    /// [`KeeperError`].
    pub fn rebuild(&self, config: Option<&Config>) -> Result<(), KeeperError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = state.told.clone();
        if let Some(config) = config {
            state.told = Told { tls: config.tls.clone(), ca: config.ca.clone() };
        }
        match build(&mut state, &self.authority, &self.clock) {
            Ok(built) => {
                self.authority.retell(state.told.ca.clone());
                state.crl_end = built.crl_end;
                announce(&built, &self.metrics);
                // The list first: a connection made between the two steps is checked against the newer one.
                self.revoked.replace_listed(built.listed);
                self.api.store(Arc::new(built.api));
                self.enrol.store(Arc::new(built.enrol));
                self.metrics.revoked_entries.set(u32::try_from(self.revoked.len()).unwrap_or(u32::MAX));
                // Held until here: of two rebuilds the later one must also be the later one in force.
                drop(state);
                Ok(())
            }
            Err(error) => {
                state.told = before;
                Err(error)
            }
        }
    }

    /// The files that a rebuild reads, for the reloader to watch.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let Told { tls, ca } = &state.told;
        let single = [&tls.certificate_file, &tls.key_file, &ca.certificate_file];
        single.into_iter().flatten().chain(&ca.crl_files).cloned().collect()
    }

    /// Rebuilds when the built-in CA signs a new CRL and when the listeners' certificate is half through, until
    /// `stop`.
    pub async fn keep(&self, stop: CancellationToken) {
        let mut lists = self.authority.crl_changes();
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                changed = lists.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    self.rebuild_or_keep("crl");
                }
                () = tokio::time::sleep(LOOK) => {
                    self.look_at_lists();
                    if self.renewal_due() {
                        self.rebuild_or_keep("listener certificate");
                    }
                }
            }
        }
    }

    /// A list that nobody refreshes shuts everyone out: say so while there is time, and when it has happened.
    fn look_at_lists(&self) -> Freshness {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        let freshness = match state.crl_end {
            Some(end) if now >= end => Freshness::Stale,
            Some(end) if end.millis_since(now) <= WARN_BEFORE_MILLIS => Freshness::Ending,
            Some(_) | None => Freshness::Fresh,
        };
        if freshness != state.freshness {
            state.freshness = freshness;
            let end = state.crl_end.unwrap_or_default();
            match freshness {
                Freshness::Stale => tracing::error!(next_update = %end, "a CRL is stale: no certificate is accepted"),
                Freshness::Ending => tracing::warn!(next_update = %end, "a CRL goes stale soon: refresh it"),
                Freshness::Fresh => tracing::info!(next_update = %end, "CRLs are fresh again"),
            }
        }
        freshness
    }

    fn renewal_due(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.made.as_ref().is_some_and(|made| self.clock.now() >= made.renew_at)
    }

    fn rebuild_or_keep(&self, what: &'static str) {
        match self.rebuild(None) {
            Ok(()) => tracing::info!(what, "tls configuration replaced"),
            Err(error) => {
                self.metrics.reloads_kept_old.increment(1);
                tracing::warn!(what, reason = %error, "tls configuration kept");
            }
        }
    }
}

fn announce(built: &Built, metrics: &Metrics) {
    metrics.listener_certificate_expiry.set(seconds(built.listener_end));
    metrics.crl_next_update.set(built.crl_end.map_or(0.0, seconds));
}

#[expect(clippy::cast_precision_loss, reason = "seconds since 1970 are exact in a double for a long time")]
fn seconds(at: Timestamp) -> f64 {
    at.seconds() as f64
}

fn build(state: &mut State, authority: &Authority, clock: &Arc<dyn Clock>) -> Result<Built, KeeperError> {
    let trust = trust(&state.told.ca, authority, clock.now())?;
    let from_files;
    let key = match (&state.told.tls.certificate_file, &state.told.tls.key_file) {
        (Some(certificate), Some(key)) => {
            from_files = files::listener_key(certificate, key)?;
            &from_files
        }
        _ => made(&mut state.made, &state.told.tls, authority, clock.now())?,
    };
    let api = mutual(key, &trust.trust, clock.clone())?;
    let enrol = server_only(key, clock.clone())?;
    Ok(Built { api, enrol, listed: trust.listed, listener_end: end_of(key), crl_end: trust.crl_end })
}

/// The built-in CA's listener certificate: the one there is, unless it is half through or for other names.
fn made<'a>(
    slot: &'a mut Option<Made>,
    tls: &TlsSettings,
    authority: &Authority,
    now: Timestamp,
) -> Result<&'a ListenerKey, KeeperError> {
    let usable = slot.as_ref().is_some_and(|made| made.names == tls.names && now < made.renew_at);
    if !usable {
        let life = u64::from(tls.certificate_life_hours) * 3_600_000;
        let (key, _) = authority.listener_key(&tls.names, life)?;
        *slot = Some(Made { key, names: tls.names.clone(), renew_at: now.plus_millis(life / 2) });
    }
    slot.as_ref().map(|made| &made.key).ok_or(KeeperError::Authority(AuthorityError::Missing))
}

struct Trusted {
    trust: Trust,
    listed: HashSet<CertificateName>,
    crl_end: Option<Timestamp>,
}

fn trust(ca: &CaSettings, authority: &Authority, now: Timestamp) -> Result<Trusted, KeeperError> {
    let Some(path) = &ca.certificate_file else {
        let root = authority.certificate().ok_or(AuthorityError::Missing)?;
        let crl = authority.crl();
        let crls = crl.iter().map(|crl| crl.der.clone()).collect();
        let trust = Trust { roots: vec![root.clone()], crls, revocation: ca.revocation };
        return Ok(Trusted { trust, listed: HashSet::new(), crl_end: crl.map(|crl| crl.next_update) });
    };
    let roots = files::certificates(path)?;
    if !roots.iter().all(is_authority) {
        return Err(KeeperError::LeafAsRoot { path: path.clone() });
    }
    let (mut crls, mut listed, mut crl_end) = (Vec::new(), HashSet::new(), None);
    for path in &ca.crl_files {
        for crl in files::crls(path)? {
            let read = read_crl(&crl).ok_or_else(|| KeeperError::Crl { path: path.clone() })?;
            let stale = read.next_update.filter(|end| *end < now && ca.revocation == RevocationMode::Crl);
            if let Some(since) = stale {
                return Err(KeeperError::StaleCrl { path: path.clone(), since });
            }
            listed.extend(read.entries);
            crl_end = [crl_end, read.next_update].into_iter().flatten().min();
            crls.push(crl);
        }
    }
    Ok(Trusted { trust: Trust { roots, crls, revocation: ca.revocation }, listed, crl_end })
}

fn is_authority(der: &CertificateDer<'static>) -> bool {
    let parsed = x509_parser::parse_x509_certificate(der);
    parsed.is_ok_and(|(_, certificate)| {
        certificate.basic_constraints().is_ok_and(|found| found.is_some_and(|extension| extension.value.ca))
    })
}

/// A list's entries, so that live connections are cut when a file names them. rustls checks its signature at each
/// handshake; here a forged entry could only refuse somebody, and who writes the file can do that anyway.
struct ReadCrl {
    entries: Vec<CertificateName>,
    next_update: Option<Timestamp>,
}

fn read_crl(der: &CertificateRevocationListDer<'_>) -> Option<ReadCrl> {
    let (_, list) = x509_parser::revocation_list::CertificateRevocationList::from_der(der).ok()?;
    let issuer = issuer_digest(list.issuer().as_raw());
    let entries: Option<Vec<CertificateName>> = list
        .iter_revoked_certificates()
        .map(|entry| Some((issuer, CertificateSerial::from_bytes(entry.raw_serial()).ok()?)))
        .collect();
    let moment = |seconds: i64| Timestamp::from_millis(u64::try_from(seconds).unwrap_or(0).saturating_mul(1000));
    Some(ReadCrl { entries: entries?, next_update: list.next_update().map(|at| moment(at.timestamp())) })
}

fn end_of(key: &ListenerKey) -> Timestamp {
    let parsed = key.chain.first().map(|leaf| x509_parser::parse_x509_certificate(leaf));
    let end = parsed.and_then(Result::ok).map_or(0, |(_, leaf)| leaf.validity().not_after.timestamp());
    Timestamp::from_millis(u64::try_from(end).unwrap_or(0).saturating_mul(1000))
}

#[cfg(test)]
mod tests;
