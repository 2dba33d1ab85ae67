//! Control roles: give, take, see who holds them.

use std::sync::Arc;

use wardkeep_model::action::{GrantRole, RevokeRole};
use wardkeep_model::{Action, AuditEvent, CertificateSerial, EntityUid, EventDetail, Permit};
use wardkeep_policy::Role;
use wardkeep_store::{Change, Table};

use super::{Admin, AdminError, Staged, entities_of, row};
use crate::ca::Target;

/// What a grant did besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    /// How many open tokens were voided.
    pub tokens_voided: usize,
    /// Which certificates were revoked.
    pub certificates_revoked: Vec<CertificateSerial>,
}

impl Admin {
    /// Gives a role. In the same commit the identity's open tokens are voided and its certificates revoked, but for
    /// those in `keep`: whatever was issued before it was strong may be in weak hands.
    ///
    /// # Errors
    /// [`AdminError::Role`] for who cannot hold one; [`AdminError::LockedOut`]; what the store says.
    pub async fn grant_role(
        self: &Arc<Self>,
        permit: Permit<GrantRole>,
        role: Role,
        holder: EntityUid,
        keep: Vec<CertificateSerial>,
    ) -> Result<Granted, AdminError> {
        let fits = is_about(&permit, role);
        let event = permit.into_event().with(EventDetail::About, holder.to_string());
        if !fits {
            return self.refuse(event, AdminError::PermitMismatch).await;
        }
        let admin = Arc::clone(self);
        self.detached(async move {
            let _turn = admin.turn.lock().await;
            match admin.grant(event.clone(), role, &holder, keep).await {
                // A commit that failed has recorded itself.
                Err(error) if !matches!(error, AdminError::Commit(_)) => admin.refuse(event, error).await,
                done => done,
            }
        })
        .await
    }

    async fn grant(
        &self,
        event: AuditEvent,
        role: Role,
        holder: &EntityUid,
        keep: Vec<CertificateSerial>,
    ) -> Result<Granted, AdminError> {
        self.still_stands(&event)?;
        let now = self.engine.snapshot();
        let snapshot = now.with_role(role, holder, true, now.version().saturating_add(1))?;
        let mut changes = vec![row::put_roles(&*self.store, holder, &snapshot.roles_of(holder))?];
        if now.roles_of(holder).contains(&role) {
            // Nothing becomes stronger: a repeated grant must not take anybody's certificates.
            let answer = Granted { tokens_voided: 0, certificates_revoked: Vec::new() };
            return self
                .settle(event, Staged { snapshot, changes, detail: Vec::new(), each: Vec::new(), answer })
                .await;
        }
        let identity = self.identity_of(holder)?;
        let mut plan = self.authority.plan(Target::Identity { identity, keep }).await?;
        let enrolled = match self.authority.certificate() {
            Some(_) => entities_of(&snapshot, plan.remaining()),
            None => self.enrolled()?,
        };
        self.stays_open(&snapshot, &enrolled)?;
        let revocation = plan.take_changes();
        let tokens_voided = revocation.iter().filter(|change| is_token(change)).count();
        changes.extend(revocation);
        let certificates_revoked = plan.serials();
        let detail = vec![(EventDetail::Count, certificates_revoked.len().to_string())];
        let answer = Granted { tokens_voided, certificates_revoked };
        // Weak hands lose their certificates before the role is there to be used.
        let staged = Staged { snapshot, changes, detail, each: Vec::new(), answer };
        self.settle_after(event, staged, || plan.apply()).await
    }

    /// Takes a role.
    ///
    /// # Errors
    /// [`AdminError::LockedOut`]; what the store says.
    pub async fn revoke_role(
        self: &Arc<Self>,
        permit: Permit<RevokeRole>,
        role: Role,
        holder: EntityUid,
    ) -> Result<(), AdminError> {
        let fits = is_about(&permit, role);
        let event = permit.into_event().with(EventDetail::About, holder.to_string());
        if !fits {
            return self.refuse(event, AdminError::PermitMismatch).await;
        }
        self.change(event, move |admin, now, version| {
            let snapshot = now.with_role(role, &holder, false, version)?;
            let changes = vec![row::put_roles(&*admin.store, &holder, &snapshot.roles_of(&holder))?];
            Ok(Staged { snapshot, changes, detail: Vec::new(), each: Vec::new(), answer: () })
        })
        .await
    }

    /// Who holds a role. Which roles the caller may see is decided role by role, and recorded once.
    #[must_use]
    pub fn holders(&self, role: Role) -> Vec<EntityUid> {
        let snapshot = self.engine.snapshot();
        let holds = |(_, roles): &(&EntityUid, Vec<Role>)| roles.contains(&role);
        snapshot.role_holders().filter(holds).map(|(holder, _)| holder.clone()).collect()
    }
}

fn is_about<A: Action>(permit: &Permit<A>, role: Role) -> bool {
    permit.resource().kind() == wardkeep_policy::ROLE_TYPE && permit.resource().id() == role.as_str()
}

fn is_token(change: &Change) -> bool {
    matches!(change, Change::Put { table: Table::Token, .. })
}
