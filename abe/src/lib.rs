//! Attribute-based encryption: a ciphertext carries its policy, a key carries its holder's attributes, and only
//! mathematics decides whether the one opens the other. No server is asked, and no holders pool their keys.
//!
//! The scheme is FABEO (Riepel and Wee, CCS 2022) over BLS12-381 as a key encapsulation, made secure against chosen
//! ciphertexts by the Fujisaki-Okamoto transform. Adaptively secure in the generic group model with a random oracle;
//! no claim is made against quantum computers. `docs/abe.md` is the specification, good enough for a second
//! implementation.
//!
//! ```
//! use wardkeep_abe::{AccessPolicy, Attributes, Authority, AuthorityId, Grant, Schema, Seed, Terms, open, seal};
//! # let mut count = 0u8;
//! # let mut fresh = || { count += 1; Seed::new([count; 32]) };
//! let authority = Authority::generate(AuthorityId([7; 16]), Schema::default(), Terms::default(), fresh());
//! let public = authority.parameters();
//!
//! // Anybody seals, knowing no reader.
//! let policy = AccessPolicy::parse("role = doctor and (dept = cardiology or clearance >= 3)", public)?;
//! let (ciphertext, secret) = seal(public, &policy, b"visit 7", fresh())?;
//!
//! // Whoever satisfies the formula opens, off line.
//! let attributes = Attributes::parse("role = doctor, clearance = 5", public.schema())?;
//! let key = authority.issue(&Grant { attributes: &attributes, valid_until: None, serial: None }, fresh())?;
//! assert!(open(public, &key, &ciphertext, b"visit 7")?.is_same(&secret));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | file | holds |
//! |---|---|
//! | `scheme` | the algebra, which reads like its table in the paper |
//! | `cca` | the transform |
//! | `span` | formulas to shares, and a plan back |
//! | `formula`, `schema`, `attributes` | the policy language and what it speaks of |
//! | `label`, `dyadic` | derived attributes in canonical bytes |
//! | `validity`, `revocation`, `delegate` | expiry, serials, weaker keys |
//! | [`key_policy`] | the twin whose keys carry the formula |
//! | `backend` | the group: blst, or arkworks |
//!
//! The room does no I/O, reads no clock, and takes randomness as [`Seed`]s.

#![expect(private_bounds, reason = "the group is chosen by a feature; nobody outside names it")]

mod attributes;
mod authority;
mod backend;
mod cca;
mod ciphertext;
mod delegate;
mod dyadic;
mod encoding;
mod error;
mod formula;
mod gate;
mod hashes;
mod kem;
mod key;
mod key_file;
pub mod key_policy;
mod label;
mod master;
mod parameters;
mod policy;
mod revocation;
mod schema;
mod scheme;
mod secret;
mod seed;
mod span;
mod syntax;
mod validity;
mod value;

#[cfg(test)]
mod attacks;
#[cfg(test)]
mod vectors;

pub use attributes::{AttributeError, Attributes};
pub use authority::Grant;
pub use cca::MAX_CONTEXT;
pub use ciphertext::{Ciphertext, MAX_CIPHERTEXT};
pub use delegate::Narrowing;
pub use error::{DecodeError, DelegateError, IssueError, OpenError, RevocationError, SealError, SetupError};
pub use formula::{Branch, BranchKind, Explanation, Formula, PolicyError};
pub use kem::{open, seal};
pub use key::MAX_LABELS;
pub use key_file::{from_key_file, to_key_file};
pub use label::{AuthorityId, Label};
pub use parameters::Scheme;
pub use policy::{AccessPolicy, MAX_POLICY, MAX_ROWS};
pub use revocation::{Dates, MAX_REVOKED, RevocationList};
pub use schema::{Declaration, EncodingDefect, Schema, SchemaError, Type, ValueDefect};
pub use secret::Secret;
pub use seed::Seed;
pub use syntax::{NameDefect, Position, SyntaxError, TextDefect, quoted};
pub use validity::{Bucket, BucketLength, Serial, Terms};
pub use value::{Date, Value};

/// The group in use: blst, or arkworks where the feature `blst` is off.
#[cfg(feature = "blst")]
pub type Product = backend::blst::Blst;
/// The group in use: blst, or arkworks where the feature `blst` is off.
#[cfg(all(feature = "arkworks", not(feature = "blst")))]
pub type Product = backend::ark::Ark;
#[cfg(not(any(feature = "blst", feature = "arkworks")))]
compile_error!("choose a backend: feature `blst` (the default) or `arkworks`");

/// One version of an authority, with its master key.
pub type Authority = authority::Authority<Product>;
/// What anybody needs to seal.
pub type PublicParameters = parameters::PublicParameters<Product>;
/// A holder's key.
pub type UserKey = key::UserKey<Product>;

/// The same nouns over arkworks, for whoever compares the two.
#[cfg(feature = "arkworks")]
pub mod arkworks {
    /// One version of an authority, with its master key.
    pub type Authority = crate::authority::Authority<crate::backend::ark::Ark>;
    /// What anybody needs to seal.
    pub type PublicParameters = crate::parameters::PublicParameters<crate::backend::ark::Ark>;
    /// A holder's key.
    pub type UserKey = crate::key::UserKey<crate::backend::ark::Ark>;
}
