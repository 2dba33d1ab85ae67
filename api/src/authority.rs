//! Authorities of attribute-based encryption: what they publish, and their escrow.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::data_key::Recipient;
use crate::{Base64, Secret};

/// The public parameters of an authority version: all that anybody needs to seal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parameters {
    /// The authority, `ring/name`.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// The parameters, signed.
    pub parameters: Base64,
    /// SHA-256 of what is signed, in hexadecimal; it stands in every ciphertext.
    pub fingerprint: String,
    /// The authority's own id, in hexadecimal; the same for all versions.
    pub authority: String,
    /// The Ed25519 key that signs parameters and revocation lists of all versions. Pin it: from then on parameters may
    /// come from anywhere.
    pub signing_key: Base64,
    /// What each attribute is.
    pub schema: String,
    /// Length of a time bucket, in seconds.
    pub bucket_seconds: u64,
    /// Bits of a serial: two to that power user keys fit one version.
    pub serial_bits: u8,
}

/// A signed list of user keys that are revoked and have not expired.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revocations {
    /// The authority, `ring/name`.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// Grows with every list.
    pub number: u64,
    /// When it was signed.
    #[schema(format = DateTime)]
    pub issued: String,
    /// From when on sealing refuses it.
    #[schema(format = DateTime)]
    pub next_update: String,
    /// Rows that it adds to a formula, of the 512 that both may have.
    pub cover_rows: u64,
    /// The list, signed.
    pub list: Base64,
}

/// `POST /v1/keys/{ring}/{key}/escrow`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EscrowAuthority {
    /// How many shares open it, 2 to `shares`.
    #[schema(minimum = 2, maximum = 16)]
    pub threshold: u8,
    /// How many shares there are, 2 to 16.
    #[schema(minimum = 2, maximum = 16)]
    pub shares: u8,
    /// The version; absent: the newest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<u32>,
    /// The custodians' RSA public keys, one a share in their order. Either these or `plain`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 16)]
    pub recipients: Vec<Recipient>,
    /// All shares in the clear, in this one answer: whoever asks holds the authority until they are given away.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub plain: bool,
}

/// An authority as shares.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct EscrowedAuthority {
    /// The authority, `ring/name`.
    pub key: String,
    /// Its version.
    pub version: u32,
    /// How many shares open it.
    pub threshold: u8,
    /// One package a custodian.
    pub packages: Vec<EscrowPackage>,
}

/// What one custodian gets.
#[derive(Serialize, Deserialize, ToSchema)]
pub struct EscrowPackage {
    /// Which share, from 1.
    pub share: u8,
    /// The package; absent where a custodian's key was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub package: Option<Secret>,
    /// The package in an envelope for the custodian.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<SealedSecret>,
}

/// A secret in an envelope with one RSA stanza.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SealedSecret {
    /// The envelope.
    pub envelope: Base64,
    /// The context that it opens with.
    pub context: String,
    /// SHA-256 of the DER SubjectPublicKeyInfo of the key that opens it, in hexadecimal.
    pub recipient: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shortest_escrow_names_a_threshold_and_a_number() {
        let asked: EscrowAuthority = serde_json::from_str(r#"{"threshold":2,"shares":3}"#).unwrap();
        assert_eq!((asked.threshold, asked.shares, asked.version), (2, 3, None));
        assert!(asked.recipients.is_empty() && !asked.plain, "not in the clear without a word");
        let plain: EscrowAuthority = serde_json::from_str(r#"{"threshold":2,"shares":3,"plain":true}"#).unwrap();
        assert!(plain.plain);
        for bad in [
            "{}",
            r#"{"threshold":2}"#,
            r#"{"threshold":2,"shares":300}"#,
            r#"{"threshold":-1,"shares":3}"#,
            r#"{"threshold":2,"shares":3,"plain":"yes"}"#,
            r#"{"threshold":2,"shares":3,"recipients":[{"spki":"AAAA","jwk":{}}]}"#,
        ] {
            assert!(serde_json::from_str::<EscrowAuthority>(bad).is_err(), "{bad}");
        }
    }
}
