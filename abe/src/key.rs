//! A user's key: labels with a point each, and two points that bind them together.
//!
//! The labels stand in the key in full. Deriving them from attributes would save bytes and open a hole: a delegated key
//! that dropped an element of a set would then gain the label that says the set lacks it.
//!
//! A key tells three things of itself, its end, its serial and its authority, and all three are checked against its
//! labels when it is read: they are what the mathematics goes by, and a file that claims other things misleads people.

use zeroize::Zeroizing;

use crate::backend::{Backend, G1_BYTES, G2_BYTES, Trust};
use crate::ciphertext::Ciphertext;
use crate::encoding::{Reader, put_counted};
use crate::label::{Label, MAX_LABEL, Namespace, Scope};
use crate::parameters::{PublicParameters, Scheme};
use crate::policy::AccessPolicy;
use crate::scheme::cp::KeyPoints;
use crate::validity::{Bucket, Serial};
use crate::{AuthorityId, DecodeError};

/// Most labels of a key.
pub const MAX_LABELS: usize = 4_096;
const MAGIC: &[u8; 7] = b"WKABEUK";
const FORMAT: u8 = 1;

/// A key that opens what its attributes satisfy. Its points are zeroed on drop; neither shown nor copied.
///
/// The points of two keys never work together: each key's carry one exponent r of its own.
pub struct UserKey<B: Backend> {
    parameters: [u8; 32],
    scope: Scope,
    valid_until: Option<Bucket>,
    serial: Option<Serial>,
    /// Ascending; `sk2` of the points is in the same order.
    labels: Vec<Label>,
    points: Box<KeyPoints<B>>,
}

/// Everything a key is made of but its secret points.
pub(crate) struct Held {
    pub(crate) valid_until: Option<Bucket>,
    pub(crate) serial: Option<Serial>,
    /// Ascending, none twice.
    pub(crate) labels: Vec<Label>,
}

impl<B: Backend> UserKey<B> {
    pub(crate) fn new(parameters: &PublicParameters<B>, held: Held, points: KeyPoints<B>) -> Self {
        let Held { valid_until, serial, labels } = held;
        let scope = *parameters.scope();
        Self { parameters: *parameters.fingerprint(), scope, valid_until, serial, labels, points: Box::new(points) }
    }

    /// The authority that issued it.
    #[must_use]
    pub fn authority(&self) -> AuthorityId {
        self.scope.authority
    }

