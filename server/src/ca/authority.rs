//! Making and opening the authority.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio::sync::{Mutex, watch};
use wardkeep_model::{AuditEvent, CertificateSerial, EventDetail};
use wardkeep_model::{Clock, Decision, EntityUid, Entropy, Identity, RequestId, Timestamp};
use wardkeep_store::{Change, Store, Table, Work};
use zeroize::Zeroizing;

use super::AuthorityError;
use super::book;
use super::crl::{Crl, Listed};
use super::family::Families;
use super::record::{RevocationRow, RevokedWhat, unhex};
use super::signer::{CaKey, Signer};
use crate::config::CaSettings;
use crate::peer::issuer_digest;
use crate::revocation::{IdentityCut, Revoked};
use crate::tls::ListenerKey;

const KEY_ROW: &str = "ca-key";
const CERTIFICATE_ROW: &str = "ca-certificate";
/// First byte of both rows.
const ROW_VERSION: u8 = 1;

/// What the authority asks the policy side before it issues. It is asked anew at each issue: an entity may have gone,
/// a role may have come.
pub trait Admission: Send + Sync {
    /// The entity that an identity maps to, whether it exists or not; `None` for a kind that is not configured.
    fn entity_of(&self, identity: &Identity) -> Option<EntityUid>;
    /// Whether the entity exists.
    fn exists(&self, entity: &EntityUid) -> bool;
    /// Whether `issuer` holds every control role that `entity` holds.
    fn covers(&self, issuer: &EntityUid, entity: &EntityUid) -> bool;
    /// Whether `issuer` exists and may still issue a token for `entity`.
    fn may_issue(&self, issuer: &EntityUid, entity: &EntityUid) -> bool;
    /// The policy version in force, for the audit record.
    fn policy_version(&self) -> u64;
}

/// What the authority is told.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    /// The trust domain of every identity it issues for.
    pub trust_domain: String,
    /// `[ca]`
    pub ca: CaSettings,
}

/// The certificate authority: issues, renews, revokes.
///
/// With a CA of the operator's own there is no signer: issuing answers `NotOurs`, revoking works.
pub struct Authority {
    pub(super) store: Arc<dyn Store>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) entropy: Arc<dyn Entropy>,
    pub(super) trust_domain: String,
    /// Replaced by a reload.
    pub(super) ca: ArcSwap<CaSettings>,
    pub(super) signer: Option<Signer>,
    pub(super) revoked: Arc<Revoked>,
    /// Issuing and revoking take turns: a renewal that checked before a revocation must not be recorded after it.
    pub(super) turn: Mutex<()>,
    pub(super) families: Families,
    /// What the next list says: serials of our own that are revoked, and were not expired at the last one.
    pub(super) listed: std::sync::Mutex<BTreeMap<CertificateSerial, Listed>>,
    pub(super) crl: ArcSwapOption<Crl>,
    pub(super) crl_changes: watch::Sender<u64>,
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").field("trust_domain", &self.trust_domain).finish_non_exhaustive()
    }
}

impl Authority {
    /// Makes the built-in CA's key and certificate and stores both, once.
    ///
    /// # Errors
    /// [`AuthorityError::Exists`], or what the store or the random generator answers.
    pub async fn create(store: &dyn Store, clock: &dyn Clock, entropy: &dyn Entropy) -> Result<(), AuthorityError> {
        if store.read(Table::Authority, KEY_ROW)?.is_some() {
            return Err(AuthorityError::Exists);
        }
        let pkcs8 = CaKey::generate()?;
        let certificate = Signer::found(&CaKey::from_pkcs8(&pkcs8)?, clock.now(), entropy)?;
        let put = |id: &str, bytes: &[u8]| {
            let mut value = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
            value.push(ROW_VERSION);
            value.extend_from_slice(bytes);
            Change::Put { table: Table::Authority, id: id.to_owned(), expected: None, value }
        };
        let changes = vec![put(KEY_ROW, &pkcs8), put(CERTIFICATE_ROW, &certificate)];
        store.commit(Work { changes, events: Vec::new() }).await?;
        Ok(())
    }

    /// Opens the authority and fills `revoked` with everything that was revoked before.
    ///
    /// # Errors
    /// [`AuthorityError`]: no CA, rows that do not read.
    pub fn open(
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
        settings: AuthoritySettings,
        revoked: Arc<Revoked>,
    ) -> Result<Self, AuthorityError> {
        let own = settings.ca.certificate_file.is_none();
        let signer = if own { Some(load_signer(&*store)?) } else { None };
        let AuthoritySettings { trust_domain, ca } = settings;
        let all: Vec<_> = book::rows(&*store)?.into_iter().map(|(record, _)| record).collect();
        let authority = Self {
            families: Families::of(&all, clock.now()),
            store,
            clock,
            entropy,
            trust_domain,
            ca: ArcSwap::from_pointee(ca),
            signer,
            revoked,
            turn: Mutex::new(()),
            listed: std::sync::Mutex::default(),
            crl: ArcSwapOption::empty(),
            crl_changes: watch::Sender::new(0),
        };
        authority.load_revocations(&all.into_iter().map(|record| (record.serial, record.not_after)).collect())?;
        if authority.signer.is_some() {
            authority.sign_crl()?;
        }
        Ok(authority)
    }

    /// Puts other lives of certificates, tokens and lists into force; whose CA it is needs a restart.
    pub fn retell(&self, ca: CaSettings) {
        self.ca.store(Arc::new(ca));
    }

