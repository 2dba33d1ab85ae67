//! `wardkeep sign`, `wardkeep verify`, `wardkeep random`.

use std::io::Read as _;
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use wardkeep_client::crypto::Signed;

use super::CommandError;
use super::remote::with_client;
use crate::args::content::{Random, Sign, Verify};
use crate::error::FileError;
use crate::output::{self, Format};
use crate::stop::sweep_when_told;
use crate::whole_file::{self, Readers};

/// Longest message that is signed as it is; the server takes no more (longer ones are signed by their digest,
/// with a key spec that can do so, through the API).
const MAX_MESSAGE: u64 = 64 * 1024;

/// Signs a file.
pub(crate) fn sign(format: Format, args: Sign) -> Result<(), CommandError> {
    let message = read(&args.input)?;
    let signature = with_client(&args.connection, |client| async move {
        Ok(client.crypto().sign(&args.key, Signed::Message(&message)).await?)
    })?;
    Ok(output::show(format, &signature, &[])?)
}

/// Verifies a file's signature; one that does not fit is an error, so that scripts stop.
pub(crate) fn verify(format: Format, args: Verify) -> Result<(), CommandError> {
    let message = read(&args.input)?;
    let signature = STANDARD.decode(&args.signature).map_err(|_| CommandError::NotBase64 { what: "the signature" })?;
    let (key, version) = (args.key, args.version);
    let verdict = with_client(&args.connection, |client| async move {
        Ok(client.crypto().verify(&key, version, Signed::Message(&message), &signature).await?)
    })?;
    output::show(format, &verdict, &[])?;
    if verdict.valid { Ok(()) } else { Err(CommandError::BadSignature) }
}

/// Draws random bytes.
pub(crate) fn random(format: Format, args: Random) -> Result<(), CommandError> {
    let count = args.count;
    sweep_when_told()?;
    let drawn = with_client(&args.connection, |client| async move { Ok(client.crypto().random(count).await?) })?;
    match args.to {
        Some(place) => Ok(whole_file::write(&place, drawn.bytes.expose(), Readers::Owner, false)?),
        None => Ok(output::show(format, &drawn, &[])?),
    }
}

fn read(input: &Path) -> Result<Vec<u8>, CommandError> {
    let mut message = Vec::new();
    let read = if input == Path::new("-") {
        std::io::stdin().lock().take(MAX_MESSAGE + 1).read_to_end(&mut message)
    } else {
        std::fs::File::open(input).and_then(|file| file.take(MAX_MESSAGE + 1).read_to_end(&mut message))
    };
    match read.map_err(FileError::at("read", input))? as u64 {
        len if len > MAX_MESSAGE => Err(CommandError::MessageTooLong { path: input.to_owned() }),
        _ => Ok(message),
    }
}
