//! Changing a key: labels and rotation period, a new version, and the steps between states.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_model::action::{CompromiseKey, DeactivateKey, EnableKey, RotateKey, SuspendKey, UpdateKey};
use wardkeep_model::{Action, EventDetail, KeyId, KeySpec, KeyState, KeyUsage, KeyVersion, Permit, Timestamp};

use crate::error::KmsError;
use crate::keyring::{Key, VersionBody};
use crate::lifecycle::{Answer, Verb, answer};
use crate::material::abe::AuthorityPlan;
use crate::material::{self, Made};
use crate::service::create::material_row;
use crate::service::guard::{check_labels, check_rotation, fits_key, has_verb};
use crate::service::record::{Asked, Edit, replayed};
use crate::service::{Idempotency, Inner, KeyInfo, Kms, Precondition};

/// Most versions of a key. Each stands in the key's row, public half included.
pub const MAX_VERSIONS: usize = 500;

/// What is to change about a key; `None` leaves it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyUpdate {
    /// All of its labels anew.
    pub labels: Option<BTreeMap<String, String>>,
    /// Its rotation period in days; `Some(None)` ends rotation.
    pub rotation_days: Option<Option<u32>>,
}

impl Kms {
    /// Changes labels or rotation period.
    ///
    /// # Errors
    /// The bounds of labels and periods, those of every change ([`KmsError::KeyNotFound`],
    /// [`KmsError::PreconditionFailed`], [`KmsError::IdempotencyMismatch`], [`KmsError::PendingDeletion`],
    /// [`KmsError::KeyDestroyed`]), or what the store says.
    pub async fn update_key(
        &self,
        permit: Permit<UpdateKey>,
        id: &KeyId,
        update: KeyUpdate,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        let edit = move |key: &Key, _now| {
            has_verb(key, Verb::Update)?;
            let mut edit = Edit::of(key);
            if let Some(labels) = &update.labels {
                check_labels(labels)?;
                edit.body.labels = Arc::new(labels.clone());
            }
            if let Some(days) = update.rotation_days {
                check_rotation(days)?;
                edit.body.rotation_days = days;
            }
            Ok(edit)
        };
        self.changed(permit, id, Asked { precondition, idempotency }, edit).await
    }

    /// Makes a new active version and deactivates active former ones.
    ///
    /// # Errors
    /// [`KmsError::StateForbids`] while the newest version is suspended or not yet enabled: enabling is a right of its
    /// own. [`KmsError::AuthorityCompromised`], [`KmsError::TooManyVersions`], [`KmsError::Busy`], those of every change, or what the store says.
    pub async fn rotate_key(
        &self,
        permit: Permit<RotateKey>,
        id: &KeyId,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        self.rotate_under(permit, id, None, precondition, idempotency).await
    }