    /// The authority version that issued it: it opens what was sealed under that version.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.scope.version
    }

    /// The last time bucket for which it opens ciphertexts that ask for one; `None`: it opens none of those.
    #[must_use]
    pub fn valid_until(&self) -> Option<Bucket> {
        self.valid_until
    }

    /// Its serial; `None`: it opens nothing that was sealed with a revocation list.
    #[must_use]
    pub fn serial(&self) -> Option<Serial> {
        self.serial
    }

    /// What it holds, ascending; public.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.labels
    }

    /// What it holds of attributes, in words: `role = doctor`, `level = 3`, `dept != surgery`. A number of which a
    /// delegated key holds only some prefixes is not among them.
    #[must_use]
    pub fn attributes(&self) -> Vec<String> {
        let named = self.labels.iter().filter(|label| label.namespace() == Some(Namespace::Attribute));
        named.filter_map(Label::held).collect()
    }

    /// Whether it holds a label.
    #[must_use]
    pub fn holds(&self, label: &Label) -> bool {
        self.labels.binary_search(label).is_ok()
    }

    /// Whether it was issued under these parameters.
    #[must_use]
    pub fn belongs_to(&self, parameters: &PublicParameters<B>) -> bool {
        self.parameters == *parameters.fingerprint()
    }

    /// Whether a ciphertext is of this key's authority version and asks for nothing that the key lacks: attributes,
    /// validity, serial. Public data alone says so, at no cost of pairings; that the ciphertext is sound, only opening does.
    #[must_use]
    pub fn satisfies(&self, parameters: &PublicParameters<B>, ciphertext: &Ciphertext) -> bool {
        let ours = ciphertext.scheme() == Scheme::CiphertextPolicy
            && (ciphertext.authority(), ciphertext.version()) == (self.authority(), self.version())
            && self.belongs_to(parameters);
        let gate = || AccessPolicy::from_statement(ciphertext.statement(), parameters).ok()?.gate(parameters).ok();
        ours && gate().is_some_and(|gate| gate.satisfied(&|label| self.holds(label)))
    }

    pub(crate) fn scope(&self) -> &Scope {
        &self.scope
    }

    pub(crate) fn points(&self) -> &KeyPoints<B> {
        &self.points
    }

    /// `sk2` of a label.
    pub(crate) fn point(&self, label: &Label) -> Option<&B::G1> {
        self.labels.binary_search(label).ok().and_then(|at| self.points.sk2.get(at))
    }

    /// Magic, format, scheme, fingerprint of the parameters, validity, serial, labels, then sk1, sk3 and sk2 of each
    /// label. Secret; zeroed on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let labels: usize = self.labels.iter().map(|label| label.as_bytes().len() + 4 + G1_BYTES).sum();
        // Grown once: a vector that moves leaves what it held behind.
        let mut out = Zeroizing::new(Vec::with_capacity(128 + G1_BYTES + G2_BYTES + labels));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[FORMAT, Scheme::CiphertextPolicy as u8]);
        out.extend_from_slice(&self.parameters);
        for number in [self.valid_until.map(Bucket::number), self.serial.map(Serial::number)] {
            out.push(u8::from(number.is_some()));
            out.extend_from_slice(&number.unwrap_or(0).to_be_bytes());
        }
        out.extend_from_slice(&u16::try_from(self.labels.len()).unwrap_or(u16::MAX).to_be_bytes());
        self.labels.iter().for_each(|label| put_counted(&mut out, label.as_bytes()));
        let KeyPoints { sk1, sk2, sk3 } = self.points.as_ref();
        Zeroizing::new(B::g2_to_bytes(&[sk1])).iter().for_each(|bytes| out.extend_from_slice(bytes));
        let held: Vec<&B::G1> = std::iter::once(sk3).chain(sk2).collect();
        Zeroizing::new(B::g1_to_bytes(&held)).iter().for_each(|bytes| out.extend_from_slice(bytes));
        out
    }

    /// Reads a key and checks every point of it: canonical, on the curve, in the subgroup, not at infinity. Fills the
    /// parameters' cache with what it holds.
    ///
    /// # Errors
    /// [`DecodeError`], of which [`DecodeError::OtherParameters`] says that other parameters belong to it.
    pub fn from_bytes(bytes: &[u8], parameters: &PublicParameters<B>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.begin(MAGIC, FORMAT, "a user key of attribute-based encryption")?;
        let scheme = Scheme::from_number(reader.u8("scheme")?);
        let fingerprint: &[u8; 32] = reader.array("fingerprint")?;
        if scheme != Some(Scheme::CiphertextPolicy) || fingerprint != parameters.fingerprint() {
            return Err(DecodeError::OtherParameters { part: "key" });
        }
        let valid_until = optional(&mut reader, "validity")?.map(Bucket::new);
        let serial = optional(&mut reader, "serial")?.map(Serial::new);
        let labels = read_labels(&mut reader, parameters.scope())?;
        let sk1 =
            B::g2_from_bytes(reader.array("key")?, Trust::Checked).ok_or(DecodeError::BadPoint { part: "key" })?;
        let mut point = || {
            let bytes = reader.array("key")?;
            B::g1_from_bytes(bytes, Trust::Checked).ok_or(DecodeError::BadPoint { part: "key" })
        };
        let sk3 = point()?;
        // Never moved while it grows, and zeroed by its owner should a point be none.
        let mut points = KeyPoints { sk1, sk2: Vec::with_capacity(labels.len()), sk3 };
        for _ in &labels {
            points.sk2.push(point()?);
        }
        reader.end()?;
        let key = Self::new(parameters, Held { valid_until, serial, labels }, points);
        key.check_claims(parameters)?;
        parameters.attribute_hash().warm(&key.labels);
        Ok(key)
    }

    /// That what the key says of itself is what its labels say: a file that lies about its expiry misleads people.
    fn check_claims(&self, parameters: &PublicParameters<B>) -> Result<(), DecodeError> {
        let (terms, scope) = (parameters.terms(), parameters.scope());
        let holds = |label: &Label| self.holds(label);
        let of = |namespace| self.labels.iter().filter(move |label| label.namespace() == Some(namespace)).count();
        let reached = self.valid_until.and_then(|bucket| terms.valid_until(scope, &holds, bucket));
        let prefixes = self.valid_until.map_or_else(Vec::new, |bucket| terms.validity_labels(scope, bucket));
        let validity = prefixes.iter().filter(|label| holds(label)).count();
        if reached != self.valid_until || validity != of(Namespace::Validity) {
            return Err(DecodeError::Malformed { part: "validity" });
        }
        let path = self.serial.map_or_else(Vec::new, |serial| terms.serial_labels(scope, serial));
        // Beyond the tree a serial has no path, and an empty one is held by everybody.
        if !self.serial.is_none_or(|serial| terms.has_serial(serial))
            || !path.iter().all(holds)
            || path.len() != of(Namespace::Serial)
        {
            return Err(DecodeError::Malformed { part: "serial" });
        }
        Ok(())
    }
}

