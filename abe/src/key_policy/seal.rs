//! Seal under labels, open with a formula: [`crate::scheme::kp`] inside the transform of [`crate::cca`].
//!
//! The steps are those of [`crate::kem`] with the roles exchanged: the ciphertext brings labels, the key brings the span
//! program. The labels' text is canonical too and stands in the binding, so that a record cannot be relabelled: a label
//! added, dropped or renamed is another ciphertext, whose message nobody knows.
//!
//! Sealing costs one multiplication a label and no sharing, so that opening, which seals again, is cheap as well.

use super::UserKey;
use crate::backend::{Backend, Trust};
use crate::cca::{self, Binding, MAX_CONTEXT, Message};
use crate::ciphertext::{Ciphertext, Points};
use crate::kem::{Holder, check_count, check_origin};
use crate::key::MAX_LABELS;
use crate::label::{Label, Namespace};
use crate::parameters::{PublicParameters, Scheme};
use crate::scheme::kp::{self, Opened};
use crate::seed::{Draw, Seed};
use crate::span::{Span, Step};
use crate::{Attributes, DecodeError, OpenError, SealError, Secret};

/// Seals a fresh secret under a record's labels: whoever holds a key whose formula they satisfy gets it by [`open`].
///
/// # Errors
/// [`SealError`].
pub fn seal<B: Backend>(
    parameters: &PublicParameters<B>,
    record: &Attributes,
    context: &[u8],
    seed: Seed,
) -> Result<(Ciphertext, Secret), SealError> {
    if parameters.scheme() != Scheme::KeyPolicy {
        return Err(SealError::OtherParameters);
    }
    if context.len() > MAX_CONTEXT {
        return Err(SealError::ContextTooLong { len: context.len(), max: MAX_CONTEXT });
    }
    let labels = record.labels(parameters.schema(), parameters.scope(), Namespace::Record);
    let labels = labels.map_err(|_| SealError::OtherParameters)?;
    match labels.len() {
        0 => return Err(SealError::NoLabels),
        count if count > MAX_LABELS => return Err(SealError::TooManyLabels { count, max: MAX_LABELS }),
        _ => {}
    }
    let message = seed.into_message();
    let maker = Maker::new(parameters, &labels, record.to_string().into_bytes(), context);
    let ciphertext = maker.make(&message);
    let secret = cca::data_key(&message, ciphertext.to_bytes());
    Ok((ciphertext, secret))
}

/// Opens a ciphertext with a key whose formula its labels satisfy.
///
/// # Errors
/// As [`crate::open`].
pub fn open<B: Backend>(
    parameters: &PublicParameters<B>,
    key: &UserKey<B>,
    ciphertext: &Ciphertext,
    context: &[u8],
) -> Result<Secret, OpenError> {
    let holder = Holder { authority: key.authority(), version: key.version(), belongs: key.belongs_to(parameters) };
    check_origin(Scheme::KeyPolicy, ciphertext, &holder)?;
    let labels = read_labels(parameters, ciphertext)?;
    let span = Span::new(key.gate());
    let holds = |label: &Label| labels.binary_search(label).is_ok();
    let Some(plan) = span.plan::<B::Public>(&holds) else {
        let (schema, scope) = (parameters.schema(), parameters.scope());
        let missing = key.formula().explain(schema, scope, Namespace::Record, &holds)?.missing;
        return Err(OpenError::NotSatisfied { missing });
    };
    if context.len() > MAX_CONTEXT {
        return Err(OpenError::NotOpened);
    }
    let message = recover(key, &span, &plan, &labels, ciphertext.points());
    let maker = Maker::new(parameters, &labels, ciphertext.statement().to_vec(), context);
    cca::release(&message, maker.make(&message).to_bytes(), ciphertext.to_bytes())
}

/// The ciphertext's labels, ascending. Their text has one form.
fn read_labels<B: Backend>(
    parameters: &PublicParameters<B>,
    ciphertext: &Ciphertext,
) -> Result<Vec<Label>, DecodeError> {
    let malformed = || DecodeError::Malformed { part: "labels" };
    let text = std::str::from_utf8(ciphertext.statement()).map_err(|_| malformed())?;
    let record = Attributes::parse(text, parameters.schema()).map_err(|_| malformed())?;
    if record.to_string() != text {
        return Err(malformed());
    }
    let labels = record.labels(parameters.schema(), parameters.scope(), Namespace::Record).map_err(|_| malformed())?;
    if labels.len() > MAX_LABELS {
        return Err(DecodeError::TooLong { part: "labels", len: labels.len(), max: MAX_LABELS });
    }
    let points = ciphertext.points();
    check_count("points of labels", points.in_g1.len(), labels.len())?;
    check_count("points of repeats", points.in_g2.len(), 0)?;
    Ok(labels)
}

/// The message as the plan's rows give it; undecodable points stand for the generator (see [`crate::kem`]).
fn recover<B: Backend>(
    key: &UserKey<B>,
    span: &Span<'_>,
    plan: &[Step<B::Public>],
    labels: &[Label],
    points: &Points,
) -> Message {
    let in_g1 = |bytes| B::g1_from_bytes(bytes, Trust::OnCurveOnly).unwrap_or_else(B::g1_generator);
    let rows = plan.iter().filter_map(|step| {
        let row = span.rows().get(step.row)?;
        let at = labels.binary_search(row.label).ok()?;
        let (sk2, ct2) = (key.points().sk2.get(step.row)?, in_g1(points.in_g1.get(at)?));
        Some(Opened { step, copy: row.copy, sk2, ct2 })
    });
    let rows: Vec<Opened<'_, B>> = rows.collect();
    let ct1 = B::g2_from_bytes(&points.ct1, Trust::OnCurveOnly).unwrap_or_else(B::g2_generator);
    let shared = kp::decapsulate(&key.points().sk1, &ct1, &rows);
    cca::mask::<B>(&shared, &points.ct1, &points.masked)
}

/// Makes the one ciphertext of a message.
struct Maker<'a, B: Backend> {
    parameters: &'a PublicParameters<B>,
    labels: &'a [Label],
    statement: Vec<u8>,
    binding: Binding,
}

impl<'a, B: Backend> Maker<'a, B> {
    fn new(parameters: &'a PublicParameters<B>, labels: &'a [Label], statement: Vec<u8>, context: &[u8]) -> Self {
        let binding = Binding::new(b"wardkeep abe 1 FABEO KP", parameters.fingerprint(), &statement, context);
        Self { parameters, labels, statement, binding }
    }

    fn make(&self, message: &Message) -> Ciphertext {
        let s = self.binding.draws(message).scalar(Draw::Secret, 0);
        let (h, labels) = (self.parameters.attribute_hash(), self.labels.iter().collect::<Vec<_>>());
        let (ct1, ct2, shared) = kp::encapsulate(self.parameters.base(), (h, &labels), &s);
        let ct1 = B::g2_to_bytes(&[&ct1]).pop().unwrap_or([0; crate::backend::G2_BYTES]);
        let in_g1 = B::g1_to_bytes(&ct2.iter().collect::<Vec<_>>());
        let masked = *cca::mask::<B>(&shared, &ct1, message);
        let points = Points { ct1, in_g2: Vec::new(), in_g1, masked };
        Ciphertext::new(Scheme::KeyPolicy, *self.parameters.scope(), self.statement.clone(), points)
    }
}
