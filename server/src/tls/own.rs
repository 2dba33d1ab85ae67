//! Test tools: a CA of the operator's own in a folder, with everything that a server reads from there, to be broken.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;
use wardkeep_store::MemoryStore;

use super::forge::{DOMAIN, Forge, TestClock};
use super::keeper::{Keeper, KeeperError};
use crate::accept::Guard;
use crate::ca::authority::pem;
use crate::ca::{Authority, AuthoritySettings};
use crate::config::Config;
use crate::peer::PeerRules;
use crate::reload::Reloader;
use crate::revocation::Revoked;
use crate::system::SystemEntropy;
use crate::telemetry::Metrics;

/// The folder, its CA, and the configuration that names its files.
pub(crate) struct Own {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) ca: Forge,
    pub(crate) config: Config,
}

/// What a server makes of it.
pub(crate) struct Kept {
    pub(crate) clock: Arc<TestClock>,
    pub(crate) revoked: Arc<Revoked>,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) keeper: Arc<Keeper>,
}

pub(crate) fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl Own {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = Forge::new("Clinic CA");
        let at = |name: &str| folder.path().join(name);
        let mut config = Config::default();
        config.identity.trust_domain = DOMAIN.to_owned();
        config.tls.certificate_file = Some(at("tls.crt"));
        config.tls.key_file = Some(at("tls.key"));
        config.ca.certificate_file = Some(at("ca.crt"));
        config.ca.crl_files = vec![at("ca.crl")];
        let own = Self { folder, ca, config };
        own.write_listener(&own.ca);
        own.write("ca.crt", pem("CERTIFICATE", &own.ca.der));
        own.write("ca.crl", pem("X509 CRL", &own.ca.fresh_crl()));
        own.write("wardkeep.toml", toml::to_string(&own.config).unwrap());
        own
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file in place; a key's file stays its owner's alone.
    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
        if name.ends_with(".key") {
            set_mode(&self.path(name), 0o600);
        }
    }

    /// A listener's certificate and key of some CA.
    pub(crate) fn write_listener(&self, ca: &Forge) {
        let listener = ca.listener();
        self.write("tls.crt", pem("CERTIFICATE", &listener.chain[0]));
        self.write("tls.key", pem("PRIVATE KEY", listener.key.secret_der()));
    }

    /// Changes the configuration's text.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path("wardkeep.toml")).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        self.write("wardkeep.toml", text.replace(from, to));
    }

    pub(crate) async fn kept(&self) -> Result<Kept, KeeperError> {
        let clock = TestClock::new();
        let store = Arc::new(MemoryStore::new(clock.clone(), Arc::new(SystemEntropy)).unwrap());
        Authority::create(&*store, &*clock, &SystemEntropy).await.unwrap();
        let revoked = Arc::new(Revoked::new());
        let told = AuthoritySettings { trust_domain: DOMAIN.to_owned(), ca: self.config.ca.clone() };
        let authority = Authority::open(store, clock.clone(), Arc::new(SystemEntropy), told, revoked.clone()).unwrap();
        let metrics = Arc::new(Metrics::new().unwrap());
        let keeper = Keeper::new(&self.config, Arc::new(authority), clock.clone(), revoked.clone(), metrics.clone())?;
        Ok(Kept { clock, revoked, metrics, keeper: Arc::new(keeper) })
    }
}

impl Kept {
    /// A reloader over it, and the guard that it hands limits to.
    pub(crate) fn reloader(&self, own: &Own) -> (Arc<Reloader>, Arc<Guard>) {
        let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
        let guard = Arc::new(Guard {
            limits: ArcSwap::from_pointee(own.config.limits.clone()),
            rules: ArcSwap::from_pointee(rules),
            revoked: self.revoked.clone(),
            clock: self.clock.clone(),
            metrics: self.metrics.clone(),
        });
        let path = Some(own.path("wardkeep.toml"));
        let config = Arc::new(own.config.clone());
        let reloader = Reloader::new(config, path, self.keeper.clone(), guard.clone(), self.metrics.clone());
        (Arc::new(reloader), guard)
    }

    /// How often a reload had that outcome.
    pub(crate) fn reloads(&self, outcome: &str) -> u64 {
        let text = self.metrics.render();
        let line = format!("wardkeep_reloads_total{{outcome=\"{outcome}\"}} ");
        text.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
    }
}
