//! Delegation: a holder derives a weaker key, which nobody can tell from one that was issued so.

use crate::backend::Backend;
use crate::key::{Held, UserKey};
use crate::label::{Label, Namespace, Scope};
use crate::parameters::PublicParameters;
use crate::scheme::cp::{self, KeyPoints};
use crate::seed::{Draw, Seed};
use crate::syntax;
use crate::validity::Bucket;
use crate::{Attributes, DelegateError, Schema, Value};

/// What a derived key is to lack.
#[derive(Debug, Clone, Default)]
pub struct Narrowing {
    /// Attributes to drop whole, by name.
    pub without: Vec<String>,
    /// Single values of set-valued text or enum attributes to drop, as name and value. What the whole set was known
    /// *not* to contain stays known.
    pub without_values: Vec<(String, String)>,
    /// An earlier end. Reached only at the points that the key's own prefixes allow: the end with low bits cleared.
    pub valid_until: Option<Bucket>,
}

impl<B: Backend> UserKey<B> {
    /// Derives a weaker key, re-randomised. Its end, where one was asked for, is the latest reachable one that is not
    /// after the asked: [`UserKey::valid_until`] of the result says which. The serial stays: revoking the parent's
    /// revokes the child.
    ///
    /// # Errors
    /// [`DelegateError`].
    pub fn delegate(
        &self,
        parameters: &PublicParameters<B>,
        narrowing: &Narrowing,
        seed: Seed,
    ) -> Result<Self, DelegateError> {
        if !self.belongs_to(parameters) {
            return Err(DelegateError::OtherParameters);
        }
        let mut dropped = self.dropped(parameters.schema(), narrowing)?;
        let valid_until = match narrowing.valid_until {
            Some(wanted) => Some(self.shorten(parameters, wanted, &mut dropped)?),
            None => self.valid_until(),
        };
        let keep = |label: &&Label| !dropped.contains(label);
        let labels: Vec<Label> = self.labels().iter().filter(keep).cloned().collect();
        if !labels.iter().any(|label| label.namespace() == Some(Namespace::Attribute)) {
            return Err(DelegateError::NothingLeft);
        }
        let held = self.points();
        // Never moved while it grows: a vector that moves leaves what it held behind.
        let mut kept =
            KeyPoints { sk1: held.sk1.clone(), sk2: Vec::with_capacity(labels.len()), sk3: held.sk3.clone() };
        kept.sk2.extend(labels.iter().filter_map(|label| self.point(label).cloned()));
        let t = seed.draws(b"wardkeep abe 1 delegated key").scalar(Draw::KeyExponent, 0);
        let raised: Vec<&Label> = labels.iter().collect();
        let points = cp::rerandomise(&kept, parameters.base(), (parameters.attribute_hash(), &raised), &t);
        Ok(Self::new(parameters, Held { valid_until, serial: self.serial(), labels }, points))
    }

    /// The labels that go with the attributes that are dropped.
    fn dropped<'a>(&'a self, schema: &Schema, narrowing: &Narrowing) -> Result<Vec<&'a Label>, DelegateError> {
        let mut dropped = Vec::new();
        let named =
            |label: &&Label, name: &str| label.namespace() == Some(Namespace::Attribute) && label.name() == Some(name);
        for name in &narrowing.without {
            let name = syntax::name(name).map_err(|_| DelegateError::NotHeld { name: name.clone() })?;
            let before = dropped.len();
            dropped.extend(self.labels().iter().filter(|label| named(label, &name)));
            if dropped.len() == before {
                return Err(DelegateError::NotHeld { name: name.into() });
            }
        }
        for (name, value) in &narrowing.without_values {
            let wanted = equality(schema, self.scope(), name, value);
            let found = wanted.and_then(|wanted| self.labels().iter().find(|label| **label == wanted));
            dropped.push(found.ok_or_else(|| DelegateError::NotHeld { name: format!("{name} = {value}") })?);
        }
        Ok(dropped)
    }

    /// Drops the prefixes that reach beyond `wanted`; the end that is left.
    ///
    /// The prefix of length k lets a key into the buckets up to its lowest one, and those grow with k: to end at or
    /// before `wanted` is to keep the prefixes whose lowest bucket is not after it.
    fn shorten<'a>(
        &'a self,
        parameters: &PublicParameters<B>,
        wanted: Bucket,
        dropped: &mut Vec<&'a Label>,
    ) -> Result<Bucket, DelegateError> {
        let refuse = |reason| DelegateError::Expiry { wanted, reason };
        let now = self.valid_until().ok_or_else(|| refuse("it has no expiry to shorten"))?;
        if wanted > now {
            return Err(refuse("it expires earlier; ask the authority for another key"));
        }
        let (terms, scope) = (parameters.terms(), parameters.scope());
        let bits = terms.bucket_length().bits();
        let prefixes = crate::dyadic::prefixes(u64::from(now.number()), bits);
        let beyond = prefixes.iter().filter(|prefix| prefix.value << (bits - prefix.len) > u64::from(wanted.number()));
        let beyond: Vec<Label> = beyond.map(|prefix| terms.validity_label(scope, prefix)).collect();
        dropped.extend(self.labels().iter().filter(|label| beyond.contains(label)));
        let holds = |label: &Label| self.holds(label) && !beyond.contains(label);
        terms.valid_until(scope, &holds, now).ok_or_else(|| refuse("it holds no prefix that ends so early"))
    }
}

/// The label that says an attribute holds this text.
fn equality(schema: &Schema, scope: &Scope, name: &str, value: &str) -> Option<Label> {
    let mut single = Attributes::new();
    single.insert(schema, name, Value::Text(value.into())).ok()?;
    let labels = single.labels(schema, scope, Namespace::Attribute).ok()?;
    labels.into_iter().find(|label| label.is_equality())
}
