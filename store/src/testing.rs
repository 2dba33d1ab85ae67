//! What the tests of this room share: a clock by hand, chance that repeats, events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use wardkeep_model::{
    AuditEvent, CertificateSerial, Clock, Decision, EntityUid, Entropy, EntropyError, EventDetail, RequestId, Timestamp,
};

/// A clock that stands still until it is told: the wall's hand, and the one that nobody sets.
pub(crate) struct HandClock {
    wall: AtomicU64,
    elapsed: AtomicU64,
}

/// Chance that repeats from a seed: good for tests and nothing else.
pub(crate) struct SeededEntropy(Mutex<u64>);

impl HandClock {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { wall: AtomicU64::new(1_795_262_400_000), elapsed: AtomicU64::new(1_000) })
    }

    /// Time goes by.
    pub(crate) fn advance(&self, millis: u64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
        self.elapsed.fetch_add(millis, Ordering::SeqCst);
    }

    /// Somebody sets the wall clock back; no time goes by.
    pub(crate) fn set_back(&self, millis: u64) {
        self.wall.fetch_sub(millis, Ordering::SeqCst);
    }

    /// The machine sleeps: the wall clock goes on, the other one stands still.
    pub(crate) fn sleep(&self, millis: u64) {
        self.wall.fetch_add(millis, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.wall.load(Ordering::SeqCst))
    }

    fn elapsed_millis(&self) -> u64 {
        self.elapsed.load(Ordering::SeqCst)
    }
}

impl SeededEntropy {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self(Mutex::new(seed)))
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, out: &mut [u8]) -> Result<(), EntropyError> {
        let mut state = self.0.lock().map_err(|_| EntropyError)?;
        for byte in out {
            // splitmix64
            *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
            let mut z = *state;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            *byte = (z ^ (z >> 31)) as u8;
        }
        Ok(())
    }
}

/// A short event by a user.
pub(crate) fn event(user: &str) -> AuditEvent {
    let actor = EntityUid::new("User", user).unwrap();
    AuditEvent {
        time: Timestamp::from_millis(1_795_262_400_123),
        subject: actor.clone(),
        actor,
        action: "DescribeKey".into(),
        resource: EntityUid::new("Wardkeep::Key", "payments/card-data").unwrap(),
        record: None,
        decision: Decision::Allow,
        policies: Vec::new(),
        errors: Vec::new(),
        policy_version: 1,
        outcome: "ok",
        request: RequestId::from_random(0x2a),
        serial: None,
        detail: Vec::new(),
    }
}

/// The same, refused.
pub(crate) fn denial(user: &str) -> AuditEvent {
    AuditEvent { decision: Decision::Deny, ..event(user) }.with_outcome("denied")
}

/// An event with every member, and with names that need escaping.
pub(crate) fn full_event() -> AuditEvent {
    AuditEvent {
        actor: EntityUid::new("Service", "web").unwrap(),
        subject: EntityUid::new("User", "\u{17c}\u{f3}\u{142}\u{107} \"\u{1f600}\"").unwrap(),
        action: "UnwrapDataKey".into(),
        record: Some((EntityUid::new("Observation", "obs-1").unwrap(), "read".into())),
        policies: vec!["allow-doctor".into(), "policy0".into()],
        errors: vec!["policy7".into()],
        policy_version: 42,
        serial: Some(CertificateSerial::parse("0aFF").unwrap()),
        detail: vec![(EventDetail::KeyVersion, "3".into()), (EventDetail::Reason, "line\r\nbreak".into())],
        ..event("ana")
    }
}
