//! The twin: key-policy encryption. Keys carry a formula over record labels, ciphertexts carry the labels; for
//! auditors and research access, who are told beforehand *which* records they may read.
//!
//! Its authority, tags and formats are its own: no proof covers both kinds of key under one alpha. Time and
//! revocation are the caller's: a formula can ask for a date label, and a key service can refuse the on-line
//! half of an envelope.

mod key;
mod seal;

use zeroize::Zeroizing;

use crate::backend::Backend;
use crate::formula::Formula;
use crate::label::{AuthorityId, Namespace};
use crate::master::MasterKey;
use crate::parameters::{PublicParameters, Scheme};
use crate::policy::MAX_ROWS;
use crate::scheme::kp::{self, Exponents};
use crate::seed::{Draw, Seed};
use crate::span::Span;
use crate::validity::Terms;
use crate::{DecodeError, IssueError, Schema, SetupError};

pub use key::UserKey;
pub use seal::{open, seal};

/// One version of an authority of the key-policy scheme, with its master key. Zeroed on drop.
pub struct Authority<B: Backend>(MasterKey<B>);

impl<B: Backend> Authority<B> {
    /// A new authority, at version 1. The schema declares the labels of records.
    #[must_use]
    pub fn generate(id: AuthorityId, schema: Schema, seed: Seed) -> Self {
        Self(MasterKey::generate(Scheme::KeyPolicy, id, schema, Terms::default(), seed))
    }

    /// The next version, with another alpha.
    ///
    /// # Errors
    /// [`SetupError::Versions`].
    pub fn rotate(&self, schema: Schema, seed: Seed) -> Result<Self, SetupError> {
        self.0.rotate(schema, Terms::default(), seed).map(Self)
    }

    /// The public parameters of this version.
    #[must_use]
    pub fn parameters(&self) -> &PublicParameters<B> {
        &self.0.parameters
    }

    /// Issues a key that opens the records whose labels satisfy the formula.
    ///
    /// # Errors
    /// [`IssueError::Policy`] where the formula does not fit the declarations or has too many rows.
    pub fn issue(&self, formula: &Formula, seed: Seed) -> Result<UserKey<B>, IssueError> {
        let parameters = self.parameters();
        let gate = formula.gate(parameters.schema(), parameters.scope(), Namespace::Record)?;
        let span = Span::new(&gate);
        debug_assert!(span.rows().len() <= MAX_ROWS);
        let draws = seed.draws(b"wardkeep abe 1 formula key");
        let mut index = 0..;
        let shares = span.share(|| draws.scalar(Draw::Share, index.next().unwrap_or(usize::MAX)));
        let repeats = (0..span.copies()).map(|copy| draws.scalar(Draw::KeyExponent, copy)).collect();
        let exponents = Exponents { repeats, shares };
        let points = kp::key(&self.0.point, span.rows(), parameters.attribute_hash(), &exponents);
        Ok(UserKey::new(parameters, formula.clone(), gate.clone(), points))
    }

    /// The master key and parameters. Secret; zeroed on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.to_bytes()
    }

    /// Reads an authority.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        MasterKey::from_bytes(bytes, Scheme::KeyPolicy).map(Self)
    }
}
