//! Revocation: by serial with all that was renewed from it, or everything of an identity up to now.

use std::collections::{HashMap, HashSet};

use tokio::sync::MutexGuard;
use wardkeep_model::action::RevokeCertificate;
use wardkeep_model::{CertificateSerial, EventDetail, Identity, Permit, Timestamp};
use wardkeep_store::{Change, Table};

use super::crl::Listed;
use super::record::{self, RevocationRow, RevokedWhat, hex};
use super::{Authority, AuthorityError, CertificateRecord, CertificateState, RevokeError};
use crate::peer::Peer;
use crate::revocation::{ANY_ISSUER, CertificateName, IdentityCut, Revocation};

/// Most serials that an identity's cut may spare.
const MAX_KEPT: usize = 64;

/// What to revoke.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// One certificate and every one renewed from it, directly or through others.
    Serial(CertificateSerial),
    /// Everything issued to an identity up to now, but for the serials in `keep`; its open tokens too.
    Identity {
        /// Whose.
        identity: Identity,
        /// What stays.
        keep: Vec<CertificateSerial>,
    },
}

/// A revocation that is worked out and not yet made.
///
/// It holds the authority's turn: nothing is issued meanwhile. Whoever has a commit of their own (granting a role)
/// puts [`Plan::take_changes`] into it and calls [`Plan::apply`] once that is durable; dropping it changes nothing.
pub struct Plan<'a> {
    authority: &'a Authority,
    _turn: MutexGuard<'a, ()>,
    changes: Vec<Change>,
    serials: Vec<CertificateName>,
    listed: Vec<(CertificateSerial, Listed)>,
    cut: Option<(Identity, IdentityCut)>,
    remaining: Vec<Identity>,
}

impl std::fmt::Debug for Plan<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Plan")
            .field("serials", &self.serials)
            .field("remaining", &self.remaining)
            .finish_non_exhaustive()
    }
}

impl Plan<'_> {
    /// Identities that still have a good certificate afterwards; empty with a CA of the operator's own.
    #[must_use]
    pub fn remaining(&self) -> &[Identity] {
        &self.remaining
    }

    /// The serials that it takes.
    #[must_use]
    pub fn serials(&self) -> Vec<CertificateSerial> {
        self.serials.iter().map(|(_, serial)| serial.clone()).collect()
    }

    /// The changes, for a commit that holds more than them.
    #[must_use = "without their commit the revocation is lost at the next start"]
    pub fn take_changes(&mut self) -> Vec<Change> {
        std::mem::take(&mut self.changes)
    }

    /// Puts it into force: requests are refused from now on, live connections cut within a second, the CRL signed
    /// anew. Only after its changes are durable.
    pub fn apply(self) {
        self.authority.list(self.listed);
        self.authority.revoked.add_serials(self.serials);
        if let Some((identity, cut)) = self.cut {
            self.authority.revoked.add_identity(identity, cut);
        }
        if self.authority.signer.is_some()
            && let Err(error) = self.authority.sign_crl()
        {
            tracing::warn!(reason = %error, "revoked, but the CRL could not be signed");
        }
    }
}

impl Authority {
    /// Revokes under a decision. `survives` is shown who still has a certificate afterwards and says whether somebody
    /// among them may still change the control set; it is not asked with a CA of the operator's own.
    ///
    /// # Errors
    /// [`RevokeError`]; refusals are recorded.
    pub async fn revoke(
        &self,
        permit: Permit<RevokeCertificate>,
        target: Target,
        survives: &(dyn Fn(&[Identity]) -> bool + Sync),
    ) -> Result<Vec<CertificateSerial>, RevokeError> {
        let about = match &target {
            Target::Serial(serial) => serial.to_string(),
            Target::Identity { identity, .. } => identity.to_string(),
        };
        let event = permit.into_event().with(EventDetail::About, about);
        let planned = self.plan(target).await;
        let planned = planned.and_then(|plan| {
            let locks_out = self.signer.is_some() && !survives(plan.remaining());
            if locks_out { Err(RevokeError::LocksOut) } else { Ok(plan) }
        });
        let mut plan = match planned {
            Ok(plan) => plan,
            Err(error) => {
                self.record(event.with_outcome(error.code())).await?;
                return Err(error);
            }
        };
        let serials = plan.serials();
        let changes = plan.take_changes();
        self.settle(changes, event.with(EventDetail::Count, serials.len().to_string())).await?;
        plan.apply();
        Ok(serials)
    }

