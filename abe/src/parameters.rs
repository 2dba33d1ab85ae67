//! The public parameters of an authority version: what anybody needs to seal, and a key needs to open.
//!
//! They hold the element `e(g1,g2)^alpha`, every declaration of the attributes, the length of time buckets and the width
//! of serials: whatever decides what a policy text means. Their fingerprint is bound into each ciphertext, so that one
//! text under two sets of declarations is two ciphertexts. Nothing in them is secret; what matters is whose they are.

use std::sync::Arc;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::backend::{Backend, GT_BYTES};
use crate::encoding::{Reader, put_counted};
use crate::hashes::{Capacity, Hashes};
use crate::label::{AuthorityId, Label, Scope};
use crate::schema::MAX_SCHEMA;
use crate::scheme::base::Base;
use crate::validity::{BucketLength, Terms};
use crate::{DecodeError, Schema};

/// Which of the two schemes; each has an authority, tags and formats of its own, since no proof covers both under
/// one alpha.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Scheme {
    /// Ciphertexts carry a formula, keys carry attributes.
    CiphertextPolicy = 1,
    /// Keys carry a formula, ciphertexts carry labels.
    KeyPolicy = 2,
}

const MAGIC: &[u8; 7] = b"WKABEPP";
const FORMAT: u8 = 1;
/// Bytes of an Ed25519 public key.
pub(crate) const SIGNER: usize = 32;
/// Bytes of an Ed25519 signature (RFC 8032).
pub(crate) const SIGNATURE: usize = 64;
/// Points and tables of H(x) that one set of parameters keeps: 4 096 points are 1 MiB and their labels, some hundred
/// bytes each as a rule; 256 tables are 12 MiB.
const CACHED_POINTS: usize = 4_096;
const CACHED_TABLES: usize = 256;

/// Public parameters. Cheap to clone; clones share tables and the cache of hashed attributes.
///
/// Signed by the authority's signing key, which stays the same over its versions: whoever pinned it
/// ([`PublicParameters::verify`]) takes parameters from any cache.
pub struct PublicParameters<B: Backend>(Arc<Inner<B>>);

struct Inner<B: Backend> {
    body: Body,
    bytes: Vec<u8>,
    fingerprint: [u8; 32],
    base: Arc<Base<B>>,
    hashes: Hashes<B>,
}

/// What the parameters say.
#[derive(Debug, Clone)]
pub(crate) struct Body {
    pub(crate) scheme: Scheme,
    pub(crate) scope: Scope,
    pub(crate) terms: Terms,
    pub(crate) schema: Schema,
    pub(crate) pairing: [u8; GT_BYTES],
    pub(crate) signer: [u8; SIGNER],
}

impl Scheme {
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::CiphertextPolicy, Self::KeyPolicy].into_iter().find(|scheme| *scheme as u8 == number)
    }

    /// The tag under which attributes are hashed to G1 (RFC 9380, section 3.1).
    pub(crate) const fn attribute_tag(self) -> &'static [u8] {
        match self {
            Self::CiphertextPolicy => b"WARDKEEP-V01-FABEO-CP-H-with-BLS12381G1_XMD:SHA-256_SSWU_RO_",
            Self::KeyPolicy => b"WARDKEEP-V01-FABEO-KP-H-with-BLS12381G1_XMD:SHA-256_SSWU_RO_",
        }
    }

    /// The tag under which B is hashed: another one, so that no attribute can ever be B.
    pub(crate) const fn blind_tag(self) -> &'static [u8] {
        match self {
            Self::CiphertextPolicy => b"WARDKEEP-V01-FABEO-CP-B-with-BLS12381G1_XMD:SHA-256_SSWU_RO_",
            Self::KeyPolicy => b"WARDKEEP-V01-FABEO-KP-B-with-BLS12381G1_XMD:SHA-256_SSWU_RO_",
        }
    }
}

impl Body {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let Self { scheme, scope, terms, schema, pairing, signer } = self;
        let mut out = [MAGIC.as_slice(), &[FORMAT, *scheme as u8]].concat();
        out.extend_from_slice(&scope.authority.0);
        out.extend_from_slice(&scope.version.to_be_bytes());
        out.extend_from_slice(&[terms.bucket_length() as u8, terms.serial_bits()]);
        put_counted(&mut out, &schema.to_bytes());
        out.extend_from_slice(pairing);
        out.extend_from_slice(signer);
        out
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Self, DecodeError> {
        reader.begin(MAGIC, FORMAT, "a set of public parameters of attribute-based encryption")?;
        let malformed = |part| move || DecodeError::Malformed { part };
        let scheme = Scheme::from_number(reader.u8("scheme")?).ok_or_else(malformed("scheme"))?;
        let authority = AuthorityId(*reader.array("authority")?);
        let scope = Scope { authority, version: reader.u32("authority version")? };
        let bucket = BucketLength::from_number(reader.u8("bucket length")?).ok_or_else(malformed("bucket length"))?;
        let bits = reader.u8("serial bits")?;
        let terms = Terms::new(bucket, bits).map_err(|_| DecodeError::Malformed { part: "serial bits" })?;
        let schema = reader.counted(MAX_SCHEMA, "schema")?;
        let schema = Schema::from_bytes(schema).map_err(|_| DecodeError::Malformed { part: "schema" })?;
        let pairing = *reader.array("pairing")?;
        let signer = *reader.array("signing key")?;
        Ok(Self { scheme, scope, terms, schema, pairing, signer })
    }
}

impl<B: Backend> PublicParameters<B> {
    /// Signs and prepares.
    pub(crate) fn publish(body: Body, element: &B::Gt, signing: &SigningKey) -> Self {
        let unsigned = body.encode();
        let signature = signing.sign(&unsigned).to_bytes();
        Self::prepare(body, &unsigned, &signature, element)
    }

