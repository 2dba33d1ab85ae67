//! The key service: rings and keys, their versions and states, and every verb that uses them.
//!
//! A verb takes the [`Permit`](wardkeep_model::Permit) of its own action by value, checks that the permit
//! fits key, context and recipient, acts, and makes its audit event durable (with the change, where
//! there is one) before it answers; errors are recorded too. Nothing here decides: rights come in as
//! permits, time and chance as parameters, durability as an `Arc<dyn Store>`.
//!
//! | file | holds |
//! |---|---|
//! | [`service`] | one function a verb, split by noun |
//! | [`lifecycle`] | the table of states, as data |
//! | `keyring` | rings and keys in memory, as the store's rows tell them |
//! | `material` | the cryptography of each kind of key |
//! | [`wrapped`] | byte formats of wrapped data keys and ciphertexts, and what binds them |
//! | [`recipient`] | a caller's RSA public key |
//! | `issued` | which user keys authorities issued, in memory and as rows |
//! | [`sealed`] | secrets in an envelope for one reader |
//! | [`escrow`] | an authority as shares, and back |
//! | `uses` | how often an AES version was used, in durably reserved blocks |
//! | `pool` | bounded workers for dear work |
//! | [`due`] | what is to rotate or to destroy |
//! | [`root`] | where the root key comes from |
//! | [`secret`] | secret bytes, zeroed on drop |

pub mod due;
pub mod error;
pub mod escrow;
mod issued;
mod keyring;
pub mod lifecycle;
mod material;
mod pool;
pub mod recipient;
pub mod root;
mod row;
pub mod sealed;
pub mod secret;
pub mod service;
#[cfg(test)]
mod tests;
mod uses;
pub mod wrapped;

pub use due::Due;
pub use error::{KmsError, LoadError, RecipientError};
pub use escrow::{EscrowError, Recovered};
pub use issued::IssueTurn;
pub use material::abe::{AuthorityPlan, Published};
pub use recipient::RecipientKey;
pub use secret::{SecretBytes, SecretKey32};
pub use service::{
    DataKey, Decrypt, DeletionPlan, Encrypt, Encrypted, GenerateDataKey, Idempotency, KeyInfo, KeyUpdate, ListKeys,
    ListRings, NewKey, NewRing, Opened, Page, Precondition, RewrapDataKey, Rewrapped, RingInfo, Sign, SignatureInput,
    Signed, UnwrapDataKey, Unwrapped, Verified, Verify, VersionInfo,
};
pub use service::{
    Departure, Escrow, EscrowPackage, Escrowed, Gone, IssueUserKey, IssuedUserKey, ListUserKeys, PublishedParameters,
    RegisteredRecipient, RevocationInfo, Revoke, RevokedUserKeys, Sealed, UserKeyInfo, WidestCover,
};
pub use service::{Kms, Settings};
pub use wrapped::{WrappedInfo, WrappedKind};
