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
mod tests;
