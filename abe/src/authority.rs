//! The authority: whoever issues keys.

use std::collections::BTreeMap;

use zeroize::Zeroizing;

use crate::backend::Backend;
use crate::key::{Held, MAX_LABELS, UserKey};
use crate::label::{AuthorityId, Label, Namespace};
use crate::master::MasterKey;
use crate::parameters::{PublicParameters, Scheme};
use crate::revocation::{Dates, RevocationList};
use crate::scheme::cp;
use crate::seed::{Draw, Seed};
use crate::validity::{Bucket, Serial, Terms};
use crate::{Attributes, DecodeError, IssueError, RevocationError, Schema, SetupError};

/// One version of an authority, with its master key: whoever has it opens everything sealed under it. Zeroed on
/// drop; neither shown nor copied.
pub struct Authority<B: Backend>(MasterKey<B>);

/// What a key is issued for.
#[derive(Debug, Clone, Copy)]
pub struct Grant<'a> {
    /// The holder's attributes, read under the schema of the authority version.
    pub attributes: &'a Attributes,
    /// The last time bucket that the key is valid in. `None`: it opens nothing that asks for a bucket.
    pub valid_until: Option<Bucket>,
    /// The key's serial, never given to another. `None`: it opens nothing that was sealed with a revocation list.
    pub serial: Option<Serial>,
}

impl<B: Backend> Authority<B> {
    /// A new authority, at version 1. Draws alpha and the signing key from the seed.
    #[must_use]
    pub fn generate(id: AuthorityId, schema: Schema, terms: Terms, seed: Seed) -> Self {
        Self(MasterKey::generate(Scheme::CiphertextPolicy, id, schema, terms, seed))
    }

    /// The next version: another alpha under the same identity and signing key. A declaration of an existing attribute
    /// can change here and nowhere else.
    ///
    /// # Errors
    /// [`SetupError::Versions`] after 2^32 - 1 of them.
    pub fn rotate(&self, schema: Schema, terms: Terms, seed: Seed) -> Result<Self, SetupError> {
        self.0.rotate(schema, terms, seed).map(Self)
    }

    /// The public parameters of this version.
    #[must_use]
    pub fn parameters(&self) -> &PublicParameters<B> {
        &self.0.parameters
    }

    /// Issues a key. The seed is used for this key alone: whoever learns the r of a key has the master key.
    ///
    /// # Errors
    /// [`IssueError`].
    pub fn issue(&self, grant: &Grant<'_>, seed: Seed) -> Result<UserKey<B>, IssueError> {
        let held = self.held(grant)?;
        let parameters = self.parameters();
        let r = seed.draws(b"wardkeep abe 1 user key").scalar(Draw::KeyExponent, 0);
        let labels: Vec<&Label> = held.labels.iter().collect();
        let points = cp::key(&self.0.point, parameters.base(), (parameters.attribute_hash(), &labels), &r);
        Ok(UserKey::new(parameters, held, points))
    }

    /// Whether [`Self::issue`] would make a key of this grant; cheap beside it, and about the same for every serial.
    ///
    /// # Errors
    /// [`IssueError`], as [`Self::issue`].
    pub fn check(&self, grant: &Grant<'_>) -> Result<(), IssueError> {
        self.held(grant).map(drop)
    }

    /// The labels of a grant.
    fn held(&self, grant: &Grant<'_>) -> Result<Held, IssueError> {
        let Grant { attributes, valid_until, serial } = *grant;
        let (terms, scope) = (self.parameters().terms(), self.parameters().scope());
        let mut labels: Vec<Label> = attributes.labels(self.parameters().schema(), scope, Namespace::Attribute)?;
        if labels.is_empty() {
            return Err(IssueError::NoAttributes);
        }
        if let Some(bucket) = valid_until {
            if !terms.has_bucket(bucket) {
                return Err(IssueError::BucketOutOfRange { bucket });
            }
            labels.extend(terms.validity_labels(scope, bucket));
        }
        if let Some(serial) = serial {
            if !terms.has_serial(serial) {
                return Err(IssueError::SerialOutOfRange { serial });
            }
            labels.extend(terms.serial_labels(scope, serial));
        }
        labels.sort_unstable();
        labels.dedup();
        if labels.len() > MAX_LABELS {
            return Err(IssueError::TooManyLabels { count: labels.len(), max: MAX_LABELS });
        }
        Ok(Held { valid_until, serial, labels })
    }

    /// Signs a list of revoked serials, each with the bucket its key is valid until.
    ///
    /// # Errors
    /// [`RevocationError::TooMany`].
    pub fn revocation_list(
        &self,
        dates: Dates,
        revoked: BTreeMap<Serial, Bucket>,
    ) -> Result<RevocationList, RevocationError> {
        RevocationList::sign(self.parameters(), self.0.signing(), dates, revoked)
    }

    /// The master key and parameters, for whoever seals them at rest. Secret; zeroed on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        self.0.to_bytes()
    }

    /// Reads an authority and checks that master key and parameters are one.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        MasterKey::from_bytes(bytes, Scheme::CiphertextPolicy).map(Self)
    }
}

impl<B: Backend> std::fmt::Debug for Authority<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Authority({:?})", self.parameters())
    }
}
