//! rabe 0.4.2, its two CP-ABE schemes that anybody would take: FAME (`rabe-ac17`) and BSW07 (`rabe-bsw`), over BN-254.
//!
//! `wardkeep-peer-rabe RUNS BUDGET_MS STOP_MS POLICY..` prints `peer metric policy value unit`. A policy is `and<n>`
//! or `mixed10`; seal and open carry 32 bytes and include reading the policy's text, as rabe does both in one call.

mod policy;
mod sample;

use std::process::ExitCode;

use policy::Policy;
use rabe::schemes::{ac17, bsw};
use rabe::utils::policy::pest::PolicyLanguage::HumanPolicy;
use sample::Limits;

/// What is sealed: as long as a data key.
const SECRET: [u8; 32] = [7; 32];

/// Errors are for whoever runs the benchmark: words are enough.
type Fail = String;

fn main() -> ExitCode {
    match run(&std::env::args().skip(1).collect::<Vec<_>>()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(fail) => {
            eprintln!("rabe: {fail}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Fail> {
    let (limits, names) = Limits::from_arguments(arguments)?;
    type Scheme = fn(&Limits, &Policy) -> Result<f64, Fail>;
    let schemes: [(&str, Scheme); 2] = [("rabe-ac17", fame), ("rabe-bsw", bsw07)];
    for (peer, scheme) in schemes {
        let mut slowest = 0.0_f64;
        for name in names {
            if slowest > limits.stop_ms {
                eprintln!("{peer} {name}: left out, the point before took {slowest:.0} ms");
                continue;
            }
            slowest = scheme(&limits, &Policy::named(name)?)?;
        }
    }
    Ok(())
}

/// Agrawal and Chase, CCS 2017: rabe's best at opening. Returns the milliseconds of its slowest operation.
fn fame(limits: &Limits, policy: &Policy) -> Result<f64, Fail> {
    let (public, master) = ac17::setup();
    let show = |metric, of: &[f64]| limits.print("rabe-ac17", metric, &policy.name, of);
    let (key, issue) = limits.sample(|| ac17::cp_keygen(&master, &policy.attributes()).map_err(text))?;
    let seal = || ac17::cp_encrypt(&public, &policy.text, &SECRET, HumanPolicy).map_err(text);
    let (sealed, seals) = limits.sample(seal)?;
    let (opened, opens) = limits.sample(|| ac17::cp_decrypt(&key, &sealed).map_err(text))?;
    same(&opened)?;
    size("rabe-ac17", "key", policy, &key)?;
    size("rabe-ac17", "ciphertext", policy, &sealed)?;
    Ok(show("issue", &issue).max(show("seal", &seals)).max(show("open", &opens)))
}

/// Bethencourt, Sahai, Waters, S&P 2007: rabe's best at sealing. Returns the milliseconds of its slowest operation.
fn bsw07(limits: &Limits, policy: &Policy) -> Result<f64, Fail> {
    let (public, master) = bsw::setup();
    let show = |metric, of: &[f64]| limits.print("rabe-bsw", metric, &policy.name, of);
    let issue = || bsw::keygen(&public, &master, &policy.attributes()).ok_or("no key".to_owned());
    let (key, issues) = limits.sample(issue)?;
    let seal = || bsw::encrypt(&public, &policy.text, HumanPolicy, &SECRET).map_err(text);
    let (sealed, seals) = limits.sample(seal)?;
    let (opened, opens) = limits.sample(|| bsw::decrypt(&key, &sealed).map_err(text))?;
    same(&opened)?;
    size("rabe-bsw", "key", policy, &key)?;
    size("rabe-bsw", "ciphertext", policy, &sealed)?;
    Ok(show("issue", &issues).max(show("seal", &seals)).max(show("open", &opens)))
}

fn text(error: impl std::fmt::Display) -> Fail {
    error.to_string()
}

/// A peer that opens to something else was not measured at its work.
fn same(opened: &[u8]) -> Result<(), Fail> {
    if opened == SECRET { Ok(()) } else { Err("opened to something else than was sealed".to_owned()) }
}

fn size(peer: &str, metric: &str, policy: &Policy, value: &impl serde::Serialize) -> Result<(), Fail> {
    println!("{peer} {metric} {} {} B", policy.name, bincode::serialized_size(value).map_err(text)?);
    Ok(())
}
