//! Certificates: enrolment, renewal, revocation.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::SecretText;

/// `POST /v1/enrol`, on the enrolment listener.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Enrol {
    /// The one-time token.
    pub token: SecretText,
    /// A certificate request (RFC 2986) in PEM; only its public key is used.
    pub csr_pem: String,
}

/// `POST /v1/certificates/renew`: for the caller's own identity.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct RenewCertificate {
    /// A certificate request (RFC 2986) in PEM; only its public key is used.
    pub csr_pem: String,
}

/// A new certificate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct IssuedCertificate {
    /// Its serial, hexadecimal.
    pub serial: String,
    /// Its identity.
    pub identity: String,
    /// Until when it is valid.
    #[schema(format = DateTime)]
    pub not_after: String,
    /// The certificate.
    pub certificate_pem: String,
    /// The CA's certificates, leaf's issuer first.
    pub chain_pem: String,
}

/// A certificate in a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Certificate {
    /// Its serial, hexadecimal.
    pub serial: String,
    /// Its identity.
    pub identity: String,
    /// When it was issued.
    #[schema(format = DateTime)]
    pub issued: String,
    /// Until when it is valid.
    #[schema(format = DateTime)]
    pub not_after: String,
    /// The serial it was renewed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<String>,
    /// How it stands.
    pub state: CertificateState,
}

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CertificateState {
    /// Good.
    Valid,
    /// Past its end.
    Expired,
    /// Revoked, by itself, by an ancestor or by its identity.
    Revoked,
}

/// `POST /v1/certificates/revoke`: `{"serial": ".."}` with all that were renewed from it, or `{"identity": ".."}` with
/// all issued before now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RevokeCertificates {
    /// One certificate and its descendants.
    Serial(String),
    /// Every certificate of an identity so far.
    Identity(String),
}

/// What was revoked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RevokedCertificates {
    /// Serials of the certificates revoked now.
    pub serials: Vec<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revocation_names_one_thing() {
        let read = |text: &str| serde_json::from_str::<RevokeCertificates>(text);
        assert_eq!(read(r#"{"serial":"ab"}"#).unwrap(), RevokeCertificates::Serial("ab".into()));
        for bad in [r#"{"serial":"ab","identity":"x"}"#, "{}", r#"{"all":true}"#, r#"{"serial":1}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
