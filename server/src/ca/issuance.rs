//! Enrolment against a token, and renewal against a certificate that is still good.
//!
//! Neither is a decision of the policy sets: the token *is* the decision that was taken when it was issued, and a
//! renewal gives nobody what they do not have. What may have changed since is asked again through [`Admission`].

use rcgen::{PublicKeyData, SubjectPublicKeyInfo};
use wardkeep_model::Permit;
use wardkeep_model::action::DescribeCertificate;
use wardkeep_model::{AuditEvent, CertificateSerial, Decision, EntityUid, EventDetail, Identity, RequestId, Timestamp};
use wardkeep_store::{Change, CommitError, Table};
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::pem::Pem;
use x509_parser::prelude::FromDer;
use x509_parser::public_key::PublicKey;

use super::authority::{own_event, pem};
use super::error::TokenRefusal;
use super::record::{self, CertificateRow};
use super::token::{TokenRowFound, state_change};
use super::{
    Admission, Authority, AuthorityError, CertificateRecord, CertificateState, IssueError, TokenState, TokenText,
};
use crate::peer::Peer;

/// Longest CSR in PEM, in bytes.
const MAX_REQUEST: usize = 16 * 1024;
/// Shortest RSA key, in bits.
const SHORTEST_RSA: usize = 3072;
/// Longest RSA key, in bits: verifying longer ones is work for us at every handshake.
const LONGEST_RSA: usize = 8192;

/// What somebody without an identity sends.
pub struct Enrolment<'a> {
    /// `wk1.<token>.<fingerprint>`
    pub token: &'a str,
    /// A PKCS#10 request in PEM; only its public key counts.
    pub csr_pem: &'a str,
    /// The request's name, for the audit record.
    pub request: RequestId,
}

/// What was sent, read and found in order; whether the token is good is asked under the turn.
pub struct Presented {
    token: TokenText,
    key: SubjectPublicKeyInfo,
    request: RequestId,
}

impl std::fmt::Debug for Presented {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { token, key: _, request } = self;
        f.debug_struct("Presented").field("token", token).field("request", request).finish_non_exhaustive()
    }
}

/// A new certificate.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What the store keeps of it.
    pub record: CertificateRecord,
    /// The leaf.
    pub certificate_pem: String,
    /// The CA's certificate.
    pub chain_pem: String,
}

impl Authority {
    /// Reads what somebody without an identity sent: forms, the CA that the token pins, the request's own signature.
    /// It takes no turn: whoever sends nonsense must not queue before those who do not.
    ///
    /// # Errors
    /// [`IssueError`]: what is wrong with it.
    pub fn present(&self, enrolment: Enrolment<'_>) -> Result<Presented, IssueError> {
        let Some(fingerprint) = self.fingerprint() else { return Err(IssueError::NotOurs) };
        let token = TokenText::parse(enrolment.token)?;
        if *token.fingerprint() != fingerprint {
            return Err(IssueError::OtherAuthority);
        }
        Ok(Presented { token, key: request_key(enrolment.csr_pem)?, request: enrolment.request })
    }

    /// [`Authority::present`] and [`Authority::redeem`] at once.
    ///
    /// # Errors
    /// [`IssueError`]
    pub async fn enrol(&self, enrolment: Enrolment<'_>, admission: &dyn Admission) -> Result<Issued, IssueError> {
        self.redeem(self.present(enrolment)?, admission).await
    }

