//! What a user key of an authority is issued with.
//!
//! The policy engine decides and projects the subject's attributes in one go; the key service issues. Between them stands
//! the permit, and its binding holds a digest of all that the key will say: a verb that is shown other attributes, another
//! schema or another recipient than were decided on refuses.

use sha2::{Digest, Sha256};

use crate::{BindingDigest, Fingerprint};

/// How long a bucket of time is: user keys are valid until the end of one, ciphertexts ask for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum BucketLength {
    /// An hour.
    Hour,
    /// A day.
    Day,
}

/// All that a user key will say, by reference; see [`BindingDigest::of_issue`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IssueBinding<'a> {
    /// The declarations, as the canonical text of a schema.
    pub schema: &'a str,
    /// The length of a bucket of time.
    pub bucket: BucketLength,
    /// How many bits a serial has.
    pub serial_bits: u8,
    /// The subject's attributes as canonical text.
    pub attributes: &'a str,
    /// The public key that the user key is sealed for, where the decision was about one.
    pub recipient: Option<&'a Fingerprint>,
}

impl BucketLength {
    /// Both of them.
    pub const ALL: &'static [Self] = &[Self::Hour, Self::Day];

    /// The word that manifests use.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Reads the word; `None` for any other text.
    #[must_use]
    pub fn from_word(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|length| length.as_str() == text)
    }

    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }
}

impl BindingDigest {
    /// The digest for a user key. Every part carries its length, and its own first bytes keep it apart from the digest of
    /// a context: no permit for a data key fits an issue, nor the other way round.
    #[must_use]
    pub fn of_issue(issue: &IssueBinding<'_>) -> Self {
        let IssueBinding { schema, bucket, serial_bits, attributes, recipient } = *issue;
        let mut hash = Sha256::new();
        hash.update(b"wardkeep issue binding v1");
        for text in [schema, attributes] {
            hash.update(u64::try_from(text.len()).unwrap_or(u64::MAX).to_be_bytes());
            hash.update(text.as_bytes());
        }
        hash.update(bucket.seconds().to_be_bytes());
        hash.update([serial_bits]);
        match recipient {
            None => hash.update([0]),
            Some(fingerprint) => {
                hash.update([1]);
                hash.update(fingerprint.as_bytes());
            }
        }
        Self(hash.finalize().into())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::EncryptionContext;

    const ISSUE: IssueBinding<'static> = IssueBinding {
        schema: "role: text set\n",
        bucket: BucketLength::Day,
        serial_bits: 20,
        attributes: "role = [doctor]",
        recipient: None,
    };

    #[test]
    fn every_part_is_bound() {
        let (one, other) = (Fingerprint::of_spki(b"one"), Fingerprint::of_spki(b"other"));
        let different = [
            ISSUE,
            IssueBinding { schema: "role: text set\nlevel: number(8)\n", ..ISSUE },
            IssueBinding { bucket: BucketLength::Hour, ..ISSUE },
            IssueBinding { serial_bits: 21, ..ISSUE },
            IssueBinding { attributes: "role = [doctor, admin]", ..ISSUE },
            IssueBinding { attributes: "", ..ISSUE },
            IssueBinding { recipient: Some(&one), ..ISSUE },
            IssueBinding { recipient: Some(&other), ..ISSUE },
            // A byte that moves from one part to the next.
            IssueBinding { schema: "role: text set\nr", attributes: "ole = [doctor]", ..ISSUE },
        ];
        let digests: BTreeSet<[u8; 32]> =
            different.iter().map(|issue| *BindingDigest::of_issue(issue).as_bytes()).collect();
        assert_eq!(digests.len(), different.len());
        assert!(BindingDigest::of_issue(&ISSUE) == BindingDigest::of_issue(&ISSUE));
    }

    #[test]
    fn a_permit_for_a_data_key_is_none_for_an_issue() {
        let empty = IssueBinding { schema: "", attributes: "", ..ISSUE };
        for issue in [ISSUE, empty] {
            assert!(BindingDigest::of_issue(&issue) != BindingDigest::new(&EncryptionContext::default(), None));
        }
    }

    #[test]
    fn lengths_have_one_word_each() {
        for length in BucketLength::ALL {
            assert_eq!(BucketLength::from_word(length.as_str()), Some(*length));
        }
        assert_eq!((BucketLength::Hour.seconds() * 24, BucketLength::from_word("Day")), (86_400, None));
    }
}
