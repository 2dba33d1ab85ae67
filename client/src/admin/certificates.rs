//! Enrolment tokens, certificates, the revocation list. Renewal is in [`crate::renew`].

use http::Method;
use wardkeep_api::Page;
use wardkeep_api::certificate::{Certificate, RevokeCertificates, RevokedCertificates};
use wardkeep_api::token::{IssueToken, IssuedToken, Token};
use wardkeep_model::{CertificateSerial, Identity};

use crate::call::{Call, query, segment};
use crate::data_keys::Paging;
use crate::{CallError, Client};

const TOKENS: &str = "/v1/tokens";
const CERTIFICATES: &str = "/v1/certificates";

/// The verbs of enrolment tokens; see [`Client::tokens`].
#[derive(Debug, Clone, Copy)]
pub struct Tokens<'a>(&'a Client);

/// The verbs of certificates; see [`Client::certificates`].
#[derive(Debug, Clone, Copy)]
pub struct Certificates<'a>(&'a Client);

impl Client {
    /// Enrolment tokens.
    #[must_use]
    pub fn tokens(&self) -> Tokens<'_> {
        Tokens(self)
    }

    /// Certificates.
    #[must_use]
    pub fn certificates(&self) -> Certificates<'_> {
        Certificates(self)
    }
}

impl Tokens<'_> {
    /// `POST /v1/tokens`: a one-time token for that identity. The answer is the only time it is shown.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn issue(&self, identity: &Identity, minutes: Option<u32>) -> Result<IssuedToken, CallError> {
        let body = IssueToken { identity: identity.to_string(), minutes };
        self.0.ask(Call::once(Method::POST, TOKENS).json(&body)?).await
    }

    /// `GET /v1/tokens`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, paging: &Paging) -> Result<Page<Token>, CallError> {
        self.0.ask(Call::get(query(TOKENS, &paging.pairs()))).await
    }

    /// `DELETE /v1/tokens/{id}`: takes an open token back.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn revoke(&self, id: &str) -> Result<(), CallError> {
        self.0.tell(Call::once(Method::DELETE, format!("{TOKENS}/{}", segment(id)))).await
    }
}

impl Certificates<'_> {
    /// `GET /v1/certificates`
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn list(&self, paging: &Paging) -> Result<Page<Certificate>, CallError> {
        self.0.ask(Call::get(query(CERTIFICATES, &paging.pairs()))).await
    }

    /// Revokes one certificate and every one that was renewed from it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn revoke(&self, serial: &CertificateSerial) -> Result<RevokedCertificates, CallError> {
        self.revoke_all(&RevokeCertificates::Serial(serial.to_string())).await
    }

    /// Revokes every certificate that the identity was issued before now.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn revoke_identity(&self, identity: &Identity) -> Result<RevokedCertificates, CallError> {
        self.revoke_all(&RevokeCertificates::Identity(identity.to_string())).await
    }

    /// `GET /v1/crl`: the CA's revocation list (RFC 5280 section 5), as the server serves it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn crl(&self) -> Result<Vec<u8>, CallError> {
        Ok(self.0.send(&Call::get("/v1/crl")).await?.bytes())
    }

    async fn revoke_all(&self, which: &RevokeCertificates) -> Result<RevokedCertificates, CallError> {
        // A second time it revokes what is revoked already.
        self.0.ask(Call::repeatable_post(format!("{CERTIFICATES}/revoke")).json(which)?).await
    }
}