    /// Redeems a token, exactly once, for a certificate of the identity that the token fixes.
    ///
    /// # Errors
    /// [`IssueError`]; for a token that exists the refusal is recorded.
    pub async fn redeem(&self, presented: Presented, admission: &dyn Admission) -> Result<Issued, IssueError> {
        let Presented { token, key, request } = presented;
        let _turn = self.turn.lock().await;
        // A token that does not exist has no identity to record: a warning, not an audit record that anybody can cause.
        let Some(found) = self.presented(&token)? else {
            tracing::warn!(reason = "unknown token", "enrolment refused");
            return Err(IssueError::TokenRefused(TokenRefusal::Unknown));
        };
        let identity = found.0.identity.clone();
        let now = self.clock.now();
        let no_entity = || IssueError::NoEntity { identity: identity.clone() };
        let entity = admission.entity_of(&identity).ok_or_else(no_entity)?;
        let mut event = own_event(now, entity.clone(), "Enrol", request, &identity);
        event.policy_version = admission.policy_version();
        if let Err(error) = check_token(&found, &entity, now, admission) {
            return Err(self.refuse(event, error).await);
        }
        let (issued, put) = self.make(&identity, &key, None, now)?;
        let redeem = state_change(found, TokenState::Redeemed(issued.record.serial.clone()))?;
        let event = event.with(EventDetail::Peer, issued.record.serial.to_string());
        match self.settle(vec![redeem, put], event).await {
            Ok(()) => {
                self.families.born(&issued.record);
                Ok(issued)
            }
            // Another node was first.
            Err(AuthorityError::Commit(CommitError::Conflict { table: Table::Token, .. })) => {
                Err(IssueError::TokenRefused(TokenRefusal::Used))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Renews the certificate that a connection was made with. The new one records it as its parent, so that a
    /// revocation of either's ancestor takes both.
    ///
    /// # Errors
    /// [`IssueError`]; refusals are recorded.
    pub async fn renew(
        &self,
        peer: &Peer,
        csr_pem: &str,
        request: RequestId,
        admission: &dyn Admission,
    ) -> Result<Issued, IssueError> {
        if self.signer.is_none() {
            return Err(IssueError::NotOurs);
        }
        let key = request_key(csr_pem)?;
        let _turn = self.turn.lock().await;
        let now = self.clock.now();
        let no_entity = || IssueError::NoEntity { identity: peer.identity.clone() };
        let entity = admission.entity_of(&peer.identity).ok_or_else(no_entity)?;
        let mut event = own_event(now, entity.clone(), "RenewCertificate", request, &peer.identity);
        event.serial = Some(peer.serial.clone());
        event.policy_version = admission.policy_version();
        if let Err(error) = self.check_parent(peer, &entity, now, admission) {
            return Err(self.refuse(event, error).await);
        }
        let (issued, put) = self.make(&peer.identity, &key, Some(peer.serial.clone()), now)?;
        self.settle(vec![put], event.with(EventDetail::Peer, issued.record.serial.to_string())).await?;
        self.families.born(&issued.record);
        Ok(issued)
    }

    /// All certificates that were issued here, newest first.
    ///
    /// # Errors
    /// [`IssueError::Authority`].
    pub async fn certificates(
        &self,
        permit: Permit<DescribeCertificate>,
    ) -> Result<Vec<CertificateRecord>, IssueError> {
        let mut all = self.walk_certificates().await?;
        all.sort_by(|one, other| other.issued.cmp(&one.issued).then_with(|| one.serial.cmp(&other.serial)));
        self.record(permit.into_event().with(EventDetail::Count, all.len().to_string())).await?;
        Ok(all)
    }

    async fn refuse(&self, mut event: AuditEvent, error: IssueError) -> IssueError {
        tracing::warn!(identity = %event.resource, code = error.code(), reason = %error, "certificate refused");
        event.decision = Decision::Deny;
        let mut event = event.with_outcome(error.code());
        if let IssueError::TokenRefused(why) = &error {
            event = event.with(EventDetail::Reason, why.word());
        }
        match self.record(event).await {
            Ok(()) => error,
            Err(failed) => failed.into(),
        }
    }

    /// The connection's certificate must be ours, on record, and as good now as at the handshake.
    fn check_parent(
        &self,
        peer: &Peer,
        entity: &EntityUid,
        now: Timestamp,
        admission: &dyn Admission,
    ) -> Result<(), IssueError> {
        let foreign = || IssueError::ForeignParent { serial: peer.serial.clone() };
        if self.issuer_digest() != Some(peer.issuer_digest) {
            return Err(foreign());
        }
        let row = self.store.read(Table::Certificate, peer.serial.as_str())?.ok_or_else(foreign)?;
        let parent = CertificateRow::read(&row.value)?;
        if parent.identity != peer.identity {
            return Err(foreign());
        }
        if let Some(why) = self.revoked.refuses(peer, now) {
            return Err(why.into());
        }
        if !admission.exists(entity) {
            return Err(IssueError::NoEntity { identity: peer.identity.clone() });
        }
        let revoked = |serial: &CertificateSerial| self.revoked.contains(&peer.issuer_digest, serial);
        self.families.may_grow(&parent, self.ca.load().family_certificates, now, revoked)
    }

    fn make(
        &self,
        identity: &Identity,
        key: &impl PublicKeyData,
        parent: Option<CertificateSerial>,
        now: Timestamp,
    ) -> Result<(Issued, Change), AuthorityError> {
        let signer = self.signer.as_ref().ok_or(AuthorityError::NotOurs)?;
        let life = self.ca.load().life_millis(identity.kind());
        let leaf = signer.client_leaf(identity, key, (now, life), &*self.entropy)?;
        let record = CertificateRecord {
            serial: leaf.serial,
            identity: identity.clone(),
            parent,
            issued: now,
            not_before: leaf.not_before,
            not_after: leaf.not_after,
            state: CertificateState::Valid,
        };
        let value = record::write(&CertificateRow::of(&record), "certificate record")?;
        let id = record.serial.to_string();
        let put = Change::Put { table: Table::Certificate, id, expected: None, value };
        let chain_pem = pem("CERTIFICATE", &signer.certificate);
        Ok((Issued { record, certificate_pem: pem("CERTIFICATE", &leaf.der), chain_pem }, put))
    }
}

fn check_token(
    found: &TokenRowFound,
    entity: &EntityUid,
    now: Timestamp,
    admission: &dyn Admission,
) -> Result<(), IssueError> {
    let token = &found.0;
    match &token.state {
        TokenState::Redeemed(_) => return Err(IssueError::TokenRefused(TokenRefusal::Used)),
        TokenState::Void => return Err(IssueError::TokenRefused(TokenRefusal::Void)),
        TokenState::Open if now >= token.expires => return Err(IssueError::TokenRefused(TokenRefusal::Expired)),
        TokenState::Open => {}
    }
    if !admission.exists(entity) {
        return Err(IssueError::NoEntity { identity: token.identity.clone() });
    }
    if token.issuer.as_ref().is_some_and(|issuer| !admission.covers(issuer, entity)) {
        return Err(IssueError::AboveIssuer { identity: token.identity.clone() });
    }
    // The token is a decision of its issuer's: it ends with the right to take it.
    if token.issuer.as_ref().is_some_and(|issuer| !admission.may_issue(issuer, entity)) {
        return Err(IssueError::TokenRefused(TokenRefusal::IssuerLost));
    }
    Ok(())
}

/// The public key of a request whose signature proves that its sender holds the private half. Names, extensions and
/// attributes of the request are not even looked at.
fn request_key(csr_pem: &str) -> Result<SubjectPublicKeyInfo, IssueError> {
    if csr_pem.len() > MAX_REQUEST {
        return Err(IssueError::RequestForm);
    }
    let (block, _) = Pem::read(std::io::Cursor::new(csr_pem.as_bytes())).map_err(|_| IssueError::RequestForm)?;
    if !matches!(block.label.as_str(), "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST") {
        return Err(IssueError::RequestForm);
    }
    let (rest, request) = X509CertificationRequest::from_der(&block.contents).map_err(|_| IssueError::RequestForm)?;
    if !rest.is_empty() {
        return Err(IssueError::RequestForm);
    }
    let info = &request.certification_request_info.subject_pki;
    match info.parsed().map_err(|_| IssueError::RequestForm)? {
        PublicKey::RSA(key) if (SHORTEST_RSA..=LONGEST_RSA).contains(&key.key_size()) => {}
        PublicKey::EC(point) if matches!(point.key_size(), 256 | 384) => {}
        // The parser knows no Ed25519 keys by name (RFC 8410): 32 bytes under their own identifier.
        PublicKey::Unknown(raw)
            if raw.len() == 32 && info.algorithm.algorithm == x509_parser::oid_registry::OID_SIG_ED25519 => {}
        _ => return Err(IssueError::WeakKey),
    }
    request.verify_signature().map_err(|_| IssueError::NoPossession)?;
    SubjectPublicKeyInfo::from_der(info.raw).map_err(|_| IssueError::WeakKey)
}
