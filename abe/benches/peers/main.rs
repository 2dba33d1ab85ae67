//! Ours beside the peers: seal, open and key issue, with H(x) cold and cached, sizes, and a batch of records.
//!
//! `peers BACKEND RUNS BUDGET_MS STOP_MS POLICY..` prints `peer metric policy value unit`, as the programs in
//! `benches/abe/peers` do. BACKEND is `blst` or, with the feature, `ark`. A policy is `and<n>` or `mixed10`; `batch` and
//! `refusals` stand alone.
//! `benches/abe/run` calls it and makes tables and plots of what it prints.

#[cfg(feature = "blst")]
mod batch;
mod policy;
#[cfg(feature = "blst")]
mod refusal;
mod sample;
mod side;

use std::error::Error;
use std::process::ExitCode;

use policy::Policy;
use sample::Limits;
use side::Side;
use wardkeep_abe::{Attributes, Ciphertext};

/// Whatever a benchmark ends on.
type Fail = Box<dyn Error>;

/// Uses after which whatever is raised to a power has its table, H(x) and the fixed bases.
const USES: usize = 16;
/// Bytes of a ciphertext around policy text and points: magic, format, scheme, authority, version, lengths, counts.
const CIPHERTEXT_HEADER: usize = 7 + 2 + 16 + 4 + 4 + (4 + 2) + 4;
/// Bytes of a key around names and points: magic, format, scheme, fingerprint, validity, serial, number of labels.
const KEY_HEADER: usize = 7 + 2 + 32 + 10 + 2;

fn main() -> ExitCode {
    // Cargo adds a word of its own.
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
        "blst" => match names {
            [name] if name == "batch" => batch::measure(&limits),
            [name] if name == "refusals" => refusal::measure(&limits),
            _ => every::<side::Blst>(&limits, names),
        },
        #[cfg(feature = "arkworks")]
        "ark" => every::<side::Ark>(&limits, names),
        _ => Err(format!("no backend `{backend}` in this build: blst, or ark with the feature `arkworks`").into()),
    }
}

fn every<S: Side>(limits: &Limits, names: &[String]) -> Result<(), Fail> {
    let mut slowest = 0.0_f64;
    for name in names {
        if slowest > limits.stop_ms {
            eprintln!("{} {name}: left out, the point before took {slowest:.0} ms", S::PEER);
            continue;
        }
        slowest = Bench::<S>::new(limits, Policy::named(name)?)?.measure()?;
    }
    Ok(())
}

/// One policy at work.
struct Bench<'a, S: Side> {
    limits: &'a Limits,
    policy: Policy,
    authority: S::Authority,
    attributes: Attributes,
    key: S::Key,
}

impl<'a, S: Side> Bench<'a, S> {
    fn new(limits: &'a Limits, policy: Policy) -> Result<Self, Fail> {
        let authority = S::generate();
        let attributes = S::attributes(S::parameters(&authority), &policy.attributes)?;
        let key = S::issue(&authority, &attributes)?;
        Ok(Self { limits, policy, authority, attributes, key })
    }

    /// Every metric; returns the milliseconds of the slowest.
    fn measure(&self) -> Result<f64, Fail> {
        let public = S::parameters(&self.authority);
        let (seal, open) = (
            |public: &_| S::seal(public, &self.policy.text),
            |public: &_, sealed: &_| S::open(public, &self.key, sealed),
        );
        let (sealed, secret) = seal(public)?;
        if !open(public, &sealed)?.is_same(&secret) {
            return Err("opened to another secret than was sealed".into());
        }
        self.sizes(&sealed)?;
        self.warm(side::ELSEWHERE)?;
        let empty = || Ok(S::cold(public));
        let cold = [
            self.time("seal-cold", empty, seal)?,
            self.time("open-cold", empty, |public| open(public, &sealed))?,
            self.time("issue-cold", || S::cold_authority(&self.authority), |one| S::issue(one, &self.attributes))?,
        ];
        self.warm(&self.policy.text)?;
        let warm = || Ok(());
        let cached = [
            self.time("seal-cached", warm, |()| seal(public))?,
            self.time("open-cached", warm, |()| open(public, &sealed))?,
            self.time("issue-cached", warm, |()| S::issue(&self.authority, &self.attributes))?,
        ];
        Ok(cold.into_iter().chain(cached).fold(0.0, f64::max))
    }

    /// Seals so often under a policy that its attributes and the fixed bases have their tables.
    fn warm(&self, policy: &str) -> Result<(), Fail> {
        (0..USES).try_for_each(|_| S::seal(S::parameters(&self.authority), policy).map(drop))
    }

    /// Bytes of everything, and without what the bars do not count: header, policy text, names.
    fn sizes(&self, sealed: &Ciphertext) -> Result<(), Fail> {
        let (ciphertext, (key, labels)) = (sealed.to_bytes().len(), S::key_bytes(&self.key));
        let points = points(&key, labels).ok_or("the layout of keys has changed: see KEY_HEADER")?;
        let show = |metric: &str, size: usize| println!("{} {metric} {} {size} B", S::PEER, self.policy.name);
        show("ciphertext", ciphertext.saturating_sub(CIPHERTEXT_HEADER + sealed.text().len()));
        show("key", points.len());
        show("ciphertext-file", ciphertext);
        show("key-file", key.len());
        Ok(())
    }

    /// Prints the best time of `work`, each run on what `prepare` makes, which does not count.
    fn time<P, T>(
        &self,
        metric: &str,
        prepare: impl FnMut() -> Result<P, Fail>,
        work: impl FnMut(&P) -> Result<T, Fail>,
    ) -> Result<f64, Fail> {
        self.limits.time([S::PEER, metric, &self.policy.name], prepare, work)
    }
}

/// What follows the names in a key: each of them is behind its length, four bytes.
fn points(key: &[u8], labels: usize) -> Option<&[u8]> {
    let (_, mut rest) = key.split_at_checked(KEY_HEADER)?;
    for _ in 0..labels {
        let (length, behind) = rest.split_first_chunk::<4>()?;
        rest = behind.get(usize::try_from(u32::from_be_bytes(*length)).ok()?..)?;
    }
    Some(rest)
}
