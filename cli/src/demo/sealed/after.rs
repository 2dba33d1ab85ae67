//! What follows: a key is revoked, a day lies behind all keys, and the server is gone.

use wardkeep_client::KeyId;
use wardkeep_client::abe::Bucket;

use super::super::DemoError;
use super::super::cast::Cast;
use super::Sealed;
use super::pass::Batch;
use super::readers::{self, Reader, Readers};
use crate::command::CommandError;

/// Days behind the present that no key of the demo reaches: keys live a month at most.
const DAYS_AHEAD: u32 = 60;
/// What is sealed here.
const RECORD: &[u8] = b"sealed after the revocation";

/// A file and a key, to be opened when there is no server any more.
pub(crate) struct Kept {
    batch: Batch,
    reader: Reader,
}

impl Kept {
    /// Opens it.
    pub(crate) fn open(&self) -> Result<bool, CommandError> {
        Ok(self.batch.open(&self.reader)?.equal == 1)
    }
}

/// Revokes the doctor's key and seals anew; seals for a day that no key reaches.
pub(crate) async fn play(
    cast: &Cast,
    key: &KeyId,
    readers: Readers,
    sealed: &mut Sealed,
) -> Result<Kept, CommandError> {
    let [doctor, others @ ..] = readers.0.as_slice() else { return Err(DemoError::Stopped.into()) };
    cast.admin.user_keys().revoke(key, None, &[doctor.serial]).await?;
    // The administrator's client has no list yet, so that it fetches the newest.
    let sealer = cast.admin.abe(key.as_str()).await.map_err(DemoError::from)?;
    let everybody = "role in [doctors, patients, pharmacies]";
    let (parameters, policy) = sealer.policy(everybody).await.map_err(DemoError::from)?;
    let now = policy.bucket().map_or(0, Bucket::number);
    let after = Batch::seal(&parameters, policy, &[RECORD])?;
    sealed.revoked_opens = after.open(doctor)?.equal;
    let anew = readers::issue(&cast.doctor, key, doctor.name).await?;
    let mut open = after.open(&anew)?.equal == 1;
    for other in others {
        open &= after.open(other)?.equal == 1;
    }
    sealed.others_open = open;

    let later = sealer.valid_from(Bucket::new(now.saturating_add(DAYS_AHEAD)));
    let (parameters, policy) = later.policy(everybody).await.map_err(DemoError::from)?;
    let later = Batch::seal(&parameters, policy, &[RECORD])?;
    for reader in others.iter().chain([&anew]) {
        sealed.expired_opens += later.open(reader)?.equal;
    }
    sealed.tries = 1 + others.len() as u64 + 1;
    Ok(Kept { batch: after, reader: anew })
}
