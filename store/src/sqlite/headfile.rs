//! The newest head and the signed tombstones, outside the database.
//!
//! A database and its log roll back together, so that only something outside tells. Both files are written
//! whole beside their place, synced, and renamed over it: there is an old one or a new one, never a half.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::vault::Vault;
use crate::audit::head::{self, SIGNED_HEAD_LEN};
use crate::error::HeadError;
use crate::sealing::{OVERHEAD, Purpose};
use crate::{Row, SignedHead, StoreId};

const TOMBSTONES: &[u8; 8] = b"WKTOMB\0\x01";
/// Longest tombstone file, read or written: some 600 000 destroyed keys. It is written whole at every destruction, so that
/// its length is also what a destruction costs.
pub(crate) const MAX_TOMBSTONES: u64 = 64 << 20;
/// Bytes of the file beside its entries: what stands before the seal, the count, the seal itself, the signature.
pub(crate) const FILE_OVERHEAD: u64 = 8 + 16 + 8 + 4 + 4 + OVERHEAD as u64 + 64;

/// What the files outside the database say, signatures checked.
#[derive(Debug)]
pub(crate) struct Outside {
    pub(crate) head: SignedHead,
    pub(crate) tombstones: Vec<Row>,
}

/// Where the tombstones of a head file stand.
pub(crate) fn tombstone_path(head: &Path) -> PathBuf {
    let mut name = head.as_os_str().to_owned();
    name.push(".tombstones");
    PathBuf::from(name)
}

/// Reads and checks the head file, and the tombstones beside it.
pub(crate) fn read(path: &Path, vault: &Vault) -> Result<Outside, HeadError> {
    let bytes = match read_bounded(path, SIGNED_HEAD_LEN as u64) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Err(HeadError::Malformed { path: path.into() }),
        Err(source) if source.kind() == io::ErrorKind::NotFound => {
            return Err(HeadError::Missing { path: path.into() });
        }
        Err(source) => return Err(HeadError::Unreadable { path: path.into(), source }),
    };
    let head = SignedHead::from_bytes(&bytes).ok_or_else(|| HeadError::Malformed { path: path.into() })?;
    if head.head.store != vault.store {
        return Err(HeadError::Foreign { path: path.into() });
    }
    if !head.verify(&vault.signer.public_key()) {
        return Err(HeadError::BadSignature { path: path.into() });
    }
    Ok(Outside { tombstones: read_tombstones(path, vault, head.head.tombstones)?, head })
}

/// The tombstones beside a head, at least as new as the head says.
fn read_tombstones(path: &Path, vault: &Vault, as_of: u64) -> Result<Vec<Row>, HeadError> {
    let path = tombstone_path(path);
    if as_of == 0 && !path.exists() {
        return Ok(Vec::new());
    }
    let bytes = read_bounded(&path, MAX_TOMBSTONES).ok().flatten();
    let tombstones = bytes.and_then(|bytes| open_tombstones(&bytes, vault, as_of));
    tombstones.ok_or(HeadError::Tombstones { path })
}

/// At most `limit` bytes; `None` for a longer file.
fn read_bounded(path: &Path, limit: u64) -> io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(limit + 1).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= limit).then_some(bytes))
}

/// The tombstone file: `magic || store id || commit || sealed length (4) || sealed || signature`. Sealed, for
/// it names keys; signed, so that nobody takes one out.
pub(crate) fn seal_tombstones(vault: &Vault, commit: u64, rows: &[Row]) -> Option<Vec<u8>> {
    let mut plain = zeroize::Zeroizing::new(u32::try_from(rows.len()).ok()?.to_be_bytes().to_vec());
    for row in rows {
        plain.extend_from_slice(&u16::try_from(row.id.len()).ok()?.to_be_bytes());
        plain.extend_from_slice(row.id.as_bytes());
        plain.extend_from_slice(&row.sequence.to_be_bytes());
        plain.extend_from_slice(&u32::try_from(row.value.len()).ok()?.to_be_bytes());
        plain.extend_from_slice(&row.value);
    }
    let sealed = vault.sealer.seal(Purpose::Tombstones, &commit.to_be_bytes(), &plain).ok()?;
    let mut out = TOMBSTONES.to_vec();
    out.extend_from_slice(vault.store.as_bytes());
    out.extend_from_slice(&commit.to_be_bytes());
    out.extend_from_slice(&u32::try_from(sealed.len()).ok()?.to_be_bytes());
    out.extend_from_slice(&sealed);
    let signature = vault.signer.sign(&out)?;
    out.extend_from_slice(&signature);
    (out.len() as u64 <= MAX_TOMBSTONES).then_some(out)
}

fn open_tombstones(bytes: &[u8], vault: &Vault, as_of: u64) -> Option<Vec<Row>> {
    let (signed, signature) = bytes.split_last_chunk::<64>()?;
    let (magic, rest) = signed.split_first_chunk::<8>()?;
    let (store, rest) = rest.split_first_chunk::<16>()?;
    let (commit, rest) = rest.split_first_chunk::<8>()?;
    let (len, sealed) = rest.split_first_chunk::<4>()?;
    let long_enough =
        u64::from_be_bytes(*commit) >= as_of && sealed.len() == usize::try_from(u32::from_be_bytes(*len)).ok()?;
    let ours = magic == TOMBSTONES && StoreId::from_bytes(*store) == vault.store;
    if !ours || !long_enough || !head::verify(&vault.signer.public_key(), signed, signature) {
        return None;
    }
    let plain = vault.sealer.open(Purpose::Tombstones, commit, sealed)?;
    let (count, mut rest) = plain.split_first_chunk::<4>()?;
    let mut rows = Vec::new();
    for _ in 0..u32::from_be_bytes(*count) {
        let (id_len, after) = rest.split_first_chunk::<2>()?;
        let (id, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*id_len)))?;
        let (sequence, after) = after.split_first_chunk::<8>()?;
        let (value_len, after) = after.split_first_chunk::<4>()?;
        let (value, after) = after.split_at_checked(usize::try_from(u32::from_be_bytes(*value_len)).ok()?)?;
        let id = String::from_utf8(id.to_vec()).ok()?;
        rows.push(Row { id, sequence: u64::from_be_bytes(*sequence), value: zeroize::Zeroizing::new(value.to_vec()) });
        rest = after;
    }
    rest.is_empty().then_some(rows)
}

/// Writes the tombstones where they changed, then the head: a head never speaks of tombstones that are not there.
pub(crate) fn write(path: &Path, head: &SignedHead, tombstones: Option<&[u8]>) -> io::Result<()> {
    if let Some(bytes) = tombstones {
        replace(&tombstone_path(path), bytes)?;
    }
    replace(path, &head.to_bytes())
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let beside = PathBuf::from(name);
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    // The rename itself is durable only once the folder is.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}
