//! Creating a key.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_model::action::CreateKey;
use wardkeep_model::{AuditEvent, EventDetail, KeyId, KeySpec, KeyState, KeyUsage, KeyVersion, Permit, Timestamp};
use wardkeep_store::{Change, CommitError, Table, Work};

use crate::error::KmsError;
use crate::keyring::{Key, KeyBody, VersionBody, version_row};
use crate::material::abe::AuthorityPlan;
use crate::material::{self, Made};
use crate::row;
use crate::service::guard::{check_labels, check_rotation, fits_key};
use crate::service::record::{note, note_version, remember, replayed};
use crate::service::{Idempotency, Inner, KeyInfo, Kms};

/// A key that is to be made.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Its name, in a ring that exists.
    pub id: KeyId,
    /// What it is made of.
    pub spec: KeySpec,
    /// The one thing it is for; `spec` must allow it.
    pub usage: KeyUsage,
    /// Its labels, within the bounds of [`KmsError::LabelBounds`].
    pub labels: BTreeMap<String, String>,
    /// Rotate it every so many days; 1 to 3650.
    pub rotation_days: Option<u32>,
    /// Whether its first version starts active, or in pre-activation.
    pub activate: bool,
    /// What an authority is made with, as the bundle in force declares it; nothing for other specs.
    pub plan: Option<AuthorityPlan>,
}

impl Kms {
    /// Makes a key and its first version.
    ///
    /// Material, state and event become durable in one commit. An RSA key takes up to seconds.
    ///
    /// # Errors
    /// [`KmsError::RingNotFound`]; [`KmsError::KeyExists`], also for a destroyed key's name, and for a request
    /// sent again after its 24 hours; [`KmsError::SpecUsage`] and the bounds; [`KmsError::PlanMissing`]; [`KmsError::Busy`]; or what the
    /// store says.
    pub async fn create_key(
        &self,
        permit: Permit<CreateKey>,
        new: NewKey,
        idempotency: Option<Idempotency>,
    ) -> Result<KeyInfo, KmsError> {
        let checked = fits_key(&permit, &new.id);
        let event = permit.into_event();
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let event = event.clone();
            async move { inner.create_key(event, new, idempotency).await.map(|key| KeyInfo::new(&key)) }
        };
        self.inner.carry_out(event, work).await
    }
}

impl Inner {
    /// The work of the verb: material, state and event in one commit.
    async fn create_key(
        &self,
        event: AuditEvent,
        new: NewKey,
        idempotency: Option<Idempotency>,
    ) -> Result<Arc<Key>, KmsError> {
        let _turn = self.making.begin(idempotency).await;
        if let Some(existing) = self.keyring.key(&new.id) {
            return self.answer_existing(event, &existing, idempotency).await;
        }
        self.check_new_request(idempotency, self.clock.now())?;
        check_new(&new)?;
        // Before the dear part, and again below, when nobody can delete the ring any more.
        let ring = self.keyring.ring(new.id.ring()).ok_or(KmsError::RingNotFound)?;
        let made = self.make(&new).await?;
        let _not_deleted = ring.gate.read().await;
        self.keyring.ring(new.id.ring()).ok_or(KmsError::RingNotFound)?;

        let now = self.clock.now();
        let mut body = first_body(&new, &made, now);
        remember(&mut body.replays, idempotency, now, 1);
        let value = row::write_key(&body).ok_or(KmsError::RowUnreadable)?;
        let material = material_row(&new.id, KeyVersion::FIRST, &made);
        let state = Change::Put { table: Table::Key, id: new.id.to_string(), expected: None, value };
        let mut recorded = event.clone().with_outcome("ok");
        note_version(&mut recorded, KeyVersion::FIRST);
        note(&mut recorded, EventDetail::State, || initial(&new).to_string());
        match self.store.commit(Work { changes: vec![material, state], events: vec![recorded] }).await {
            Ok(_) => Ok(self.keyring.install_key(new.id, 1, body)),
            Err(CommitError::Conflict { .. }) => match self.keyring.refresh_key(self.store.as_ref(), &new.id)? {
                Some(existing) => self.answer_existing(event, &existing, idempotency).await,
                None => Err(KmsError::KeyExists),
            },
            Err(other) => Err(other.into()),
        }
    }

    /// Answers a request for a key that exists: as then, if it is the request that made it.
    async fn answer_existing(
        &self,
        event: AuditEvent,
        existing: &Key,
        idempotency: Option<Idempotency>,
    ) -> Result<Arc<Key>, KmsError> {
        match replayed(&existing.body.replays, idempotency, self.clock.now())? {
            Some(sequence) => self.replay(event, &existing.facts.id, sequence).await,
            None => Err(KmsError::KeyExists),
        }
    }

    /// Makes a new key's material.
    async fn make(&self, new: &NewKey) -> Result<Made, KmsError> {
        if new.spec != KeySpec::FabeoBls12381 {
            return self.make_material(new.spec, new.usage).await;
        }
        let (plan, entropy) = (new.plan.clone().ok_or(KmsError::PlanMissing)?, Arc::clone(&self.entropy));
        self.maker.run(move || material::make_authority(plan, entropy.as_ref())).await
    }

    /// Makes key material that needs no plan, on the maker's thread where it is dear.
    pub(super) async fn make_material(&self, spec: KeySpec, usage: KeyUsage) -> Result<Made, KmsError> {
        let entropy = Arc::clone(&self.entropy);
        if !material::is_dear(spec) {
            return material::make(spec, usage, entropy.as_ref());
        }
        self.maker.run(move || material::make(spec, usage, entropy.as_ref())).await
    }
}

/// The row that brings new material into the store, beside the state that names it.
pub(super) fn material_row(key: &KeyId, version: KeyVersion, made: &Made) -> Change {
    let id = version_row(key, version);
    Change::Put { table: Table::Material, id, expected: None, value: made.secret.clone() }
}

/// What can be refused before anything dear is done.
fn check_new(new: &NewKey) -> Result<(), KmsError> {
    if !new.spec.allows(new.usage) {
        return Err(KmsError::SpecUsage { spec: new.spec, usage: new.usage });
    }
    if new.spec == KeySpec::FabeoBls12381 && new.plan.is_none() {
        return Err(KmsError::PlanMissing);
    }
    check_labels(&new.labels)?;
    check_rotation(new.rotation_days)
}

/// The state the first version starts in.
const fn initial(new: &NewKey) -> KeyState {
    if new.activate { KeyState::Active } else { KeyState::PreActivation }
}

/// The row of a key with its first version.
fn first_body(new: &NewKey, made: &Made, now: Timestamp) -> KeyBody {
    let version = VersionBody {
        number: KeyVersion::FIRST,
        state: initial(new),
        created: now,
        activated: new.activate.then_some(now),
        deactivated: None,
        compromised: None,
        destroyed: None,
        public: made.public.as_deref().map(Into::into),
    };
    KeyBody {
        spec: new.spec,
        usage: new.usage,
        labels: Arc::new(new.labels.clone()),
        created: now,
        rotation_days: new.rotation_days,
        deletion: None,
        escrowed: None,
        versions: vec![version],
        replays: vec![],
    }
}
