//! Every error of the room in words and codes: lower case, with what to do, and none of what a caller may not know.

use std::collections::BTreeSet;

use wardkeep_model::{KeySpec, KeyState, KeyUsage, KeyVersion, Timestamp};
use wardkeep_store::{CommitError, Table};

use crate::KmsError;
use crate::error::{LoadError, RecipientError};
use crate::lifecycle::Verb;

fn all() -> Vec<KmsError> {
    let version = KeyVersion::FIRST;
    let (spec, usage, verb) = (KeySpec::Ed25519, KeyUsage::Wrap, Verb::Encrypt);
    vec![
        KmsError::PermitMismatch,
        KmsError::ReleaseMissing,
        KmsError::ResourceNotAllowed { verb: "encrypt" },
        KmsError::CompromisedRight { version },
        KmsError::RingNotFound,
        KmsError::KeyNotFound,
        KmsError::VersionNotFound { version },
        KmsError::RingExists,
        KmsError::KeyExists,
        KmsError::RingNotEmpty { keys: 3 },
        KmsError::SpecUsage { spec, usage },
        KmsError::WrongUsage { usage, verb },
        KmsError::NotActive { state: KeyState::Suspended, verb },
        KmsError::StateForbids { version, state: KeyState::Suspended, verb },
        KmsError::NoTransition { verb },
        KmsError::KeyDestroyed,
        KmsError::PendingDeletion,
        KmsError::NoDeletionScheduled,
        KmsError::DeletionNotDue { due: Timestamp::from_millis(0) },
        KmsError::Exhausted { version },
        KmsError::TooManyVersions { max: 500 },
        KmsError::PreconditionFailed { actual: 7 },
        KmsError::IdempotencyMismatch,
        KmsError::Malformed,
        KmsError::CannotOpen,
        KmsError::LabelBounds { max_count: 64, max_name: 63, max_value: 256 },
        KmsError::RotationPeriod { max: 3650 },
        KmsError::DeletionPeriod { min: 7, max: 30 },
        KmsError::TooLarge { len: 9, max: 8 },
        KmsError::RandomLength { max: 1024 },
        KmsError::DigestLength { len: 31 },
        KmsError::DigestUnsupported { spec },
        KmsError::PlaintextBesideRecipient,
        KmsError::PageBounds { max: 1000 },
        KmsError::Recipient(RecipientError::ModulusEven),
        KmsError::PlanMissing,
        KmsError::Terms(wardkeep_abe::SetupError::SerialBits { bits: 0 }),
        KmsError::AuthorityCompromised { version },
        KmsError::NotNewest { version, newest: version },
        KmsError::SchemaDiffers { version },
        KmsError::UserKeyLife { max: 86_400 },
        KmsError::SerialsExhausted { version },
        KmsError::Issue(wardkeep_abe::IssueError::NoAttributes),
        KmsError::RecipientNotRegistered,
        KmsError::RecipientForAnother,
        KmsError::UserKeyNotFound { version, serial: 7 },
        KmsError::RevokeCount { max: 10_000 },
        KmsError::RevocationList(wardkeep_abe::RevocationError::TooMany { count: 2, max: 1 }),
        KmsError::SubjectNotFound,
        KmsError::RecipientNotFound,
        KmsError::EscrowShares { min: 2, max: 16 },
        KmsError::EscrowRecipients { given: 1, shares: 3 },
        KmsError::Busy,
        KmsError::Contended,
        KmsError::StoreFull,
        KmsError::TombstonesFull,
        KmsError::AuditFull,
        KmsError::HeadStale,
        KmsError::StoreUnavailable,
        KmsError::StoreUnreadable,
        KmsError::RowUnreadable,
        KmsError::NoEntropy,
        KmsError::Cryptography,
        KmsError::ShuttingDown,
    ]
}

#[test]
fn every_message_keeps_the_house_rules() {
    let words: Vec<String> = all().iter().map(ToString::to_string).collect();
    for said in &words {
        assert!(!said.is_empty() && said.len() < 300 && !said.contains("  "), "{said}");
        assert!(!said.starts_with(|c: char| c.is_uppercase()) && !said.ends_with('.'), "{said}");
        assert_eq!(said.matches('`').count() % 2, 0, "a lone backtick: {said}");
    }
    assert_eq!(words.iter().collect::<BTreeSet<_>>().len(), words.len(), "two errors in the same words");
}

#[test]
fn codes_are_told_apart() {
    let codes: BTreeSet<&str> = all().iter().map(KmsError::code).collect();
    assert_eq!(codes.len(), all().len());
    assert!(codes.iter().all(|code| code.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')), "{codes:?}");
}

#[test]
fn every_end_of_a_commit_has_an_error_of_its_own() {
    let ends = [
        (CommitError::Conflict { table: Table::Key, id: "secret-name".into() }, KmsError::Contended),
        (CommitError::Full, KmsError::StoreFull),
        (CommitError::ReserveSpent, KmsError::AuditFull),
        (CommitError::HeadStale, KmsError::HeadStale),
        (CommitError::TombstonesFull, KmsError::TombstonesFull),
        (CommitError::Closed, KmsError::StoreUnavailable),
        (CommitError::Failed, KmsError::StoreUnavailable),
    ];
    for (end, wanted) in ends {
        let said = KmsError::from(end);
        assert!(!said.to_string().contains("secret-name"), "{said}");
        assert_eq!(said, wanted);
    }
}

#[test]
fn what_does_not_open_is_not_told_why() {
    let said = KmsError::CannotOpen.to_string();
    for word in ["tag", "padding", "label", "nonce", "version", "mac"] {
        assert!(!said.split(|c: char| !c.is_alphanumeric()).any(|found| found == word), "{said}");
    }
}

#[test]
fn a_load_says_which_row() {
    let said = LoadError::Row { table: "key", id: "r/k".into() }.to_string();
    assert!(said.contains("`r/k`") && said.contains("newer version"), "{said}");
}
