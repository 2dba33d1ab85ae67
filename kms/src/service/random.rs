//! Random bytes.

use wardkeep_model::Permit;
use wardkeep_model::action::GenerateRandom;
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::secret::SecretBytes;
use crate::service::Kms;

/// Most bytes of one draw.
pub const MAX_RANDOM: usize = 1024;

impl Kms {
    /// Draws 1 to 1024 random bytes from the server's generator.
    ///
    /// # Errors
    /// [`KmsError::RandomLength`], or what the store says.
    pub async fn random(&self, permit: Permit<GenerateRandom>, len: usize) -> Result<SecretBytes, KmsError> {
        let result = self.draw(len);
        self.inner.record(permit.into_event(), result).await
    }

    /// The draw itself, before it is recorded.
    fn draw(&self, len: usize) -> Result<SecretBytes, KmsError> {
        if !(1..=MAX_RANDOM).contains(&len) {
            return Err(KmsError::RandomLength { max: MAX_RANDOM });
        }
        let mut bytes = Zeroizing::new(vec![0; len]);
        self.inner.entropy.fill(&mut bytes)?;
        Ok(SecretBytes::new(bytes))
    }
}
