//! The table of states, as data: which verb answers in which state, and where the state verbs lead.
//!
//! States are those of SP 800-57 part 1, section 7; the table is that of docs/key-states.md, which a test
//! prints from here. A state belongs to a key *version*; a scheduled deletion is a date beside it, on the
//! whole key.

use std::fmt;

use wardkeep_model::{KeyState, KeyUsage};

/// A verb, as the table of states sees it. Rewrapping is two verbs: it reads under one version and
/// writes under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// See the description.
    Describe,
    /// Change labels or rotation period.
    Update,
    /// Make a new active version.
    Rotate,
    /// To active.
    Enable,
    /// To suspended.
    Suspend,
    /// To deactivated.
    Deactivate,
    /// To compromised.
    Compromise,
    /// Set the date of destruction.
    ScheduleDeletion,
    /// Take the date back.
    CancelDeletion,
    /// To destroyed, once the date has come.
    Destroy,
    /// Make a data key.
    Generate,
    /// Open a data key.
    Unwrap,
    /// Open a data key for wrapping it anew.
    RewrapFrom,
    /// Wrap a data key anew.
    RewrapTo,
    /// Encrypt small data.
    Encrypt,
    /// Decrypt it.
    Decrypt,
    /// Sign.
    Sign,
    /// Verify.
    Verify,
    /// Issue a user key.
    Issue,
    /// Give out public parameters and revocation lists.
    Publish,
    /// Revoke user keys.
    Revoke,
    /// Export an authority as shares.
    Escrow,
}

/// One cell of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// The verb answers and the state stays.
    Yes,
    /// It answers only under the further right `UseCompromisedKey`.
    WithRight,
    /// It answers and leads to that state.
    To(KeyState),
    /// It is refused.
    No,
}

use Answer::{No, To, WithRight, Yes};
use KeyState::{Active, Compromised, Deactivated, Destroyed, PreActivation, Suspended};

impl Verb {
    /// All of them, in the table's order.
    pub const ALL: &'static [Self] = &[
        Self::Describe,
        Self::Update,
        Self::Rotate,
        Self::Enable,
        Self::Suspend,
        Self::Deactivate,
        Self::Compromise,
        Self::ScheduleDeletion,
        Self::CancelDeletion,
        Self::Destroy,
        Self::Generate,
        Self::Unwrap,
        Self::RewrapFrom,
        Self::RewrapTo,
        Self::Encrypt,
        Self::Decrypt,
        Self::Sign,
        Self::Verify,
        Self::Issue,
        Self::Publish,
        Self::Revoke,
        Self::Escrow,
    ];

    /// The word used in errors and documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Describe => "describe",
            Self::Update => "update",
            Self::Rotate => "rotate",
            Self::Enable => "enable",
            Self::Suspend => "suspend",
            Self::Deactivate => "deactivate",
            Self::Compromise => "compromise",
            Self::ScheduleDeletion => "schedule-deletion",
            Self::CancelDeletion => "cancel-deletion",
            Self::Destroy => "destroy",
            Self::Generate => "generate",
            Self::Unwrap => "unwrap",
            Self::RewrapFrom => "rewrap-from",
            Self::RewrapTo => "rewrap-to",
            Self::Encrypt => "encrypt",
            Self::Decrypt => "decrypt",
            Self::Sign => "sign",
            Self::Verify => "verify",
            Self::Issue => "issue",
            Self::Publish => "publish",
            Self::Revoke => "revoke",
            Self::Escrow => "escrow",
        }
    }

    /// The usage a key must have; `None` for verbs that every key has.
    #[must_use]
    pub const fn usage(self) -> Option<KeyUsage> {
        match self {
            Self::Generate | Self::Unwrap | Self::RewrapFrom | Self::RewrapTo => Some(KeyUsage::Wrap),
            Self::Encrypt | Self::Decrypt => Some(KeyUsage::Encrypt),
            Self::Sign | Self::Verify => Some(KeyUsage::Sign),
            Self::Issue | Self::Publish | Self::Revoke | Self::Escrow => Some(KeyUsage::Issue),
            _ => None,
        }
    }

    /// Whether the verb works on the newest version, whatever the input names.
    #[must_use]
    pub const fn needs_newest(self) -> bool {
        matches!(self, Self::Generate | Self::RewrapTo | Self::Encrypt | Self::Sign | Self::Issue)
    }

    /// Whether it answers while the key's deletion is scheduled. To publish is to describe; to revoke only ever takes
    /// away, and must not have to wait for the week in which somebody may still change their mind.
    #[must_use]
    pub const fn answers_while_pending(self) -> bool {
        matches!(
            self,
            Self::Describe | Self::Verify | Self::CancelDeletion | Self::Destroy | Self::Publish | Self::Revoke
        )
    }

    /// Whether it answers while no deletion is scheduled.
    #[must_use]
    pub const fn answers_while_not_pending(self) -> bool {
        !matches!(self, Self::CancelDeletion | Self::Destroy)
    }
}

