//! The nouns that two or more rooms of Wardkeep use.
//!
//! A leaf: no I/O, no async, reads no clock and no ambient randomness. What is here is only data, the
//! rules that make it valid, and the one value that stands for the right to act: [`Permit`].
//!
//! | file | holds |
//! |---|---|
//! | [`id`] | names of rings, keys, entities, identities, requests, certificates |
//! | [`attribute`] | typed attribute values, the domain's answer to Cedar's values |
//! | [`context`] | the encryption context and its one canonical byte form |
//! | [`action`] | every action Wardkeep knows, as a type |
//! | [`issue`] | what a user key of an authority is issued with, and the digest that binds a permit to it |
//! | [`caller`] | who calls, and for whom |
//! | [`key`] | specs, usages, states and the facts about a key that policies may use |
//! | [`permit`] | the right to act, as a value |
//! | [`event`] | what the audit log records |
//! | [`clock`] | time and chance as parameters |

pub mod action;
pub mod attribute;
pub mod caller;
pub mod clock;
pub mod context;
pub mod event;
pub mod id;
pub mod issue;
pub mod key;
pub mod permit;

pub use action::{Action, ActionName, PolicySet};
pub use attribute::{Attributes, Value};
pub use caller::Caller;
pub use clock::{Clock, Entropy, EntropyError, Timestamp};
pub use context::{BindingDigest, EncryptionContext, Fingerprint, ResourceBinding};
pub use event::{AuditEvent, Decision, EventDetail};
pub use id::{CertificateSerial, EntityUid, IdError, Identity, KeyId, KeyName, KeyVersion, RequestId, RingName};
pub use issue::{BucketLength, IssueBinding};
pub use key::{KeyFacts, KeySpec, KeyState, KeyUsage};
pub use permit::{Grant, Permit, Release};
