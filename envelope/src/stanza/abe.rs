//! The stanza of attribute-based encryption: the file key under a policy, for whoever satisfies it.
//!
//! Body: wrapped file key (48 bytes), ciphertext of `wardkeep-abe` (the rest), which carries the policy. The
//! ciphertext gives a secret of its own, drawn for it alone; HKDF-SHA-256 (RFC 5869) of that wraps the file key by
//! AES-256-GCM. So a stanza is a key encapsulation and a one-time encryption, each secure against chosen
//! ciphertexts, and together too (Cramer and Shoup, SIAM J. Comput. 33, section 7).
//!
//! The ciphertext is bound to this use, not to the envelope's context: that the header's check does, for all stanzas.

use hkdf::Hkdf;
use sha2::Sha256;
use wardkeep_abe::{AccessPolicy, Ciphertext, DecodeError, OpenError, PublicParameters, Seed, UserKey, open, seal};
use zeroize::Zeroizing;

use crate::cipher::{OnceKey, WRAPPED};
use crate::{FileKey, RandomFailed, Randomness, Recipient, Stanza, StanzaKind, Unwrap, UnwrapError, WrapError};

/// The context of every ciphertext in a stanza of version 1: no other use of the same authority opens or makes one.
const CONTEXT: &[u8] = b"wardkeep envelope 1 abe";
const INFO: &[u8] = b"file key";

/// Everybody whose key satisfies a policy.
#[derive(Debug, Clone)]
pub struct AbeRecipient {
    parameters: PublicParameters,
    policy: AccessPolicy,
}

/// A user's key with the public parameters it belongs to.
#[derive(Debug, Clone, Copy)]
pub struct AbeReader<'a> {
    parameters: &'a PublicParameters,
    key: &'a UserKey,
}

/// What a stanza of this kind says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbeStanza {
    wrapped: [u8; WRAPPED],
    ciphertext: Ciphertext,
}

impl AbeRecipient {
    /// Those who satisfy `policy`, which was read under these parameters.
    #[must_use]
    pub fn new(parameters: &PublicParameters, policy: AccessPolicy) -> Self {
        Self { parameters: parameters.clone(), policy }
    }
}

impl Recipient for AbeRecipient {
    fn wrap(&self, file_key: &FileKey, random: &mut dyn Randomness) -> Result<Stanza, WrapError> {
        let seed = Seed::draw::<RandomFailed>(|out| random.fill(out))?;
        let (ciphertext, secret) = seal(&self.parameters, &self.policy, CONTEXT, seed)?;
        let wrapped = once(secret.expose()).and_then(|key| key.wrap(file_key)).ok_or(WrapError::Derivation)?;
        Ok(Stanza::new(StanzaKind::ABE, [wrapped.as_slice(), ciphertext.to_bytes()].concat()))
    }
}

impl<'a> AbeReader<'a> {
    /// A holder of this key.
    ///
    /// # Errors
    /// [`DecodeError::OtherParameters`] where the key was issued under other parameters.
    pub fn new(parameters: &'a PublicParameters, key: &'a UserKey) -> Result<Self, DecodeError> {
        if key.belongs_to(parameters) {
            return Ok(Self { parameters, key });
        }
        Err(DecodeError::OtherParameters { part: "key" })
    }

    /// Whether a stanza of this kind is for this holder and its policy satisfied. Reads public data alone: an altered
    /// stanza may claim it and still not open.
    #[must_use]
    pub fn satisfies(&self, stanza: &Stanza) -> bool {
        let found = AbeStanza::read(stanza).and_then(Result::ok);
        found.is_some_and(|found| self.key.satisfies(self.parameters, &found.ciphertext))
    }
}

/// A stanza of another authority or authority version is not ours, so that several keys can be tried. One whose policy
/// the key does not satisfy is ours, and [`UnwrapError::NotSatisfied`] says what is missing.
impl Unwrap for AbeReader<'_> {
    fn unwrap(&self, stanza: &Stanza) -> Option<Result<FileKey, UnwrapError>> {
        let found = match AbeStanza::read(stanza)? {
            Ok(found) => found,
            Err(error) => return Some(Err(error)),
        };
        let malformed = UnwrapError::Malformed { kind: StanzaKind::ABE };
        let broken = UnwrapError::Broken { kind: StanzaKind::ABE };
        Some(match open(self.parameters, self.key, &found.ciphertext, CONTEXT) {
            Ok(secret) => once(secret.expose()).and_then(|key| key.unwrap(&found.wrapped)).ok_or(broken),
            Err(OpenError::OtherAuthority { .. } | OpenError::OtherVersion { .. }) => return None,
            // The other scheme: its keys are another authority's in any case.
            Err(OpenError::Decode(DecodeError::OtherParameters { .. })) => return None,
            Err(OpenError::NotSatisfied { missing }) => Err(UnwrapError::NotSatisfied { missing }),
            Err(OpenError::Decode(_) | OpenError::Policy(_)) => Err(malformed),
            Err(_) => {
                // The steps of a wrong key, so that whether ciphertext or wrapped key was changed shows in nothing.
                let tried = once(&[0; 32]).and_then(|key| key.unwrap(&found.wrapped));
                std::hint::black_box(tried.is_some());
                Err(broken)
            }
        })
    }
}

impl AbeStanza {
    /// Reads a stanza: `None` where it is of another kind, or of a format of ciphertexts that is not known yet.
    ///
    /// # Errors
    /// [`UnwrapError::Malformed`] where it is of this kind and not of its form.
    #[must_use]
    pub fn read(stanza: &Stanza) -> Option<Result<Self, UnwrapError>> {
        let malformed = UnwrapError::Malformed { kind: StanzaKind::ABE };
        if stanza.kind() != StanzaKind::ABE {
            return None;
        }
        let Some((wrapped, ciphertext)) = stanza.body().split_first_chunk() else { return Some(Err(malformed)) };
        match Ciphertext::from_bytes(ciphertext) {
            Ok(ciphertext) => Some(Ok(Self { wrapped: *wrapped, ciphertext })),
            Err(DecodeError::UnknownFormat { .. }) => None,
            Err(_) => Some(Err(malformed)),
        }
    }

    /// The ciphertext, with its policy. Not authentic before it was opened.
    #[must_use]
    pub fn ciphertext(&self) -> &Ciphertext {
        &self.ciphertext
    }
}

/// The key that wraps the file key. Every ciphertext has a secret of its own, so this comes but once.
fn once(secret: &[u8; 32]) -> Option<OnceKey> {
    let mut key = Zeroizing::new([0; 32]);
    Hkdf::<Sha256>::new(Some(CONTEXT), secret).expand(INFO, key.as_mut_slice()).ok()?;
    Some(OnceKey(key))
}
