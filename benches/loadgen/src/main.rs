//! Measures a Wardkeep server, and OpenBao beside it, over mutual TLS; makes the report.
//!
//! Each subcommand is one step of `benches/run`. Loopback only; every step ends by itself.

mod call;
mod cases;
mod fill;
mod floor;
mod http;
mod load;
mod process;
mod record;
mod report;

/// Whatever ends a step.
pub type Fail = Box<dyn std::error::Error + Send + Sync>;

const USAGE: &str = "usage:
  wardkeep-loadgen measure RESULTS.jsonl SECONDS WARDKEEP.json WARDKEEP_PID PEER.json PEER_PID
  wardkeep-loadgen fill READY.json AES_KEYS RSA_KEYS
  wardkeep-loadgen loaded RESULTS.jsonl READY_MILLIS WARDKEEP.json WARDKEEP_PID KEYS
  wardkeep-loadgen floor RESULTS.jsonl SECONDS
  wardkeep-loadgen report RESULTS.jsonl CRITERION_DIR PERFORMANCE.md";

fn main() -> std::process::ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match step(&words) {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            std::process::ExitCode::FAILURE
        }
    }
}

fn step(words: &[&str]) -> Result<(), Fail> {
    match words {
        ["measure", results, seconds, ready, pid, peer, peer_pid] => {
            cases::measure(results, seconds.parse()?, (ready, pid), (peer, peer_pid))
        }
        ["fill", ready, aes, rsa] => fill::fill(ready, aes.parse()?, rsa.parse()?),
        ["loaded", results, millis, ready, pid, keys] => {
            fill::loaded(results, millis.parse()?, ready, pid.parse()?, keys.parse()?)
        }
        ["floor", results, seconds] => floor::rsa(results, seconds.parse()?),
        ["report", results, criterion, page] => report::report(results, criterion, page),
        _ => Err(USAGE.into()),
    }
}
