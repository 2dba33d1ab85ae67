//! The same records for readers who are off line: every resource sealed under a formula of its own, and opened with
//! user keys that the key service issued. Nobody is asked while they read.
//!
//! Three readers try every resource. What they open must be what a plain evaluation of the formula over their attributes
//! lets them open, no more and no less: the two are worked out apart, one by pairings, the other by comparing words.
//! Then one key is revoked, and some of the resources are sealed anew, also for the last moment that each key reaches and
//! for the one behind it; and when the server has stopped, what was written to files still opens from them.
//!
//! | file | job |
//! |---|---|
//! | [`rule`] | the formula of a resource |
//! | [`readers`] | the three and their keys |
//! | [`pass`] | a bundle: sealed by formula, opened by everybody, compared |
//! | [`after`] | revocation, expiry, and no server |

pub(crate) mod after;
pub(crate) mod pass;
pub(crate) mod readers;
pub(crate) mod rule;

use std::ops::ControlFlow;
use std::path::Path;

use serde::Serialize;
use tokio::runtime::Handle;
use wardkeep_client::KeyId;

use self::after::Kept;
use self::pass::Pass;
use self::readers::Readers;
use super::DemoError;
use super::cast::Cast;
use super::input::Source;
use crate::command::CommandError;
use crate::progress;
use crate::system::Stopwatch;

/// The authority of the demo, as the clinic's bundle declares it.
pub(crate) const AUTHORITY: &str = "clinic/records-abe";

/// Who tries: doctor, patient, pharmacy.
const READERS: usize = 3;
/// Resources, at most, that are sealed anew where all of them would show nothing more.
const SAMPLE: usize = 5;

/// What came of it.
#[derive(Debug, Default, Clone, Serialize)]
pub(crate) struct Sealed {
    /// Resources that were sealed.
    pub(crate) resources: u64,
    /// Encapsulations: one for each formula of a bundle.
    pub(crate) batches: u64,
    /// Formulas, each counted once.
    pub(crate) formulas: u64,
    /// By reader: what they opened and what they could not.
    pub(crate) readers: Vec<Tally>,
    /// Resources on which mathematics and plain evaluation differ, over all readers.
    pub(crate) disagree: u64,
    /// Openings that gave other bytes.
    pub(crate) different: u64,
    /// Resources that were sealed anew for what follows.
    pub(crate) sample: u64,
    /// What the revoked key opens of what was sealed after its revocation.
    pub(crate) revoked_opens: u64,
    /// Of how many tries.
    pub(crate) revoked_tries: u64,
    /// What the others, a key issued anew among them, open of the same.
    pub(crate) others_open: u64,
    /// What they open of what was sealed for the last moment that they reach.
    pub(crate) last_opens: u64,
    /// What they open of what was sealed for the moment behind it.
    pub(crate) expired_opens: u64,
    /// Of how many tries, of each of the last three.
    pub(crate) expired_tries: u64,
    /// Whether files were opened after the server had stopped.
    pub(crate) without_server: bool,
    /// How long sealing and reading took.
    pub(crate) seconds: f64,
}

/// One reader's counts.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Tally {
    /// Who.
    pub(crate) reader: &'static str,
    /// What their key says.
    pub(crate) attributes: String,
    /// Resources that opened to their very bytes.
    pub(crate) opened: u64,
    /// Resources that did not open.
    pub(crate) refused: u64,
}

impl Sealed {
    /// Whether everything came out as it must, of `resources` that there are: each was sealed and tried by each reader, and
    /// what was to be tried was.
    pub(crate) fn holds(&self, resources: u64) -> bool {
        let counted = self.readers.iter().all(|tally| tally.opened + tally.refused == resources);
        let sample = resources.min(SAMPLE as u64);
        let tries = sample * READERS as u64;
        resources > 0
            && self.resources == resources
            && self.readers.len() == READERS
            && counted
            && self.disagree == 0
            && self.different == 0
            && (self.sample, self.revoked_tries, self.expired_tries) == (sample, sample, tries)
            && (self.revoked_opens, self.expired_opens) == (0, 0)
            && (self.others_open, self.last_opens) == (tries, tries)
            && self.without_server
    }
}

