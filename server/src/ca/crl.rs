//! The list of revoked certificates that the built-in CA publishes (RFC 5280 section 5).
//!
//! Our own listeners do not depend on it: revocation made here counts at once (see [`crate::revocation`]). It is for
//! everybody else who trusts this CA, and the listeners check it too, so that one that is not refreshed is noticed.

use std::sync::Arc;
use std::time::Duration;

use rcgen::{CertificateRevocationListParams, KeyIdMethod, RevokedCertParams, SerialNumber};
use rustls::pki_types::CertificateRevocationListDer;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use wardkeep_model::{CertificateSerial, Timestamp};
use wardkeep_store::Table;

use super::authority::pem;
use super::record::{CertificateRow, RevocationRow, RevokedWhat, unhex};
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

    /// Signs a new list of everything revoked that has not expired.
    ///
    /// # Errors
    /// [`AuthorityError`]: unreadable rows, or no signer.
    pub fn sign_crl(&self) -> Result<Arc<Crl>, AuthorityError> {
        let signer = self.signer.as_ref().ok_or(AuthorityError::NotOurs)?;
        let now = self.clock.now();
        let epoch = rcgen::date_time_ymd(1970, 1, 1);
        let revoked_certs: Vec<RevokedCertParams> = self
            .listed(now)?
            .into_iter()
            .map(|(serial, at)| RevokedCertParams {
                serial_number: SerialNumber::from_slice(&serial_bytes(&serial)),
                revocation_time: date(epoch, at),
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
    pub async fn keep_crl(&self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(LOOK)).await.is_some() {
            self.refresh_crl();
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

    /// Serials of our own that are revoked and have not expired, with the moment of their revocation.
    fn listed(&self, now: Timestamp) -> Result<Vec<(CertificateSerial, Timestamp)>, AuthorityError> {
        let own = self.issuer_digest();
        let mut rows = Vec::new();
        self.store.scan(Table::Revocation, &mut |row| rows.push(RevocationRow::read(&row.value)))?;
        let mut listed = Vec::new();
        for row in rows {
            let row = row?;
            let RevokedWhat::Serial { issuer, serial } = row.what else { continue };
            if unhex(&issuer) != own {
                continue;
            }
            let serial =
                CertificateSerial::parse(&serial).map_err(|_| AuthorityError::Row { what: "revocation record" })?;
            let issued = self.store.read(Table::Certificate, serial.as_str())?;
            let ended = issued.map(|row| CertificateRow::read(&row.value)).transpose()?;
            if ended.is_none_or(|record| record.not_after >= now) {
                listed.push((serial, Timestamp::from_millis(row.at)));
            }
        }
        Ok(listed)
    }
}

fn serial_bytes(serial: &CertificateSerial) -> Vec<u8> {
    let text = serial.as_str();
    let padded = if text.len() % 2 == 1 { format!("0{text}") } else { text.to_owned() };
    let pairs = (0..padded.len()).step_by(2);
    pairs.filter_map(|at| padded.get(at..at + 2)).filter_map(|pair| u8::from_str_radix(pair, 16).ok()).collect()
}
