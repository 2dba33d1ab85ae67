//! Rings: create, describe, list, delete.

use std::collections::BTreeMap;
use std::sync::Arc;

use wardkeep_model::action::{CreateRing, DeleteRing, DescribeRing};
use wardkeep_model::{AuditEvent, EventDetail, Permit, RingName, Timestamp};
use wardkeep_store::{Change, CommitError, Table, Work};

use crate::error::KmsError;
use crate::keyring::{Ring, RingBody};
use crate::row;
use crate::service::guard::{check_labels, fits, fits_ring};
use crate::service::record::{ATTEMPTS, check_revision, remember, replayed};
use crate::service::{Idempotency, Inner, Kms, MAX_PAGE, Page, Precondition};

/// A ring that is to be made.
#[derive(Debug, Clone)]
pub struct NewRing {
    /// Its name.
    pub name: RingName,
    /// Its labels, within the bounds of [`KmsError::LabelBounds`].
    pub labels: BTreeMap<String, String>,
}

/// A ring as it is described.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RingInfo {
    /// Its name.
    pub name: RingName,
    /// Its labels.
    pub labels: Arc<BTreeMap<String, String>>,
    /// When it was made.
    pub created: Timestamp,
    /// Grows with every change, and goes on growing when a deleted ring is made again.
    pub revision: u64,
}

/// Which rings to list.
#[derive(Debug, Clone)]
pub struct ListRings {
    /// The page starts behind this name, the `next` of the page before.
    pub after: Option<String>,
    /// Most rings of the page, 1 to 1000.
    pub limit: usize,
}

impl RingInfo {
    /// The description of a ring at its revision.
    pub(super) fn new(name: RingName, ring: &Ring) -> Self {
        let Ring { revision, body, gate: _ } = ring;
        Self { name, labels: Arc::clone(&body.labels), created: body.created, revision: *revision }
    }
}

impl Kms {
    /// Makes a ring.
    ///
    /// # Errors
    /// [`KmsError::RingExists`], [`KmsError::LabelBounds`], or what the store says.
    pub async fn create_ring(
        &self,
        permit: Permit<CreateRing>,
        new: NewRing,
        idempotency: Option<Idempotency>,
    ) -> Result<RingInfo, KmsError> {
        let checked = fits_ring(&permit, &new.name).and_then(|()| check_labels(&new.labels));
        let event = permit.into_event();
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let event = event.clone();
            async move { inner.create_ring(event, new, idempotency).await }
        };
        self.inner.carry_out(event, work).await
    }

    /// Describes a ring.
    ///
    /// # Errors
    /// [`KmsError::RingNotFound`], or what the store says.
    pub async fn describe_ring(&self, permit: Permit<DescribeRing>, name: &RingName) -> Result<RingInfo, KmsError> {
        let found = fits_ring(&permit, name)
            .and_then(|()| self.inner.keyring.ring(name).ok_or(KmsError::RingNotFound))
            .map(|ring| RingInfo::new(name.clone(), &ring));
        self.inner.record(permit.into_event(), found).await
    }

    /// Lists the rings that `may_see` gives a permit for. One record for the whole list, `event`.
    ///
    /// # Errors
    /// [`KmsError::PageBounds`], or what the store says.
    pub async fn list_rings(
        &self,
        list: &ListRings,
        may_see: &mut (dyn FnMut(&RingInfo) -> Option<Permit<DescribeRing>> + Send),
        event: AuditEvent,
    ) -> Result<Page<RingInfo>, KmsError> {
        let page = self.ring_page(list, may_see).await;
        let shown = page.as_ref().map_or(0, |page| page.items.len());
        self.inner.record(event.with(EventDetail::Count, shown.to_string()), page).await
    }

    /// Deletes a ring in which no key is left that is not destroyed.
    ///
    /// # Errors
    /// [`KmsError::RingNotFound`], [`KmsError::RingNotEmpty`], [`KmsError::PreconditionFailed`], or what the
    /// store says.
    pub async fn delete_ring(
        &self,
        permit: Permit<DeleteRing>,
        name: &RingName,
        precondition: Precondition,
    ) -> Result<(), KmsError> {
        let checked = fits_ring(&permit, name);
        let event = permit.into_event();
        if let Err(error) = checked {
            return self.inner.record(event, Err(error)).await;
        }
        let inner = Arc::clone(&self.inner);
        let work = {
            let (event, name) = (event.clone(), name.clone());
            async move { inner.delete_ring(event, name, precondition).await }
        };
        self.inner.carry_out(event, work).await
    }

    /// One page, before it is recorded.
    async fn ring_page(
        &self,
        list: &ListRings,
        may_see: &mut (dyn FnMut(&RingInfo) -> Option<Permit<DescribeRing>> + Send),
    ) -> Result<Page<RingInfo>, KmsError> {
        let bounds = KmsError::PageBounds { max: MAX_PAGE };
        if !(1..=MAX_PAGE).contains(&list.limit) {
            return Err(bounds);
        }
        let mut after = list.after.as_deref().map(RingName::new).transpose().map_err(|_| bounds)?;
        let mut items = Vec::new();
        loop {
            let chunk = self.inner.keyring.rings_after(after.as_ref(), 64);
            let Some((last, _)) = chunk.last() else { return Ok(Page { items, next: None }) };
            after = Some(last.clone());
            for (name, ring) in chunk {
                let info = RingInfo::new(name, &ring);
                let Some(permit) = may_see(&info) else { continue };
                fits(permit.resource(), "Wardkeep::Ring", info.name.as_str())?;
                if items.len() == list.limit {
                    let next = items.last().map(|shown: &RingInfo| shown.name.to_string());
                    return Ok(Page { items, next });
                }
                items.push(info);
            }
            tokio::task::yield_now().await;
        }
    }
}

