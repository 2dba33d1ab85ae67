//! A key that carries a formula.
//!
//! Rows and copies are those of the formula's span program, in its order: the formula's canonical text is the only
//! description of them, and a key whose counts do not fit its text is refused when it is read. The formula is public:
//! whoever sees the key file knows what its holder may read.

use zeroize::Zeroizing;

use crate::backend::{Backend, Trust};
use crate::encoding::{Reader, put_counted};
use crate::formula::Formula;
use crate::gate::Gate;
use crate::kem::check_count;
use crate::label::Namespace;
use crate::parameters::{PublicParameters, Scheme};
use crate::policy::MAX_POLICY;
use crate::scheme::kp::KeyPoints;
use crate::span::Span;
use crate::{AuthorityId, DecodeError};

const MAGIC: &[u8; 7] = b"WKABEUK";
const FORMAT: u8 = 1;

/// A key that opens the records whose labels satisfy its formula. Its points are zeroed on drop.
pub struct UserKey<B: Backend> {
    parameters: [u8; 32],
    authority: (AuthorityId, u32),
    formula: Formula,
    gate: Gate,
    points: Box<KeyPoints<B>>,
}

impl<B: Backend> UserKey<B> {
    pub(crate) fn new(parameters: &PublicParameters<B>, formula: Formula, gate: Gate, points: KeyPoints<B>) -> Self {
        let authority = (parameters.authority(), parameters.version());
        Self { parameters: *parameters.fingerprint(), authority, formula, gate, points: Box::new(points) }
    }

    /// The formula it carries; public.
    #[must_use]
    pub fn formula(&self) -> &Formula {
        &self.formula
    }

    /// The authority that issued it.
    #[must_use]
    pub fn authority(&self) -> AuthorityId {
        self.authority.0
    }

    /// The authority version that issued it.
    #[must_use]
    pub fn version(&self) -> u32 {
        self.authority.1
    }

    /// Whether it was issued under these parameters.
    #[must_use]
    pub fn belongs_to(&self, parameters: &PublicParameters<B>) -> bool {
        self.parameters == *parameters.fingerprint()
    }

    pub(crate) fn gate(&self) -> &Gate {
        &self.gate
    }

    pub(crate) fn points(&self) -> &KeyPoints<B> {
        &self.points
    }

    /// Magic, format, scheme, fingerprint of the parameters, formula, then sk1 of each copy and sk2 of each row.
    /// Secret; zeroed on drop.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<Vec<u8>> {
        let KeyPoints { sk1, sk2 } = self.points.as_ref();
        let text = self.formula.to_string();
        let mut out = Zeroizing::new(Vec::with_capacity(64 + text.len() + 96 * sk1.len() + 48 * sk2.len()));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&[FORMAT, Scheme::KeyPolicy as u8]);
        out.extend_from_slice(&self.parameters);
        put_counted(&mut out, text.as_bytes());
        for count in [sk1.len(), sk2.len()] {
            out.extend_from_slice(&u16::try_from(count).unwrap_or(u16::MAX).to_be_bytes());
        }
        let sk1 = Zeroizing::new(B::g2_to_bytes(&sk1.iter().collect::<Vec<_>>()));
        sk1.iter().for_each(|bytes| out.extend_from_slice(bytes));
        let sk2 = Zeroizing::new(B::g1_to_bytes(&sk2.iter().collect::<Vec<_>>()));
        sk2.iter().for_each(|bytes| out.extend_from_slice(bytes));
        out
    }

    /// Reads a key and checks every point of it.
    ///
    /// # Errors
    /// [`DecodeError`].
    pub fn from_bytes(bytes: &[u8], parameters: &PublicParameters<B>) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(bytes);
        reader.begin(MAGIC, FORMAT, "a user key of key-policy encryption")?;
        let scheme = Scheme::from_number(reader.u8("scheme")?);
        let fingerprint: &[u8; 32] = reader.array("fingerprint")?;
        if scheme != Some(Scheme::KeyPolicy) || fingerprint != parameters.fingerprint() {
            return Err(DecodeError::OtherParameters { part: "key" });
        }
        let malformed = DecodeError::Malformed { part: "formula" };
        let text = reader.text(MAX_POLICY, "formula")?;
        let formula = Formula::parse(text, parameters.schema()).map_err(|_| malformed.clone())?;
        if formula.to_string() != text {
            return Err(malformed);
        }
        let gate = formula.gate(parameters.schema(), parameters.scope(), Namespace::Record).map_err(|_| malformed)?;
        let (copies, rows) = (reader.u16("number of points")?, reader.u16("number of points")?);
        let span = Span::new(&gate);
        check_count("points of repeats", usize::from(copies), span.copies())?;
        check_count("points of rows", usize::from(rows), span.rows().len())?;
        let bad = DecodeError::BadPoint { part: "key" };
        // Never moved while they grow, and zeroed by their owner should a point be none.
        let (in_g2, in_g1) = (Vec::with_capacity(span.copies()), Vec::with_capacity(span.rows().len()));
        let mut points = KeyPoints { sk1: in_g2, sk2: in_g1 };
        let mut in_g2 = || B::g2_from_bytes(reader.array("key")?, Trust::Checked).ok_or_else(|| bad.clone());
        for _ in 0..copies {
            points.sk1.push(in_g2()?);
        }
        let mut in_g1 = || B::g1_from_bytes(reader.array("key")?, Trust::Checked).ok_or_else(|| bad.clone());
        for _ in 0..rows {
            points.sk2.push(in_g1()?);
        }
        reader.end()?;
        parameters.attribute_hash().warm(gate.labels());
        Ok(Self::new(parameters, formula, gate, points))
    }
}

impl<B: Backend> std::fmt::Debug for UserKey<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { parameters: _, authority, formula, gate: _, points: _ } = self;
        write!(f, "UserKey({} version {}: {formula})", authority.0, authority.1)
    }
}
