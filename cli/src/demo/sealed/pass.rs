//! One bundle after the other: its resources sealed in a batch a formula, tried by each reader, compared with what the
//! formula says in plain words.

use std::collections::{BTreeMap, BTreeSet};

use tokio::runtime::Handle;
use wardkeep_abe::AccessPolicy;
use wardkeep_client::abe::{Parameters, Sealer};
use wardkeep_envelope::batch::{BatchOpener, BatchSealer};
use wardkeep_envelope::{AbeReader, AbeRecipient, FileKey, OpenError, RandomFailed, UnwrapError};

use super::super::DemoError;
use super::super::input::Resource;
use super::super::record::digest;
use super::readers::{Reader, Readers};
use super::{Sealed, Tally, rule};
use crate::command::CommandError;

/// What the batches of the demo are bound to.
const CONTEXT: &[u8] = b"wardkeep demo";

/// What is under way.
pub(crate) struct Pass {
    sealer: Sealer,
    readers: Readers,
    sealed: Sealed,
    formulas: BTreeSet<String>,
}

/// A batch as it would be stored: header, and each resource's box with the digest of what went in.
pub(crate) struct Batch {
    pub(crate) header: Vec<u8>,
    pub(crate) boxes: Vec<(Vec<u8>, [u8; 32])>,
}

impl Pass {
    pub(crate) fn new(sealer: Sealer, readers: Readers) -> Self {
        let tally = |reader: &Reader| Tally {
            reader: reader.name,
            attributes: reader.attributes.to_string(),
            ..Tally::default()
        };
        let sealed = Sealed { readers: readers.0.iter().map(tally).collect(), ..Sealed::default() };
        Self { sealer, readers, sealed, formulas: BTreeSet::new() }
    }

    /// Seals a bundle and has everybody try it; how many resources there were.
    pub(crate) fn bundle(&mut self, resources: &[Resource<'_>], runtime: &Handle) -> Result<u64, CommandError> {
        let mut by_formula: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
        for resource in resources {
            by_formula.entry(rule::formula(resource)).or_default().push(resource.raw);
        }
        for (formula, records) in by_formula {
            let (parameters, policy) = runtime.block_on(self.sealer.policy(&formula)).map_err(DemoError::from)?;
            let batch = Batch::seal(&parameters, policy.clone(), &records)?;
            for (reader, tally) in self.readers.0.iter().zip(&mut self.sealed.readers) {
                let may = policy.formula().evaluate(&reader.attributes);
                let Opened { equal, different } = batch.open(reader)?;
                let count = batch.boxes.len() as u64;
                tally.opened += equal;
                tally.refused += count - equal - different;
                self.sealed.different += different;
                self.sealed.disagree += if may { count - equal } else { equal + different };
            }
            self.sealed.batches += 1;
            self.sealed.resources += batch.boxes.len() as u64;
            self.formulas.insert(formula);
        }
        Ok(resources.len() as u64)
    }

    /// The counts, and the readers for what follows.
    pub(crate) fn end(mut self) -> (Sealed, Readers) {
        self.sealed.formulas = self.formulas.len() as u64;
        (self.sealed, self.readers)
    }
}

/// What one reader opened of a batch.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    /// To the bytes that were sealed.
    pub(crate) equal: u64,
    /// To others.
    pub(crate) different: u64,
}

impl Batch {
    /// Seals records under one policy.
    pub(crate) fn seal(parameters: &Parameters, policy: AccessPolicy, records: &[&[u8]]) -> Result<Self, CommandError> {
        let mut random = |out: &mut [u8]| aws_lc_rs::rand::fill(out).map_err(|_| RandomFailed);
        let recipient = AbeRecipient::new(parameters, policy);
        let file_key = FileKey::random(&mut random).map_err(wardkeep_envelope::SealError::from);
        let file_key = file_key.map_err(DemoError::from)?;
        let mut sealer = BatchSealer::new(&file_key, &[&recipient], CONTEXT, &mut random).map_err(DemoError::from)?;
        let mut boxes = Vec::with_capacity(records.len());
        for record in records {
            let digest = digest(record);
            boxes.push((sealer.seal(&digest, record).map_err(DemoError::from)?, digest));
        }
        Ok(Self { header: sealer.header().to_vec(), boxes })
    }

    /// Opens what a reader's key opens. That the policy is not satisfied is an answer; anything else is an error.
    pub(crate) fn open(&self, reader: &Reader) -> Result<Opened, CommandError> {
        let holder = AbeReader::new(&reader.parameters, &reader.key).map_err(DemoError::from)?;
        let opener = BatchOpener::from_bytes(&self.header).map_err(DemoError::from)?;
        let keys = match opener.reader(&[&holder], CONTEXT) {
            Ok(keys) => keys,
            Err(OpenError::Unwrap(UnwrapError::NotSatisfied { .. })) => return Ok(Opened::default()),
            Err(error) => return Err(DemoError::from(error).into()),
        };
        let mut opened = Opened::default();
        for (sealed, expected) in &self.boxes {
            match keys.open(sealed, expected) {
                Ok(text) if digest(&text) == *expected => opened.equal += 1,
                _ => opened.different += 1,
            }
        }
        Ok(opened)
    }
}