    /// The same; the new version of an authority is made with `plan`, what the bundle in force declares for it. Without
    /// one it keeps the declarations of the version before.
    ///
    /// # Errors
    /// As [`Kms::rotate_key`].
    pub async fn rotate_under(
        &self,
        permit: Permit<RotateKey>,
        id: &KeyId,
        plan: Option<AuthorityPlan>,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        let checked = fits_key(&permit, id);
        let event = permit.into_event();
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let (event, id, asked) = (event.clone(), id.clone(), Asked { precondition, idempotency });
            async move {
                let key = inner.key(&id)?;
                // A request sent again is answered as it was then, whatever the key's state is by now.
                if let Some(sequence) = replayed(&key.body.replays, asked.idempotency, inner.clock.now())? {
                    return inner.replay(event, &id, sequence).await.map(|key| KeyInfo::new(&key));
                }
                rotatable(&key)?;
                let former = key.newest().ok_or(KmsError::RowUnreadable)?.number;
                let made = inner.make_next(&key, former, plan).await?;
                let edit = |key: &Key, now| {
                    // An authority version carries its number: made after one version it cannot stand after another.
                    if key.body.usage == KeyUsage::Issue && key.newest().map(|newest| newest.number) != Some(former) {
                        return Err(KmsError::Contended);
                    }
                    let (mut edit, version) = rotated(key, now)?;
                    edit.others.push(material_row(&key.facts.id, version.number, &made));
                    edit.details.push((EventDetail::KeyVersion, version.number.to_string()));
                    let public = made.public.as_deref().map(Into::into);
                    edit.body.versions.push(VersionBody { public, ..version });
                    Ok(edit)
                };
                inner.change_key(event, id, asked, edit).await.map(|key| KeyInfo::new(&key))
            }
        };
        self.inner.carry_out(event, work).await
    }

    /// Makes pre-active and suspended versions active: one, or all that can be.
    ///
    /// # Errors
    /// [`KmsError::NoTransition`], [`KmsError::VersionNotFound`], those of every change, or what the store says.
    pub async fn enable_key(
        &self,
        permit: Permit<EnableKey>,
        id: &KeyId,
        version: Option<KeyVersion>,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        self.stepped(permit, id, (Verb::Enable, version), Asked { precondition, idempotency }).await
    }

    /// Puts active versions on hold: one, or all that are.
    ///
    /// # Errors
    /// As [`Kms::enable_key`].
    pub async fn suspend_key(
        &self,
        permit: Permit<SuspendKey>,
        id: &KeyId,
        version: Option<KeyVersion>,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        self.stepped(permit, id, (Verb::Suspend, version), Asked { precondition, idempotency }).await
    }

    /// Ends the use of active and suspended versions for protecting: one, or all that are.
    ///
    /// # Errors
    /// As [`Kms::enable_key`].
    pub async fn deactivate_key(
        &self,
        permit: Permit<DeactivateKey>,
        id: &KeyId,
        version: Option<KeyVersion>,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        self.stepped(permit, id, (Verb::Deactivate, version), Asked { precondition, idempotency }).await
    }

    /// Marks versions as compromised: one, or all. Only destruction leads out of it.
    ///
    /// # Errors
    /// As [`Kms::enable_key`].
    pub async fn compromise_key(
        &self,
        permit: Permit<CompromiseKey>,
        id: &KeyId,
        version: Option<KeyVersion>,
        precondition: Precondition,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        self.stepped(permit, id, (Verb::Compromise, version), Asked { precondition, idempotency }).await
    }

    /// A step between states, as a change.
    async fn stepped<A: Action>(
        &self,
        permit: Permit<A>,
        id: &KeyId,
        (verb, version): (Verb, Option<KeyVersion>),
        asked: Asked,
    ) -> Result<KeyInfo, KmsError> {
        self.changed(permit, id, asked, move |key, now| step(key, verb, version, now)).await
    }

    /// A change that needs nothing made before it.
    pub(super) async fn changed<A: Action>(
        &self,
        permit: Permit<A>,
        id: &KeyId,
        asked: Asked,
        edit: impl Fn(&Key, Timestamp) -> Result<Edit, KmsError> + Send + 'static,
    ) -> Result<KeyInfo, KmsError> {
        let checked = fits_key(&permit, id);
        let event = permit.into_event();
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let (event, id) = (event.clone(), id.clone());
            async move { changed_in(&inner, event, id, asked, edit).await }
        };
        self.inner.carry_out(event, work).await
    }
}

impl Inner {
    /// The material of the version after `former`.
    async fn make_next(
        self: &Arc<Self>,
        key: &Arc<Key>,
        former: KeyVersion,
        plan: Option<AuthorityPlan>,
    ) -> Result<Made, KmsError> {
        if key.body.spec != KeySpec::FabeoBls12381 {
            return self.make_material(key.body.spec, key.body.usage).await;
        }
        let (former, entropy) = (self.material(key, former).await?, Arc::clone(&self.entropy));
        self.maker.run(move || material::make_next_authority(&former, plan, entropy.as_ref())).await
    }
}

