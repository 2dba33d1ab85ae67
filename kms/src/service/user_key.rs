//! Issuing user keys.
//!
//! What a key says comes from the entity of the subject, projected in the very decision that permits the issue; the permit
//! is bound to it, and to whom it is sealed for. Nobody's wishes reach a key: a caller chooses the authority, how short it
//! lives, and for a key of its own the public key it is sealed for.
//!
//! A key for somebody else leaves only sealed for the public key registered for them. That is held here and not by whoever
//! asks: the registered key is read once more, and compared.

use std::sync::{Arc, Weak};

use wardkeep_abe::{Attributes, Bucket, Serial};
use wardkeep_model::action::IssueUserKey as MayIssue;
use wardkeep_model::{AuditEvent, EntityUid, EventDetail, Fingerprint, KeyId, KeyVersion, Permit, Timestamp};
use wardkeep_store::{Change, Table, Work};
use zeroize::Zeroizing;

use crate::error::KmsError;
use crate::issued::row::{serial_row, write_issued};
use crate::issued::{Entry, IssueTurn, Issued, Ledger, MAX_LIVE, Place};
use crate::keyring::Key;
use crate::lifecycle::Verb;
use crate::material::Material;
use crate::material::abe::AuthorityPlan;
use crate::recipient::RecipientKey;
use crate::sealed::{seal_for, user_key_context};
use crate::secret::SecretBytes;
use crate::service::guard::{fits_key, newest_for};
use crate::service::record::{note, note_version};
use crate::service::{Inner, Kms};

/// Asks for a user key.
#[derive(Debug)]
pub struct IssueUserKey {
    /// The authority.
    pub key: KeyId,
    /// The version the caller expects to be the newest.
    pub version: Option<KeyVersion>,
    /// What the bundle that decided declares.
    pub plan: AuthorityPlan,
    /// The subject's attributes, as they were decided on.
    pub attributes: Attributes,
    /// How long it is to be valid, in seconds; rounded up to a time bucket. `None`: as long as it may be.
    pub valid_for: Option<u64>,
    /// Seal it for this key. For somebody else it must be the one registered for them.
    pub recipient: Option<RecipientKey>,
}

/// A user key that was issued: in the clear, or sealed.
#[derive(Debug)]
pub struct IssuedUserKey {
    /// The authority.
    pub key: KeyId,
    /// Its version.
    pub version: KeyVersion,
    /// SHA-256 of that version's public parameters.
    pub parameters: [u8; 32],
    /// The serial, for revocation.
    pub serial: u32,
    /// The attributes it carries, as canonical text.
    pub attributes: String,
    /// When it ends: it opens nothing that is sealed later.
    pub valid_until: Timestamp,
    /// The key itself, where it is not sealed.
    pub plain: Option<SecretBytes>,
    /// The key in an envelope, where it is.
    pub sealed: Option<Sealed>,
}

/// A secret sealed for one reader.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The envelope.
    pub envelope: Vec<u8>,
    /// The context it opens with.
    pub context: String,
    /// Whose key opens it.
    pub recipient: Fingerprint,
}

/// What an issue is about to make, once everything cheap was checked.
struct Ready {
    key: Arc<Key>,
    version: KeyVersion,
    material: Arc<Material>,
    ledger: Arc<Ledger>,
    bucket: Bucket,
    until: u64,
    /// No serial is given from here on.
    end: u64,
    /// Among the user keys of the subject; held until the new one is in the books.
    _place: Place,
}

/// What the worker made.
struct Made {
    serial: u32,
    parameters: [u8; 32],
    plain: Option<SecretBytes>,
    sealed: Option<Sealed>,
}

/// Whether whoever asked still waits: nobody else gets what is made for them.
struct Waits(Weak<()>);

/// Who it is for, as the permit says.
struct People {
    actor: EntityUid,
    subject: EntityUid,
}

impl Kms {
    /// Enters for an issue: before it is decided on. Until the turn is given up, revocations at the authority wait, so that
    /// none of them misses what was decided before it and is issued after it.
    pub async fn begin_issue(&self, key: &KeyId) -> IssueTurn {
        let known = self.inner.keyring.key(key).is_some();
        self.inner.issued.gates().enter(key, known).await
    }

