//! Reading everything back: from disk, through the server's decision, opened, and compared.
//!
//! Each of the four reads every record. What none of them opened (other people's bills) is then read by the
//! clinic's portal on behalf of the patient it is about, so that every record is opened by somebody who may.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};

use tokio::task::JoinSet;
use wardkeep_client::{Client, RecordError};

use super::DemoError;
use super::cast::{Cast, Role};
use super::record::{Record, Records};
use crate::command::CommandError;
use crate::progress;

/// What came of reading.
#[derive(Debug)]
pub(crate) struct Read {
    /// By role, in the order of [`Role::ALL`].
    pub(crate) roles: [Tally; 4],
    /// By the portal, for patients.
    pub(crate) portal: Tally,
    /// Which records somebody opened to the very bytes.
    equal: Vec<AtomicBool>,
    /// How often a record opened to other bytes.
    different: AtomicU64,
}

/// Counts of one reader.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Opened.
    pub(crate) allowed: AtomicU64,
    /// Refused by the server.
    pub(crate) denied: AtomicU64,
    /// The first refused record, for an example; its place plus one, 0 for none.
    first_denied: AtomicUsize,
}

impl Tally {
    /// The place of the first record that was refused.
    pub(crate) fn example(&self) -> Option<usize> {
        self.first_denied.load(Ordering::Relaxed).checked_sub(1)
    }
}

impl Read {
    fn new(count: usize) -> Self {
        let equal = std::iter::repeat_with(AtomicBool::default).take(count).collect();
        Self { roles: Default::default(), portal: Tally::default(), equal, different: AtomicU64::new(0) }
    }

    /// How many records were opened to the bytes that were protected.
    pub(crate) fn equal(&self) -> u64 {
        self.equal.iter().filter(|equal| equal.load(Ordering::Relaxed)).count() as u64
    }

    /// How many openings gave other bytes.
    pub(crate) fn different(&self) -> u64 {
        self.different.load(Ordering::Relaxed)
    }

    fn is_opened(&self, place: usize) -> bool {
        self.equal.get(place).is_some_and(|equal| equal.load(Ordering::Relaxed))
    }

    async fn one(
        &self,
        tally: &Tally,
        client: &Client,
        records: &Records,
        (place, record): (usize, &Record),
    ) -> Result<(), CommandError> {
        let envelope = record.load(&records.folder)?;
        match client.read(&envelope).await {
            Ok(opened) => {
                tally.allowed.fetch_add(1, Ordering::Relaxed);
                match self.equal.get(place) {
                    Some(equal) if record.is(opened.plaintext()) => equal.store(true, Ordering::Relaxed),
                    _ => {
                        self.different.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Ok(())
            }
            Err(RecordError::Call(error)) if error.is_denied() => {
                tally.denied.fetch_add(1, Ordering::Relaxed);
                let _ = tally.first_denied.compare_exchange(0, place + 1, Ordering::Relaxed, Ordering::Relaxed);
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// Has each of the four read every record, all at once; then the portal reads what is left.
pub(crate) async fn by_everybody(
    records: &Arc<Records>,
    cast: &Arc<Cast>,
    jobs: usize,
) -> Result<Arc<Read>, CommandError> {
    let read = Arc::new(Read::new(records.all.len()));
    let total = records.all.len() as u64 * Role::ALL.len() as u64;
    let bar = progress::items(Some(total), "reading as four");
    let mut workers = JoinSet::new();
    for (at, role) in Role::ALL.into_iter().enumerate() {
        let next = Arc::new(AtomicUsize::new(0));
        for _ in 0..jobs {
            let (records, read, cast, next, bar) =
                (records.clone(), read.clone(), cast.clone(), next.clone(), bar.clone());
            workers.spawn(async move {
                let (Some(client), Some(tally)) = (cast.of(role), read.roles.get(at)) else {
                    return Err(DemoError::Stopped.into());
                };
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(record) = records.all.get(place) else { return Ok::<_, CommandError>(()) };
                    read.one(tally, client, &records, (place, record)).await?;
                    bar.inc(1);
                }
            });
        }
    }
    join(workers).await?;
    bar.finish_and_clear();
    by_portal(records, cast, jobs, &read).await?;
    Ok(read)
}

async fn by_portal(
    records: &Arc<Records>,
    cast: &Arc<Cast>,
    jobs: usize,
    read: &Arc<Read>,
) -> Result<(), CommandError> {
    let places = (0..records.all.len()).filter(|place| !read.is_opened(*place)).collect::<Vec<_>>();
    let (places, next) = (Arc::new(places), Arc::new(AtomicUsize::new(0)));
    let bar = progress::items(Some(places.len() as u64), "reading for patients");
    let mut workers = JoinSet::new();
    for _ in 0..jobs {
        let (records, read, cast, places, next, bar) =
            (records.clone(), read.clone(), cast.clone(), places.clone(), next.clone(), bar.clone());
        workers.spawn(async move {
            while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
                let Some(record) = records.all.get(*place) else { continue };
                let patient = record.patient.and_then(|at| records.patients.get(usize::try_from(at).ok()?));
                if let Some(patient) = patient {
                    let client = cast.portal_for(patient)?;
                    read.one(&read.portal, &client, &records, (*place, record)).await?;
                }
                bar.inc(1);
            }
            Ok::<_, CommandError>(())
        });
    }
    join(workers).await?;
    bar.finish_and_clear();
    Ok(())
}

/// Waits for all; the first error ends the rest.
pub(crate) async fn join(mut workers: JoinSet<Result<(), CommandError>>) -> Result<(), CommandError> {
    while let Some(done) = workers.join_next().await {
        done.map_err(|_| DemoError::Stopped)??;
    }
    Ok(())
}
