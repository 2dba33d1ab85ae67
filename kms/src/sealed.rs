//! Secrets longer than a data key, sealed for one reader's RSA key: an envelope with one RSA stanza (docs/formats.md,
//! *Envelope*), so that any reader of envelopes opens them.

use wardkeep_envelope::{FileKey, RandomFailed, RsaRecipient, Sealer};
use wardkeep_model::{Entropy, KeyId, KeyVersion};

use crate::error::{KmsError, RecipientError};
use crate::recipient::RecipientKey;

/// The context of a user key's envelope: key, authority version and serial, since serials are counted anew in every version.
#[must_use]
pub fn user_key_context(key: &KeyId, version: KeyVersion, serial: u32) -> String {
    format!("wardkeep user key {key}#{version} {serial}")
}

/// The context of the envelope of a custodian's share.
#[must_use]
pub fn escrow_context(key: &KeyId, version: KeyVersion, share: u8) -> String {
    format!("wardkeep escrow {key}#{version} {share}")
}

/// Seals `secret` for a reader; whoever opens it names the same context.
pub(crate) fn seal_for(
    reader: &RecipientKey,
    context: &str,
    secret: &[u8],
    entropy: &dyn Entropy,
) -> Result<Vec<u8>, KmsError> {
    let mut random = |out: &mut [u8]| entropy.fill(out).map_err(|_| RandomFailed);
    // Bounds are the same in both rooms; what one of them refuses was refused when the key came in.
    let reader = RsaRecipient::from_spki_der(reader.spki_der()).map_err(|_| RecipientError::Refused)?;
    let file_key = FileKey::random(&mut random).map_err(|_| KmsError::NoEntropy)?;
    let sealer = Sealer::new(&file_key, &[&reader], context.as_bytes(), &mut random);
    sealer.and_then(|sealer| sealer.seal(secret)).map_err(|_| KmsError::Cryptography)
}
