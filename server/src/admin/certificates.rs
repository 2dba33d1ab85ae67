//! Tokens and certificates: the authority's verbs, with what the policies know about identities.

use std::sync::Arc;

use wardkeep_model::action::{IssueToken, RevokeCertificate};
use wardkeep_model::{
    Action, AuditEvent, CertificateSerial, Decision, EntityUid, Identity, Permit, RequestId, Timestamp,
};
use wardkeep_policy::Engine;

use super::{Admin, AdminError, entities_of};
use crate::ca::{Admission, Enrolment, Issued, IssuedToken, NewToken, Target};
use crate::peer::Peer;

/// What the authority asks before it issues, answered from the snapshot in force.
#[derive(Clone)]
pub struct PolicyAdmission(pub Arc<Engine>);

impl std::fmt::Debug for PolicyAdmission {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PolicyAdmission")
    }
}

impl Admission for PolicyAdmission {
    fn entity_of(&self, identity: &Identity) -> Option<EntityUid> {
        self.0.snapshot().identity().entity_of(identity)
    }

    fn exists(&self, entity: &EntityUid) -> bool {
        self.0.snapshot().entity(entity).is_some()
    }

    fn covers(&self, issuer: &EntityUid, entity: &EntityUid) -> bool {
        let snapshot = self.0.snapshot();
        let held = snapshot.roles_of(issuer);
        snapshot.roles_of(entity).iter().all(|role| held.contains(role))
    }

    fn may_issue(&self, issuer: &EntityUid, entity: &EntityUid) -> bool {
        let snapshot = self.0.snapshot();
        snapshot.entity(issuer).is_some() && snapshot.still_permits(&token_event(issuer, entity))
    }

    fn policy_version(&self) -> u64 {
        self.0.snapshot().version()
    }
}

/// The question that was decided when a token was issued, to be asked again; it becomes no record.
fn token_event(issuer: &EntityUid, entity: &EntityUid) -> AuditEvent {
    AuditEvent {
        time: Timestamp::default(),
        actor: issuer.clone(),
        subject: issuer.clone(),
        action: IssueToken::NAME.as_str().to_owned(),
        resource: entity.clone(),
        record: None,
        decision: Decision::Allow,
        policies: Vec::new(),
        errors: Vec::new(),
        policy_version: 0,
        outcome: "ok",
        request: RequestId::from_random(0),
        serial: None,
        detail: Vec::new(),
    }
}

impl Admin {
    fn admission(&self) -> PolicyAdmission {
        PolicyAdmission(self.engine.clone())
    }

    /// Issues a token. It waits its turn, so that no role is granted to the identity while its token is made.
    ///
    /// # Errors
    /// [`AdminError::Token`]
    pub async fn issue_token(
        self: &Arc<Self>,
        permit: Permit<IssueToken>,
        new: NewToken,
    ) -> Result<IssuedToken, AdminError> {
        let admin = Arc::clone(self);
        self.detached(async move {
            let _turn = admin.turn.lock().await;
            if let Err(error) = admin.still_stands(permit.event()) {
                return admin.refuse(permit.into_event(), error).await;
            }
            Ok(admin.authority.issue_token(permit, new, &admin.admission()).await?)
        })
        .await
    }

    /// Redeems a token for a certificate.
    ///
    /// # Errors
    /// [`AdminError::Issue`]
    pub async fn enrol(
        self: &Arc<Self>,
        token: wardkeep_api::SecretText,
        csr_pem: String,
        request: RequestId,
    ) -> Result<Issued, AdminError> {
        // Before the turn: what is malformed waits for nobody and holds nobody up.
        let presented = self.authority.present(Enrolment { token: token.expose(), csr_pem: &csr_pem, request })?;
        let admin = Arc::clone(self);
        self.detached(async move {
            let _turn = admin.turn.lock().await;
            Ok(admin.authority.redeem(presented, &admin.admission()).await?)
        })
        .await
    }

    /// Renews the caller's own certificate.
    ///
    /// # Errors
    /// [`AdminError::Issue`]
    pub async fn renew(
        self: &Arc<Self>,
        peer: Peer,
        csr_pem: String,
        request: RequestId,
    ) -> Result<Issued, AdminError> {
        let admin = Arc::clone(self);
        self.detached(async move { Ok(admin.authority.renew(&peer, &csr_pem, request, &admin.admission()).await?) })
            .await
    }

    /// Revokes certificates, unless that would shut the last one out who may change the control set.
    ///
    /// # Errors
    /// [`AdminError::Revoke`]
    pub async fn revoke_certificates(
        self: &Arc<Self>,
        permit: Permit<RevokeCertificate>,
        target: Target,
    ) -> Result<Vec<CertificateSerial>, AdminError> {
        let admin = Arc::clone(self);
        self.detached(async move {
            let _turn = admin.turn.lock().await;
            if let Err(error) = admin.still_stands(permit.event()) {
                return admin.refuse(permit.into_event(), error).await;
            }
            let snapshot = admin.engine.snapshot();
            let survives = |remaining: &[Identity]| {
                let left = entities_of(&snapshot, remaining);
                left.iter().any(|identity| snapshot.may_change_control_set(identity))
            };
            Ok(admin.authority.revoke(permit, target, &survives).await?)
        })
        .await
    }
}
