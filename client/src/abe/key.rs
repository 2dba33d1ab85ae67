//! A user key with the public parameters it needs: all that opening off line takes.

use wardkeep_abe::{DecodeError, PublicParameters, UserKey, from_key_file, to_key_file};
use wardkeep_envelope::AbeReader;
use zeroize::Zeroizing;

use crate::authorities::SigningKey;

/// A user key, parsed and checked once. Zeroed on drop; neither shown nor copied.
///
/// ```compile_fail,E0277
/// fn shown(key: wardkeep_client::abe::Key) -> String { format!("{key:?}") }
/// ```
pub struct Key {
    parameters: PublicParameters,
    secret: UserKey,
}

impl Key {
    /// Reads a key file. Its parameters' signature and every point are checked; by whose signing key, says
    /// [`Key::check_signer`].
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(file: &[u8]) -> Result<Self, DecodeError> {
        from_key_file(file).map(|(parameters, secret)| Self { parameters, secret })
    }

    /// The key file, to be kept where nobody else reads it. Zeroed on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        to_key_file(&self.parameters, &self.secret)
    }

    /// The public parameters of the authority version that issued it.
    #[must_use]
    pub fn parameters(&self) -> &PublicParameters {
        &self.parameters
    }

    /// What it holds of attributes, in words.
    #[must_use]
    pub fn attributes(&self) -> Vec<String> {
        self.secret.attributes()
    }

    /// Its number in the authority version, for revocation.
    #[must_use]
    pub fn serial(&self) -> Option<u32> {
        self.secret.serial().map(|serial| serial.number())
    }

    /// From when on it opens nothing that is sealed anew, in seconds since 1970; `None` where it opens nothing that asks
    /// for a time.
    #[must_use]
    pub fn ends_at(&self) -> Option<u64> {
        self.secret.valid_until().map(|bucket| self.parameters.terms().end_of(bucket))
    }

    /// Whether the authority of this signing key issued it.
    ///
    /// # Errors
    /// [`DecodeError::OtherParameters`].
    pub fn check_signer(&self, signing_key: &SigningKey) -> Result<(), DecodeError> {
        self.parameters.verify(signing_key)
    }

    pub(crate) fn secret(&self) -> &UserKey {
        &self.secret
    }

    /// The holder, as envelopes ask for one.
    pub(crate) fn reader(&self) -> Result<AbeReader<'_>, DecodeError> {
        AbeReader::new(&self.parameters, &self.secret)
    }
}
