//! What authorities publish, as far as it was seen: kept for a while, and never taken back.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use wardkeep_abe::{PublicParameters, RevocationError, RevocationList};
use wardkeep_model::{Clock, KeyId};

use super::{AuthorityError, SigningKey, hex};
use crate::cache::Holder;
use crate::cache::aged::Moment;
use crate::call::Answer;
use crate::system::Steady;

/// Longest time that anything is used without asking again, whatever an answer allows.
const LONGEST: Duration = Duration::from_secs(3600);
/// How long public parameters are used while nobody answers.
const OUTAGE: Duration = Duration::from_secs(24 * 3600);
/// Most parameters, and most lists, that are kept.
const MOST: usize = 256;
/// How far ahead of this clock a list may be dated, in seconds.
const SKEW: u64 = 300;

/// Whose answer, about which authority; `None` is whichever version is the newest.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Place {
    pub(crate) holder: Holder,
    pub(crate) key: KeyId,
    pub(crate) version: Option<u32>,
}

/// Something published, and when it was asked for.
#[derive(Clone)]
pub(crate) struct Held<T> {
    pub(crate) value: T,
    pub(crate) tag: Option<String>,
    life: Duration,
    /// When the question left that it was the answer to.
    pub(crate) first: Moment,
    /// When the question left that was last answered with it.
    last: Moment,
}

/// What all views of a client have seen of authorities.
pub(crate) struct Published {
    clock: Arc<dyn Clock>,
    steady: Arc<dyn Steady>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    parameters: HashMap<Place, Held<PublicParameters>>,
    lists: HashMap<Place, Held<Arc<RevocationList>>>,
    authorities: BTreeMap<KeyId, Known>,
}

/// What never goes back. Small, and as many as the application names authorities: nothing of it is dropped.
struct Known {
    signer: SigningKey,
    /// The highest version that was the newest.
    version: u32,
    /// The highest list number of each version.
    lists: BTreeMap<u32, u64>,
}

impl<T> Held<T> {
    /// What an answer brought to a question that left then.
    pub(crate) fn new(value: T, answer: &Answer, asked: Moment) -> Self {
        let kept = answer.kept();
        Self { value, tag: kept.tag.clone(), life: kept.life.min(LONGEST), first: asked, last: asked }
    }

    /// The same, which an answer said is still so.
    pub(crate) fn again(self, answer: &Answer, asked: Moment) -> Self {
        Self { life: answer.kept().life.min(LONGEST), last: asked, ..self }
    }
}

impl Published {
    /// Nothing seen yet.
    pub(crate) fn new(clock: Arc<dyn Clock>, steady: Arc<dyn Steady>) -> Self {
        Self { clock, steady, seen: Mutex::default() }
    }

    /// Now, on both clocks.
    pub(crate) fn moment(&self) -> Moment {
        Moment { wall: self.clock.now(), steady: self.steady.steady() }
    }

    /// Seconds since 1970, counted on from a moment by whichever clock says more: a wall clock that is set back or held
    /// keeps no list fresh and no time bucket open.
    pub(crate) fn seconds_since(&self, first: Moment) -> u64 {
        let now = self.moment();
        let passed = u64::try_from(now.steady.saturating_sub(first.steady).as_millis()).unwrap_or(u64::MAX);
        now.wall.millis().max(first.wall.millis().saturating_add(passed)) / 1000
    }

    pub(crate) fn is_fresh<T>(&self, held: &Held<T>) -> bool {
        self.moment().is_young(held.last, held.life)
    }

    pub(crate) fn outlives_outage<T>(&self, held: &Held<T>) -> bool {
        self.moment().is_young(held.last, OUTAGE)
    }

    /// Whether a list may be sealed with.
    pub(crate) fn is_current(&self, held: &Held<Arc<RevocationList>>) -> Result<(), RevocationError> {
        let (dates, now) = (held.value.dates(), self.seconds_since(held.first));
        if dates.issued_at > now.saturating_add(SKEW) {
            return Err(RevocationError::FromTheFuture { issued_at: dates.issued_at, now });
        }
        if now >= dates.next_update {
            return Err(RevocationError::Stale { next_update: dates.next_update, now });
        }
        Ok(())
    }