/// Seals and reads everything; what is left to be done without a server is given back.
pub(crate) async fn play(source: &Source, cast: &Cast, folder: &Path) -> Result<(Sealed, Kept), CommandError> {
    let key = KeyId::parse(AUTHORITY)?;
    cast.admin.authorities().create(&key).await?;
    let sealer = cast.ingest.abe(AUTHORITY).await.map_err(DemoError::from)?;
    let readers = Readers::with_keys(cast, &key).await?;
    let watch = Stopwatch::start();
    let (source, pass) = (source.clone(), Pass::new(sealer, readers));
    // Reading archives blocks, and so does arithmetic.
    let pass = tokio::task::spawn_blocking(move || over(&source, pass, &Handle::current()));
    let pass = pass.await.map_err(|_| DemoError::Stopped)??;
    let mut passed = pass.end();
    passed.sealed.seconds = watch.elapsed().as_secs_f64();
    after::play(cast, &key, passed, folder).await
}

fn over(source: &Source, mut pass: Pass, runtime: &Handle) -> Result<Pass, CommandError> {
    let bar = progress::items(None, "sealing, opening as three");
    let mut failed = None;
    source.each(&mut |bundle| match bundle
        .resources()
        .map_err(CommandError::from)
        .and_then(|all| pass.bundle(&all, runtime))
    {
        Ok(count) => {
            bar.inc(count);
            ControlFlow::Continue(())
        }
        Err(error) => {
            failed = Some(error);
            ControlFlow::Break(())
        }
    })?;
    bar.finish_and_clear();
    failed.map_or(Ok(pass), Err)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What goes wrong, and how.
    type Spoiled = (&'static str, fn(&mut Sealed));

    fn whole() -> Sealed {
        let tally = |reader, opened| Tally { reader, opened, refused: 33 - opened, ..Tally::default() };
        Sealed {
            resources: 33,
            batches: 9,
            formulas: 9,
            readers: vec![tally("doctor", 33), tally("patient", 12), tally("pharmacy", 0)],
            sample: 5,
            revoked_tries: 5,
            others_open: 15,
            last_opens: 15,
            expired_tries: 15,
            without_server: true,
            ..Sealed::default()
        }
    }

    #[test]
    fn each_count_that_is_off_is_a_failure() {
        assert!(whole().holds(33));
        let breaks: [Spoiled; 16] = [
            ("a pass that stopped early", |sealed| sealed.resources = 32),
            ("nobody reads", |sealed| sealed.readers.clear()),
            ("a reader is left out", |sealed| drop(sealed.readers.pop())),
            ("a resource was not tried", |sealed| sealed.readers[0].opened -= 1),
            ("a resource was tried twice", |sealed| sealed.readers[2].refused += 1),
            ("mathematics and words differ", |sealed| sealed.disagree = 1),
            ("other bytes", |sealed| sealed.different = 1),
            ("no sample", |sealed| sealed.sample = 0),
            ("the revoked key opens", |sealed| sealed.revoked_opens = 1),
            ("the revoked key was not tried", |sealed| sealed.revoked_tries = 0),
            ("another key does not open", |sealed| sealed.others_open -= 1),
            ("the last moment does not open", |sealed| sealed.last_opens -= 1),
            ("the moment behind it opens", |sealed| sealed.expired_opens = 1),
            ("it was not tried", |sealed| sealed.expired_tries = 0),
            ("nothing opens without a server", |sealed| sealed.without_server = false),
            ("nothing at all", |sealed| *sealed = Sealed::default()),
        ];
        for (what, spoil) in breaks {
            let mut sealed = whole();
            spoil(&mut sealed);
            assert!(!sealed.holds(33), "{what}");
        }
        assert!(!whole().holds(34) && !whole().holds(32), "the archive has others");
        assert!(!Sealed { without_server: true, ..Sealed::default() }.holds(0), "an archive without a resource");
    }

    #[test]
    fn a_source_of_fewer_resources_is_sampled_whole() {
        let tally = |reader| Tally { reader, opened: 2, ..Tally::default() };
        let readers = vec![tally("doctor"), tally("patient"), tally("pharmacy")];
        let counts = Sealed { resources: 2, sample: 2, revoked_tries: 2, expired_tries: 6, readers, ..whole() };
        assert!(Sealed { others_open: 6, last_opens: 6, ..counts.clone() }.holds(2));
        assert!(!counts.holds(2));
    }
}
