//! Where the server is, who we are, and how long we wait.

use std::path::PathBuf;
use std::time::Duration;

use http::Uri;
use http::uri::Scheme;
use rustls_pki_types::ServerName;

use crate::cache::CacheLimits;

/// Environment variable with the server's address, `https://host:port`.
pub const ENV_ADDRESS: &str = "WARDKEEP_ADDRESS";
/// Environment variable with the path of the CA certificates (PEM) that the server is verified against.
pub const ENV_CA: &str = "WARDKEEP_CA";
/// Environment variable with the path of the client certificate chain (PEM), leaf first.
pub const ENV_CERT: &str = "WARDKEEP_CERT";
/// Environment variable with the path of the client's private key (PEM).
pub const ENV_KEY: &str = "WARDKEEP_KEY";

/// Port of the API listener where the address names none.
pub const DEFAULT_PORT: u16 = 8443;

/// Everything that a client needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server's API listener.
    pub address: Address,
    /// The CA certificates (PEM) that the server is verified against; nothing else is trusted.
    pub ca: PathBuf,
    /// The client certificate chain (PEM), leaf first. Renewal replaces this file.
    pub certificate: PathBuf,
    /// The private key (PEM) of that certificate. Renewal replaces this file, mode 0600.
    pub key: PathBuf,
    /// How long to wait.
    pub timeouts: Timeouts,
    /// How often and how long a data key may be used again without asking the server.
    pub cache: CacheLimits,
    /// Who renews the certificate.
    pub renewal: Renewal,
}

/// How long to wait for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// TCP connect and TLS handshake together, for each try.
    pub connect: Duration,
    /// A whole call: every try, every pause between tries, and the answer's body.
    pub request: Duration,
    /// How often the credential files are looked at for changes.
    pub poll: Duration,
}

/// Who renews the client certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Renewal {
    /// This client, at two thirds of the certificate's life; needs write access to its folder.
    #[default]
    Automatic,
    /// Somebody else (cert-manager, SPIFFE, an operator). Replaced files are still taken up.
    Elsewhere,
}

/// An `https` address: host and port, nothing else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    host: String,
    port: u16,
    name: ServerName<'static>,
}

/// Why settings were refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// An environment variable is missing or empty.
    #[error("the environment variable `{name}` is not set: set it to {meaning}")]
    Missing {
        /// The variable.
        name: &'static str,
        /// What it holds.
        meaning: &'static str,
    },
    /// The address is not `https://host:port`.
    #[error("the address `{address}` is malformed: write it as `https://host:port`, without path or user")]
    Address {
        /// What was given.
        address: String,
    },
}

impl Default for Timeouts {
    fn default() -> Self {
        Self { connect: Duration::from_secs(5), request: Duration::from_secs(30), poll: Duration::from_secs(10) }
    }
}

impl Settings {
    /// Settings with every default.
    pub fn new(
        address: &str,
        ca: impl Into<PathBuf>,
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
    ) -> Result<Self, SettingsError> {
        Ok(Self {
            address: Address::parse(address)?,
            ca: ca.into(),
            certificate: certificate.into(),
            key: key.into(),
            timeouts: Timeouts::default(),
            cache: CacheLimits::default(),
            renewal: Renewal::default(),
        })
    }

    /// Settings from `WARDKEEP_ADDRESS`, `WARDKEEP_CA`, `WARDKEEP_CERT` and `WARDKEEP_KEY`.
    pub fn from_env() -> Result<Self, SettingsError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    /// The same from any table of variables.
    pub fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let get = |name, meaning| {
            lookup(name).filter(|text| !text.is_empty()).ok_or(SettingsError::Missing { name, meaning })
        };
        Self::new(
            &get(ENV_ADDRESS, "the server's address, such as `https://127.0.0.1:8443`")?,
            get(ENV_CA, "the path of the CA certificate")?,
            get(ENV_CERT, "the path of the client certificate")?,
            get(ENV_KEY, "the path of the client's private key")?,
        )
    }
}

impl Address {
    /// Reads `https://host[:port]`; the port defaults to 8443.
    pub fn parse(text: &str) -> Result<Self, SettingsError> {
        let refused =
            || SettingsError::Address { address: text.chars().take(200).flat_map(char::escape_default).collect() };
        let uri: Uri = text.parse().map_err(|_| refused())?;
        let authority = uri.authority().ok_or_else(refused)?;
        let plain = uri.scheme() == Some(&Scheme::HTTPS)
            && matches!(uri.path(), "" | "/")
            && uri.query().is_none()
            && !authority.as_str().contains('@');
        if !plain {
            return Err(refused());
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = match authority.as_str().strip_prefix(authority.host()) {
            Some("") => DEFAULT_PORT,
            _ => authority.port_u16().filter(|port| *port != 0).ok_or_else(refused)?,
        };
        let name = ServerName::try_from(host.clone()).map_err(|_| refused())?;
        Ok(Self { host, port, name })
    }

    /// Host name or IP address, without brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The name that the server's certificate must hold.
    pub(crate) fn server_name(&self) -> ServerName<'static> {
        self.name.clone()
    }
}

impl std::fmt::Display for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "https://[{}]:{}", self.host, self.port),
            false => write!(f, "https://{}:{}", self.host, self.port),
        }
    }
}

#[cfg(test)]
mod tests;