/// The change itself; what it destroys leaves the cache as well.
async fn changed_in(
    inner: &Inner,
    event: wardkeep_model::AuditEvent,
    id: KeyId,
    asked: Asked,
    edit: impl Fn(&Key, Timestamp) -> Result<Edit, KmsError>,
) -> Result<KeyInfo, KmsError> {
    let key = inner.change_key(event, id, asked, edit).await?;
    if key.is_destroyed() {
        inner.forget(&key);
    }
    Ok(KeyInfo::new(&key))
}

/// Whether a version may be added.
fn rotatable(key: &Key) -> Result<(), KmsError> {
    has_verb(key, Verb::Rotate)?;
    let newest = key.newest().ok_or(KmsError::RowUnreadable)?;
    if answer(Verb::Rotate, newest.state) == Answer::No {
        return Err(KmsError::StateForbids { version: newest.number, state: newest.state, verb: Verb::Rotate });
    }
    if key.body.versions.len() >= MAX_VERSIONS {
        return Err(KmsError::TooManyVersions { max: MAX_VERSIONS });
    }
    match leaked_authority(key) {
        Some(version) => Err(KmsError::AuthorityCompromised { version }),
        None => Ok(()),
    }
}

/// A compromised version of an authority. All versions share the key that signs parameters and lists, and it lies beside
/// the master key: another version would be signed by whoever has that.
pub(crate) fn leaked_authority(key: &Key) -> Option<KeyVersion> {
    let leaked = |version: &&VersionBody| version.state == KeyState::Compromised && key.body.usage == KeyUsage::Issue;
    key.body.versions.iter().find(leaked).map(|version| version.number)
}

/// The key with its active versions deactivated, and the version to add.
fn rotated(key: &Key, now: Timestamp) -> Result<(Edit, VersionBody), KmsError> {
    rotatable(key)?;
    let mut edit = Edit::of(key);
    let last = key.newest().ok_or(KmsError::RowUnreadable)?.number;
    for version in &mut edit.body.versions {
        if let Answer::To(next) = answer(Verb::Rotate, version.state) {
            enter(version, next, now);
        }
    }
    let number = last.next().ok_or(KmsError::TooManyVersions { max: MAX_VERSIONS })?;
    let version = VersionBody {
        number,
        state: KeyState::Active,
        created: now,
        activated: Some(now),
        deactivated: None,
        compromised: None,
        destroyed: None,
        public: None,
    };
    Ok((edit, version))
}

/// Takes one step of the table with one version, or with all that can take it.
fn step(key: &Key, verb: Verb, version: Option<KeyVersion>, now: Timestamp) -> Result<Edit, KmsError> {
    has_verb(key, verb)?;
    if let Some(version) = version.filter(|version| key.version(*version).is_none()) {
        return Err(KmsError::VersionNotFound { version });
    }
    let mut edit = Edit::of(key);
    let mut stepped = Vec::new();
    for candidate in edit.body.versions.iter_mut().filter(|found| version.is_none_or(|only| only == found.number)) {
        if let Answer::To(next) = answer(verb, candidate.state) {
            enter(candidate, next, now);
            stepped.push((candidate.number, next));
        }
    }
    let Some((_, state)) = stepped.first() else { return Err(KmsError::NoTransition { verb }) };
    let numbers: Vec<String> = stepped.iter().map(|(number, _)| number.to_string()).collect();
    edit.details.push((EventDetail::State, state.to_string()));
    edit.details.push((EventDetail::KeyVersion, numbers.join(",")));
    Ok(edit)
}

/// Writes a state and its date.
pub(super) fn enter(version: &mut VersionBody, state: KeyState, now: Timestamp) {
    version.state = state;
    match state {
        KeyState::Active => version.activated = Some(now),
        KeyState::Deactivated => version.deactivated = Some(now),
        KeyState::Compromised => version.compromised = Some(now),
        KeyState::Destroyed => version.destroyed = Some(now),
        _ => {}
    }
}
