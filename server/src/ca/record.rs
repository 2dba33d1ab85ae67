//! What the store keeps of certificates, tokens and revocations, and the private mirrors that are written.
//!
//! Rows are JSON with a version `v`. Versions are only ever added.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use wardkeep_model::{CertificateSerial, EntityUid, Identity, Timestamp};
use zeroize::Zeroizing;

use super::AuthorityError;

const VERSION: u8 = 1;

/// One certificate that was issued here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateRecord {
    /// Its serial.
    pub serial: CertificateSerial,
    /// Whom it names.
    pub identity: Identity,
    /// The certificate that it renews; `None` after an enrolment.
    pub parent: Option<CertificateSerial>,
    /// When it was issued.
    pub issued: Timestamp,
    /// Its first moment.
    pub not_before: Timestamp,
    /// Its last moment.
    pub not_after: Timestamp,
    /// How it stands at the moment of asking.
    pub state: CertificateState,
}

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertificateState {
    /// Good.
    Valid,
    /// Past its end.
    Expired,
    /// Revoked, by itself, by an ancestor or by its identity.
    Revoked,
}

/// One enrolment token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// What it is called in lists: the first half of its digest, in hexadecimal.
    pub id: String,
    /// For whom.
    pub identity: Identity,
    /// Who issued it; `None` for those of `server init` and `recover`.
    pub issuer: Option<EntityUid>,
    /// When.
    pub created: Timestamp,
    /// Until when it may be redeemed.
    pub expires: Timestamp,
    /// How it stands.
    pub state: TokenState,
}

/// How a token stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenState {
    /// May be redeemed.
    Open,
    /// Was redeemed for that certificate.
    Redeemed(CertificateSerial),
    /// Was taken back, or voided by a role or a revocation.
    Void,
}

impl CertificateState {
    /// The word used on the wire.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

impl TokenState {
    /// The word used on the wire.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Redeemed(_) => "redeemed",
            Self::Void => "void",
        }
    }
}

/// Row of `Table::Certificate`; its id is the serial.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CertificateRow {
    v: u8,
    serial: String,
    identity: String,
    parent: Option<String>,
    issued: u64,
    not_before: u64,
    not_after: u64,
}

/// Row of `Table::Token`; its id is the record's.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TokenRow {
    v: u8,
    /// SHA-256 of the token's 32 bytes, hexadecimal. The token itself is never stored.
    pub(super) digest: String,
    identity: String,
    issuer: Option<(String, String)>,
    created: u64,
    expires: u64,
    state: String,
    serial: Option<String>,
}

/// Row of `Table::Revocation`.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RevocationRow {
    v: u8,
    pub(super) at: u64,
    pub(super) what: RevokedWhat,
}

/// What a revocation row is about.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum RevokedWhat {
    Serial { issuer: String, serial: String },
    Identity { identity: String, keep: Vec<String> },
}

fn broken(what: &'static str) -> AuthorityError {
    AuthorityError::Row { what }
}

/// Writes a row.
pub(super) fn write<T: Serialize>(row: &T, what: &'static str) -> Result<Zeroizing<Vec<u8>>, AuthorityError> {
    serde_json::to_vec(row).map(Zeroizing::new).map_err(|_| broken(what))
}

fn read<T: DeserializeOwned>(bytes: &[u8], what: &'static str, version: fn(&T) -> u8) -> Result<T, AuthorityError> {
    let row: T = serde_json::from_slice(bytes).map_err(|_| broken(what))?;
    if version(&row) == VERSION { Ok(row) } else { Err(broken(what)) }
}

impl CertificateRow {
    pub(super) fn of(record: &CertificateRecord) -> Self {
        Self {
            v: VERSION,
            serial: record.serial.to_string(),
            identity: record.identity.to_string(),
            parent: record.parent.as_ref().map(ToString::to_string),
            issued: record.issued.millis(),
            not_before: record.not_before.millis(),
            not_after: record.not_after.millis(),
        }
    }

    /// The record; its state is for the caller to fill in.
    pub(super) fn read(bytes: &[u8]) -> Result<CertificateRecord, AuthorityError> {
        const WHAT: &str = "certificate record";
        let row: Self = read(bytes, WHAT, |row: &Self| row.v)?;
        let serial = |text: &str| CertificateSerial::parse(text).map_err(|_| broken(WHAT));
        Ok(CertificateRecord {
            serial: serial(&row.serial)?,
            identity: Identity::parse(&row.identity).map_err(|_| broken(WHAT))?,
            parent: row.parent.as_deref().map(serial).transpose()?,
            issued: Timestamp::from_millis(row.issued),
            not_before: Timestamp::from_millis(row.not_before),
            not_after: Timestamp::from_millis(row.not_after),
            state: CertificateState::Valid,
        })
    }
}

impl TokenRow {
    pub(super) fn of(record: &TokenRecord, digest: String) -> Self {
        let serial = match &record.state {
            TokenState::Redeemed(serial) => Some(serial.to_string()),
            TokenState::Open | TokenState::Void => None,
        };
        Self {
            v: VERSION,
            digest,
            identity: record.identity.to_string(),
            issuer: record.issuer.as_ref().map(|uid| (uid.kind().to_owned(), uid.id().to_owned())),
            created: record.created.millis(),
            expires: record.expires.millis(),
            state: record.state.as_str().to_owned(),
            serial,
        }
    }

    pub(super) fn read(id: &str, bytes: &[u8]) -> Result<(TokenRecord, String), AuthorityError> {
        const WHAT: &str = "token record";
        let row: Self = read(bytes, WHAT, |row: &Self| row.v)?;
        let state = match (row.state.as_str(), &row.serial) {
            ("open", None) => TokenState::Open,
            ("void", None) => TokenState::Void,
            ("redeemed", Some(serial)) => {
                TokenState::Redeemed(CertificateSerial::parse(serial).map_err(|_| broken(WHAT))?)
            }
            _ => return Err(broken(WHAT)),
        };
        let issuer = row.issuer.map(|(kind, id)| EntityUid::new(&kind, &id)).transpose().map_err(|_| broken(WHAT))?;
        let record = TokenRecord {
            id: id.to_owned(),
            identity: Identity::parse(&row.identity).map_err(|_| broken(WHAT))?,
            issuer,
            created: Timestamp::from_millis(row.created),
            expires: Timestamp::from_millis(row.expires),
            state,
        };
        Ok((record, row.digest))
    }
}

impl RevocationRow {
    pub(super) fn new(at: Timestamp, what: RevokedWhat) -> Self {
        Self { v: VERSION, at: at.millis(), what }
    }

    pub(super) fn read(bytes: &[u8]) -> Result<Self, AuthorityError> {
        read(bytes, "revocation record", |row: &Self| row.v)
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// 32 bytes of hexadecimal.
pub(super) fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut out = [0_u8; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, at) in out.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(out)
}