    /// The built-in CA's certificate; `None` with a CA of the operator's own.
    #[must_use]
    pub fn certificate(&self) -> Option<&CertificateDer<'static>> {
        self.signer.as_ref().map(|signer| &signer.certificate)
    }

    /// The built-in CA's certificate in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> Option<String> {
        self.certificate().map(|der| pem("CERTIFICATE", der))
    }

    /// SHA-256 of the built-in CA's certificate; what tokens pin.
    #[must_use]
    pub fn fingerprint(&self) -> Option<[u8; 32]> {
        self.certificate().map(|der| Sha256::digest(der).into())
    }

    /// What the accept loops know the built-in CA's leaves by: SHA-256 of its name.
    #[must_use]
    pub fn issuer_digest(&self) -> Option<[u8; 32]> {
        let der = self.certificate()?;
        let (_, parsed) = x509_parser::parse_x509_certificate(der).ok()?;
        Some(issuer_digest(parsed.subject().as_raw()))
    }

    /// A fresh key and certificate for the listeners. The key lives in memory alone.
    ///
    /// # Errors
    /// [`AuthorityError`]: a name that is none, or no signer.
    pub fn listener_key(&self, names: &[String], life_millis: u64) -> Result<(ListenerKey, Timestamp), AuthorityError> {
        let signer = self.signer.as_ref().ok_or(AuthorityError::NotOurs)?;
        let pkcs8 = CaKey::generate()?;
        let key = CaKey::from_pkcs8(&pkcs8)?;
        let leaf = signer.listener_leaf(names, &key, (self.clock.now(), life_millis), &*self.entropy)?;
        let chain = vec![leaf.der, signer.certificate.clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(pkcs8.to_vec()));
        Ok((ListenerKey { chain, key }, leaf.not_after))
    }

    /// `ends` are those of the certificates on record.
    fn load_revocations(&self, ends: &HashMap<CertificateSerial, Timestamp>) -> Result<(), AuthorityError> {
        const WHAT: &str = "revocation record";
        let mut rows = Vec::new();
        self.store.scan(Table::Revocation, &mut |row| rows.push(RevocationRow::read(&row.value)))?;
        let broken = || AuthorityError::Row { what: WHAT };
        let serial = |text: &str| CertificateSerial::parse(text).map_err(|_| broken());
        let (mut serials, mut listed, own) = (Vec::new(), Vec::new(), self.issuer_digest());
        for row in rows {
            let row = row?;
            match row.what {
                RevokedWhat::Serial { issuer, serial: text } => {
                    let name = (unhex(&issuer).ok_or_else(broken)?, serial(&text)?);
                    // One of our own that is not on record has been expired for long: no list needs it.
                    if let Some(until) = ends.get(&name.1).filter(|_| Some(name.0) == own) {
                        listed.push((name.1.clone(), Listed { at: Timestamp::from_millis(row.at), until: *until }));
                    }
                    serials.push(name);
                }
                RevokedWhat::Identity { identity, keep } => {
                    let identity = Identity::parse(&identity).map_err(|_| broken())?;
                    let keep: Result<_, _> = keep.iter().map(|text| serial(text)).collect();
                    let cut = IdentityCut { at: Timestamp::from_millis(row.at), keep: keep? };
                    self.revoked.add_identity(identity, cut);
                }
            }
        }
        if let Some(own) = own {
            self.revoked.set_own_issuer(own);
        }
        self.revoked.add_serials(serials);
        self.list(listed);
        Ok(())
    }

    /// Makes changes and the record of them durable. If the changes are refused, the refusal is recorded instead.
    pub(super) async fn settle(&self, changes: Vec<Change>, event: AuditEvent) -> Result<(), AuthorityError> {
        let refused = event.clone();
        let Err(error) = self.store.commit(Work { changes, events: vec![event] }).await else { return Ok(()) };
        let error = AuthorityError::from(error);
        self.record(refused.with_outcome(error.code())).await?;
        Err(error)
    }

    /// Makes the record of a refusal durable.
    pub(super) async fn record(&self, event: AuditEvent) -> Result<(), AuthorityError> {
        self.store.commit(Work::record(vec![event])).await?;
        Ok(())
    }
}

/// The event of an act that rests on a token or a certificate instead of a decision of the policy sets.
pub(super) fn own_event(
    now: Timestamp,
    entity: EntityUid,
    action: &'static str,
    request: RequestId,
    about: &Identity,
) -> AuditEvent {
    AuditEvent {
        time: now,
        actor: entity.clone(),
        subject: entity.clone(),
        action: action.to_owned(),
        resource: entity,
        record: None,
        decision: Decision::Allow,
        policies: Vec::new(),
        errors: Vec::new(),
        policy_version: 0,
        outcome: "ok",
        request,
        serial: None,
        detail: vec![(EventDetail::About, about.to_string())],
    }
}

fn load_signer(store: &dyn Store) -> Result<Signer, AuthorityError> {
    let key = store.read(Table::Authority, KEY_ROW)?.ok_or(AuthorityError::Missing)?;
    let certificate = store.read(Table::Authority, CERTIFICATE_ROW)?.ok_or(AuthorityError::Missing)?;
    let body = |value: &[u8], what: &'static str| match value.split_first() {
        Some((&ROW_VERSION, body)) => Ok(Zeroizing::new(body.to_vec())),
        _ => Err(AuthorityError::Row { what }),
    };
    let key = CaKey::from_pkcs8(&body(&key.value, "CA key")?)?;
    let certificate = body(&certificate.value, "CA certificate")?;
    Signer::open(key, CertificateDer::from(certificate.to_vec()))
}

/// DER in PEM armour (RFC 7468).
pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    use base64::Engine;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str("-----END ");
    out.push_str(label);
    out.push_str("-----\n");
    out
}
