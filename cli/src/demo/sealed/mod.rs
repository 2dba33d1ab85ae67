//! The same records for readers who are off line: every resource sealed under a formula of its own, and opened with
//! user keys that the key service issued. Nobody is asked while they read.
//!
//! Three readers try every resource. What they open must be what a plain evaluation of the formula over their attributes
//! lets them open, no more and no less: the two are worked out apart, one by pairings, the other by comparing words.
//! Then one key is revoked and one moment lies behind all of them; and when the server has stopped, a file still opens.
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
    /// What the revoked key opens of what was sealed after its revocation; of how many tries.
    pub(crate) revoked_opens: u64,
    /// What keys open of what was sealed for a day behind their end.
    pub(crate) expired_opens: u64,
    /// Tries of revoked and expired keys.
    pub(crate) tries: u64,
    /// Whether the others, and a key issued anew, still opened.
    pub(crate) others_open: bool,
    /// Whether a file was opened after the server had stopped.
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
    /// Whether everything came out as it must.
    pub(crate) fn holds(&self) -> bool {
        let counted = self.readers.iter().all(|tally| tally.opened + tally.refused == self.resources);
        self.disagree == 0
            && self.different == 0
            && self.revoked_opens == 0
            && self.expired_opens == 0
            && self.others_open
            && self.without_server
            && counted
    }
}

/// Seals and reads everything; what is left to be done without a server is given back.
pub(crate) async fn play(source: &Source, cast: &Cast) -> Result<(Sealed, Kept), CommandError> {
    let key = KeyId::parse(AUTHORITY)?;
    cast.admin.authorities().create(&key).await?;
    let sealer = cast.ingest.abe(AUTHORITY).await.map_err(DemoError::from)?;
    let readers = Readers::with_keys(cast, &key).await?;
    let watch = Stopwatch::start();
    let (source, pass) = (source.clone(), Pass::new(sealer, readers));
    // Reading archives blocks, and so does arithmetic.
    let pass = tokio::task::spawn_blocking(move || over(&source, pass, &Handle::current()));
    let pass = pass.await.map_err(|_| DemoError::Stopped)??;
    let (mut sealed, readers) = pass.end();
    sealed.seconds = watch.elapsed().as_secs_f64();
    let kept = after::play(cast, &key, readers, &mut sealed).await?;
    Ok((sealed, kept))
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