    /// Issues a user key under the newest version of an authority. Serial, attributes and event are durable before the key
    /// leaves; the key itself is kept nowhere.
    ///
    /// # Errors
    /// [`KmsError::PermitMismatch`]; [`KmsError::NotActive`] and the other errors of state; [`KmsError::NotNewest`];
    /// [`KmsError::SchemaDiffers`]; [`KmsError::UserKeyLife`]; [`KmsError::SerialsExhausted`]; [`KmsError::UserKeyCount`];
    /// [`KmsError::Issue`]; [`KmsError::RecipientNotRegistered`]; [`KmsError::Busy`]; [`KmsError::CallerGone`]; or what the store says.
    pub async fn issue_user_key(
        &self,
        turn: IssueTurn,
        permit: Permit<MayIssue>,
        request: IssueUserKey,
    ) -> Result<IssuedUserKey, KmsError> {
        let recipient = request.recipient.as_ref().map(RecipientKey::fingerprint);
        let checked = fits_key(&permit, &request.key).and_then(|()| {
            let asked = request.plan.binding(&request.attributes, recipient.as_ref());
            if permit.binding() == Some(&asked) { Ok(()) } else { Err(KmsError::PermitMismatch) }
        });
        let people = People { actor: permit.actor().clone(), subject: permit.subject().clone() };
        let mut event = permit.into_event();
        note(&mut event, EventDetail::Attributes, || request.attributes.to_string());
        if let Some(recipient) = &recipient {
            note(&mut event, EventDetail::Recipient, || recipient.to_string());
        }
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let here = Arc::new(());
        let waits = Waits(Arc::downgrade(&here));
        let work = {
            let event = event.clone();
            async move {
                let issued = inner.issue(event, request, people, (&turn, waits)).await;
                drop(turn);
                issued
            }
        };
        let issued = self.inner.carry_out(event, work).await;
        drop(here);
        issued
    }
}

impl Waits {
    fn check(&self) -> Result<(), KmsError> {
        if self.0.strong_count() > 0 { Ok(()) } else { Err(KmsError::CallerGone) }
    }
}

impl Inner {
    /// The work of the verb; it records itself where it succeeds.
    async fn issue(
        self: &Arc<Self>,
        mut event: AuditEvent,
        request: IssueUserKey,
        people: People,
        (turn, waits): (&IssueTurn, Waits),
    ) -> Result<IssuedUserKey, KmsError> {
        self.key(&request.key)?;
        if !self.issued.gates().fits(turn, &request.key) {
            return Err(KmsError::Contended);
        }
        let reader = request.recipient.as_ref().map(RecipientKey::fingerprint);
        self.sealed_for_the_subject(&people, reader.as_ref())?;
        let ready = self.ready_to_issue(&request, &people.subject).await?;
        let IssueUserKey { attributes, recipient, .. } = request;
        let text = attributes.to_string();
        let waits = Arc::new(waits);
        let made = self.made(&ready, attributes, recipient, Arc::clone(&waits)).await?;
        let Made { serial, parameters, plain, sealed } = made;
        let Ready { key, version, ledger, bucket, until, .. } = &ready;
        let (id, version) = (&key.facts.id, *version);
        // What waited for a worker must not give out what a change in the meantime forbids.
        self.still_usable(id, Verb::Issue, version, false)?;
        self.sealed_for_the_subject(&people, reader.as_ref())?;
        waits.check()?;

        let People { actor, subject } = people;
        let (at, bucket, until) = (self.clock.now(), bucket.number(), *until);
        let issued = Issued { subject, actor, attributes: text.clone(), bucket, until, at, revoked: None };
        let value = write_issued(&issued).ok_or(KmsError::RowUnreadable)?;
        let put = Change::Put { table: Table::UserKey, id: serial_row(id, version, serial), expected: None, value };
        let valid_until = Timestamp::from_millis(until.saturating_mul(1000));
        note_version(&mut event, version);
        note(&mut event, EventDetail::UserKey, || serial.to_string());
        note(&mut event, EventDetail::ValidUntil, || valid_until.to_string());
        self.store.commit(Work { changes: vec![put], events: vec![event.with_outcome("ok")] }).await?;
        ledger.install(serial, Entry::of(&issued, 1));
        let key = id.clone();
        Ok(IssuedUserKey { key, version, parameters, serial, attributes: text, valid_until, plain, sealed })
    }

