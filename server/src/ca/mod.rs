//! The certificate authority: who gets a certificate, and who loses it.
//!
//! The built-in CA is one P-256 key, sealed in the store. It issues leaves against one-time tokens and against a
//! certificate that is still good, and it never takes a name from a request: only the public key of a CSR counts.
//! With a CA of your own, tokens and issuing are off, and revocation made here still counts.
//!
//! | file | holds |
//! |---|---|
//! | [`authority`] | making and opening it |
//! | `signer` | the key, and what a certificate looks like |
//! | [`token`] | one-time enrolment tokens |
//! | [`issuance`] | enrolment and renewal |
//! | [`revoke`] | revocation by serial with all descendants, and by identity |
//! | [`crl`] | the list that the CA publishes |
//! | [`book`] | walks over all that was issued, and what goes from the books |
//! | `family` | how much may descend from one enrolment |
//! | [`record`] | what the store keeps of each |

pub mod authority;
pub mod book;
pub mod crl;
pub mod error;
mod family;
pub mod issuance;
pub mod record;
pub mod revoke;
mod signer;
#[cfg(test)]
mod tests;
pub mod token;

pub use authority::{Admission, Authority, AuthoritySettings};
pub use crl::Crl;
pub use error::{AuthorityError, IssueError, RevokeError, TokenError};
pub use issuance::{Enrolment, Issued, Presented};
pub use record::{CertificateRecord, CertificateState, TokenRecord, TokenState};
pub use revoke::{Plan, Target};
pub use token::{IssuedToken, NewToken, TokenText};
