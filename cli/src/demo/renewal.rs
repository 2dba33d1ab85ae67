//! Rotating the key, and wrapping every data key under its new version, unseen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use tokio::task::JoinSet;
use wardkeep_client::{Client, KeyId};

use super::cast::Cast;
use super::readback::join;
use super::record::{Record, Records};
use crate::command::CommandError;
use crate::error::FileError;
use crate::progress;

/// How many records are opened again afterwards.
const SAMPLE: usize = 100;

/// Rotates the key; its newest version.
pub(crate) async fn rotate(cast: &Cast, key: &KeyId) -> Result<u32, CommandError> {
    let rotated = cast.admin.keys().rotate(key, None).await?;
    Ok(rotated.versions.iter().map(|version| version.version).max().unwrap_or_default())
}

/// Wraps every data key anew; how many.
pub(crate) async fn rewrap_all(records: &Arc<Records>, cast: &Arc<Cast>, jobs: usize) -> Result<u64, CommandError> {
    let (next, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicU64::new(0)));
    let bar = progress::items(Some(records.all.len() as u64), "wrapping anew");
    let mut workers = JoinSet::new();
    for _ in 0..jobs {
        let (records, admin, next, done, bar) =
            (records.clone(), cast.admin.clone(), next.clone(), done.clone(), bar.clone());
        workers.spawn(async move {
            while let Some(record) = records.all.get(next.fetch_add(1, Ordering::Relaxed)) {
                rewrap(&admin, &records, record).await?;
                done.fetch_add(1, Ordering::Relaxed);
                bar.inc(1);
            }
            Ok::<_, CommandError>(())
        });
    }
    join(workers).await?;
    bar.finish_and_clear();
    Ok(done.load(Ordering::Relaxed))
}

async fn rewrap(admin: &Client, records: &Records, record: &Record) -> Result<(), CommandError> {
    let renewed = admin.rewrap(&record.load(&records.folder)?).await?;
    let path = record.path(&records.folder);
    Ok(std::fs::write(&path, renewed).map_err(FileError::at("write", path))?)
}

/// The doctor opens some records again, spread over all of them; how many opened to the same bytes.
pub(crate) async fn reopen(records: &Records, cast: &Cast) -> Result<u64, CommandError> {
    let step = (records.all.len() / SAMPLE).max(1);
    let mut reopened = 0;
    for record in records.all.iter().step_by(step) {
        match cast.doctor.read(&record.load(&records.folder)?).await {
            Ok(opened) if record.is(opened.plaintext()) => reopened += 1,
            Ok(_) => return Err(super::DemoError::Different { count: 1 }.into()),
            Err(error) if error.is_denied() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(reopened)
}