impl Inner {
    /// The work of the verb, run again where another change came first.
    async fn create_ring(
        &self,
        event: AuditEvent,
        new: NewRing,
        idempotency: Option<Idempotency>,
    ) -> Result<RingInfo, KmsError> {
        let NewRing { name, labels } = new;
        let labels = Arc::new(labels);
        let _turn = self.making.begin(idempotency).await;
        for _ in 0..ATTEMPTS {
            let now = self.clock.now();
            let former = self.keyring.ring_or_deleted(&name);
            if let Some(former) = former.as_ref().filter(|former| former.body.deleted.is_none()) {
                // A ring's labels never change, so the ring of the same request is the answer of then.
                return match replayed(&former.body.replays, idempotency, now)? {
                    Some(_) => {
                        let event = event.with(EventDetail::Reason, "replay");
                        self.record(event, Ok(RingInfo::new(name, former))).await
                    }
                    None => Err(KmsError::RingExists),
                };
            }
            self.check_new_request(idempotency, now)?;
            let expected = former.map(|former| former.revision);
            let sequence = expected.unwrap_or(0) + 1;
            let mut body = RingBody { labels: Arc::clone(&labels), created: now, deleted: None, replays: vec![] };
            remember(&mut body.replays, idempotency, now, sequence);
            match self.put_ring(&event, &name, expected, &body).await {
                Ok(()) => {
                    let ring = self.keyring.install_ring(name.clone(), sequence, body);
                    return Ok(RingInfo::new(name, &ring));
                }
                Err(CommitError::Conflict { .. }) => self.keyring.refresh_ring(self.store.as_ref(), &name)?,
                Err(other) => return Err(other.into()),
            }
        }
        Err(KmsError::Contended)
    }

    /// The work of the verb, alone in the ring.
    async fn delete_ring(&self, event: AuditEvent, name: RingName, precondition: Precondition) -> Result<(), KmsError> {
        for _ in 0..ATTEMPTS {
            let ring = self.keyring.ring(&name).ok_or(KmsError::RingNotFound)?;
            check_revision(precondition, ring.revision)?;
            let _alone = ring.gate.write().await;
            let keys = self.keyring.live_keys_in(&name);
            if keys > 0 {
                return Err(KmsError::RingNotEmpty { keys });
            }
            let mut body = ring.body.clone();
            body.deleted = Some(self.clock.now());
            match self.put_ring(&event, &name, Some(ring.revision), &body).await {
                Ok(()) => {
                    self.keyring.install_ring(name, ring.revision + 1, body);
                    return Ok(());
                }
                Err(CommitError::Conflict { .. }) => self.keyring.refresh_ring(self.store.as_ref(), &name)?,
                Err(other) => return Err(other.into()),
            }
        }
        Err(KmsError::Contended)
    }

    /// A deleted ring keeps its row, marked: its revisions go on if it is made again, so that an `If-Match`
    /// of the former ring never fits the new one.
    async fn put_ring(
        &self,
        event: &AuditEvent,
        name: &RingName,
        expected: Option<u64>,
        body: &RingBody,
    ) -> Result<(), CommitError> {
        let value = row::write_ring(body).ok_or(CommitError::Failed)?;
        let put = Change::Put { table: Table::Ring, id: name.to_string(), expected, value };
        let events = vec![event.clone().with_outcome("ok")];
        self.store.commit(Work { changes: vec![put], events }).await.map(|_| ())
    }
}
