//! Ours beside the peers: seal, open and key issue, with H(x) cold and cached, sizes, and a batch of records.
//!
//! `peers BACKEND RUNS BUDGET_MS STOP_MS POLICY..` prints `peer metric policy value unit`, as the programs in
//! `benches/abe/peers` do. BACKEND is `blst` or, with the feature, `ark`. A policy is `and<n>`, `mixed10`, or `batch`.
//! `benches/abe/run` calls it and makes tables and plots of what it prints.

mod batch;
mod policy;
mod sample;

use std::error::Error;
use std::process::ExitCode;

use policy::Policy;
use sample::Limits;
use wardkeep_abe::backend::Backend;
use wardkeep_abe::over::{Authority, PublicParameters, UserKey};
use wardkeep_abe::{AccessPolicy, Attributes, AuthorityId, Ciphertext, Grant, Schema, Seed, Terms, open, seal};

/// Whatever a benchmark ends on.
type Fail = Box<dyn Error>;

/// What a ciphertext is bound to: as long as a record's name.
const CONTEXT: &[u8] = b"Patient/0e7ff9e3-4a8f-4c6f-a5a0-2cbd8a3b3c1e";
/// Uses after which every H(x) of a policy stands in the cache with its table.
const USES: usize = 16;
/// Points and tables of a cache that was just made: those of the product.
const CACHE: (usize, usize) = (4_096, 256);
/// Bytes that do not depend on the policy: magic, format, scheme, authority, version, the lengths and counts.
const CIPHERTEXT_HEADER: usize = 7 + 2 + 16 + 4 + 4 + (4 + 2) + 4;
/// Likewise: magic, format, scheme, fingerprint, validity, serial, number of labels.
const KEY_HEADER: usize = 7 + 2 + 32 + 10 + 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fail) => {
            eprintln!("wardkeep: {fail}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Fail> {
    let (backend, rest) = arguments.split_first().ok_or("usage: BACKEND RUNS BUDGET_MS STOP_MS POLICY..")?;
    let (limits, names) = Limits::from_arguments(rest)?;
    match backend.as_str() {
        #[cfg(feature = "blst")]
        "blst" => every::<wardkeep_abe::backend::Blst>("wardkeep", &limits, names),
        #[cfg(feature = "arkworks")]
        "ark" => every::<wardkeep_abe::backend::Ark>("wardkeep-ark", &limits, names),
        _ => Err(format!("no backend `{backend}` in this build: blst, or ark with the feature `arkworks`").into()),
    }
}

fn every<B: Backend>(peer: &'static str, limits: &Limits, names: &[String]) -> Result<(), Fail> {
    let mut slowest = 0.0_f64;
    for name in names {
        if slowest > limits.stop_ms {
            eprintln!("{peer} {name}: left out, the point before took {slowest:.0} ms");
            continue;
        }
        let policy = Policy::named(if name == "batch" { "and10" } else { name })?;
        let bench = Bench::<B>::new(peer, limits, policy)?;
        slowest = if name == "batch" { batch::measure(&bench)? } else { bench.measure()? };
    }
    Ok(())
}

/// One policy at work.
struct Bench<'a, B: Backend> {
    peer: &'static str,
    limits: &'a Limits,
    policy: Policy,
    authority: Authority<B>,
    attributes: Attributes,
    key: UserKey<B>,
}

impl<'a, B: Backend> Bench<'a, B> {
    fn new(peer: &'static str, limits: &'a Limits, policy: Policy) -> Result<Self, Fail> {
        let id = AuthorityId([7; 16]);
        let authority = Authority::generate(id, Schema::default(), Terms::default(), sample::seed());
        let attributes = Attributes::parse(&policy.attributes, authority.parameters().schema())?;
        let key = issue(&authority, &attributes)?;
        Ok(Self { peer, limits, policy, authority, attributes, key })
    }

    /// Every metric; returns the milliseconds of the slowest.
    fn measure(&self) -> Result<f64, Fail> {
        let public = self.authority.parameters();
        let empty = || Ok(public.with_cache(CACHE.0, CACHE.1));
        let (sealed, _) = self.seal(public)?;
        self.sizes(&sealed)?;
        let mut slowest = [
            self.time("seal-cold", empty, |public| self.seal(public))?,
            self.time("open-cold", empty, |public| self.open(public, &sealed))?,
        ]
        .into_iter()
        .fold(0.0, f64::max);
        let bytes = self.authority.to_bytes();
        let again = || Ok(Authority::<B>::from_bytes(&bytes)?);
        slowest = slowest.max(self.time("issue-cold", again, |authority| issue(authority, &self.attributes))?);
        for _ in 0..USES {
            self.seal(public)?;
        }
        let warm = || Ok(());
        slowest = slowest.max(self.time("seal-cached", warm, |()| self.seal(public))?);
        slowest = slowest.max(self.time("open-cached", warm, |()| self.open(public, &sealed))?);
        Ok(slowest.max(self.time("issue-cached", warm, |()| issue(&self.authority, &self.attributes))?))
    }

    /// From the policy's text to ciphertext and secret.
    fn seal(&self, public: &PublicParameters<B>) -> Result<(Ciphertext, wardkeep_abe::Secret), Fail> {
        let policy = AccessPolicy::parse(&self.policy.text, public)?;
        Ok(seal(public, &policy, CONTEXT, sample::seed())?)
    }

    /// From parsed ciphertext and loaded key to the secret.
    fn open(&self, public: &PublicParameters<B>, sealed: &Ciphertext) -> Result<wardkeep_abe::Secret, Fail> {
        Ok(open(public, &self.key, sealed, CONTEXT)?)
    }

    /// Bytes of everything, and without what the bars do not count: header, policy text, names.
    fn sizes(&self, sealed: &Ciphertext) -> Result<(), Fail> {
        let (ciphertext, key) = (sealed.to_bytes().len(), self.key.to_bytes().len());
        let names: usize = self.key.labels().iter().map(|label| 4 + label.as_bytes().len()).sum();
        let bare = |whole: usize, rest: usize| whole.checked_sub(rest).ok_or("a header became shorter: see its length");
        let bare = [bare(ciphertext, CIPHERTEXT_HEADER + sealed.text().len())?, bare(key, KEY_HEADER + names)?];
        for (metric, size) in ["ciphertext", "key"].into_iter().zip(bare) {
            println!("{} {metric} {} {size} B", self.peer, self.policy.name);
        }
        println!("{} ciphertext-file {} {ciphertext} B", self.peer, self.policy.name);
        println!("{} key-file {} {key} B", self.peer, self.policy.name);
        Ok(())
    }

    /// Prints the median time of `work`, each run on what `prepare` makes, which does not count.
    fn time<P, T>(
        &self,
        metric: &str,
        prepare: impl FnMut() -> Result<P, Fail>,
        work: impl FnMut(&P) -> Result<T, Fail>,
    ) -> Result<f64, Fail> {
        self.limits.time([self.peer, metric, &self.policy.name], prepare, work)
    }
}

fn issue<B: Backend>(authority: &Authority<B>, attributes: &Attributes) -> Result<UserKey<B>, Fail> {
    Ok(authority.issue(&Grant { attributes, valid_until: None, serial: None }, sample::seed())?)
}
