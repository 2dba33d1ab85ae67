//! Off-line revocation: a signed, dated list of serials, and the cover of all others.
//!
//! Who is protected against whom: whoever seals with a list shuts its serials out of *that* ciphertext, for
//! readers that are off line too. What was sealed before stays open to them. A sealer refuses a list past its
//! renewal, so that keeping the newest list away from it delays revocation by no more than its life.
//!
//! The leaves of the tree are serials, not people: a key that is issued anew is a new leaf, and the old one can be shut
//! out while the new one opens. A cover grows with the number of revoked serials, about log2(N / r) rows for each, and a
//! sealed policy has room for few hundred rows; so the list forgets serials whose keys have expired.

use std::collections::BTreeMap;

use ed25519_dalek::{Signer, SigningKey};

use crate::backend::Backend;
use crate::dyadic::Prefix;
use crate::encoding::Reader;
use crate::label::AuthorityId;
use crate::parameters::{PublicParameters, SIGNATURE, check_signature};
use crate::validity::{Bucket, Serial, Terms};
use crate::{DecodeError, RevocationError};

const MAGIC: &[u8; 7] = b"WKABERL";
const FORMAT: u8 = 1;
/// Most serials of a list.
pub const MAX_REVOKED: usize = 1 << 16;
/// How far ahead of the reader's clock a list may be dated, in seconds.
const CLOCK_SKEW: u64 = 300;

/// The serials of an authority version that are revoked, each with the bucket its key would have been valid until.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    authority: AuthorityId,
    version: u32,
    dates: Dates,
    revoked: BTreeMap<Serial, Bucket>,
    bytes: Vec<u8>,
}

/// Number and dates of a list. Moments are seconds since 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dates {
    /// Grows with every list of an authority version.
    pub number: u64,
    /// When it was signed.
    pub issued_at: u64,
    /// From when on sealing refuses it.
    pub next_update: u64,
}

impl RevocationList {
    /// Signs a list.
    pub(crate) fn sign<B: Backend>(
        parameters: &PublicParameters<B>,
        signing: &SigningKey,
        dates: Dates,
        revoked: BTreeMap<Serial, Bucket>,
    ) -> Result<Self, RevocationError> {
        if revoked.len() > MAX_REVOKED {
            return Err(RevocationError::TooMany { count: revoked.len(), max: MAX_REVOKED });
        }
        check_range(&revoked, parameters.terms())?;
        let (authority, version) = (parameters.authority(), parameters.version());
        let mut bytes = [MAGIC.as_slice(), &[FORMAT], &authority.0, &version.to_be_bytes()].concat();
        for moment in [dates.number, dates.issued_at, dates.next_update] {
            bytes.extend_from_slice(&moment.to_be_bytes());
        }
        bytes.extend_from_slice(&u32::try_from(revoked.len()).unwrap_or(u32::MAX).to_be_bytes());
        for (serial, until) in &revoked {
            bytes.extend_from_slice(&serial.number().to_be_bytes());
            bytes.extend_from_slice(&until.number().to_be_bytes());
        }
        let signature = signing.sign(&bytes).to_bytes();
        bytes.extend_from_slice(&signature);
        Ok(Self { authority, version, dates, revoked, bytes })
    }

    /// Reads a list and checks that the authority of these parameters signed it.
    ///
    /// # Errors
    /// [`RevocationError::Decode`] and [`RevocationError::OtherAuthority`].
    pub fn from_bytes<B: Backend>(bytes: &[u8], parameters: &PublicParameters<B>) -> Result<Self, RevocationError> {
        let mut reader = Reader::new(bytes);
        reader.begin(MAGIC, FORMAT, "a revocation list of attribute-based encryption")?;
        let authority = AuthorityId(*reader.array("authority")?);
        let version = reader.u32("authority version")?;
        let dates = Dates {
            number: reader.u64("number")?,
            issued_at: reader.u64("date")?,
            next_update: reader.u64("date of renewal")?,
        };
        let count = usize::try_from(reader.u32("count")?).unwrap_or(usize::MAX);
        if count > MAX_REVOKED {
            return Err(RevocationError::TooMany { count, max: MAX_REVOKED });
        }
        let mut revoked = BTreeMap::new();
        for _ in 0..count {
            let entry = (Serial::new(reader.u32("serial")?), Bucket::new(reader.u32("bucket")?));
            if revoked.last_key_value().is_some_and(|(last, _)| *last >= entry.0) {
                return Err(DecodeError::Malformed { part: "order of serials" }.into());
            }
            revoked.insert(entry.0, entry.1);
        }
        let signature: &[u8; SIGNATURE] = reader.array("signature")?;
        reader.end()?;
        if (authority, version) != (parameters.authority(), parameters.version()) {
            return Err(RevocationError::OtherAuthority);
        }
        check_range(&revoked, parameters.terms())?;
        let unsigned = bytes.get(..bytes.len().saturating_sub(SIGNATURE)).unwrap_or_default();
        check_signature(parameters.signing_key(), unsigned, signature, "revocation list")?;
        Ok(Self { authority, version, dates, revoked, bytes: bytes.to_vec() })
    }

