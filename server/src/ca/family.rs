//! Families: an enrolled certificate and all that were renewed from it, directly or through others.
//!
//! A renewal is decided by nobody, so that something else must bound it: otherwise one stolen or looping client fills
//! the books, and keeps as many certificates alive as it likes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use wardkeep_model::{CertificateSerial, Timestamp};

use super::{CertificateRecord, IssueError};

/// The part of a certificate's life that has to pass before it is renewed while its family is not small.
const YOUNG: u64 = 3;
/// The part of `ca.family_certificates` up to which a family is small: a client that lost its newest certificate, or
/// is set up twice, renews at once.
const SMALL: usize = 4;

/// Who descends from whom, of what is alive. Filled at the start, kept up at each issue.
#[derive(Debug, Default)]
pub(super) struct Families(Mutex<Known>);

#[derive(Debug, Default)]
struct Known {
    /// Each certificate's enrolled ancestor.
    roots: HashMap<CertificateSerial, CertificateSerial>,
    /// Each family's members that were alive at the last look.
    members: HashMap<CertificateSerial, Vec<(CertificateSerial, Timestamp)>>,
}

impl Families {
    /// Everything that is on record.
    pub(super) fn of(all: &[CertificateRecord], now: Timestamp) -> Self {
        let parents: HashMap<_, _> = all.iter().map(|record| (&record.serial, record.parent.as_ref())).collect();
        let families = Self::default();
        for record in all.iter().filter(|record| record.not_after >= now) {
            let mut root = &record.serial;
            // No chain is longer than the books: rows that named each other in a ring would hold up the start for ever.
            for _ in 0..all.len() {
                let Some(parent) = parents.get(root).copied().flatten() else { break };
                root = parent;
            }
            families.lock().add(root.clone(), &record.serial, record.not_after);
        }
        families
    }

    /// A certificate was issued, and is durable.
    pub(super) fn born(&self, record: &CertificateRecord) {
        let mut known = self.lock();
        let parent = record.parent.as_ref();
        let root = parent.and_then(|parent| known.roots.get(parent).or(Some(parent))).cloned();
        known.add(root.unwrap_or_else(|| record.serial.clone()), &record.serial, record.not_after);
    }

    /// Whether a certificate may be renewed at this moment, as far as its family goes.
    ///
    /// # Errors
    /// [`IssueError::FamilyFull`], [`IssueError::TooYoung`]
    pub(super) fn may_grow(
        &self,
        parent: &CertificateRecord,
        most: u32,
        now: Timestamp,
        revoked: impl Fn(&CertificateSerial) -> bool,
    ) -> Result<(), IssueError> {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let count = self.lock().living(&parent.serial, now, revoked);
        if count >= most {
            return Err(IssueError::FamilyFull { count });
        }
        let life = parent.not_after.millis_since(parent.not_before);
        let after = parent.not_before.plus_millis(life / YOUNG);
        if count >= (most / SMALL).max(1) && now < after {
            return Err(IssueError::TooYoung { after });
        }
        Ok(())
    }

    /// Forgets what has expired; for the scheduler.
    pub(super) fn tidy(&self, now: Timestamp) {
        let Known { roots, members } = &mut *self.lock();
        members.retain(|_, family| {
            keep_living(roots, family, now);
            !family.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn add(&mut self, root: CertificateSerial, serial: &CertificateSerial, until: Timestamp) {
        self.roots.insert(serial.clone(), root.clone());
        self.members.entry(root).or_default().push((serial.clone(), until));
    }

    /// How many of a family are alive.
    fn living(
        &mut self,
        serial: &CertificateSerial,
        now: Timestamp,
        revoked: impl Fn(&CertificateSerial) -> bool,
    ) -> usize {
        let Self { roots, members } = self;
        let Some(family) = roots.get(serial).and_then(|root| members.get_mut(root)) else { return 0 };
        keep_living(roots, family, now);
        family.iter().filter(|(member, _)| !revoked(member)).count()
    }
}

/// What has expired is forgotten. What is revoked is not: it may have descendants that are not, spared by name.
fn keep_living(
    roots: &mut HashMap<CertificateSerial, CertificateSerial>,
    family: &mut Vec<(CertificateSerial, Timestamp)>,
    now: Timestamp,
) {
    family.retain(|(member, until)| {
        let alive = *until >= now;
        if !alive {
            roots.remove(member);
        }
        alive
    });
}
