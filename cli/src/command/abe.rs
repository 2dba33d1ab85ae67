//! `wardkeep abe`: attribute-based encryption. `local` works with files alone; what calls a server is a verb of its own
//! beside it.

mod authority;
mod content;
mod custody;
mod error;
mod explain;
mod files;
mod folder;
mod inspect;
mod key;
mod ledger;
mod local;
pub(super) mod mixed;
mod recipient;
mod seal;
pub(crate) mod text;
pub(crate) mod when;

use wardkeep_abe::{AccessPolicy, PublicParameters, Seed};
use wardkeep_envelope::RandomFailed;

pub(crate) use error::AbeError;

use super::CommandError;
use crate::args::abe::{Abe, Demands, Local};
use crate::installation::Machine;
use crate::output::{self, Format};
use error::InText as _;
use text::Text;
use when::{Edge, When};

/// Carries out a verb of attribute-based encryption.
pub(crate) fn run(format: Format, verb: Abe) -> Result<(), CommandError> {
    match verb {
        Abe::Local(verb) => match verb {
            Local::Setup(args) => local::setup(format, &args),
            Local::Issue(args) => local::issue(format, &args),
            Local::Seal(args) => content::seal(format, args),
            Local::Open(args) => content::open(format, args),
            Local::Revoke(args) => local::revoke(format, &args),
            Local::Revocations(args) => local::revocations(format, &args),
            Local::Rotate(args) => local::rotate(format, &args),
            Local::Delegate(args) => local::delegate(format, args),
        },
        Abe::Authority(verb) => authority::run(format, verb),
        Abe::Key(verb) => key::run(format, verb),
        Abe::Recipient(verb) => recipient::run(format, verb),
        Abe::Seal(args) => seal::run(format, args),
        Abe::Open(args) => mixed::open(format, args),
        Abe::Revocations(args) => authority::revocations(format, args),
        Abe::Inspect(args) => inspect::run(format, &args),
        Abe::Explain(args) => explain::run(format, args),
    }
}

/// Fresh randomness for one operation.
fn seed(machine: &Machine) -> Result<Seed, AbeError> {
    Ok(Seed::draw(|out| machine.entropy.fill(out))?)
}

/// The machine's randomness, as the envelope takes it.
fn random(machine: &Machine) -> impl FnMut(&mut [u8]) -> Result<(), RandomFailed> {
    |out| machine.entropy.fill(out).map_err(|_| RandomFailed)
}

/// Seconds since 1970.
fn now(machine: &Machine) -> u64 {
    machine.clock.now().seconds()
}

/// The policy of a command line: formula, time bucket, list of revoked keys.
fn policy(
    text: &Text,
    demands: &Demands,
    parameters: &PublicParameters,
    machine: &Machine,
) -> Result<AccessPolicy, AbeError> {
    let (text, file) = text.read()?;
    let parsed = AccessPolicy::parse(&text, parameters);
    let mut policy = parsed.map_err(|error| error.in_text(&text, file.map(|path| path.as_path())))?;
    // A list goes with a bucket: what expired has left it.
    let asked = demands.not_before.or(demands.revocations.as_ref().map(|_| When::Now));
    if asked.is_none() {
        output::remark(
            "wardkeep: whoever ever had a key with these attributes opens this, expired and revoked ones too: \
             `--not-before today` and `--revocations LIST` shut those out",
        );
    }
    let (terms, now) = (parameters.terms(), now(machine));
    if let Some(when) = asked {
        policy = policy.valid_from(when.bucket(Edge::Start, terms, now)?);
    }
    if let Some(path) = &demands.revocations {
        let list = files::revocations(path, parameters)?;
        policy = policy.excluding(&list, parameters, now).map_err(AbeError::list(path))?;
        if demands.not_before.is_none() {
            // This clock may be behind the one that dated the list, within the bounds that the list is taken in.
            policy = policy.valid_from(When::Now.bucket(Edge::Start, terms, now)?.max(list.first_bucket(terms)));
        }
    }
    Ok(policy)
}
