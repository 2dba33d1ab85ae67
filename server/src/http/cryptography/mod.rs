//! Using keys directly: encrypt, decrypt, sign, verify, random bytes.

pub mod decrypt;
pub mod encrypt;
pub mod random;
pub mod sign;
pub mod verify;

use wardkeep_api::Base64;
use wardkeep_kms::SignatureInput;

use super::problem::Fault;

/// Exactly one of a message and its digest.
fn input(message: Option<Base64>, digest: Option<Base64>) -> Result<SignatureInput, Fault> {
    match (message, digest) {
        (Some(message), None) => Ok(SignatureInput::Message(message.0)),
        (None, Some(digest)) => Ok(SignatureInput::Digest(digest.0)),
        _ => Err(Fault::ExactlyOne { first: "message", second: "digest" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_or_none_is_a_question_back() {
        let bytes = || Some(Base64(vec![1]));
        assert!(matches!(input(bytes(), None), Ok(SignatureInput::Message(_))));
        assert!(matches!(input(None, bytes()), Ok(SignatureInput::Digest(_))));
        assert!(matches!(input(None, None), Err(Fault::ExactlyOne { .. })));
        assert!(matches!(input(bytes(), bytes()), Err(Fault::ExactlyOne { .. })));
    }
}
