//! From bundle to envelopes on disk: one thread reads, a few tasks protect and write.
//!
//! The channel between them is short, so memory holds a bundle and what is under way, however long the archive.

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use wardkeep_client::{Client, EncryptionContext, KeyId};

use super::DemoError;
use super::input::{Bundle, Source};
use super::record::{self, Record, Records};
use crate::command::CommandError;
use crate::error::FileError;
use crate::progress;

/// Resources that wait between reader and workers.
const WAITING: usize = 256;

/// One resource on its way.
struct Item {
    record: Record,
    context: EncryptionContext,
    raw: Vec<u8>,
}

/// What the reader counts.
#[derive(Default)]
struct Counted {
    patients: Vec<String>,
    places: BTreeMap<String, u32>,
    bundles: u32,
    bytes: u64,
}

/// Protects every resource of the source under a data key of its own.
pub(crate) async fn all(
    source: &Source,
    folder: &Path,
    ingest: &Client,
    key: &KeyId,
    jobs: usize,
) -> Result<Records, CommandError> {
    let (send, receive) = mpsc::channel(WAITING);
    let reader = {
        let (source, folder) = (source.clone(), folder.to_owned());
        tokio::task::spawn_blocking(move || read(&source, &folder, &send))
    };
    let receive = Arc::new(Mutex::new(receive));
    let bar = progress::items(None, "protecting");
    let mut workers = JoinSet::new();
    for _ in 0..jobs {
        let (receive, bar) = (receive.clone(), bar.clone());
        let (ingest, key, folder) = (ingest.clone(), key.clone(), folder.to_owned());
        workers.spawn(async move {
            let mut done = Vec::new();
            loop {
                let item: Option<Item> = receive.lock().await.recv().await;
                let Some(Item { record, context, raw }) = item else { return Ok::<_, CommandError>(done) };
                let envelope = ingest.protect(&key, &context, &raw).await?;
                let path = record.path(&folder);
                std::fs::write(&path, envelope).map_err(FileError::at("write", path))?;
                done.push(record);
                bar.inc(1);
            }
        });
    }
    drop(receive);
    let mut all = Vec::new();
    // A worker's error ends the others: they are aborted with the set, and the reader finds nobody listening.
    while let Some(done) = workers.join_next().await {
        all.extend(done.map_err(|_| DemoError::Stopped)??);
    }
    bar.finish_and_clear();
    let Counted { patients, bundles, bytes, places: _ } = reader.await.map_err(|_| DemoError::Stopped)??;
    if all.is_empty() {
        return Err(DemoError::NoResources { place: source.to_string() }.into());
    }
    all.sort_unstable_by_key(|record| (record.bundle, record.number));
    Ok(Records { folder: folder.to_owned(), all, patients, bytes, bundles: bundles.into() })
}

/// Reads to the end, or until nobody listens.
fn read(source: &Source, folder: &Path, send: &mpsc::Sender<Item>) -> Result<Counted, CommandError> {
    let mut counted = Counted::default();
    let mut failed = None;
    source.each(&mut |bundle| match hand_over(&bundle, folder, &mut counted, send) {
        Ok(flow) => flow,
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    failed.map_or(Ok(counted), Err)
}

fn hand_over(
    bundle: &Bundle,
    folder: &Path,
    counted: &mut Counted,
    send: &mpsc::Sender<Item>,
) -> Result<ControlFlow<()>, CommandError> {
    let resources = bundle.resources()?;
    let number = counted.bundles;
    counted.bundles += 1;
    let place: PathBuf = folder.join(format!("{number:05}"));
    std::fs::create_dir_all(&place).map_err(FileError::at("create", place))?;
    for (at, resource) in (0..).zip(&resources) {
        let patient = resource.patient.as_deref().map(|id| counted.patient(id));
        let record = Record { bundle: number, number: at, digest: record::digest(resource.raw), patient };
        counted.bytes += resource.raw.len() as u64;
        let item = Item { record, context: record::context(resource)?, raw: resource.raw.to_vec() };
        if send.blocking_send(item).is_err() {
            return Ok(ControlFlow::Break(()));
        }
    }
    Ok(ControlFlow::Continue(()))
}

impl Counted {
    /// The place of a patient in the list; new ones get the next.
    fn patient(&mut self, id: &str) -> u32 {
        if let Some(place) = self.places.get(id) {
            return *place;
        }
        let place = u32::try_from(self.patients.len()).unwrap_or(u32::MAX);
        self.patients.push(id.to_owned());
        self.places.insert(id.to_owned(), place);
        place
    }
}