impl<B: Backend> std::fmt::Debug for UserKey<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { parameters: _, scope, valid_until, serial, labels, points: _ } = self;
        let (labels, version) = (labels.len(), scope.version);
        write!(f, "UserKey({} version {version}, {labels} labels, until {valid_until:?}, {serial:?})", scope.authority)
    }
}

fn optional(reader: &mut Reader<'_>, part: &'static str) -> Result<Option<u32>, DecodeError> {
    match (reader.u8(part)?, reader.u32(part)?) {
        (0, 0) => Ok(None),
        (1, number) => Ok(Some(number)),
        _ => Err(DecodeError::Malformed { part }),
    }
}

fn read_labels(reader: &mut Reader<'_>, scope: &Scope) -> Result<Vec<Label>, DecodeError> {
    let count = usize::from(reader.u16("number of labels")?);
    if count > MAX_LABELS {
        return Err(DecodeError::TooLong { part: "number of labels", len: count, max: MAX_LABELS });
    }
    let mut labels: Vec<Label> = Vec::new();
    for _ in 0..count {
        let label =
            Label::parse(reader.counted(MAX_LABEL, "label")?).ok_or(DecodeError::Malformed { part: "label" })?;
        if label.parts().map(|parts| parts.scope) != Some(*scope) {
            return Err(DecodeError::OtherParameters { part: "label" });
        }
        if labels.last().is_some_and(|last| *last >= label) {
            return Err(DecodeError::Malformed { part: "order of labels" });
        }
        labels.push(label);
    }
    Ok(labels)
}

#[cfg(test)]
mod tests {
    use crate::{Attributes, Authority, AuthorityId, Grant, Schema, Seed, Terms};

    /// What a key of these attributes says it holds.
    fn shown(schema: &str, attributes: &str) -> Vec<String> {
        let schema = Schema::parse(schema).unwrap();
        let authority = Authority::generate(AuthorityId([7; 16]), schema, Terms::default(), Seed::new([1; 32]));
        let attributes = Attributes::parse(attributes, authority.parameters().schema()).unwrap();
        let grant = Grant { attributes: &attributes, valid_until: None, serial: None };
        let mut shown = authority.issue(&grant, Seed::new([2; 32])).unwrap().attributes();
        shown.sort();
        shown
    }

    #[test]
    fn numbers_and_dates_are_shown_as_they_were_written() {
        for number in ["0", "3", "4294967295"] {
            assert_eq!(shown("", &format!("level = {number}")), [format!("level = {number}")]);
        }
        for number in ["-128", "-1", "0", "127"] {
            assert_eq!(shown("t: number(8, signed)", &format!("t = {number}")), [format!("t = {number}")]);
        }
        for date in ["0001-01-01", "1970-01-01", "2026-11-21", "9999-12-31"] {
            assert_eq!(shown("born: date", &format!("born = {date}")), [format!("born = {date}")]);
        }
        let sets = shown(
            "ward: number(64) set\ndept: enum(a, b) negatable\nregion: text negatable",
            "ward = [7, 18446744073709551615], dept = a, region = north, \"x y\" = \"or\"",
        );
        let expected =
            ["\"x y\" = \"or\"", "dept != b", "dept = a", "region = north", "ward = 18446744073709551615", "ward = 7"];
        assert_eq!(sets, expected);
    }
}
