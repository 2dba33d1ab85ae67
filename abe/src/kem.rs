//! Seal and open: the algebra of [`crate::scheme::cp`] inside the transform of [`crate::cca`].
//!
//! Sealing: message -> randomness -> points and masked message -> secret. Opening goes the other way in five steps:
//!
//! 1. origin: scheme, authority, version, parameters. Public, each with an error of its own.
//! 2. structure: the policy is read under the parameters' declarations and has to be in its canonical form; the number
//!    of points has to be what its span program asks for.
//! 3. plan: which rows the key's labels reach. None: `NotSatisfied`, with what is missing. Up to here no point was read.
//! 4. recovery: pairings over the plan's rows give K, K gives the message, whatever the points were.
//! 5. the whole ciphertext is made again from that message and compared; the comparison hands over the secret.
//!
//! Steps 4 and 5 have one error and one path. A refusal there costs what an opening costs.

use crate::backend::{Backend, Trust};
use crate::cca::{self, Binding, MAX_CONTEXT, Message};
use crate::ciphertext::{Ciphertext, Points};
use crate::gate::Gate;
use crate::key::UserKey;
use crate::label::Label;
use crate::parameters::{PublicParameters, Scheme};
use crate::policy::AccessPolicy;
use crate::scheme::cp::{self, Exponents, Opened};
use crate::seed::{Draw, Seed};
use crate::span::{Span, Step};
use crate::{AuthorityId, DecodeError, OpenError, SealError, Secret};

/// Seals a fresh secret under a policy: whoever holds a key that satisfies it gets the same secret by [`open`], with
/// the same context, which does not stand in the ciphertext.
///
/// # Errors
/// [`SealError`].
pub fn seal<B: Backend>(
    parameters: &PublicParameters<B>,
    policy: &AccessPolicy,
    context: &[u8],
    seed: Seed,
) -> Result<(Ciphertext, Secret), SealError> {
    if !policy.belongs_to(parameters) || parameters.scheme() != Scheme::CiphertextPolicy {
        return Err(SealError::OtherParameters);
    }
    if context.len() > MAX_CONTEXT {
        return Err(SealError::ContextTooLong { len: context.len(), max: MAX_CONTEXT });
    }
    let gate = policy.gate(parameters)?;
    let message = seed.into_message();
    let ciphertext = Maker::new(parameters, &gate, policy.statement(), context).make(&message);
    let secret = cca::data_key(&message, ciphertext.to_bytes());
    Ok((ciphertext, secret))
}

/// Opens a ciphertext with a key that satisfies its policy, off line.
///
/// # Errors
/// [`OpenError::NotSatisfied`] and whatever else public data tells (another authority, a broken structure) before any
/// algebra; [`OpenError::NotOpened`] for everything after.
pub fn open<B: Backend>(
    parameters: &PublicParameters<B>,
    key: &UserKey<B>,
    ciphertext: &Ciphertext,
    context: &[u8],
) -> Result<Secret, OpenError> {
    let holder = Holder { authority: key.authority(), version: key.version(), belongs: key.belongs_to(parameters) };
    check_origin(Scheme::CiphertextPolicy, ciphertext, &holder)?;
    let policy = AccessPolicy::from_statement(ciphertext.statement(), parameters)?;
    let gate = policy.gate(parameters).map_err(|_| DecodeError::Malformed { part: "policy's requirements" })?;
    let maker = Maker::new(parameters, &gate, ciphertext.statement().to_vec(), context);
    let points = ciphertext.points();
    check_count("points of rows", points.in_g1.len(), maker.span.rows().len())?;
    check_count("points of repeats", points.in_g2.len(), maker.span.copies())?;
    let holds = |label: &Label| key.holds(label);
    let Some(plan) = maker.span.plan::<B::Public>(&holds) else {
        return Err(OpenError::NotSatisfied { missing: policy.missing(parameters, &holds) });
    };
    if context.len() > MAX_CONTEXT {
        return Err(OpenError::NotOpened);
    }
    let message = recover(key, &maker.span, &plan, points);
    let again = maker.make(&message);
    cca::release(&message, again.to_bytes(), ciphertext.to_bytes())
}

/// Who a key is of, and whether under the parameters at hand.
pub(crate) struct Holder {
    pub(crate) authority: AuthorityId,
    pub(crate) version: u32,
    pub(crate) belongs: bool,
}

