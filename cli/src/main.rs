//! `wardkeep`: the one binary. Parse, match, delegate.

mod args;
mod bundle_folder;
mod command;
mod demo;
mod error;
mod ground;
mod installation;
mod output;
mod progress;
mod secret;
mod stop;
mod system;
mod whole_file;

use std::process::ExitCode;

use clap::Parser as _;

fn main() -> ExitCode {
    // A closed pipe ends `wardkeep … | head` quietly: writes report it as an error, see `output`.
    let cli = match args::Cli::try_parse() {
        Ok(cli) => cli,
        Err(refusal) => return error::usage(&refusal),
    };
    error::finish(command::run(cli))
}
