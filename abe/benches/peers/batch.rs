//! Many records under one formula: one encapsulation, and a key of its own for every record.

use std::cell::RefCell;

use aes_gcm::aead::AeadInOut;
use aes_gcm::{Aes256Gcm, KeyInit};
use wardkeep_abe::RecordKeys;

use crate::side::Side;
use crate::{Bench, Fail};

const RECORDS: u32 = 1_000;
const RECORD: usize = 1_024;
/// AES-GCM's tag.
const TAG: usize = 16;

/// A record as it is stored: commitment to its key, tag, and its bytes sealed in place.
struct Stored {
    commitment: [u8; 32],
    tag: [u8; TAG],
    bytes: Vec<u8>,
}

/// Prints microseconds a record; returns the milliseconds of the slower way.
pub(crate) fn measure<S: Side>(bench: &Bench<'_, S>) -> Result<f64, Fail> {
    bench.warm(&bench.policy.text)?;
    let public = S::parameters(&bench.authority);
    let plain = || Ok(RefCell::new(vec![vec![0x5a; RECORD]; RECORDS as usize]));
    let seal = |records: &RefCell<Vec<Vec<u8>>>| {
        let (sealed, secret) = S::seal(public, &bench.policy.text)?;
        Ok((sealed, seal_all(&secret.records(), &mut records.borrow_mut())?))
    };
    let (sealed, stored) = seal(&plain()?)?;
    let copy = || Ok(RefCell::new(stored.iter().map(Stored::copy).collect::<Vec<_>>()));
    let open = |records: &RefCell<Vec<Stored>>| {
        open_all(&S::open(public, &bench.key, &sealed)?.records(), &mut records.borrow_mut())
    };
    let opened = copy()?;
    open(&opened)?;
    if opened.borrow().iter().any(|record| record.bytes != [0x5a; RECORD]) {
        return Err("a record opened to something else than was sealed".into());
    }
    let sealing = bench.limits.time_each(RECORDS, [S::PEER, "batch-seal", &bench.policy.name], plain, seal)?;
    let opening = bench.limits.time_each(RECORDS, [S::PEER, "batch-open", &bench.policy.name], copy, open)?;
    Ok(sealing.max(opening))
}

fn seal_all(keys: &RecordKeys, records: &mut Vec<Vec<u8>>) -> Result<Vec<Stored>, Fail> {
    (0..)
        .zip(records.drain(..))
        .map(|(number, mut bytes)| {
            let key = keys.key(number);
            // A key for one record: its nonce never comes twice.
            let tag = cipher(key.expose())?.encrypt_inout_detached(&[0; 12].into(), &[], bytes.as_mut_slice().into());
            Ok(Stored { commitment: *key.commitment(), tag: tag.map_err(|_| "too long for AES-GCM")?.into(), bytes })
        })
        .collect()
}

fn open_all(keys: &RecordKeys, records: &mut [Stored]) -> Result<(), Fail> {
    for (number, record) in (0..).zip(records) {
        let key = keys.key(number);
        if *key.commitment() != record.commitment {
            return Err("a record of another batch".into());
        }
        let (nonce, tag) = ([0; 12].into(), record.tag.into());
        let opened =
            cipher(key.expose())?.decrypt_inout_detached(&nonce, &[], record.bytes.as_mut_slice().into(), &tag);
        opened.map_err(|_| "a record was changed")?;
    }
    Ok(())
}

fn cipher(key: &[u8; 32]) -> Result<Aes256Gcm, Fail> {
    Aes256Gcm::new_from_slice(key).map_err(|_| "a key of AES-256 has 32 bytes".into())
}

impl Stored {
    fn copy(&self) -> Self {
        Self { commitment: self.commitment, tag: self.tag, bytes: self.bytes.clone() }
    }
}
