//! `wardkeep dev`: a throw-away server on loopback, with mutual TLS all the same.

use std::path::{Path, PathBuf};

use serde::Serialize;
use wardkeep_client::Client;

use super::CommandError;
use super::remote::runtime;
use crate::args::local::Dev;
use crate::error::FileError;
use crate::ground::{Founder, Ground};
use crate::output::{self, Format};
use crate::stop::Stop;
use crate::whole_file::{self, Readers};

/// What a script needs to know.
#[derive(Serialize)]
struct Ready {
    address: String,
    ca: PathBuf,
    cert: PathBuf,
    key: PathBuf,
    enrol: String,
}

/// Runs until it is told to stop.
pub(crate) fn run(format: Format, args: Dev) -> Result<(), CommandError> {
    let runtime = runtime()?;
    // Before there is a folder: whoever is told to end while it is made takes it along.
    let mut stop = {
        let _inside = runtime.enter();
        Stop::of_a_server()?
    };
    let temporary;
    let folder = match &args.dir {
        Some(folder) => {
            std::fs::create_dir_all(folder).map_err(FileError::at("create", folder))?;
            std::path::absolute(folder).map_err(FileError::at("name", folder))?
        }
        None => {
            temporary = tempfile::Builder::new().prefix("wardkeep-dev-").tempdir().map_err(CommandError::Temporary)?;
            temporary.path().to_owned()
        }
    };
    let ended = runtime.block_on(async {
        let ground = tokio::select! {
            ground = Ground::found(&folder, Founder::dev(args.port)) => ground?,
            told = stop.told() => return Err(CommandError::Stopped(told)),
        };
        let served = serve(format, &args, &folder, &ground, &mut stop).await;
        ground.shutdown().await;
        served
    });
    // Before the folder goes: what still runs would write into it.
    drop(runtime);
    ended
}

async fn serve(
    format: Format,
    args: &Dev,
    folder: &Path,
    ground: &Ground,
    stop: &mut Stop,
) -> Result<(), CommandError> {
    let client = Client::connect(ground.settings(&ground.administrator)?).await?;
    client.whoami().await?;
    let files = ground.files(&ground.administrator);
    let ready = Ready {
        address: ground.address(),
        ca: files.ca,
        cert: files.certificate,
        key: files.key,
        enrol: ground.enrol_address(),
    };
    announce(format, &ready, folder, args.dir.is_some())?;
    if let Some(place) = &args.ready_file {
        let text = serde_json::to_string(&ready).map_err(output::OutputError::from)? + "\n";
        whole_file::write(place, text.as_bytes(), Readers::Anyone, true)?;
    }
    stop.told().await;
    Ok(())
}

/// What to paste next.
fn announce(format: Format, ready: &Ready, folder: &Path, kept: bool) -> Result<(), CommandError> {
    if format != Format::Table {
        return Ok(output::show(format, ready, &[])?);
    }
    let Ready { address, ca, cert, key, enrol } = ready;
    let fate = if kept { "kept" } else { "gone when this ends" };
    output::line(&format!(
        "wardkeep dev: {address}   (enrolment {enrol}; folder {}, {fate})\n\n\
         Paste into another terminal:\n\n\
         export WARDKEEP_ADDRESS={address}\n\
         export WARDKEEP_CA={}\n\
         export WARDKEEP_CERT={}\n\
         export WARDKEEP_KEY={}\n\n\
         wardkeep ring create notes\n\
         wardkeep key create notes/first --spec aes-256-gcm --usage wrap\n\
         echo hello > hello.txt\n\
         wardkeep encrypt hello.txt --key notes/first\n\
         wardkeep decrypt hello.txt.wk --to again.txt\n\
         wardkeep audit tail\n\n\
         Ctrl-C ends it.",
        folder.display(),
        ca.display(),
        cert.display(),
        key.display(),
    ))?;
    Ok(())
}
