//! What a set of policies means. The one place: decide, offline answers and (later) filter, seal and proof use it.
//!
//! *Some permit is true, and every forbid is false.* A `forbid` whose evaluation errs counts as satisfied, a
//! `permit` whose evaluation errs never grants; both are reported. Cedar skips both, so that an erring `forbid`
//! fails open; `OnError::Skip` is that meaning, kept for comparison with other tools.

use cedar_policy_core::ast::Effect;

/// What an erring policy means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnError {
    /// An erring forbid counts as satisfied (Wardkeep's meaning, always, on line).
    #[default]
    Deny,
    /// An erring policy is as if it did not stand there (Cedar's meaning).
    Skip,
}

/// What one policy said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    True,
    False,
    Erred,
}

/// Adds up what the policies said. Indices are the caller's: they name policies.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    permits: Vec<usize>,
    forbids: Vec<usize>,
    errors: Vec<usize>,
}

/// The outcome: the decision, the policies that determined it, the policies that erred.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Verdict {
    /// Some permit is true, and every forbid is false.
    pub(crate) allow: bool,
    /// Whether a forbid decided.
    pub(crate) forbidden: bool,
    /// The forbids of a rule's deny, the permits of an allow; empty for a default deny.
    pub(crate) reasons: Vec<usize>,
    /// Every policy that erred, whether it mattered or not.
    pub(crate) errors: Vec<usize>,
}

impl Tally {
    /// Takes up what one policy said.
    pub(crate) fn add(&mut self, on_error: OnError, policy: usize, effect: Effect, said: Said) {
        let satisfied = match (said, effect, on_error) {
            (Said::True, _, _) | (Said::Erred, Effect::Forbid, OnError::Deny) => true,
            (Said::False, _, _) | (Said::Erred, Effect::Permit, _) | (Said::Erred, _, OnError::Skip) => false,
        };
        if said == Said::Erred {
            self.errors.push(policy);
        }
        match effect {
            Effect::Permit if satisfied => self.permits.push(policy),
            Effect::Forbid if satisfied => self.forbids.push(policy),
            Effect::Permit | Effect::Forbid => {}
        }
    }

    /// Ends the count.
    pub(crate) fn verdict(self) -> Verdict {
        let Self { permits, forbids, errors } = self;
        let forbidden = !forbids.is_empty();
        let allow = !forbidden && !permits.is_empty();
        Verdict { allow, forbidden, reasons: if forbidden { forbids } else { permits }, errors }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(on_error: OnError, said: &[(Effect, Said)]) -> Verdict {
        let mut tally = Tally::default();
        for (policy, (effect, said)) in said.iter().enumerate() {
            tally.add(on_error, policy, *effect, *said);
        }
        tally.verdict()
    }

    use Effect::{Forbid, Permit};
    use Said::{Erred, False, True};

    /// Every multiset of up to three policies, against the sentence at the top of the file, spelled out anew.
    #[test]
    fn the_sentence_holds_for_every_small_set() {
        let kinds: Vec<(Effect, Said)> =
            [Permit, Forbid].into_iter().flat_map(|e| [True, False, Erred].map(|s| (e, s))).collect();
        let mut sets: Vec<Vec<(Effect, Said)>> = vec![vec![]];
        for _ in 0..3 {
            let longer: Vec<_> =
                sets.iter().flat_map(|set| kinds.iter().map(|k| [set.as_slice(), &[*k]].concat())).collect();
            sets.extend(longer);
        }
        for set in sets {
            let some_permit = set.contains(&(Permit, True));
            let every_forbid_false = set.iter().all(|(e, s)| *e == Permit || *s == False);
            assert_eq!(verdict(OnError::Deny, &set).allow, some_permit && every_forbid_false, "{set:?}");
            let no_forbid_true = !set.contains(&(Forbid, True));
            assert_eq!(verdict(OnError::Skip, &set).allow, some_permit && no_forbid_true, "{set:?}");
        }
    }

    #[test]
    fn an_erring_forbid_is_reason_and_error_at_once() {
        let deny = verdict(OnError::Deny, &[(Permit, True), (Forbid, Erred)]);
        assert_eq!((deny.allow, deny.reasons, deny.errors), (false, vec![1], vec![1]));
        let skip = verdict(OnError::Skip, &[(Permit, True), (Forbid, Erred)]);
        assert_eq!((skip.allow, skip.reasons, skip.errors), (true, vec![0], vec![1]));
    }

    #[test]
    fn an_erring_permit_grants_nothing_and_stops_nothing() {
        assert!(!verdict(OnError::Deny, &[(Permit, Erred)]).allow);
        let beside = verdict(OnError::Deny, &[(Permit, Erred), (Permit, True)]);
        assert_eq!((beside.allow, beside.reasons, beside.errors), (true, vec![1], vec![0]));
        assert!(!verdict(OnError::Deny, &[]).allow, "no rule is no right");
    }
}