impl fmt::Display for Verb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The cell of the table for a version in `state`.
///
/// `Enable` leads only from pre-activation and suspended, `Suspend` only from active; compromised is left
/// only by destruction. `Rotate` asks the newest version, leads active ones to deactivated and leaves others be.
#[must_use]
pub const fn answer(verb: Verb, state: KeyState) -> Answer {
    match (verb, state) {
        (Verb::Describe, _) => Yes,
        (_, Destroyed) => No,
        (Verb::Update | Verb::ScheduleDeletion | Verb::CancelDeletion, _) => Yes,
        (Verb::Rotate, Active) => To(Deactivated),
        // A rotation makes an active version: over a suspended one it would lift the suspension under another right.
        (Verb::Rotate, PreActivation | Suspended) => No,
        (Verb::Rotate, _) => Yes,
        (Verb::Destroy, _) => To(Destroyed),
        (Verb::Enable, PreActivation | Suspended) => To(Active),
        (Verb::Suspend, Active) => To(Suspended),
        (Verb::Deactivate, Active | Suspended) => To(Deactivated),
        (Verb::Compromise, PreActivation | Active | Suspended | Deactivated) => To(Compromised),
        (Verb::Generate | Verb::RewrapTo | Verb::Encrypt | Verb::Sign | Verb::Issue, Active) => Yes,
        (Verb::Unwrap | Verb::RewrapFrom | Verb::Decrypt, Active | Deactivated) => Yes,
        (Verb::Verify | Verb::Escrow, Active | Suspended | Deactivated) => Yes,
        // What is public stays so, and whoever seals under a compromised version still has to hear what is revoked.
        (Verb::Publish | Verb::Revoke, Active | Suspended | Deactivated | Compromised) => Yes,
        (Verb::Unwrap | Verb::RewrapFrom | Verb::Decrypt | Verb::Verify, Compromised) => WithRight,
        _ => No,
    }
}

/// The table as text: a row a verb, a column a state, and whether a scheduled deletion lets it answer.
#[must_use]
pub fn table() -> String {
    let mut out = String::from("| verb |");
    for state in KeyState::ALL {
        out.push_str(&format!(" {state} |"));
    }
    out.push_str(" deletion scheduled |\n|---|");
    out.push_str(&"---|".repeat(KeyState::ALL.len() + 1));
    for verb in Verb::ALL {
        out.push_str(&format!("\n| {verb} |"));
        for state in KeyState::ALL {
            let cell = match answer(*verb, *state) {
                Yes => "yes".to_owned(),
                WithRight => "with right".to_owned(),
                To(next) => format!("to {next}"),
                No => "no".to_owned(),
            };
            out.push_str(&format!(" {cell} |"));
        }
        let pending = match (verb.answers_while_pending(), verb.answers_while_not_pending()) {
            (true, true) => "yes",
            (true, false) if matches!(verb, Verb::Destroy) => "only then, from its date on",
            (true, false) => "only then",
            (false, _) => "no",
        };
        out.push_str(&format!(" {pending} |"));
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words of service.md, written out by hand and not derived from the code above.
    #[test]
    fn the_table_is_that_of_the_service_description() {
        let uses = [Verb::Generate, Verb::RewrapTo, Verb::Encrypt, Verb::Sign];
        let reads = [Verb::Unwrap, Verb::RewrapFrom, Verb::Decrypt];
        for verb in uses.iter().chain(&reads).chain(&[Verb::Verify]) {
            assert_eq!(answer(*verb, PreActivation), No, "pre-activation: none ({verb})");
            assert_eq!(answer(*verb, Destroyed), No, "destroyed: none ({verb})");
            assert_eq!(answer(*verb, Active), Yes, "active: all ({verb})");
        }
        for verb in uses {
            assert_eq!(answer(verb, Suspended), No);
            assert_eq!(answer(verb, Deactivated), No);
            assert_eq!(answer(verb, Compromised), No);
        }
        for verb in reads {
            assert_eq!(answer(verb, Suspended), No, "suspended: verify alone");
            assert_eq!(answer(verb, Deactivated), Yes);
            assert_eq!(answer(verb, Compromised), WithRight);
        }
        assert_eq!(answer(Verb::Verify, Suspended), Yes);
        assert_eq!(answer(Verb::Verify, Compromised), WithRight);
    }

    #[test]
    fn an_authority_issues_while_active_and_publishes_until_it_is_destroyed() {
        for state in KeyState::ALL {
            let public = !matches!(state, PreActivation | Destroyed);
            assert_eq!(answer(Verb::Issue, *state) == Yes, *state == Active, "{state}");
            assert_eq!(answer(Verb::Publish, *state) == Yes, public, "{state}");
            assert_eq!(answer(Verb::Revoke, *state) == Yes, public, "{state}");
            assert_eq!(answer(Verb::Escrow, *state) == Yes, public && *state != Compromised, "{state}");
        }
    }

    #[test]
    fn compromised_is_left_only_by_destruction_and_destroyed_never() {
        for verb in Verb::ALL {
            if let To(next) = answer(*verb, Compromised) {
                assert_eq!((*verb, next), (Verb::Destroy, Destroyed));
            }
            assert!(!matches!(answer(*verb, Destroyed), To(_)));
            if answer(*verb, Destroyed) != No {
                assert_eq!(*verb, Verb::Describe);
            }
        }
    }

    #[test]
    fn enable_and_suspend_lead_only_from_where_they_may() {
        for state in KeyState::ALL {
            let enabled = matches!(answer(Verb::Enable, *state), To(Active));
            assert_eq!(enabled, matches!(state, PreActivation | Suspended), "{state}");
            let suspended = matches!(answer(Verb::Suspend, *state), To(Suspended));
            assert_eq!(suspended, matches!(state, Active), "{state}");
        }
    }

    #[test]
    fn the_printed_table_is_the_reviewed_one() {
        let printed = table();
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
        let output = format!("{root}/tests/output");
        std::fs::create_dir_all(&output).unwrap();
        std::fs::write(format!("{output}/key-states.txt"), &printed).unwrap();
        let reviewed = std::fs::read_to_string(format!("{root}/docs/key-states.md")).unwrap();
        assert!(reviewed.contains(&printed), "docs/key-states.md does not hold the table:\n{printed}");
        assert_eq!(printed, include_str!("../testdata/key-states.txt"), "the table changed: review it");
    }
}
