//! `wardkeep completions`: shell completions and man pages, made from the command line itself.

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;

use super::CommandError;
use crate::args::Cli;
use crate::args::local::{CompletionTarget, Completions};
use crate::error::FileError;
use crate::output;

/// Prints completions for a shell, or writes man pages.
pub(crate) fn run(args: &Completions) -> Result<(), CommandError> {
    let mut command = Cli::command();
    let shell = match args.target {
        CompletionTarget::Bash => Shell::Bash,
        CompletionTarget::Elvish => Shell::Elvish,
        CompletionTarget::Fish => Shell::Fish,
        CompletionTarget::Powershell => Shell::PowerShell,
        CompletionTarget::Zsh => Shell::Zsh,
        CompletionTarget::Man => return man(command, args),
    };
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "wardkeep", &mut script);
    Ok(output::raw(&script)?)
}

fn man(mut command: Command, args: &Completions) -> Result<(), CommandError> {
    let Some(folder) = &args.dir else {
        let mut page = Vec::new();
        command.build();
        clap_mangen::Man::new(command).render(&mut page).map_err(FileError::at("render", "wardkeep.1"))?;
        return Ok(output::raw(&page)?);
    };
    std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
    clap_mangen::generate_to(command, folder).map_err(FileError::at("write man pages to", folder))?;
    Ok(())
}
