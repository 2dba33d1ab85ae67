//! The master key of an authority version: what both schemes keep of it, and how it stands at rest.
//!
//! | field | bytes | |
//! |---|---|---|
//! | magic, format | 8 | `WKABEMK`, 1 |
//! | A1 | 48 | `g1^alpha`, compressed; enough to issue keys and to open everything |
//! | signing key | 32 | the seed of Ed25519 (RFC 8032), the same over all versions of the authority |
//! | public parameters | counted | with their own signature, so that a file that was put together from two is refused |
//!
//! Whoever keeps it seals it: there is no encryption in this room. Losing it is losing the authority; a copy in a
//! stranger's hands opens all that was ever sealed under this version, and cannot be noticed.

use ed25519_dalek::SigningKey;
use zeroize::{Zeroize, Zeroizing};

use crate::backend::{Backend, G1_BYTES, Trust};
use crate::encoding::{Reader, put_counted};
use crate::label::{AuthorityId, Scope};
use crate::parameters::{Body, PublicParameters, Scheme};
use crate::scheme::cp;
use crate::seed::{Draw, Seed};
use crate::validity::Terms;
use crate::{DecodeError, Schema, SetupError};

const MAGIC: &[u8; 7] = b"WKABEMK";
const FORMAT: u8 = 1;
/// Longest encoded parameters inside a master key, in bytes.
const MAX_PARAMETERS: usize = 2 << 20;

/// `A1 = g1^alpha`, the signing key, and the parameters they belong to. alpha itself is dropped at once: nothing
/// needs it, and what is not kept is not lost. A1 and the signing key are zeroed on drop.
pub(crate) struct MasterKey<B: Backend> {
    pub(crate) point: B::G1,
    signing: SigningKey,
    pub(crate) parameters: PublicParameters<B>,
}

impl<B: Backend> MasterKey<B> {
    /// Version 1 of a new authority.
    pub(crate) fn generate(scheme: Scheme, id: AuthorityId, schema: Schema, terms: Terms, seed: Seed) -> Self {
        let draws = seed.draws(purpose(scheme));
        let signing = SigningKey::from_bytes(&draws.bytes(Draw::Signing));
        Self::make(scheme, Scope { authority: id, version: 1 }, schema, terms, (signing, &draws.scalar(Draw::Alpha, 0)))
    }

    /// The next version: another alpha, the same authority and signing key.
    pub(crate) fn rotate(&self, schema: Schema, terms: Terms, seed: Seed) -> Result<Self, SetupError> {
        let Scope { authority, version } = *self.parameters.scope();
        let version = version.checked_add(1).ok_or(SetupError::Versions)?;
        let scheme = self.parameters.scheme();
        let alpha = seed.draws(purpose(scheme)).scalar(Draw::Alpha, 0);
        Ok(Self::make(scheme, Scope { authority, version }, schema, terms, (self.signing.clone(), &alpha)))
    }

    fn make(
        scheme: Scheme,
        scope: Scope,
        schema: Schema,
        terms: Terms,
        (signing, alpha): (SigningKey, &B::Secret),
    ) -> Self {
        let (element, point) = cp::setup::<B>(alpha);
        let signer = signing.verifying_key().to_bytes();
        let body = Body { scheme, scope, terms, schema, pairing: B::gt_to_bytes(&element), signer };
        let parameters = PublicParameters::publish(body, &element, &signing);
        Self { point, signing, parameters }
    }

    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// Magic, format, A1, signing key, parameters. Secret; zeroed on drop.
    pub(crate) fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let parameters = self.parameters.to_bytes();
        let mut out = Zeroizing::new(Vec::with_capacity(96 + parameters.len()));
        out.extend_from_slice(MAGIC);
        out.push(FORMAT);
        let point = Zeroizing::new(B::g1_to_bytes(&[&self.point]));
        point.iter().for_each(|bytes| out.extend_from_slice(bytes));
        out.extend_from_slice(&Zeroizing::new(self.signing.to_bytes())[..]);
        put_counted(&mut out, parameters);
        out
    }

    pub(crate) fn from_bytes(bytes: &[u8], scheme: Scheme) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.begin(MAGIC, FORMAT, "a master key of attribute-based encryption")?;
        let point: &[u8; G1_BYTES] = reader.array("master key")?;
        let point = B::g1_from_bytes(point, Trust::Checked).ok_or(DecodeError::BadPoint { part: "master key" })?;
        let signing = SigningKey::from_bytes(reader.array("signing key")?);
        let parameters = PublicParameters::from_bytes(reader.counted(MAX_PARAMETERS, "public parameters")?)?;
        reader.end()?;
        if parameters.scheme() != scheme {
            return Err(DecodeError::OtherParameters { part: "master key" });
        }
        // A master key and parameters that were never one authority issue keys that open nothing.
        let belongs = B::gt_to_bytes(&B::multi_pairing(&[(&point, &B::g2_generator())])) == *parameters.pairing()
            && signing.verifying_key().to_bytes() == *parameters.signing_key();
        if !belongs {
            return Err(DecodeError::OtherParameters { part: "master key" });
        }
        Ok(Self { point, signing, parameters })
    }
}

/// What a seed is drawn for. Two schemes never have one alpha, not even of one seed: no proof covers that.
fn purpose(scheme: Scheme) -> &'static [u8] {
    match scheme {
        Scheme::CiphertextPolicy => b"wardkeep abe 1 authority",
        Scheme::KeyPolicy => b"wardkeep abe 1 key-policy authority",
    }
}

impl<B: Backend> Drop for MasterKey<B> {
    fn drop(&mut self) {
        // The signing key zeroes itself.
        self.point.zeroize();
    }
}
