//! Calls the binary with an environment of its own.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

/// The binary, without any `WARDKEEP_*` of the caller's.
pub(crate) fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wardkeep"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("WARDKEEP_") {
            command.env_remove(name);
        }
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(args: &[&str]) -> Output {
    run_with(args, b"", &[])
}

/// Runs it with standard input and variables.
pub(crate) fn run_with(args: &[&str], input: &[u8], variables: &[(&str, &str)]) -> Output {
    let mut command = command();
    command.args(args).envs(variables.iter().copied());
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // A child that refuses its arguments never reads: that is not this test's failure.
    let _ = child.stdin.take().unwrap().write_all(input);
    child.wait_with_output().unwrap()
}

/// Its exit code.
pub(crate) fn code(output: &Output) -> i32 {
    output.status.code().unwrap()
}

/// What it answered.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// What it remarked.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}
