//! When a call may be sent again, and how long to pause before.
//!
//! Exponential backoff with *full* jitter: after an outage every client waits a different time, so that
//! the server does not meet them all at once again.

use std::time::Duration;

use wardkeep_model::Entropy;

/// Most times a call is sent.
pub(crate) const MAX_TRIES: u32 = 5;
/// Upper end of the first pause; doubles with every try.
const BASE: Duration = Duration::from_millis(100);
/// Upper end of every pause that the server did not ask for.
const CAP: Duration = Duration::from_secs(5);

/// Whether sending a call twice may do something twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Safety {
    /// It leaves nothing behind but its audit record, or carries an idempotency key.
    Repeatable,
    /// It changes something each time it arrives.
    Once,
}

/// How a try failed, as far as it matters for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// No connection came about: the call never left.
    NotSent,
    /// 429: turned away before any work.
    TurnedAway,
    /// 503: refused for now; a change may have been under way.
    Unavailable,
    /// The connection broke: the server may have done the work.
    Broken,
    /// Trying again would end the same.
    Final,
}

impl Fault {
    /// Whether a call of that safety may be sent again.
    pub(crate) fn allows_retry(self, safety: Safety) -> bool {
        match self {
            Self::NotSent | Self::TurnedAway => true,
            Self::Unavailable | Self::Broken => safety == Safety::Repeatable,
            Self::Final => false,
        }
    }
}

/// The pause before try number `tries + 1`; `None` where no try is left or the pause would outlast `left`.
///
/// A server's `Retry-After` is a floor: jitter is added to it, never taken from it.
pub(crate) fn pause(tries: u32, asked: Option<Duration>, left: Duration, entropy: &dyn Entropy) -> Option<Duration> {
    if tries >= MAX_TRIES {
        return None;
    }
    let ceiling = BASE.saturating_mul(1 << tries.saturating_sub(1).min(16)).min(CAP);
    let pause = asked.unwrap_or_default().saturating_add(fraction_of(ceiling, entropy));
    (pause < left).then_some(pause)
}

/// A random part of a duration, from nothing to nearly all of it.
pub(crate) fn fraction_of(whole: Duration, entropy: &dyn Entropy) -> Duration {
    let mut random = [0_u8; 4];
    // Without chance the whole pause is the careful answer.
    let fraction = match entropy.fill(&mut random) {
        Ok(()) => f64::from(u32::from_be_bytes(random)) / 4_294_967_296.0,
        Err(_) => 1.0,
    };
    whole.mul_f64(fraction)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FixedEntropy;

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_may_have_been_done_is_not_sent_again_unless_it_is_repeatable() {
        for (fault, repeatable, once) in [
            (Fault::NotSent, true, true),
            (Fault::TurnedAway, true, true),
            (Fault::Unavailable, true, false),
            (Fault::Broken, true, false),
            (Fault::Final, false, false),
        ] {
            assert_eq!(fault.allows_retry(Safety::Repeatable), repeatable, "{fault:?}");
            assert_eq!(fault.allows_retry(Safety::Once), once, "{fault:?}");
        }
    }

    #[test]
    fn pauses_double_to_a_cap_and_end() {
        let most = FixedEntropy(0xFF);
        let pauses: Vec<_> = (1..=6).map(|tries| pause(tries, None, LONG, &most).map(|p| p.as_millis())).collect();
        assert_eq!(pauses, [Some(100), Some(200), Some(400), Some(800), None, None]);
        assert_eq!(pause(1, None, LONG, &FixedEntropy(0)), Some(Duration::ZERO));
    }

    #[test]
    fn the_server_is_waited_for_but_not_past_the_deadline() {
        let asked = Some(Duration::from_secs(2));
        assert!(pause(1, asked, LONG, &FixedEntropy(0)).unwrap() >= Duration::from_secs(2));
        assert_eq!(pause(1, asked, Duration::from_secs(1), &FixedEntropy(0)), None);
        assert_eq!(pause(1, Some(Duration::MAX), LONG, &FixedEntropy(0xFF)), None);
    }

    #[test]
    fn pauses_differ_between_clients() {
        let low = pause(3, None, LONG, &FixedEntropy(0x10)).unwrap();
        let high = pause(3, None, LONG, &FixedEntropy(0xF0)).unwrap();
        assert!(high > low * 2);
    }
}
