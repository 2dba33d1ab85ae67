//! Whether the CA file vouches for a client's own certificate.

use std::sync::Arc;
use std::time::Duration;

use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, UnixTime};
use wardkeep_model::Timestamp;

use super::provider;

/// A CA file and a chain, read at the same time.
pub(crate) struct Trust {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
}

impl Trust {
    pub(crate) fn new(roots: Arc<RootCertStore>, chain: Vec<CertificateDer<'static>>) -> Self {
        Self { roots, chain }
    }

    /// Whether the chain is valid now for a client under one of the roots, as a server would look at it.
    pub(crate) fn vouches_for(&self, now: Timestamp) -> bool {
        let Some((leaf, intermediates)) = self.chain.split_first() else { return false };
        let moment = UnixTime::since_unix_epoch(Duration::from_millis(now.millis()));
        WebPkiClientVerifier::builder_with_provider(self.roots.clone(), provider())
            .build()
            .is_ok_and(|verifier| verifier.verify_client_cert(leaf, intermediates, moment).is_ok())
    }
}
