//! What `wardkeep server init` and `wardkeep recover` do on the data folder, while no server runs.
//!
//! Both stand outside every decision: who holds the root key holds everything anyway. Both are recorded, and both end
//! with a one-time token for the administrator that they made. They alone are exempt from the lock-out rule.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_model::{
    Attributes, AuditEvent, Clock, Decision, EntityUid, Entropy, EventDetail, Identity, RequestId, Timestamp,
};
use wardkeep_policy::{BundleSource, EntityChange, EntityRecord, IdentityMap, Role, Snapshot};
use wardkeep_store::{Change, Store, Table, Work};

use super::row::{self, BundleRow, Bundles, CONTROL, ControlRow};
use super::{AdminError, bound, load};
use crate::ca::{Authority, AuthoritySettings, IssuedToken, NewToken, Target};
use crate::revocation::Revoked;

/// What both need.
pub struct Ground {
    /// The store, opened by this process alone.
    pub store: Arc<dyn Store>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub entropy: Arc<dyn Entropy>,
    /// `[identity] kinds`
    pub kinds: BTreeMap<String, String>,
    /// `[identity] trust_domain` and `[ca]`
    pub authority: AuthoritySettings,
}

/// Who becomes administrator, and under which bundle.
#[derive(Debug, Clone)]
pub struct Founding {
    /// The first administrator; its entity holds all four roles.
    pub administrator: Identity,
    /// The first bundle: the starter, unless `dev` brings its own.
    pub bundle: BundleSource,
    /// The token's life in milliseconds; `None` for the configured one.
    pub token_life_millis: Option<u64>,
}

/// The last resort.
#[derive(Debug, Clone)]
pub struct Recovery {
    /// The new administrator; it must have no entity yet.
    pub administrator: Identity,
    /// Put the starter bundle in force too: needed where the bundle's schema demands attributes of every identity, or where
    /// the bundle in force no longer loads. Stored entities that do not fit it are set aside and stay in the store; the
    /// next bundle that is put in force has to fit all of them.
    pub starter_bundle: bool,
    /// The token's life in milliseconds; `None` for the configured one.
    pub token_life_millis: Option<u64>,
}

/// What was made.
#[derive(Debug)]
pub struct Provisioned {
    /// The administrator's entity.
    pub administrator: EntityUid,
    /// Its one-time token; `None` with a CA of the operator's own, which issues its certificate.
    pub token: Option<IssuedToken>,
    /// The built-in CA's certificate.
    pub ca_pem: Option<String>,
}

/// Makes the CA, the first administrator, the control set and the first bundle.
///
/// # Errors
/// [`AdminError`]: a store that was initialised before, policies or an identity that do not fit.
pub async fn init(ground: &Ground, founding: Founding) -> Result<Provisioned, AdminError> {
    let Ground { store, clock, entropy, kinds, authority } = ground;
    let Founding { administrator, bundle, token_life_millis } = founding;
    let identity = IdentityMap::new(kinds.clone())?;
    let uid = entity_of(&identity, &administrator)?;
    let control = Snapshot::builtin_control_set();
    let snapshot = Snapshot::new(identity, control, &bundle, 1)?;
    let snapshot = with_administrator(&snapshot, &uid, 1)?;
    if authority.ca.certificate_file.is_none() {
        Authority::create(&**store, &**clock, &**entropy).await?;
    }
    let (now, by) = (clock.now(), system("init")?);
    let mut changes = administrator_rows(&**store, &snapshot, &uid)?;
    changes.push(row::put_control(None, &ControlRow::new(control, now, &by))?);
    changes.extend(row::put_bundle(1, &BundleRow::new(&bundle, now, &by))?);
    changes.push(row::put_bundles(None, Bundles { active: 1, newest: 1 })?);
    changes.push(row::put_version(&**store, 1)?);
    let event = event(ground, "Initialise", (by, &administrator), 1)?;
    store.commit(Work { changes, events: vec![event.clone()] }).await?;
    hand_over(ground, uid, administrator, token_life_millis, event).await
}

