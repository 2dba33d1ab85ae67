//! Keeping the certificate valid: renewal at two thirds of its life, and replaced files taken up.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Weak;
use std::time::Duration;

use http::Method;
use wardkeep_api::certificate::{IssuedCertificate, RenewCertificate};
use wardkeep_model::{Entropy, Timestamp};

use crate::call::Call;
use crate::certify::{Applicant, ApplicationFailed, IssueFault};
use crate::client::{Client, Shared};
use crate::credential::{self, CertificateInfo, CredentialError, pending_key};
use crate::error::{CallError, Side};
use crate::files;
use crate::retry;
use crate::settings::{Renewal, Settings};

/// Shortest pause between two looks.
const SHORTEST: Duration = Duration::from_millis(200);
/// Upper end of the pause after the first failed renewal; doubles with each.
const BACKOFF: Duration = Duration::from_secs(30);
/// Upper end of every pause after a failed renewal.
const LONGEST: Duration = Duration::from_secs(3600);

/// Why a certificate was not renewed. The one in use stays in use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenewError {
    /// Another process renews into the same files at this moment; its result is taken up by itself.
    #[error("another process is renewing this certificate")]
    Busy,
    /// No key or request could be made.
    #[error(transparent)]
    Application(#[from] ApplicationFailed),
    /// The server did not answer or refused.
    #[error("the certificate was not renewed: {0}")]
    Call(#[from] CallError),
    /// The answer is not a certificate for us.
    #[error(transparent)]
    Issue(#[from] IssueFault),
    /// The files could not be written.
    #[error("the renewed certificate cannot be written beside the old one: check that the folder is writable")]
    Write(#[source] io::Error),
    /// The files were written and cannot be used.
    #[error(transparent)]
    Credential(#[from] CredentialError),
}

impl RenewError {
    /// On which side it lies.
    #[must_use]
    pub fn side(&self) -> Side {
        match self {
            Self::Call(error) => error.side(),
            Self::Issue(_) => Side::Remote,
            Self::Busy | Self::Application(_) | Self::Write(_) | Self::Credential(_) => Side::Local,
        }
    }
}

impl Client {
    /// Renews the certificate now, under a new private key, and uses it from the next call on.
    ///
    /// The key is on disk before the server is asked, the certificate before the key takes its name: at
    /// every moment the files hold a pair that works (see [`crate::credential`]).
    ///
    /// # Errors
    /// [`RenewError`]. Whatever it is, the old certificate is still there.
    pub async fn renew_certificate(&self) -> Result<CertificateInfo, RenewError> {
        let settings = self.shared().link.settings();
        let entropy = self.shared().entropy.as_ref();
        let lock = lock(&settings.key)?;
        settle(settings)?;
        let applicant = Applicant::new()?;
        let pending = pending_key(&settings.key);
        files::write_private(&pending, applicant.key_pem(), entropy).map_err(RenewError::Write)?;
        let certified = self.apply(&applicant).await?;
        files::write_private(&settings.certificate, certified.chain_pem.as_bytes(), entropy)
            .and_then(|()| files::rename(&pending, &settings.key))
            .map_err(RenewError::Write)?;
        drop(lock);
        self.shared().link.take_up_issued()?;
        Ok(certified.certificate)
    }

    async fn apply(&self, applicant: &Applicant) -> Result<crate::certify::Certified, RenewError> {
        let body = RenewCertificate { csr_pem: applicant.csr_pem.clone() };
        // Once: each answer is a certificate of its own, listed and revoked by its own serial.
        let call = Call::once(Method::POST, "/v1/certificates/renew").json(&body)?;
        let certified = applicant.accept(&self.ask::<IssuedCertificate>(call).await?)?;
        if certified.certificate.identity != self.certificate().identity {
            return Err(IssueFault::OtherIdentity.into());
        }
        Ok(certified)
    }
}

fn lock(key: &Path) -> Result<File, RenewError> {
    files::try_lock(&files::suffixed(key, ".lock")).map_err(RenewError::Write)?.ok_or(RenewError::Busy)
}

/// Finishes a renewal that was cut off between its two renames: the waiting key is the one in use, and
/// must have its name before another key waits.
fn settle(settings: &Settings) -> Result<(), RenewError> {
    let pending = pending_key(&settings.key);
    if pending.exists() && credential::rests_on(settings, &pending) {
        files::rename(&pending, &settings.key).map_err(RenewError::Write)?;
    }
    Ok(())
}

/// Looks after a client's credentials until its last clone is gone.
pub(crate) async fn keep(shared: Weak<Shared>) {
    let mut plan: Option<Plan> = None;
    loop {
        let pause = {
            let Some(shared) = shared.upgrade() else { return };
            take_up(&shared);
            shared.cache.purge();
            let certificate = shared.link.live().certificate.clone();
            let plan = match &mut plan {
                Some(plan) if plan.certificate == certificate => plan,
                other => other.insert(Plan::new(certificate, shared.entropy.as_ref())),
            };
            let settings = shared.link.settings();
            if settings.renewal == Renewal::Automatic && shared.clock.now() >= plan.next {
                let outcome = shared.client().renew_certificate().await;
                plan.after(&outcome, shared.clock.now(), shared.entropy.as_ref());
            }
            plan.pause(shared.clock.now(), settings)
        };
        tokio::time::sleep(pause).await;
    }
}

fn take_up(shared: &Shared) {
    match shared.link.reload_if_changed(shared.clock.now()) {
        Ok(false) => {}
        Ok(true) => tracing::info!(serial = %shared.link.live().certificate.serial, "new credentials are in use"),
        // Two files are never replaced at once: the next look finds the pair whole.
        Err(error) => tracing::warn!(%error, "the changed credential files cannot be used: the old ones stay in use"),
    }
}

/// When the next try to renew is due.
struct Plan {
    certificate: CertificateInfo,
    next: Timestamp,
    failures: u32,
}

impl Plan {
    /// Two thirds of the life and a random part of a twentieth: certificates issued together are not
    /// renewed together.
    fn new(certificate: CertificateInfo, entropy: &dyn Entropy) -> Self {
        let life = certificate.not_after.millis_since(certificate.not_before);
        let jitter = millis(retry::fraction_of(Duration::from_millis(life / 20), entropy));
        let next = certificate.not_before.plus_millis(life / 3 * 2).plus_millis(jitter);
        Self { certificate, next, failures: 0 }
    }

    /// A failure is tried again after a doubling pause, and in any case several times before the end.
    fn after(&mut self, outcome: &Result<CertificateInfo, RenewError>, now: Timestamp, entropy: &dyn Entropy) {
        let Err(error) = outcome else { return };
        let left = Duration::from_millis(self.certificate.not_after.millis_since(now));
        let doubled = BACKOFF.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        // Once it has expired there is no hurry left: a crowd of them must not hammer a server that came back.
        let ceiling = if left.is_zero() { doubled } else { doubled.min(left / 8).max(SHORTEST * 5) };
        let pause = ceiling / 2 + retry::fraction_of(ceiling / 2, entropy);
        self.failures += 1;
        self.next = now.plus_millis(millis(pause));
        tracing::warn!(%error, left_s = left.as_secs(), retry_s = pause.as_secs(), "the certificate was not renewed");
    }

    fn pause(&self, now: Timestamp, settings: &Settings) -> Duration {
        let due = Duration::from_millis(self.next.millis_since(now));
        let due = if settings.renewal == Renewal::Automatic { due } else { Duration::MAX };
        settings.timeouts.poll.min(due).max(SHORTEST)
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
