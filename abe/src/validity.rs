//! Time buckets and serials: what keys carry so that they expire and can be revoked.
//!
//! Both are numbers in a binary tree whose root-to-leaf path a key carries as labels of namespaces of their
//! own, which no attribute can ever reach. A key valid until bucket T holds the prefixes of T; a ciphertext
//! asks for the canonical nodes of `[bucket, end]`, one of which is a prefix of T exactly if T >= bucket.
//! A key of serial n holds the prefixes of n; a ciphertext asks for the nodes that cover every serial that is
//! not revoked (complete subtree method: Naor, Naor and Lotspiech, Crypto 2001, section 3.1).
//!
//! The width of the tree stands in the type tag of each label, and so does the length of buckets: were they changed for
//! an authority version, no node of the old tree would be one of the new.

use crate::SetupError;
use crate::dyadic::{self, Prefix};
use crate::gate::Gate;
use crate::label::{Label, Maker, Namespace, Scope, Shape};

/// How long a time bucket is; fixed for an authority version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum BucketLength {
    /// 3 600 s, in 20 bits: until the year 2089.
    Hour = 1,
    /// 86 400 s, in 16 bits: until the year 2149.
    Day = 2,
}

/// What holds for every key of an authority version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Terms {
    bucket: BucketLength,
    serial_bits: u8,
}

/// A time bucket: whole [`BucketLength`]s since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u32);

/// The number of one issued key, unique in its authority version. A re-issued key has a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Serial(u32);

impl BucketLength {
    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        match self {
            Self::Hour => 3_600,
            Self::Day => 86_400,
        }
    }

    /// Bits of a bucket's number.
    #[must_use]
    pub const fn bits(self) -> u32 {
        match self {
            Self::Hour => 20,
            Self::Day => 16,
        }
    }

    /// The unit in the type tag of its labels: buckets of one length are not those of another.
    const fn unit(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    pub(crate) fn from_number(number: u8) -> Option<Self> {
        [Self::Hour, Self::Day].into_iter().find(|length| *length as u8 == number)
    }
}

impl Default for Terms {
    /// Days, and a million serials.
    fn default() -> Self {
        Self { bucket: BucketLength::Day, serial_bits: 20 }
    }
}

impl Terms {
    /// Terms with buckets of this length and `2^serial_bits` serials.
    ///
    /// # Errors
    /// [`SetupError::SerialBits`] unless there are 1 to 32 bits.
    pub const fn new(bucket: BucketLength, serial_bits: u8) -> Result<Self, SetupError> {
        if serial_bits >= 1 && serial_bits <= 32 {
            Ok(Self { bucket, serial_bits })
        } else {
            Err(SetupError::SerialBits { bits: serial_bits })
        }
    }

    /// How long a bucket is.
    #[must_use]
    pub const fn bucket_length(&self) -> BucketLength {
        self.bucket
    }

    /// Bits of a serial: a key carries one label more.
    #[must_use]
    pub const fn serial_bits(&self) -> u8 {
        self.serial_bits
    }

    /// The bucket that a moment, in seconds since 1970, lies in; `None` beyond the last one.
    #[must_use]
    pub fn bucket_at(&self, unix_seconds: u64) -> Option<Bucket> {
        let number = u32::try_from(unix_seconds / self.bucket.seconds()).ok()?;
        Some(Bucket(number)).filter(|bucket| self.has_bucket(*bucket))
    }

    /// The first second behind a bucket, since 1970.
    #[must_use]
    pub fn end_of(&self, bucket: Bucket) -> u64 {
        (u64::from(bucket.0) + 1) * self.bucket.seconds()
    }

    /// Whether the bucket is within this authority's range.
    #[must_use]
    pub fn has_bucket(&self, bucket: Bucket) -> bool {
        u64::from(bucket.0) <= dyadic::greatest(self.bucket.bits())
    }

    /// Whether the serial is within this authority's tree.
    #[must_use]
    pub fn has_serial(&self, serial: Serial) -> bool {
        u64::from(serial.0) <= dyadic::greatest(u32::from(self.serial_bits))
    }

    /// The labels of a key that is valid until the end of `bucket`.
    pub(crate) fn validity_labels(&self, scope: &Scope, bucket: Bucket) -> Vec<Label> {
        let bits = self.bucket.bits();
        let label = |prefix: Prefix| self.validity_label(scope, &prefix);
        dyadic::prefixes(u64::from(bucket.0), bits).into_iter().map(label).collect()
    }

    /// That a key is valid at `bucket` or later.
    pub(crate) fn validity_gate(&self, scope: &Scope, bucket: Bucket) -> Gate {
        let bits = self.bucket.bits();
        let nodes = dyadic::range(u64::from(bucket.0), dyadic::greatest(bits), bits);
        any(nodes.iter().map(|prefix| self.validity_label(scope, prefix)))
    }

    /// The labels of a key's serial.
    pub(crate) fn serial_labels(&self, scope: &Scope, serial: Serial) -> Vec<Label> {
        let label = |prefix: Prefix| self.serial_label(scope, &prefix);
        dyadic::prefixes(u64::from(serial.0), u32::from(self.serial_bits)).into_iter().map(label).collect()
    }

    /// That a key's serial lies below one of these nodes.
    pub(crate) fn serial_gate(&self, scope: &Scope, nodes: &[Prefix]) -> Gate {
        any(nodes.iter().map(|prefix| self.serial_label(scope, prefix)))
    }

    /// Until which bucket these labels, prefixes of `bucket` among them, let a key open: the lowest bucket below the
    /// longest such prefix.
    pub(crate) fn valid_until(&self, scope: &Scope, holds: &dyn Fn(&Label) -> bool, bucket: Bucket) -> Option<Bucket> {
        let bits = self.bucket.bits();
        let prefixes = dyadic::prefixes(u64::from(bucket.0), bits);
        let held = prefixes.into_iter().filter(|prefix| holds(&self.validity_label(scope, prefix)));
        let longest = held.max_by_key(|prefix| prefix.len)?;
        u32::try_from(longest.value << (bits - longest.len)).ok().map(Bucket)
    }

    pub(crate) fn validity_label(&self, scope: &Scope, prefix: &Prefix) -> Label {
        let bits = u8::try_from(self.bucket.bits()).unwrap_or(u8::MAX);
        let shape = Shape { unit: self.bucket.unit().into(), ..Shape::number(bits) };
        Maker { scope, namespace: Namespace::Validity, shape: &shape, name: "valid-until" }.prefix(*prefix)
    }

    fn serial_label(&self, scope: &Scope, prefix: &Prefix) -> Label {
        let shape = Shape::number(self.serial_bits);
        Maker { scope, namespace: Namespace::Serial, shape: &shape, name: "serial" }.prefix(*prefix)
    }
}

impl Bucket {
    /// The bucket of a number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl Serial {
    /// The serial of a number.
    #[must_use]
    pub const fn new(number: u32) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

fn any(labels: impl Iterator<Item = Label>) -> Gate {
    Gate::Any(labels.map(Gate::Holds).collect())
}
