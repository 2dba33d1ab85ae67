//! Many records under one formula: one encapsulation, and a box with a key of its own for every record, as
//! `wardkeep_envelope::batch` makes them. Over the product's backend alone: envelopes know no other.

use wardkeep_abe::{AccessPolicy, Attributes, Authority, AuthorityId, Grant, Schema, Terms, UserKey};
use wardkeep_envelope::batch::{BatchOpener, BatchSealer};
use wardkeep_envelope::{AbeReader, AbeRecipient, FileKey};

use crate::policy::Policy;
use crate::sample::{self, Limits};
use crate::{Fail, USES};

const RECORDS: u32 = 1_000;
const RECORD: usize = 1_024;
const CONTEXT: &[u8] = b"ward 7";

/// Prints microseconds a record.
pub(crate) fn measure(limits: &Limits) -> Result<(), Fail> {
    let policy = Policy::named("and10")?;
    let authority = Authority::generate(AuthorityId([7; 16]), Schema::default(), Terms::default(), sample::seed());
    let attributes = Attributes::parse(&policy.attributes, authority.parameters().schema())?;
    let grant = Grant { attributes: &attributes, valid_until: None, serial: None };
    let key = authority.issue(&grant, sample::seed())?;
    let record = vec![0x5a; RECORD];
    let batch = || seal(&authority, &policy.text, &record);
    for _ in 0..USES {
        batch()?;
    }
    let (header, boxes) = batch()?;
    let open = || open(&authority, &key, &header, &boxes);
    if open()?.iter().any(|opened| *opened != record) {
        return Err("a record opened to something else than was sealed".into());
    }
    let nothing = || Ok(());
    limits.time_each(RECORDS, ["wardkeep", "batch-seal", &policy.name], nothing, |()| batch())?;
    limits.time_each(RECORDS, ["wardkeep", "batch-open", &policy.name], nothing, |()| open())?;
    Ok(())
}

type Sealed = (Vec<u8>, Vec<Vec<u8>>);

fn seal(authority: &Authority, policy: &str, record: &[u8]) -> Result<Sealed, Fail> {
    let mut random = sample::random;
    let recipient = AbeRecipient::new(authority.parameters(), AccessPolicy::parse(policy, authority.parameters())?);
    let file_key = FileKey::random(&mut random)?;
    let mut sealer = BatchSealer::new(&file_key, &[&recipient], CONTEXT, &mut random)?;
    let boxes = (0..RECORDS).map(|number| sealer.seal(&number.to_be_bytes(), record)).collect::<Result<_, _>>()?;
    Ok((sealer.header().to_vec(), boxes))
}

fn open(authority: &Authority, key: &UserKey, header: &[u8], boxes: &[Vec<u8>]) -> Result<Vec<Vec<u8>>, Fail> {
    let holder = AbeReader::new(authority.parameters(), key)?;
    let reader = BatchOpener::from_bytes(header)?.reader(&[&holder], CONTEXT)?;
    let opened = (0..RECORDS).zip(boxes).map(|(number, sealed)| reader.open(sealed, &number.to_be_bytes()));
    Ok(opened.collect::<Result<_, _>>()?)
}