    /// Works a revocation out, under the authority's turn.
    ///
    /// # Errors
    /// [`RevokeError`].
    pub async fn plan(&self, target: Target) -> Result<Plan<'_>, RevokeError> {
        let turn = self.turn.lock().await;
        let now = self.clock.now();
        let all = self.walk_certificates().await?;
        let (taken, cut, mut changes) = match target {
            Target::Serial(serial) => (self.family(&all, serial)?, None, Vec::new()),
            Target::Identity { identity, keep } => {
                if keep.len() > MAX_KEPT {
                    return Err(RevokeError::TooManyKept { count: keep.len() });
                }
                let keep: HashSet<CertificateSerial> = keep.into_iter().collect();
                let of = |record: &&CertificateRecord| record.identity == identity && !keep.contains(&record.serial);
                let taken = all.iter().filter(of).map(|record| record.serial.clone()).collect();
                let mut changes = self.voiding(&identity).await?;
                let cut = IdentityCut { at: now, keep };
                changes.push(self.identity_change(&identity, &cut)?);
                (taken, Some((identity, cut)), changes)
            }
        };
        let issuer = self.issuer_digest().unwrap_or(ANY_ISSUER);
        let fresh = |serial: &&CertificateSerial| !self.revoked.contains(&issuer, serial);
        let serials: Vec<CertificateName> = taken.iter().filter(fresh).map(|serial| (issuer, serial.clone())).collect();
        for name in &serials {
            changes.push(serial_change(name, now)?);
        }
        let listed = |record: &CertificateRecord| (record.serial.clone(), Listed { at: now, until: record.not_after });
        let listed = all.iter().filter(|record| taken.contains(&record.serial) && fresh(&&record.serial)).map(listed);
        let (listed, remaining) = (listed.collect(), remaining(&all, &taken));
        Ok(Plan { authority: self, _turn: turn, changes, serials, listed, cut, remaining })
    }

    /// Why a peer is refused at this moment, if it is.
    #[must_use]
    pub fn refuses(&self, peer: &Peer) -> Option<Revocation> {
        self.revoked.refuses(peer, self.clock.now())
    }

    /// Whether the certificate under which something was decided has been revoked since.
    #[must_use]
    pub fn shut_out_since(&self, decided: Timestamp, identity: &Identity, serial: &CertificateSerial) -> bool {
        self.revoked.shut_out_since(decided, identity, self.issuer_digest().unwrap_or(ANY_ISSUER), serial)
    }

    /// Identities that have a good certificate at the moment. Walks a whole table: not for a thread that serves.
    ///
    /// # Errors
    /// [`AuthorityError`]: unreadable rows.
    pub fn enrolled(&self) -> Result<Vec<Identity>, AuthorityError> {
        Ok(remaining(&self.all_certificates()?, &HashSet::new()))
    }

    /// A serial and all its descendants. With a foreign CA there are no records: the serial alone, of any issuer.
    fn family(
        &self,
        all: &[CertificateRecord],
        serial: CertificateSerial,
    ) -> Result<HashSet<CertificateSerial>, RevokeError> {
        if self.signer.is_some() && !all.iter().any(|record| record.serial == serial) {
            return Err(RevokeError::Unknown { serial });
        }
        let mut children: HashMap<&CertificateSerial, Vec<&CertificateSerial>> = HashMap::new();
        for record in all {
            if let Some(parent) = &record.parent {
                children.entry(parent).or_default().push(&record.serial);
            }
        }
        let (mut family, mut left) = (HashSet::new(), vec![serial]);
        while let Some(next) = left.pop() {
            // Once only: rows that named each other in a ring would be followed for ever.
            if family.insert(next.clone()) {
                left.extend(children.get(&next).into_iter().flatten().map(|child| (*child).clone()));
            }
        }
        Ok(family)
    }

    fn identity_change(&self, identity: &Identity, cut: &IdentityCut) -> Result<Change, AuthorityError> {
        let id = format!("identity/{identity}");
        let expected = self.store.read(Table::Revocation, &id)?.map(|row| row.sequence);
        let mut keep: Vec<String> = cut.keep.iter().map(ToString::to_string).collect();
        keep.sort();
        let what = RevokedWhat::Identity { identity: identity.to_string(), keep };
        let value = record::write(&RevocationRow::new(cut.at, what), "revocation record")?;
        Ok(Change::Put { table: Table::Revocation, id, expected, value })
    }
}

fn serial_change((issuer, serial): &CertificateName, now: Timestamp) -> Result<Change, AuthorityError> {
    let what = RevokedWhat::Serial { issuer: hex(issuer), serial: serial.to_string() };
    let id = format!("serial/{}/{serial}", hex(issuer));
    let value = record::write(&RevocationRow::new(now, what), "revocation record")?;
    Ok(Change::Put { table: Table::Revocation, id, expected: None, value })
}

/// Identities with a certificate that is valid and not among those taken.
fn remaining(all: &[CertificateRecord], taken: &HashSet<CertificateSerial>) -> Vec<Identity> {
    let good = |record: &&CertificateRecord| record.state == CertificateState::Valid && !taken.contains(&record.serial);
    let mut identities: Vec<Identity> = all.iter().filter(good).map(|record| record.identity.clone()).collect();
    identities.sort();
    identities.dedup();
    identities
}