/// What can be said before policy or labels are looked at.
pub(crate) fn check_origin(scheme: Scheme, ciphertext: &Ciphertext, key: &Holder) -> Result<(), OpenError> {
    if ciphertext.scheme() != scheme {
        return Err(DecodeError::OtherParameters { part: "ciphertext" }.into());
    }
    let (found, held) = (ciphertext.authority(), key.authority);
    if found != held {
        return Err(OpenError::OtherAuthority { found, held });
    }
    let (found, held) = (ciphertext.version(), key.version);
    if found != held {
        return Err(OpenError::OtherVersion { found, held });
    }
    if key.belongs { Ok(()) } else { Err(DecodeError::OtherParameters { part: "key" }.into()) }
}

pub(crate) fn check_count(part: &'static str, count: usize, expected: usize) -> Result<(), DecodeError> {
    if count == expected { Ok(()) } else { Err(DecodeError::Count { part, count, expected }) }
}

/// The message as the plan's rows give it. Points that do not decode stand for the generator: what comes out is
/// then compared like everything else, on the same path.
fn recover<B: Backend>(key: &UserKey<B>, span: &Span<'_>, plan: &[Step<B::Public>], points: &Points) -> Message {
    let in_g2 = |bytes| B::g2_from_bytes(bytes, Trust::OnCurveOnly).unwrap_or_else(B::g2_generator);
    let in_g1 = |bytes| B::g1_from_bytes(bytes, Trust::OnCurveOnly).unwrap_or_else(B::g1_generator);
    let rows = plan.iter().filter_map(|step| {
        let row = span.rows().get(step.row)?;
        let (ct3, sk2) = (in_g1(points.in_g1.get(step.row)?), key.point(row.label)?);
        Some(Opened { step, copy: row.copy, ct3, sk2 })
    });
    let rows: Vec<Opened<'_, B>> = rows.collect();
    let copies = (0..span.copies()).filter(|copy| rows.iter().any(|row| row.copy == *copy));
    let ct2: Vec<(usize, B::G2)> = copies.filter_map(|copy| Some((copy, in_g2(points.in_g2.get(copy)?)))).collect();
    let held = key.points();
    let shared = cp::decapsulate((&held.sk1, &held.sk3), &in_g2(&points.ct1), &ct2, &rows);
    cca::mask::<B>(&shared, &points.ct1, &points.masked)
}

/// Makes the one ciphertext of a message: the sealer once, the receiver again.
struct Maker<'a, B: Backend> {
    parameters: &'a PublicParameters<B>,
    span: Span<'a>,
    statement: Vec<u8>,
    binding: Binding,
}

impl<'a, B: Backend> Maker<'a, B> {
    fn new(parameters: &'a PublicParameters<B>, gate: &'a Gate, statement: Vec<u8>, context: &[u8]) -> Self {
        let binding = Binding::new(b"wardkeep abe 1 FABEO CP", parameters.fingerprint(), &statement, context);
        Self { parameters, span: Span::new(gate), statement, binding }
    }

    fn make(&self, message: &Message) -> Ciphertext {
        let draws = self.binding.draws(message);
        let mut index = 0..;
        let shares = self.span.share(|| draws.scalar(Draw::Share, index.next().unwrap_or(usize::MAX)));
        let repeats = (0..self.span.copies()).map(|copy| draws.scalar(Draw::Repeat, copy)).collect();
        let exponents = Exponents { secret: draws.scalar(Draw::Secret, 0), repeats, shares };
        let (base, h) = (self.parameters.base(), self.parameters.attribute_hash());
        let (points, shared) = cp::encapsulate(base, self.span.rows(), h, &exponents);
        let in_g2: Vec<&B::G2> = std::iter::once(&points.ct1).chain(&points.ct2).collect();
        let mut in_g2 = B::g2_to_bytes(&in_g2).into_iter();
        let ct1 = in_g2.next().unwrap_or([0; crate::backend::G2_BYTES]);
        let in_g1 = B::g1_to_bytes(&points.ct3.iter().collect::<Vec<_>>());
        let masked = *cca::mask::<B>(&shared, &ct1, message);
        let points = Points { ct1, in_g2: in_g2.collect(), in_g1, masked };
        Ciphertext::new(Scheme::CiphertextPolicy, *self.parameters.scope(), self.statement.clone(), points)
    }
}
