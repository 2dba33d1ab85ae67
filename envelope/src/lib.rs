//! The Wardkeep envelope: a versioned file format whose body only its readers open, and only whole.
//!
//! A file key of 32 bytes is carried by *stanzas*, one a recipient: wrapped by the key service, or under an
//! RSA public key. A header check commits to the file key, the context and the stanzas before any chunk is
//! looked at; the body is a stream of 64 KiB AES-256-GCM chunks that cannot be reordered, cut or extended.
//! The bytes are written down in `docs/formats.md`, section *Envelope*.
//!
//! The room does no I/O beyond [`std::io::Read`] and [`std::io::Write`], reads no clock, and takes
//! randomness as a parameter ([`Randomness`]).
//!
//! ```
//! use wardkeep_envelope::{DataKey, FileKey, Opener, Sealer};
//! # use wardkeep_envelope::RandomFailed;
//! # let mut random = |out: &mut [u8]| -> Result<(), RandomFailed> { out.fill(7); Ok(()) };
//! // From the key service: a data key, plain and wrapped.
//! let data_key = DataKey::new("clinic/records", vec![1; 60], FileKey::from_bytes([9; 32]))?;
//!
//! let sealed = Sealer::new(data_key.file_key(), &[&data_key], b"visit 7", &mut random)?.seal(b"all is well")?;
//! let opened = Opener::from_bytes(&sealed)?.open(&[&data_key], b"visit 7")?;
//! assert_eq!(opened, b"all is well");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Who can open is said by recipients: a [`DataKey`] of the key service, an [`RsaRecipient`], with the feature `abe`
//! everybody whose attributes satisfy a policy (`AbeRecipient`), and [`AllOf`] several together. Many small records under
//! the same recipients go into a [`batch`].
//!
//! A long file goes through [`Sealer::writer`] and [`Opener::reader`], in constant memory both ways.

#![forbid(unsafe_code)]

mod ask;
pub mod batch;
mod cipher;
mod error;
mod header;
mod key;
mod open;
mod random;
mod seal;
mod stanza;
mod stream;
#[cfg(test)]
mod vectors;

pub use error::{OpenError, RewrapError, SealError, UnwrapError, WrapError};
pub use header::{MAX_CONTEXT, MAX_HEADER, MAX_STANZA, MAX_STANZAS, VERSION};
pub use key::FileKey;
pub use open::Opener;
pub use random::{RandomFailed, Randomness};
pub use seal::{Sealer, sealed_len};
#[cfg(feature = "abe")]
pub use stanza::abe::{AbeReader, AbeRecipient, AbeStanza};
pub use stanza::all::{AllOf, AllOfStanza, MAX_PARTS};
pub use stanza::kms::{DataKey, WrappedKey};
pub use stanza::rsa::{OAEP_LABEL, RsaRecipient, RsaStanza};
pub use stanza::{Recipient, Stanza, StanzaKind, Unwrap};
pub use stream::{CHUNK, OpenReader, SealWriter, TAG};