    pub(crate) fn parameters(&self, place: &Place) -> Option<Held<PublicParameters>> {
        self.seen().parameters.get(place).cloned()
    }

    pub(crate) fn list(&self, place: &Place) -> Option<Held<Arc<RevocationList>>> {
        self.seen().lists.get(place).cloned()
    }

    /// Drops what somebody may no longer see.
    pub(crate) fn forget(&self, place: &Place) {
        let mut seen = self.seen();
        seen.parameters.remove(place);
        seen.lists.remove(place);
    }

    /// The pinned key.
    pub(crate) fn signer(&self, key: &KeyId) -> Option<SigningKey> {
        self.seen().authorities.get(key).map(|known| known.signer)
    }

    /// Pins a key, or holds it against the pinned one.
    pub(crate) fn check_signer(&self, key: &KeyId, signer: &SigningKey) -> Result<(), AuthorityError> {
        self.seen().known(key, signer).map(drop)
    }

    /// Takes parameters up, and gives those to use: the tables that were made for the same ones before are used again.
    pub(crate) fn keep_parameters(
        &self,
        place: &Place,
        mut held: Held<PublicParameters>,
    ) -> Result<Held<PublicParameters>, AuthorityError> {
        let mut seen = self.seen();
        let known = seen.known(&place.key, held.value.signing_key())?;
        if place.version.is_none() {
            let (found, highest) = (held.value.version(), known.version);
            if found < highest {
                return Err(went_back("version", place, u64::from(highest), u64::from(found)));
            }
            known.version = found;
        }
        let fingerprint = *held.value.fingerprint();
        if let Some(same) = seen.parameters.values().find(|other| *other.value.fingerprint() == fingerprint) {
            held.value = same.value.clone();
        }
        put(&mut seen.parameters, place, &held);
        Ok(held)
    }

    /// Takes a list up, unless it is stale or older than one that was seen.
    pub(crate) fn keep_list(
        &self,
        place: &Place,
        held: Held<Arc<RevocationList>>,
    ) -> Result<Held<Arc<RevocationList>>, AuthorityError> {
        self.is_current(&held)?;
        let mut seen = self.seen();
        if let (Some(version), Some(known)) = (place.version, seen.authorities.get_mut(&place.key)) {
            let highest = known.lists.entry(version).or_default();
            let found = held.value.number();
            if found < *highest {
                return Err(went_back("revocation list", place, *highest, found));
            }
            *highest = found;
        }
        put(&mut seen.lists, place, &held);
        Ok(held)
    }

    /// A lock that outlives a panic of its holder: the maps are valid between any two statements.
    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    fn known(&mut self, key: &KeyId, signer: &SigningKey) -> Result<&mut Known, AuthorityError> {
        let first = || Known { signer: *signer, version: 0, lists: BTreeMap::new() };
        let known = self.authorities.entry(key.clone()).or_insert_with(first);
        if known.signer == *signer {
            return Ok(known);
        }
        let (pinned, found) = (hex(&known.signer), hex(signer));
        Err(AuthorityError::OtherSigner { key: key.to_string(), pinned, found })
    }
}

/// Keeps a thing; where there are too many, in the place of the one that was asked for longest ago.
fn put<T: Clone>(map: &mut HashMap<Place, Held<T>>, place: &Place, held: &Held<T>) {
    if map.len() >= MOST && !map.contains_key(place) {
        let oldest = map.iter().min_by_key(|(_, held)| held.last.steady).map(|(place, _)| place.clone());
        oldest.and_then(|oldest| map.remove(&oldest));
    }
    map.insert(place.clone(), held.clone());
}

fn went_back(what: &'static str, place: &Place, seen: u64, found: u64) -> AuthorityError {
    AuthorityError::WentBack { what, key: place.key.to_string(), seen, found }
}
