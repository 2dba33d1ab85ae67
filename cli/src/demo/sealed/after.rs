//! What follows: a key is revoked, time runs out for all of them, and the server is gone.
//!
//! Each refusal has its control: what does not open is sealed once more with that one thing changed, and has to open.

use std::path::{Path, PathBuf};

use wardkeep_client::KeyId;
use wardkeep_client::abe::{Bucket, Key, Sealer};

use super::super::DemoError;
use super::super::cast::Cast;
use super::Sealed;
use super::pass::{Batch, Passed};
use super::readers;
use crate::command::CommandError;
use crate::command::abe::AbeError;
use crate::error::FileError;
use crate::whole_file::{self, Readers as Mode};

/// A policy that every one of the three satisfies.
const EVERYBODY: &str = "role in [doctors, patients, pharmacies]";

/// Files for when there is no server any more: a key, a batch's header, and the boxes with the digest that each has to
/// open to.
pub(crate) struct Kept {
    folder: PathBuf,
    digests: Vec<[u8; 32]>,
}

impl Kept {
    /// Writes them.
    fn write(folder: &Path, key: &Key, batch: &Batch) -> Result<Self, CommandError> {
        std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
        let write = |name: &str, bytes: &[u8], mode| whole_file::write(&folder.join(name), bytes, mode, false);
        write("reader.key", &key.to_bytes(), Mode::Owner)?;
        write("header", &batch.header, Mode::Anyone)?;
        for (index, (sealed, _)) in batch.boxes.iter().enumerate() {
            write(&format!("{index}.box"), sealed, Mode::Anyone)?;
        }
        Ok(Self { folder: folder.to_owned(), digests: batch.boxes.iter().map(|(_, digest)| *digest).collect() })
    }

    /// Reads them back and opens them: nothing but these files is left of server and keys.
    pub(crate) fn open(&self) -> Result<bool, CommandError> {
        let read = |name: &str| {
            let place = self.folder.join(name);
            std::fs::read(&place).map_err(FileError::at("read", &place))
        };
        let key = zeroize::Zeroizing::new(read("reader.key")?);
        let key = Key::from_bytes(&key).map_err(AbeError::decoding(&self.folder.join("reader.key")))?;
        let sealed = |(index, digest): (usize, &[u8; 32])| Ok((read(&format!("{index}.box"))?, *digest));
        let boxes = self.digests.iter().enumerate().map(sealed).collect::<Result<Vec<_>, FileError>>()?;
        let opened = Batch { header: read("header")?, boxes }.open(&key)?;
        Ok(opened.equal > 0 && opened.equal == self.digests.len() as u64 && opened.different == 0)
    }
}

/// Revokes the doctor's key and seals a sample of the resources anew; seals it for the last moment that each key reaches,
/// and for the next one.
pub(crate) async fn play(
    cast: &Cast,
    key: &KeyId,
    passed: Passed,
    folder: &Path,
) -> Result<(Sealed, Kept), CommandError> {
    let Passed { mut sealed, readers, sample } = passed;
    let records: Vec<&[u8]> = sample.iter().map(Vec::as_slice).collect();
    let [doctor, others @ ..] = readers.0.as_slice() else { return Err(DemoError::Stopped.into()) };
    cast.admin.user_keys().revoke(key, Some(doctor.key.parameters().version()), &[doctor.serial]).await?;
    // The administrator's client has no list yet, so that it fetches the newest.
    let sealer = cast.admin.abe(key.as_str()).await.map_err(DemoError::from)?;
    let after = Batch::seal(&sealer, EVERYBODY, &records).await?;
    let anew = readers::issue(&cast.doctor, key, doctor.name).await?;
    sealed.sample = records.len() as u64;
    sealed.revoked_opens = after.open(&doctor.key)?.equal;
    sealed.revoked_tries = sealed.sample;
    let keys: Vec<&Key> = others.iter().chain([&anew]).map(|reader| &reader.key).collect();
    for key in &keys {
        sealed.others_open += after.open(key)?.equal;
        let last = last_bucket(key)?;
        sealed.last_opens += at(&sealer, last, &records).await?.open(key)?.equal;
        let behind = Bucket::new(last.number() + 1);
        sealed.expired_opens += at(&sealer, behind, &records).await?.open(key)?.equal;
        sealed.expired_tries += sealed.sample;
    }
    let kept = Kept::write(folder, &anew.key, &after)?;
    Ok((sealed, kept))
}

/// The same, for whoever is valid in that bucket or later.
async fn at(sealer: &Sealer, bucket: Bucket, records: &[&[u8]]) -> Result<Batch, CommandError> {
    Batch::seal(&sealer.clone().valid_from(bucket), EVERYBODY, records).await
}

/// The last bucket that a key reaches; every key of the demo has one.
fn last_bucket(key: &Key) -> Result<Bucket, CommandError> {
    let last = key.ends_at().and_then(|end| key.parameters().terms().bucket_at(end.saturating_sub(1)));
    last.ok_or(DemoError::Stopped.into())
}