    /// The bytes, signature included; public.
    #[must_use]
    pub fn to_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Its number and dates.
    #[must_use]
    pub fn dates(&self) -> Dates {
        self.dates
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.dates.number
    }

    /// When it was signed, in seconds since 1970.
    #[must_use]
    pub fn issued_at(&self) -> u64 {
        self.dates.issued_at
    }

    /// The revoked serials.
    #[must_use]
    pub fn revoked(&self) -> &BTreeMap<Serial, Bucket> {
        &self.revoked
    }

    /// The first time bucket that a ciphertext sealed with it may ask for: that of its date. Serials that had expired by
    /// then are not in it, whether revoked or not.
    #[must_use]
    pub fn first_bucket(&self, terms: &Terms) -> Bucket {
        // Behind the last bucket no key lives, and nothing can be sealed.
        terms.bucket_at(self.issued_at()).unwrap_or(Bucket::new(u32::MAX))
    }

    /// That it is of this authority version and fit to seal with.
    pub(crate) fn check<B: Backend>(&self, parameters: &PublicParameters<B>, now: u64) -> Result<(), RevocationError> {
        let Dates { issued_at, next_update, .. } = self.dates;
        if (self.authority, self.version) != (parameters.authority(), parameters.version()) {
            return Err(RevocationError::OtherAuthority);
        }
        if issued_at > now.saturating_add(CLOCK_SKEW) {
            return Err(RevocationError::FromTheFuture { issued_at, now });
        }
        if now >= next_update {
            return Err(RevocationError::Stale { next_update, now });
        }
        Ok(())
    }

    /// The fewest nodes that cover every serial that is not revoked, from left to right; none if all are.
    /// Serials that expired before `bucket` need no place: their keys do not reach it.
    pub(crate) fn cover(&self, terms: &Terms, bucket: Option<Bucket>) -> Vec<Prefix> {
        let alive = |until: &Bucket| bucket.is_none_or(|bucket| *until >= bucket);
        let living = self.revoked.iter().filter(|(_, until)| alive(until));
        let serials: Vec<u64> = living.map(|(serial, _)| u64::from(serial.number())).collect();
        let mut nodes = Vec::new();
        cover(Prefix { len: 0, value: 0 }, u32::from(terms.serial_bits()), &serials, &mut nodes);
        nodes
    }
}

/// A serial beyond the tree would shut out another in its place. They are ascending: the last is the greatest.
fn check_range(revoked: &BTreeMap<Serial, Bucket>, terms: &Terms) -> Result<(), RevocationError> {
    match revoked.last_key_value() {
        Some((serial, _)) if !terms.has_serial(*serial) => Err(RevocationError::SerialOutOfRange { serial: *serial }),
        _ => Ok(()),
    }
}

/// The cover of the subtree below `node`; `revoked` are its revoked leaves, ascending.
fn cover(node: Prefix, bits: u32, revoked: &[u64], out: &mut Vec<Prefix>) {
    if revoked.is_empty() {
        out.push(node);
    } else if node.len < bits {
        let below = bits - node.len - 1;
        let right = Prefix { len: node.len + 1, value: node.value << 1 | 1 };
        let at = revoked.partition_point(|serial| *serial < right.value << below);
        let (left_revoked, right_revoked) = revoked.split_at_checked(at).unwrap_or_default();
        cover(Prefix { len: node.len + 1, value: node.value << 1 }, bits, left_revoked, out);
        cover(right, bits, right_revoked, out);
    }
}

#[cfg(test)]
mod tests;
