//! `[listen]`, `[tls]` and `[ca]`.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::ConfigError;
use super::error::within;

/// The listeners' addresses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Listen {
    /// Mutual TLS: everything.
    pub api: SocketAddr,
    /// TLS with the server's certificate only: token + CSR -> certificate. Absent means off.
    pub enrol: Option<SocketAddr>,
    /// Plain HTTP: probes and metrics.
    pub ops: SocketAddr,
    /// The address that documents and links show; never taken from a `Host` header.
    pub public_url: Option<String>,
}

/// The listeners' certificate: files, or one from the built-in CA for `names`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TlsSettings {
    /// A PEM chain, leaf first.
    pub certificate_file: Option<PathBuf>,
    /// Its PEM key.
    pub key_file: Option<PathBuf>,
    /// DNS names and IP addresses of the certificate that the built-in CA makes.
    pub names: Vec<String>,
    /// Life of that certificate, in hours; it is renewed at half of it.
    pub certificate_life_hours: u32,
}

/// How a certificate stops being good before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RevocationMode {
    /// Lists of the CA, for the whole chain; unknown status and stale lists refuse.
    Crl,
    /// No lists: leaves live at most `longest_leaf_life_hours`; revocation made here counts all the same.
    ShortLived,
}

/// Who issues callers' certificates. With `certificate_file` a CA of your own, without it the built-in one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CaSettings {
    /// PEM roots of your own CA.
    pub certificate_file: Option<PathBuf>,
    /// Its CRLs, PEM or DER; every CA of a chain needs one.
    pub crl_files: Vec<PathBuf>,
    /// CRL or short lives.
    pub revocation: RevocationMode,
    /// Longest life of a leaf in `short-lived` mode.
    pub longest_leaf_life_hours: u32,
    /// Life of the leaves that the built-in CA issues, by identity kind.
    pub life_hours: BTreeMap<String, u32>,
    /// The same for kinds that `life_hours` does not name.
    pub default_life_hours: u32,
    /// Life of the built-in CA's CRL; it is signed anew at half of it.
    pub crl_life_hours: u32,
    /// Life of an enrolment token.
    pub token_life_minutes: u32,
    /// Certificates of one enrolment that are alive at a time, renewed ones with it. From a quarter of it on, one is
    /// renewed only after a third of its life.
    pub family_certificates: u32,
}

impl Default for Listen {
    fn default() -> Self {
        let loopback = |port| SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port);
        Self { api: loopback(8443), enrol: Some(loopback(8444)), ops: loopback(8081), public_url: None }
    }
}

impl Default for TlsSettings {
    fn default() -> Self {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
        Self { certificate_file: None, key_file: None, names, certificate_life_hours: 720 }
    }
}

impl Default for CaSettings {
    fn default() -> Self {
        Self {
            certificate_file: None,
            crl_files: Vec::new(),
            revocation: RevocationMode::Crl,
            longest_leaf_life_hours: 24,
            life_hours: BTreeMap::from([("service".to_owned(), 24), ("user".to_owned(), 720)]),
            default_life_hours: 24,
            crl_life_hours: 24,
            token_life_minutes: 60,
            family_certificates: 16,
        }
    }
}

impl Listen {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let clash = |one: SocketAddr, other: SocketAddr| one == other && one.port() != 0;
        if clash(self.api, self.ops) || self.enrol.is_some_and(|enrol| clash(enrol, self.api) || clash(enrol, self.ops))
        {
            let problem = "shares its address with another listener: give each its own port";
            return Err(ConfigError::Conflict { key: "listen", problem });
        }
        if self.public_url.as_ref().is_some_and(|url| !url.starts_with("https://")) {
            return Err(ConfigError::Conflict { key: "listen.public_url", problem: "must begin with `https://`" });
        }
        Ok(())
    }
}

impl TlsSettings {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const LIFE: &str = "1 to 9528 (397 days)";
        if self.certificate_file.is_some() != self.key_file.is_some() {
            let problem = "and `tls.key_file` belong together: set both or none";
            return Err(ConfigError::Conflict { key: "tls.certificate_file", problem });
        }
        if self.certificate_file.is_none() && self.names.is_empty() {
            let problem = "is empty: name at least one DNS name or IP address that clients connect to";
            return Err(ConfigError::Conflict { key: "tls.names", problem });
        }
        within("tls.certificate_life_hours", self.certificate_life_hours.into(), 1..=9528, LIFE)
    }
}

impl CaSettings {
    /// Life of a new leaf for an identity kind, in milliseconds.
    #[must_use]
    pub fn life_millis(&self, kind: &str) -> u64 {
        let hours = self.life_hours.get(kind).copied().unwrap_or(self.default_life_hours);
        u64::from(hours) * 3_600_000
    }

    /// The longest leaf that is accepted, where no CRL is asked for.
    #[must_use]
    pub fn longest_life_millis(&self) -> Option<u64> {
        match self.revocation {
            RevocationMode::Crl => None,
            RevocationMode::ShortLived => Some(u64::from(self.longest_leaf_life_hours) * 3_600_000),
        }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        const YEAR: &str = "1 to 8784 (a year)";
        within("ca.default_life_hours", self.default_life_hours.into(), 1..=8784, YEAR)?;
        within("ca.longest_leaf_life_hours", self.longest_leaf_life_hours.into(), 1..=8784, YEAR)?;
        within("ca.crl_life_hours", self.crl_life_hours.into(), 1..=720, "1 to 720 (30 days)")?;
        within("ca.token_life_minutes", self.token_life_minutes.into(), 1..=10_080, "1 to 10080 (7 days)")?;
        within("ca.family_certificates", self.family_certificates.into(), 2..=1_024, "2 to 1024")?;
        for hours in self.life_hours.values() {
            within("ca.life_hours", (*hours).into(), 1..=8784, YEAR)?;
        }
        let built_in = self.certificate_file.is_none();
        if built_in && !self.crl_files.is_empty() {
            let problem = "is for a CA of your own: the built-in one signs its list itself";
            return Err(ConfigError::Conflict { key: "ca.crl_files", problem });
        }
        match self.revocation {
            RevocationMode::Crl if !built_in && self.crl_files.is_empty() => {
                let problem = "is empty: name the CRL of each CA, or set `ca.revocation = \"short-lived\"`";
                Err(ConfigError::Conflict { key: "ca.crl_files", problem })
            }
            RevocationMode::ShortLived if built_in && self.longest_issued() > self.longest_leaf_life_hours => {
                let problem =
                    "issues leaves that live longer than `ca.longest_leaf_life_hours`: shorten them or use `crl`";
                Err(ConfigError::Conflict { key: "ca.life_hours", problem })
            }
            RevocationMode::Crl | RevocationMode::ShortLived => Ok(()),
        }
    }

    fn longest_issued(&self) -> u32 {
        self.life_hours.values().copied().chain([self.default_life_hours]).max().unwrap_or(0)
    }
}
