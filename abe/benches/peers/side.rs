//! The same few calls on either backend. The crate keeps its trait of the group to itself, so that the two sets of nouns
//! have nothing in common that could be named here; a macro writes them down twice.

use wardkeep_abe::{AccessPolicy, Attributes, AuthorityId, Ciphertext, Grant, Schema, Secret, Terms, open, seal};

use crate::{Fail, sample};

/// What a ciphertext is bound to: as long as a record's name.
const CONTEXT: &[u8] = b"Patient/0e7ff9e3-4a8f-4c6f-a5a0-2cbd8a3b3c1e";
/// An attribute that no policy of the benchmark names: what uses it warms the fixed bases and nothing else.
pub(crate) const ELSEWHERE: &str = "elsewhere = yes";
/// Points and tables of a cache that was just made: those of the product.
const CACHE: (usize, usize) = (4_096, 256);

/// Attribute-based encryption on one backend.
pub(crate) trait Side {
    /// What stands in front of a line.
    const PEER: &'static str;
    type Authority;
    type Parameters;
    type Key;

    /// A new authority whose attributes are single-valued words.
    fn generate() -> Self::Authority;
    /// Its parameters, with the cache that comes with them.
    fn parameters(authority: &Self::Authority) -> &Self::Parameters;
    /// The same authority with an empty cache of H(x); the tables of its fixed bases are made.
    fn cold_authority(authority: &Self::Authority) -> Result<Self::Authority, Fail>;
    /// The same parameters with an empty cache of H(x); the tables of the fixed bases are shared.
    fn cold(parameters: &Self::Parameters) -> Self::Parameters;
    /// What a key is issued for.
    fn attributes(parameters: &Self::Parameters, text: &str) -> Result<Attributes, Fail>;
    fn issue(authority: &Self::Authority, attributes: &Attributes) -> Result<Self::Key, Fail>;
    /// From the policy's text to ciphertext and secret.
    fn seal(parameters: &Self::Parameters, policy: &str) -> Result<(Ciphertext, Secret), Fail>;
    /// From parsed ciphertext and loaded key to the secret.
    fn open(parameters: &Self::Parameters, key: &Self::Key, sealed: &Ciphertext) -> Result<Secret, Fail>;
    /// The bytes of a key, and how many names stand in them.
    fn key_bytes(key: &Self::Key) -> (Vec<u8>, usize);
}

macro_rules! side {
    ($name:ident, $peer:literal, $nouns:path) => {
        /// This backend.
        pub(crate) struct $name;

        const _: () = {
            use $nouns as nouns;

            impl Side for $name {
                const PEER: &'static str = $peer;
                type Authority = nouns::Authority;
                type Parameters = nouns::PublicParameters;
                type Key = nouns::UserKey;

                fn generate() -> Self::Authority {
                    let id = AuthorityId([7; 16]);
                    nouns::Authority::generate(id, Schema::default(), Terms::default(), sample::seed())
                }

                fn parameters(authority: &Self::Authority) -> &Self::Parameters {
                    authority.parameters()
                }

                fn cold_authority(authority: &Self::Authority) -> Result<Self::Authority, Fail> {
                    let cold = nouns::Authority::from_bytes(&authority.to_bytes())?;
                    let attributes = Attributes::parse(ELSEWHERE, cold.parameters().schema())?;
                    (0..crate::USES).try_for_each(|_| Self::issue(&cold, &attributes).map(drop))?;
                    Ok(cold)
                }

                fn cold(parameters: &Self::Parameters) -> Self::Parameters {
                    parameters.with_cache(CACHE.0, CACHE.1)
                }

                fn attributes(parameters: &Self::Parameters, text: &str) -> Result<Attributes, Fail> {
                    Ok(Attributes::parse(text, parameters.schema())?)
                }

                fn issue(authority: &Self::Authority, attributes: &Attributes) -> Result<Self::Key, Fail> {
                    Ok(authority.issue(&Grant { attributes, valid_until: None, serial: None }, sample::seed())?)
                }

                fn seal(parameters: &Self::Parameters, policy: &str) -> Result<(Ciphertext, Secret), Fail> {
                    let policy = AccessPolicy::parse(policy, parameters)?;
                    Ok(seal(parameters, &policy, CONTEXT, sample::seed())?)
                }

                fn open(parameters: &Self::Parameters, key: &Self::Key, sealed: &Ciphertext) -> Result<Secret, Fail> {
                    Ok(open(parameters, key, sealed, CONTEXT)?)
                }

                fn key_bytes(key: &Self::Key) -> (Vec<u8>, usize) {
                    (key.to_bytes().to_vec(), key.labels().len())
                }
            }
        };
    };
}

#[cfg(feature = "blst")]
side!(Blst, "wardkeep", wardkeep_abe);
#[cfg(feature = "arkworks")]
side!(Ark, "wardkeep-ark", wardkeep_abe::arkworks);
