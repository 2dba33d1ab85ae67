//! Signatures of CAs, verified once.
//!
//! A handshake verifies three signatures of the caller's side: its own over the transcript, the CA's over its
//! certificate, and the CA's over the CRL. The first is new every time. The others are the same bytes at every
//! handshake of the same caller, and of all callers; whether a signature holds is a pure function of key, message and
//! signature, so that an answer *yes* may be remembered. It is the signature alone that is remembered: validity times,
//! names, purposes and the CRL's entries are looked at in every handshake.
//!
//! What is remembered is SHA-256 over algorithm, key, message and signature, each with its length. Only what verified
//! gets in, so that a stranger can neither fill the memory nor plant an answer; what is forgotten is verified again.

use std::fmt;
use std::sync::LazyLock;

use moka::sync::Cache;
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};
use sha2::{Digest, Sha256};

/// Most signatures remembered, over all algorithms; 32 bytes each, and their place.
const MOST: u64 = 16 * 1024;

/// Signatures that verified.
static VERIFIED: LazyLock<Cache<[u8; 32], ()>> = LazyLock::new(|| Cache::new(MOST));

/// An algorithm that remembers what it verified.
struct Remembering {
    number: u8,
    inner: &'static dyn SignatureVerificationAlgorithm,
}

/// These algorithms, remembering the signatures of certificates and CRLs. Those of handshakes are verified as before:
/// no transcript comes twice, and remembering them would only push the others out.
pub(super) fn remembering(algorithms: &WebPkiSupportedAlgorithms) -> WebPkiSupportedAlgorithms {
    type Listed = Vec<&'static dyn SignatureVerificationAlgorithm>;
    // Made once: the type asks for something that lives as long as the process.
    static ALL: LazyLock<Listed> = LazyLock::new(|| {
        let known = rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.all;
        let made = (0..).zip(known).map(|(number, inner)| Remembering { number, inner: *inner });
        Vec::leak(made.collect()).iter().map(|one| one as &dyn SignatureVerificationAlgorithm).collect()
    });
    WebPkiSupportedAlgorithms { all: &ALL, mapping: algorithms.mapping }
}

impl Remembering {
    fn name(&self, parts: [&[u8]; 3]) -> [u8; 32] {
        let mut hash = Sha256::new_with_prefix([self.number]);
        for part in parts {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.finalize().into()
    }
}

impl SignatureVerificationAlgorithm for Remembering {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let name = self.name([public_key, message, signature]);
        if VERIFIED.contains_key(&name) {
            return Ok(());
        }
        self.inner.verify_signature(public_key, message, signature)?;
        VERIFIED.insert(name, ());
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.inner.signature_alg_id()
    }

    fn fips(&self) -> bool {
        self.inner.fips()
    }
}

impl fmt::Debug for Remembering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { number, inner: _ } = self;
        f.debug_struct("Remembering").field("number", number).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Takes a signature that repeats its message, and counts how often it was asked.
    #[derive(Debug)]
    struct Echo(AtomicUsize);

    impl SignatureVerificationAlgorithm for Echo {
        fn verify_signature(&self, key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
            self.0.fetch_add(1, Ordering::Relaxed);
            if [key, message].concat() == signature { Ok(()) } else { Err(InvalidSignature) }
        }
        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            AlgorithmIdentifier::from_slice(b"key")
        }
        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            AlgorithmIdentifier::from_slice(b"signature")
        }
    }

    fn echo(number: u8) -> (Remembering, &'static Echo) {
        let echo = Box::leak(Box::new(Echo(AtomicUsize::new(0))));
        (Remembering { number, inner: echo }, echo)
    }

    #[test]
    fn what_verified_is_asked_once_and_what_did_not_every_time() {
        let (remembering, echo) = echo(201);
        for _ in 0..5 {
            assert!(remembering.verify_signature(b"k", b"text", b"ktext").is_ok());
        }
        assert_eq!(echo.0.load(Ordering::Relaxed), 1);
        for _ in 0..5 {
            assert!(remembering.verify_signature(b"k", b"text", b"forged").is_err());
        }
        assert_eq!(echo.0.load(Ordering::Relaxed), 6, "a refusal is not remembered");
    }

    #[test]
    fn a_byte_moved_between_the_parts_or_another_algorithm_is_another_signature() {
        let (remembering, _) = echo(202);
        assert!(remembering.verify_signature(b"key", b"text", b"keytext").is_ok());
        // The bytes of all parts together are the same; none of these ever verified.
        for (key, message, signature) in
            [(&b"keyt"[..], &b"ext"[..], &b"keytex"[..]), (b"ke", b"ytext", b"keytex"), (b"key", b"textk", b"eytext")]
        {
            assert!(remembering.verify_signature(key, message, signature).is_err());
        }
        let (other, echo) = echo(203);
        assert!(other.verify_signature(b"key", b"text", b"keytext").is_ok());
        assert_eq!(echo.0.load(Ordering::Relaxed), 1, "another algorithm asks for itself");
    }

    #[test]
    fn handshake_signatures_are_left_alone() {
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let plain = provider.signature_verification_algorithms;
        let ours = remembering(&plain);
        assert_eq!(ours.all.len(), plain.all.len());
        for (one, other) in ours.all.iter().zip(plain.all) {
            assert_eq!(one.signature_alg_id(), other.signature_alg_id());
            assert_eq!(one.public_key_alg_id(), other.public_key_alg_id());
        }
        assert!(std::ptr::eq(ours.mapping, plain.mapping));
    }
}
