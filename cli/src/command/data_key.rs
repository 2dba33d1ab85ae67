//! `wardkeep data-key`: generate, unwrap, rewrap.
//!
//! The data key itself is never printed: it goes into a file that its owner alone may read, or comes back
//! sealed for an RSA key and is then harmless to print.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use wardkeep_client::data_keys::{new_data_key, opened_data_key, renewed_data_key};
use wardkeep_client::wire::data_key::Recipient;
use wardkeep_client::wire::{Base64, Secret};

use super::remote::with_client;
use super::{CommandError, context};
use crate::args::keys::{DataKey, DataKeyGenerate, DataKeyRewrap, DataKeyUnwrap};
use crate::error::FileError;
use crate::output::{self, Format};
use crate::secret::Source;
use crate::stop::sweep_when_told;
use crate::whole_file::{self, Readers};

/// What a verb on data keys shows.
#[derive(Serialize)]
struct Shown {
    key: String,
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    wrapped: Option<Base64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    for_recipient: Option<Base64>,
}

/// Carries out a verb on data keys.
pub(crate) fn run(format: Format, verb: DataKey) -> Result<(), CommandError> {
    sweep_when_told()?;
    let shown = match verb {
        DataKey::Generate(args) => generate(args)?,
        DataKey::Unwrap(args) => unwrap(args)?,
        DataKey::Rewrap(args) => rewrap(args)?,
    };
    Ok(output::show(format, &shown, &[])?)
}

fn generate(args: DataKeyGenerate) -> Result<Shown, CommandError> {
    let mut question = new_data_key(&args.key, &context::of(&args.context)?);
    question.recipient = args.recipient.as_deref().map(recipient).transpose()?;
    question.plaintext = args.plaintext_file.is_some() && question.recipient.is_none();
    let made =
        with_client(&args.connection, |client| async move { Ok(client.data_keys().generate(&question).await?) })?;
    keep(args.plaintext_file.as_deref(), made.plaintext)?;
    Ok(Shown { key: made.key, version: made.version, wrapped: Some(made.wrapped), for_recipient: made.for_recipient })
}

fn unwrap(args: DataKeyUnwrap) -> Result<Shown, CommandError> {
    let recipient = args.recipient.as_deref().map(recipient).transpose()?;
    let question = opened_data_key(&wrapped(&args.wrapped)?, &context::of(&args.context)?, recipient);
    let opened =
        with_client(&args.connection, |client| async move { Ok(client.data_keys().unwrap(&question).await?) })?;
    keep(args.plaintext_file.as_deref(), opened.plaintext)?;
    Ok(Shown { key: opened.key, version: opened.version, wrapped: None, for_recipient: opened.for_recipient })
}

fn rewrap(args: DataKeyRewrap) -> Result<Shown, CommandError> {
    let question = renewed_data_key(&wrapped(&args.wrapped)?, &context::of(&args.context)?);
    let made = with_client(&args.connection, |client| async move { Ok(client.data_keys().rewrap(&question).await?) })?;
    Ok(Shown { key: made.key, version: made.version, wrapped: Some(made.wrapped), for_recipient: None })
}

/// Writes the data key to its file; where none is named, it is dropped and zeroed.
fn keep(file: Option<&Path>, plaintext: Option<Secret>) -> Result<(), CommandError> {
    if let (Some(file), Some(plaintext)) = (file, plaintext) {
        whole_file::write(file, plaintext.expose(), Readers::Owner, false)?;
    }
    Ok(())
}

fn wrapped(source: &Source) -> Result<Vec<u8>, CommandError> {
    STANDARD.decode(source.text()?.trim()).map_err(|_| CommandError::NotBase64 { what: "the wrapped data key" })
}

/// An RSA public key: PEM, `BEGIN PUBLIC KEY` (RFC 7468 section 13), or a JSON Web Key (RFC 7517).
pub(super) fn recipient(path: &Path) -> Result<Recipient, CommandError> {
    let text = std::fs::read_to_string(path).map_err(FileError::at("read", path))?;
    if text.trim_start().starts_with('{') {
        let fault = |error| CommandError::JsonFile { path: path.to_owned(), error };
        return serde_json::from_str(&text).map(Recipient::Jwk).map_err(fault);
    }
    let body =
        text.split_once("-----BEGIN PUBLIC KEY-----").and_then(|(_, rest)| rest.split_once("-----END PUBLIC KEY-----"));
    let der = body.and_then(|(body, _)| STANDARD.decode(body.split_whitespace().collect::<String>()).ok());
    der.map(|der| Recipient::Spki(der.into())).ok_or_else(|| CommandError::NotAPublicKey { path: path.to_owned() })
}

#[cfg(test)]
mod tests;