/// Puts the built-in control set in force and makes a new administrator. Whatever was issued to that identity before is
/// revoked; with a CA of the operator's own it needs a certificate that is newer than this.
///
/// # Errors
/// [`AdminError`]; nothing is changed where the administrator's entity exists or does not fit the bundle in force.
pub async fn recover(ground: &Ground, recovery: Recovery) -> Result<Provisioned, AdminError> {
    let Ground { store, clock, kinds, .. } = ground;
    let Recovery { administrator, starter_bundle, token_life_millis } = recovery;
    let uid = entity_of(&IdentityMap::new(kinds.clone())?, &administrator)?;
    let version = row::version(&**store)?.saturating_add(1);
    let (now, by) = (clock.now(), system("recover")?);
    let mut changes = Vec::new();
    let mut aside = 0;
    let snapshot = if starter_bundle {
        let (snapshot, misfits) = load::snapshot_with_starter(&**store, kinds.clone(), version)?;
        aside = misfits.len();
        changes.extend(starter_rows(&**store, now, &by)?);
        changes.push(row::put_set_aside(&**store, aside as u64)?);
        snapshot
    } else {
        load::snapshot_with_builtin_control(&**store, kinds.clone(), version)?
    };
    // One that is set aside exists too, and would be written over.
    if snapshot.entity(&uid).is_some() || row::holds_entity(&**store, &uid)? {
        return Err(AdminError::AdministratorExists { entity: uid });
    }
    let snapshot = with_administrator(&snapshot, &uid, version)?;
    changes.extend(administrator_rows(&**store, &snapshot, &uid)?);
    let revision = store.read(Table::ControlSet, CONTROL)?.map(|row| row.sequence);
    changes.push(row::put_control(revision, &ControlRow::new(Snapshot::builtin_control_set(), now, &by))?);
    changes.push(row::put_version(&**store, version)?);
    // The name may have had an entity once. What was issued to it then must not become the administrator's.
    let authority = authority(ground)?;
    let mut plan = authority.plan(Target::Identity { identity: administrator.clone(), keep: Vec::new() }).await?;
    changes.extend(plan.take_changes());
    let mut event = event(ground, "Recover", (by, &administrator), version)?;
    if aside > 0 {
        let reason = "stored entities that do not fit the starter bundle are set aside, not deleted";
        event = event.with(EventDetail::Count, aside.to_string()).with(EventDetail::Reason, reason);
    }
    store.commit(Work { changes, events: vec![event.clone()] }).await?;
    drop(plan);
    hand_over(ground, uid, administrator, token_life_millis, event).await
}

/// The rows that put the starter bundle in force, as one more version.
fn starter_rows(store: &dyn Store, now: Timestamp, by: &EntityUid) -> Result<Vec<Change>, AdminError> {
    let (bundles, expected) = row::bundles(store)?;
    let newest = bundles.newest.saturating_add(1);
    let mut rows: Vec<Change> = row::put_bundle(newest, &BundleRow::new(&BundleSource::starter(), now, by))?.into();
    rows.push(row::put_bundles(expected, Bundles { active: newest, newest })?);
    let leaving = row::bundle(store, bundles.active)?;
    rows.extend(bound::remember(store, bundles.active, bound::kinds_of(&leaving.manifest))?);
    Ok(rows)
}

fn entity_of(identity: &IdentityMap, administrator: &Identity) -> Result<EntityUid, AdminError> {
    identity.entity_of(administrator).ok_or_else(|| AdminError::KindNotMapped { kind: administrator.kind().to_owned() })
}

fn with_administrator(snapshot: &Snapshot, uid: &EntityUid, version: u64) -> Result<Snapshot, AdminError> {
    let record =
        EntityRecord { uid: uid.clone(), attributes: Attributes::new(), parents: Vec::new(), tags: Attributes::new() };
    let mut with = snapshot.with_entities(&[EntityChange::Put(record)], version)?;
    for role in Role::ALL {
        with = with.with_role(*role, uid, true, version)?;
    }
    Ok(with)
}

fn administrator_rows(store: &dyn Store, snapshot: &Snapshot, uid: &EntityUid) -> Result<Vec<Change>, AdminError> {
    let record = snapshot.entity(uid).ok_or(AdminError::EntityNotFound)?;
    Ok(vec![row::put_entity(store, &record)?, row::put_roles(store, uid, &snapshot.roles_of(uid))?])
}

fn system(part: &str) -> Result<EntityUid, AdminError> {
    EntityUid::new("Wardkeep::System", part).map_err(|_| AdminError::PermitMismatch)
}

fn event(
    ground: &Ground,
    action: &str,
    (by, administrator): (EntityUid, &Identity),
    policy_version: u64,
) -> Result<AuditEvent, AdminError> {
    let mut bits = [0; 16];
    ground.entropy.fill(&mut bits).map_err(crate::ca::AuthorityError::from)?;
    let time: Timestamp = ground.clock.now();
    Ok(AuditEvent {
        time,
        actor: by.clone(),
        subject: by.clone(),
        action: action.to_owned(),
        resource: by,
        record: None,
        decision: Decision::Allow,
        policies: Vec::new(),
        errors: Vec::new(),
        policy_version,
        outcome: "ok",
        request: RequestId::from_random(u128::from_be_bytes(bits)),
        serial: None,
        detail: vec![(EventDetail::About, administrator.to_string())],
    })
}

fn authority(ground: &Ground) -> Result<Authority, AdminError> {
    let Ground { store, clock, entropy, authority: told, .. } = ground;
    let revoked = Arc::new(Revoked::new());
    Ok(Authority::open(store.clone(), clock.clone(), entropy.clone(), told.clone(), revoked)?)
}

/// The token is made last, once record and rows are durable.
async fn hand_over(
    ground: &Ground,
    administrator: EntityUid,
    identity: Identity,
    life_millis: Option<u64>,
    mut event: AuditEvent,
) -> Result<Provisioned, AdminError> {
    let authority = authority(ground)?;
    let ca_pem = authority.certificate_pem();
    if ca_pem.is_none() {
        return Ok(Provisioned { administrator, token: None, ca_pem });
    }
    "IssueToken".clone_into(&mut event.action);
    event.time = ground.clock.now();
    let token = authority.founding_token(event, NewToken { identity, life_millis }).await?;
    Ok(Provisioned { administrator, token: Some(token), ca_pem })
}
