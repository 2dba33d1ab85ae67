//! Protect a record in three lines, read it back in three.
//!
//! ```no_run
//! # use wardkeep_client::{Client, EncryptionContext, KeyId, Settings};
//! # async fn protect() -> Result<(), Box<dyn std::error::Error>> {
//! # let (ring_and_key, context) = ("records/notes", EncryptionContext::default());
//! let client = Client::connect(Settings::from_env()?).await?;
//! let key = KeyId::parse(ring_and_key)?;
//! let envelope = client.protect(&key, &context, b"all is well").await?;
//! # Ok(()) }
//! ```
//!
//! ```no_run
//! # use wardkeep_client::{Client, Settings};
//! # async fn read(envelope: Vec<u8>) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::connect(Settings::from_env()?).await?;
//! let record = client.read(&envelope).await?;
//! assert_eq!(record.plaintext(), b"all is well");
//! # Ok(()) }
//! ```
//!
//! `Settings::from_env` takes `WARDKEEP_ADDRESS`, `WARDKEEP_CA`, `WARDKEEP_CERT` and `WARDKEEP_KEY`. A context that
//! names a record (`resource`) puts the key under that record's own rule too: who may not read the record does
//! not get its key.
//!
//! # What it does by itself
//! - One pool of mutual-TLS connections (TLS 1.3 only, HTTP/2 or HTTP/1.1); the server is verified against the
//!   given CA and nothing else. The system's certificates are never looked at.
//! - The certificate is renewed at two thirds of its life under a new private key, and replaced files are taken
//!   up without a restart ([`Renewal`]).
//! - Calls that leave nothing behind, and changes under an idempotency key, are tried again with jitter, inside
//!   one deadline ([`settings::Timeouts`]).
//! - Unwrapped data keys are kept for 5 minutes unless told otherwise: **that is how long a right that was taken
//!   away can live on in this process** ([`CacheLimits`], [`CacheLimits::OFF`]).
//! - One client serves many people: [`Client::on_behalf_of`] names the person a call is for.
//!
//! # Where is what
//! | file | holds |
//! |---|---|
//! | [`settings`], [`error`] | address, files, timeouts; typed errors, each with the request's id |
//! | [`records`], [`streams`] | protect and read records, whole or as streams |
//! | [`keys`], [`rings`], [`data_keys`], [`crypto`] | the key service's verbs |
//! | [`abe`], [`authorities`], [`user_keys`], [`recipients`] | attribute-based encryption: seal and open off line; who issues |
//! | [`admin`] | policies, entities, roles, certificates, audit, configuration |
//! | [`enrol`], [`renew`] | how a certificate comes into being and stays valid |
//! | [`cache`] | data keys that may be used again, and their bounds |
//! | [`unwrap`] | opening envelopes with an RSA private key, without a server |
//! | [`wire`] | the request and answer types as they travel |

#![forbid(unsafe_code)]

pub mod abe;
pub mod admin;
pub mod authorities;
pub mod cache;
pub mod connect;
pub mod credential;
pub mod crypto;
pub mod data_keys;
pub mod enrol;
pub mod error;
pub mod keys;
pub mod recipients;
pub mod records;
pub mod renew;
pub mod rings;
pub mod settings;
pub mod streams;
pub mod system;
pub mod unwrap;
pub mod user_keys;

mod call;
mod certify;
mod client;
mod convert;
mod files;
mod retry;
#[cfg(test)]
mod testing;

/// The README's code, compiled as it stands.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;

pub use abe::AbeError;
pub use authorities::AuthorityError;
pub use cache::CacheLimits;
pub use client::Client;
pub use credential::{CertificateInfo, CredentialError};
pub use data_keys::Paging;
pub use enrol::{EnrolError, EnrolFiles, enrol};
pub use error::{CallError, Refusal, Side};
pub use records::{Claims, Record, RecordError, inspect};
pub use renew::RenewError;
pub use settings::{Address, Renewal, Settings, SettingsError};
pub use unwrap::RsaHolder;
pub use user_keys::UserKeyError;
/// The request and answer types as they travel.
pub use wardkeep_api as wire;
pub use wardkeep_model::{
    Attributes, EncryptionContext, EntityUid, Identity, KeyId, RequestId, ResourceBinding, RingName, Value,
};