    fn prepare(body: Body, unsigned: &[u8], signature: &[u8; SIGNATURE], element: &B::Gt) -> Self {
        let scheme = body.scheme;
        let base = Arc::new(Base::new(B::hash_g1(scheme.blind_tag(), b"B"), element.clone()));
        let hashes = Hashes::new(Capacity { points: CACHED_POINTS, tables: CACHED_TABLES });
        let bytes = [unsigned, signature].concat();
        Self(Arc::new(Inner { fingerprint: Sha256::digest(unsigned).into(), body, bytes, base, hashes }))
    }

    /// The same parameters with a cache of another size: `points` hashed attributes, `tables` of those in frequent use.
    /// Nothing is cached at zero.
    #[must_use]
    pub fn with_cache(&self, points: usize, tables: usize) -> Self {
        let Inner { body, bytes, fingerprint, base, hashes: _ } = self.0.as_ref();
        let hashes = Hashes::new(Capacity { points, tables });
        let (body, bytes, base) = (body.clone(), bytes.clone(), Arc::clone(base));
        Self(Arc::new(Inner { body, bytes, fingerprint: *fingerprint, base, hashes }))
    }

    /// Reads parameters and checks their signature against the key that stands in them. Whose they are is another
    /// question: [`PublicParameters::verify`].
    ///
    /// # Errors
    /// [`DecodeError`] for anything that is not one whole, signed set of parameters.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        let body = Body::decode(&mut reader)?;
        let signature: [u8; SIGNATURE] = *reader.array("signature")?;
        reader.end()?;
        let unsigned = bytes.get(..bytes.len().saturating_sub(SIGNATURE)).unwrap_or_default();
        check_signature(&body.signer, unsigned, &signature, "public parameters")?;
        let element = B::gt_from_bytes(&body.pairing).ok_or(DecodeError::BadPoint { part: "pairing" })?;
        Ok(Self::prepare(body, unsigned, &signature, &element))
    }

    /// Whether they were signed by the authority of this signing key (32 bytes, Ed25519). Ask before parameters from
    /// a network or a cache are used: otherwise somebody else's authority reads what is sealed.
    ///
    /// # Errors
    /// [`DecodeError::OtherParameters`].
    pub fn verify(&self, signing_key: &[u8; SIGNER]) -> Result<(), DecodeError> {
        // The signature itself was checked against the key inside when they were read.
        if self.0.body.signer == *signing_key {
            Ok(())
        } else {
            Err(DecodeError::OtherParameters { part: "parameters" })
        }
    }

    /// The bytes, signature included; public.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// SHA-256 of the parameters without their signature: it binds every ciphertext.
    #[must_use]
    pub fn fingerprint(&self) -> &[u8; 32] {
        &self.0.fingerprint
    }

    /// The authority.
    #[must_use]
    pub fn authority(&self) -> AuthorityId {
        self.0.body.scope.authority
    }

    /// The authority version: another alpha each, from 1.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.0.body.scope.version
    }

    /// What each attribute is.
    #[must_use]
    pub fn schema(&self) -> &Schema {
        &self.0.body.schema
    }

    /// Buckets and serials.
    #[must_use]
    pub fn terms(&self) -> &Terms {
        &self.0.body.terms
    }

    /// The key that signs parameters and revocation lists of all the authority's versions.
    #[must_use]
    pub fn signing_key(&self) -> &[u8; SIGNER] {
        &self.0.body.signer
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.0.body.scheme
    }

    pub(crate) fn pairing(&self) -> &[u8; GT_BYTES] {
        &self.0.body.pairing
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.0.body.scope
    }

    pub(crate) fn base(&self) -> &Base<B> {
        &self.0.base
    }

    /// H of this scheme.
    pub(crate) fn attribute_hash(&self) -> AttributeHash<'_, B> {
        AttributeHash { hashes: &self.0.hashes, tag: self.0.body.scheme.attribute_tag() }
    }
}

/// H, from labels to G1, with the cache of one set of parameters.
#[derive(Clone, Copy)]
pub(crate) struct AttributeHash<'a, B: Backend> {
    hashes: &'a Hashes<B>,
    tag: &'static [u8],
}

impl<B: Backend> AttributeHash<'_, B> {
    /// `H(x)^exponent` of each label.
    pub(crate) fn raise(&self, labels: &[&Label], exponent: &B::Secret) -> Vec<B::G1> {
        self.hashes.each_mul_secret(self.tag, labels, exponent)
    }

    /// Hashes labels ahead of their use.
    pub(crate) fn warm<'l>(&self, labels: impl IntoIterator<Item = &'l Label>) {
        self.hashes.warm(self.tag, &labels.into_iter().collect::<Vec<_>>());
    }
}

impl<B: Backend> Clone for PublicParameters<B> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<B: Backend> std::fmt::Debug for PublicParameters<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let scope = self.scope();
        write!(f, "PublicParameters({} version {})", scope.authority, scope.version)
    }
}

/// Checks an Ed25519 signature strictly (RFC 8032, 5.1.7; no small-order keys, one form only).
pub(crate) fn check_signature(
    signer: &[u8; SIGNER],
    message: &[u8],
    signature: &[u8; SIGNATURE],
    part: &'static str,
) -> Result<(), DecodeError> {
    let key = VerifyingKey::from_bytes(signer).map_err(|_| DecodeError::BadSignature { part })?;
    key.verify_strict(message, &Signature::from_bytes(signature)).map_err(|_| DecodeError::BadSignature { part })
}
