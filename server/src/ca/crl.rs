//! The list of revoked certificates that the built-in CA publishes (RFC 5280 section 5).
//!
//! Our own listeners do not depend on it: revocation made here counts at once (see [`crate::revocation`]). It is for
//! everybody else who trusts this CA, and the listeners check it too, so that one that is not refreshed is noticed.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls::pki_types::CertificateRevocationListDer;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wardkeep_model::{CertificateSerial, Timestamp};

use super::authority::pem;
use super::signer::date;
use super::{Authority, AuthorityError};

/// How often the age of the list is looked at.
const LOOK: Duration = Duration::from_secs(30);

/// One signed list.
#[derive(Debug, Clone)]
pub struct Crl {
    /// The list in DER.
    pub der: CertificateRevocationListDer<'static>,
    /// The list in PEM.
    pub pem: String,
    /// How many serials are on it.
    pub entries: usize,
    /// Grows with every list.
    pub number: u64,
    /// When it was signed.
    pub this_update: Timestamp,
    /// When it goes stale.
    pub next_update: Timestamp,
}

/// A line of the lists.
#[derive(Debug, Clone, Copy)]
pub(super) struct Listed {
    /// When it was revoked.
    pub(super) at: Timestamp,
    /// When the certificate ends, and the line with it.
    pub(super) until: Timestamp,
}

impl Authority {
    /// The newest list; `None` with a CA of the operator's own.
    #[must_use]
    pub fn crl(&self) -> Option<Arc<Crl>> {
        self.crl.load_full()
    }

    /// Wakes whenever a new list was signed.
    #[must_use]
    pub fn crl_changes(&self) -> watch::Receiver<u64> {
        self.crl_changes.subscribe()
    }

    /// Signs a new list of everything revoked that has not expired. Reads no row: what is on it stands in memory.
    ///
    /// # Errors
    /// [`AuthorityError`]: no signer, or it refuses.
    pub fn sign_crl(&self) -> Result<Arc<Crl>, AuthorityError> {
        let signer = self.signer.as_ref().ok_or(AuthorityError::NotOurs)?;
        let now = self.clock.now();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let revoked_certs: Vec<RevokedCertParams> = self
            .listed_at(now)
            .into_iter()
            .map(|(serial, listed)| RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial_bytes(&serial)),
                revocation_time: date(epoch, listed.at),
                reason_code: None,
                invalidity_date: None,
            })
            .collect();
        // The clock numbers the lists: no row is needed, and a restart cannot go back unless the clock does.
        let before = self.crl.load().as_ref().map_or(0, |crl| crl.number);
        let number = now.millis().max(before.saturating_add(1));
        let next_update = now.plus_millis(u64::from(self.ca.load().crl_life_hours) * 3_600_000);
        let entries = revoked_certs.len();
        let params = CertificateRevocationListParams {
            this_update: date(epoch, now),
            next_update: date(epoch, next_update),
            crl_number: SerialNumber::from(number),
            issuing_distribution_point: None,
            revoked_certs,
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let der = params.signed_by(&signer.issuer)?.der().clone();
        let crl = Arc::new(Crl { pem: pem("X509 CRL", &der), der, entries, number, this_update: now, next_update });
        self.crl.store(Some(crl.clone()));
        self.crl_changes.send_modify(|count| *count = count.wrapping_add(1));
        Ok(crl)
    }

    /// Signs the list anew at half of its life, until `stop`. A failure is logged and tried again.
    pub async fn keep_crl(self: Arc<Self>, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            // A long list takes long to write down and to sign.
            let authority = self.clone();
            let _signed = tokio::task::spawn_blocking(move || authority.refresh_crl()).await;
        }
    }

    /// Signs a new list if half of the life of the newest has passed; whether it did.
    pub fn refresh_crl(&self) -> bool {
        let Some(crl) = self.crl() else { return false };
        let now = self.clock.now();
        let half = crl.next_update.millis_since(crl.this_update) / 2;
        if now.millis_since(crl.this_update) < half {
            return false;
        }
        match self.sign_crl() {
            Ok(crl) => {
                tracing::info!(entries = crl.entries, next_update = %crl.next_update, "CRL signed");
                true
            }
            Err(error) => {
                tracing::warn!(reason = %error, stale_at = %crl.next_update, "CRL could not be signed: it goes stale");
                false
            }
        }
    }

    /// Puts what was revoked onto the lists that are signed from now on.
    pub(super) fn list(&self, revoked: impl IntoIterator<Item = (CertificateSerial, Listed)>) {
        self.listed.lock().unwrap_or_else(PoisonError::into_inner).extend(revoked);
    }

    /// Serials of our own that are revoked and have not expired. What has, is forgotten.
    fn listed_at(&self, now: Timestamp) -> Vec<(CertificateSerial, Listed)> {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.retain(|_, entry| entry.until >= now);
        listed.iter().map(|(serial, entry)| (serial.clone(), *entry)).collect()
    }
}

fn serial_bytes(serial: &CertificateSerial) -> Vec<u8> {
    let text = serial.as_str();
    let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
    let pairs = (0..padded.len()).step_by(2);
    pairs.filter_map(|at| padded.get(at..at + 2)).filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
