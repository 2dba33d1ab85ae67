//! `wardkeep cert`: token, enroll, renew, revoke, list, tokens.

use std::io::Write as _;

use serde::Serialize;
use wardkeep_client::wire::SecretText;
use wardkeep_client::{Address, CertificateInfo, EnrolFiles, Identity, enrol};
use wardkeep_model::CertificateSerial;

use super::CommandError;
use super::remote::{all_pages, runtime, with_client};
use crate::args::admin::{Cert, CertEnroll, CertRevoke, CertToken};
use crate::args::keys::ListArgs;
use crate::error::FileError;
use crate::output::{self, Format};
use crate::stop::sweep_when_told;
use crate::whole_file::{Readers, WholeFile};

/// A certificate of the caller's, as shown.
#[derive(Serialize)]
struct Shown {
    identity: Option<String>,
    serial: String,
    not_before: String,
    not_after: String,
}

impl From<CertificateInfo> for Shown {
    fn from(info: CertificateInfo) -> Self {
        Self {
            identity: info.identity.map(|identity| identity.to_string()),
            serial: info.serial.to_string(),
            not_before: info.not_before.to_string(),
            not_after: info.not_after.to_string(),
        }
    }
}

/// Carries out a verb on certificates.
pub(crate) fn run(format: Format, verb: Cert) -> Result<(), CommandError> {
    match verb {
        Cert::Token(args) => token(format, args),
        Cert::Enroll(args) => enroll(format, args),
        Cert::Renew(connection) => {
            let info = with_client(&connection, |client| async move { Ok(client.renew_certificate().await?) })?;
            Ok(output::show(format, &Shown::from(info), &[])?)
        }
        Cert::Revoke(args) => revoke(format, args),
        Cert::List(args) => list(format, args),
        Cert::Tokens(args) => tokens(format, args),
    }
}

fn token(format: Format, args: CertToken) -> Result<(), CommandError> {
    let CertToken { identity, to, minutes, connection } = args;
    let identity = Identity::parse(&identity)?;
    sweep_when_told()?;
    // The file first: a place that cannot be written to is found out before there is a token that nobody has.
    let file = to.as_deref().map(|place| WholeFile::create(place, Readers::Owner, false)).transpose()?;
    let mut issued =
        with_client(&connection, |client| async move { Ok(client.tokens().issue(&identity, minutes).await?) })?;
    if let (Some(mut file), Some(place)) = (file, to) {
        file.write_all(issued.token.expose().as_bytes()).map_err(FileError::at("write", &place))?;
        file.finish()?;
        // The answer then shows where the token is instead of the token.
        issued.token = SecretText::new(format!("@{}", place.display()));
    }
    Ok(output::show(format, &issued, &[])?)
}

fn enroll(format: Format, args: CertEnroll) -> Result<(), CommandError> {
    let CertEnroll { address, token, dir } = args;
    let address = Address::parse(&address)?;
    let token = SecretText::new(token.text()?.to_string());
    std::fs::create_dir_all(&dir).map_err(FileError::at("create", &dir))?;
    let dir = std::path::absolute(&dir).map_err(FileError::at("name", &dir))?;
    let files = EnrolFiles { ca: dir.join("ca.pem"), certificate: dir.join("cert.pem"), key: dir.join("key.pem") };
    let info = runtime()?.block_on(async { enrol(&address, &token, &files).await })?;
    output::remark(&format!(
        "export WARDKEEP_CA={} WARDKEEP_CERT={} WARDKEEP_KEY={}",
        files.ca.display(),
        files.certificate.display(),
        files.key.display()
    ));
    Ok(output::show(format, &Shown::from(info), &[])?)
}

fn revoke(format: Format, args: CertRevoke) -> Result<(), CommandError> {
    let CertRevoke { serial, identity, connection } = args;
    let serial = serial.as_deref().map(CertificateSerial::parse).transpose()?;
    let identity = identity.as_deref().map(Identity::parse).transpose()?;
    let revoked = with_client(&connection, |client| async move {
        match (serial, identity) {
            (Some(serial), None) => Ok(client.certificates().revoke(&serial).await?),
            (None, Some(identity)) => Ok(client.certificates().revoke_identity(&identity).await?),
            // The command line takes exactly one of the two.
            (None, None) | (Some(_), Some(_)) => Err(CommandError::OneOf { flags: "`--serial` or `--identity`" }),
        }
    })?;
    Ok(output::show(format, &revoked, &[])?)
}

fn list(format: Format, args: ListArgs) -> Result<(), CommandError> {
    let limit = args.limit;
    let found = with_client(&args.connection, |client| async move {
        all_pages(limit, |paging| {
            let client = client.clone();
            async move { client.certificates().list(&paging).await }
        })
        .await
    })?;
    Ok(output::show(format, &found, &["serial", "identity", "issued", "not_after", "parent", "state"])?)
}

fn tokens(format: Format, args: ListArgs) -> Result<(), CommandError> {
    let limit = args.limit;
    let found = with_client(&args.connection, |client| async move {
        all_pages(limit, |paging| {
            let client = client.clone();
            async move { client.tokens().list(&paging).await }
        })
        .await
    })?;
    Ok(output::show(format, &found, &["id", "identity", "state", "issued_by", "issued", "expires"])?)
}
