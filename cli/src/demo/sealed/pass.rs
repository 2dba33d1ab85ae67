//! One bundle after the other: its resources sealed in a batch a formula, tried by each reader, compared with what the
//! formula says in plain words.

use std::collections::{BTreeMap, BTreeSet};

use tokio::runtime::Handle;
use wardkeep_client::abe::{Key, Sealer, open_batch};
use wardkeep_client::{EncryptionContext, Side};

use super::super::DemoError;
use super::super::input::Resource;
use super::super::record::digest;
use super::readers::{Reader, Readers};
use super::{SAMPLE, Sealed, Tally, rule};
use crate::command::CommandError;

/// What is under way.
pub(crate) struct Pass {
    sealer: Sealer,
    readers: Readers,
    sealed: Sealed,
    formulas: BTreeSet<String>,
    sample: Vec<Vec<u8>>,
}

/// What a pass leaves behind.
pub(crate) struct Passed {
    /// The counts so far.
    pub(crate) sealed: Sealed,
    /// The readers, for what follows.
    pub(crate) readers: Readers,
    /// The first resources, as they are in their bundles.
    pub(crate) sample: Vec<Vec<u8>>,
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
        Self { sealer, readers, sealed, formulas: BTreeSet::new(), sample: Vec::new() }
    }

    /// Seals a bundle and has everybody try it; how many resources there were.
    pub(crate) fn bundle(&mut self, resources: &[Resource<'_>], runtime: &Handle) -> Result<u64, CommandError> {
        let wanted = SAMPLE.saturating_sub(self.sample.len());
        self.sample.extend(resources.iter().take(wanted).map(|resource| resource.raw.to_vec()));
        let mut by_formula: BTreeMap<String, Vec<&[u8]>> = BTreeMap::new();
        for resource in resources {
            by_formula.entry(rule::formula(resource)).or_default().push(resource.raw);
        }
        for (formula, records) in by_formula {
            let (_, policy) = runtime.block_on(self.sealer.policy(&formula)).map_err(DemoError::from)?;
            let batch = runtime.block_on(Batch::seal(&self.sealer, &formula, &records))?;
            for (reader, tally) in self.readers.0.iter().zip(&mut self.sealed.readers) {
                let may = policy.formula().evaluate(&reader.attributes);
                let Opened { equal, different } = batch.open(&reader.key)?;
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

    /// The counts, the readers and a sample for what follows.
    pub(crate) fn end(mut self) -> Passed {
        self.sealed.formulas = self.formulas.len() as u64;
        Passed { sealed: self.sealed, readers: self.readers, sample: self.sample }
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
    /// Seals records under one policy, as an application would.
    pub(crate) async fn seal(sealer: &Sealer, policy: &str, records: &[&[u8]]) -> Result<Self, CommandError> {
        let mut batch = sealer.batch(policy, &context()?).await.map_err(DemoError::from)?;
        let mut boxes = Vec::with_capacity(records.len());
        for record in records {
            let digest = digest(record);
            boxes.push((batch.seal(&digest, record).map_err(DemoError::from)?, digest));
        }
        Ok(Self { header: batch.header().to_vec(), boxes })
    }

    /// Opens what a key opens. That the policy is not satisfied is an answer; anything else is an error.
    pub(crate) fn open(&self, key: &Key) -> Result<Opened, CommandError> {
        let batch = match open_batch(key, &self.header, &context()?) {
            Ok(batch) => batch,
            Err(error) if error.side() == Side::Denied => return Ok(Opened::default()),
            Err(error) => return Err(DemoError::from(error).into()),
        };
        let mut opened = Opened::default();
        for (sealed, expected) in &self.boxes {
            match batch.open(sealed, expected) {
                Ok(text) if digest(&text) == *expected => opened.equal += 1,
                _ => opened.different += 1,
            }
        }
        Ok(opened)
    }
}

/// What the batches of the demo are bound to.
fn context() -> Result<EncryptionContext, CommandError> {
    Ok(EncryptionContext::new([("made-by".to_owned(), "wardkeep demo".to_owned())].into(), None)?)
}