    /// The dear part, on a worker. The serial is taken there, once it is sure that a key comes of it: what finds no place
    /// in the queue, and what makes no key, costs none.
    async fn made(
        self: &Arc<Self>,
        ready: &Ready,
        attributes: Attributes,
        recipient: Option<RecipientKey>,
        waits: Arc<Waits>,
    ) -> Result<Made, KmsError> {
        let queued = Arc::clone(&self.issues).try_acquire_owned().map_err(|_| KmsError::Busy)?;
        let (key, version, bucket, end) = (Arc::clone(&ready.key), ready.version, ready.bucket, ready.end);
        let (material, ledger, entropy) =
            (Arc::clone(&ready.material), Arc::clone(&ready.ledger), Arc::clone(&self.entropy));
        let job = move || {
            drop(queued);
            waits.check()?;
            let authority = material.authority()?;
            authority.check(&attributes, bucket)?;
            let serial = ledger.take(end).ok_or(KmsError::SerialsExhausted { version })?;
            let made = authority.issue(&attributes, bucket, Serial::new(serial), entropy.as_ref())?;
            let context = user_key_context(&key.facts.id, version, serial);
            let (plain, sealed) = give_out(made, recipient, context, entropy.as_ref())?;
            Ok(Made { serial, parameters: authority.fingerprint(), plain, sealed })
        };
        self.rsa.run(job).await
    }

    /// Everything that can be refused before the dear part.
    async fn ready_to_issue(self: &Arc<Self>, request: &IssueUserKey, subject: &EntityUid) -> Result<Ready, KmsError> {
        let key = self.key(&request.key)?;
        let version = newest_for(&key, Verb::Issue)?.number;
        if let Some(asked) = request.version.filter(|asked| *asked != version) {
            return Err(KmsError::NotNewest { version: asked, newest: version });
        }
        let max = self.user_key_seconds;
        let life = request.valid_for.unwrap_or(max);
        if !(1..=max).contains(&life) {
            return Err(KmsError::UserKeyLife { max });
        }
        let material = self.material(&key, version).await?;
        material.authority()?.fits(&request.plan, version)?;
        let terms = request.plan.terms;
        let now = self.clock.now().seconds();
        let bucket = terms.bucket_at(now.saturating_add(life)).ok_or(KmsError::UserKeyLife { max })?;
        let ledger = self.issued.ledger(&request.key, version);
        let place = ledger.place(subject, now).ok_or(KmsError::UserKeyCount { version, max: MAX_LIVE })?;
        let (until, end) = (terms.end_of(bucket), 1 << terms.serial_bits());
        Ok(Ready { key, version, material, ledger, bucket, until, end, _place: place })
    }

    /// That a key for somebody else goes to the public key registered for them, and is not given out in the clear.
    fn sealed_for_the_subject(&self, people: &People, given: Option<&Fingerprint>) -> Result<(), KmsError> {
        if people.actor == people.subject {
            return Ok(());
        }
        let registered = self.registered(&people.subject)?.ok_or(KmsError::RecipientNotRegistered)?;
        // Registered or changed since the decision, which was about another key or none.
        if given == Some(&registered.key.fingerprint()) { Ok(()) } else { Err(KmsError::Contended) }
    }
}

/// The key in the form that was asked for.
fn give_out(
    made: Zeroizing<Vec<u8>>,
    recipient: Option<RecipientKey>,
    context: String,
    entropy: &dyn wardkeep_model::Entropy,
) -> Result<(Option<SecretBytes>, Option<Sealed>), KmsError> {
    let Some(reader) = recipient else { return Ok((Some(SecretBytes::new(made)), None)) };
    let envelope = seal_for(&reader, &context, &made, entropy)?;
    Ok((None, Some(Sealed { envelope, context, recipient: reader.fingerprint() })))
}
