//! The CRL, and the listeners' certificate, as others see them; and files that break while the server runs.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio_util::sync::CancellationToken;
use wardkeep_model::Clock;
use x509_parser::prelude::FromDer;

use super::house::{ANA, House};
use crate::accept::Guard;
use crate::ca::Target;
use crate::config::{Config, RevocationMode};
use crate::peer::PeerRules;
use crate::reload::Reloader;
use crate::telemetry::Metrics;
use crate::tls::forge::{DOMAIN, Forge, TestClock};
use crate::tls::keeper::{Keeper, KeeperError};

#[tokio::test]
async fn the_list_is_signed_numbered_and_holds_what_is_revoked_and_alive() {
    let house = House::new().await;
    let empty = house.authority.crl().unwrap();
    assert_eq!(empty.entries, 0);
    let mut changes = house.authority.crl_changes();
    let (ana, web) = (house.enrolled(ANA).await, house.enrolled("spiffe://clinic.test/service/web").await);
    house.cut(Target::Serial(ana.record.serial.clone())).await.unwrap();
    house.cut(Target::Serial(web.record.serial.clone())).await.unwrap();
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    let crl = house.authority.crl().unwrap();
    assert!(crl.number > empty.number && crl.entries == 2 && crl.pem.starts_with("-----BEGIN X509 CRL-----\n"));
    let (_, list) = x509_parser::revocation_list::CertificateRevocationList::from_der(&crl.der).unwrap();
    let ca = house.authority.certificate().unwrap();
    let (_, ca) = x509_parser::parse_x509_certificate(ca).unwrap();
    list.verify_signature(ca.public_key()).unwrap();
    assert!(!house.authority.refresh_crl(), "young");
    house.clock.advance(Duration::from_secs(12 * 3_600 + 1));
    assert!(house.authority.refresh_crl(), "half of its life has passed");
    house.clock.advance(Duration::from_secs(13 * 3_600));
    assert!(house.authority.refresh_crl());
    assert_eq!(house.authority.crl().unwrap().entries, 1, "the service's certificate has expired by itself");
}

fn keeper(house: &House, config: &Config) -> Result<Keeper, KeeperError> {
    let metrics = Arc::new(Metrics::new().unwrap());
    Keeper::new(config, house.authority.clone(), house.clock.clone(), house.revoked.clone(), metrics)
}

#[tokio::test]
async fn the_built_in_ca_serves_its_listeners_and_renews_their_certificate() {
    let house = House::new().await;
    let config = Config::default();
    let keeper = keeper(&house, &config).unwrap();
    let before = keeper.api().load_full();
    keeper.rebuild(None).unwrap();
    let stop = CancellationToken::new();
    assert!(!Arc::ptr_eq(&before, &keeper.api().load_full()));
    let rebuilt = keeper.api().load_full();
    let keeping = keeper.keep(stop.clone());
    let revoking = async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        house.authority.sign_crl().unwrap();
        for _ in 0..100 {
            if !Arc::ptr_eq(&rebuilt, &keeper.api().load_full()) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        stop.cancel();
    };
    tokio::join!(keeping, revoking);
    assert!(!Arc::ptr_eq(&rebuilt, &keeper.api().load_full()), "a new list is in force");
}

/// A CA of one's own in a folder.
struct Own {
    folder: tempfile::TempDir,
    ca: Forge,
    config: Config,
}

fn pem(label: &str, der: &[u8]) -> String {
    crate::ca::authority::pem(label, der)
}

fn set_mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

impl Own {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ca = Forge::new("Clinic CA");
        let at = |name: &str| folder.path().join(name);
        let listener = ca.listener();
        std::fs::write(at("tls.crt"), pem("CERTIFICATE", &listener.chain[0])).unwrap();
        std::fs::write(at("tls.key"), pem("PRIVATE KEY", listener.key.secret_der())).unwrap();
        set_mode(&at("tls.key"), 0o600);
        std::fs::write(at("ca.crt"), pem("CERTIFICATE", &ca.der)).unwrap();
        std::fs::write(at("ca.crl"), pem("X509 CRL", &ca.fresh_crl())).unwrap();
        let mut config = Config::default();
        config.identity.trust_domain = DOMAIN.to_owned();
        config.tls.certificate_file = Some(at("tls.crt"));
        config.tls.key_file = Some(at("tls.key"));
        config.ca.certificate_file = Some(at("ca.crt"));
        config.ca.crl_files = vec![at("ca.crl")];
        std::fs::write(at("wardkeep.toml"), toml::to_string(&config).unwrap()).unwrap();
        Self { folder, ca, config }
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path().join(name), content).unwrap();
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }
}

#[tokio::test]
async fn broken_files_keep_what_was_and_say_why() {
    let (house, own) = (House::new().await, Own::new());
    let keeper = keeper(&house, &own.config).unwrap();
    let before = keeper.api().load_full();
    let leaf = own.ca.ana();
    let (forged, stale) = (Forge::new("Clinic CA"), own.ca.crl(-86_400, -60, &[]));
    for (name, content, expected) in [
        ("tls.crt", "broken".to_owned(), "holds no certificate"),
        ("tls.key", String::new(), "holds no private key"),
        ("tls.key", pem("PRIVATE KEY", forged.issuer.key().serialized_der()), "not usable"),
        ("ca.crt", pem("CERTIFICATE", &leaf.chain[0]), "a leaf is no trust root"),
        ("ca.crt", pem("CERTIFICATE", b"junk"), "a leaf is no trust root"),
        ("ca.crl", pem("X509 CRL", b"junk"), "does not read"),
        ("ca.crl", pem("X509 CRL", &stale), "went stale"),
    ] {
        let good = std::fs::read(own.path(name)).unwrap();
        own.write(name, content);
        let error = keeper.rebuild(None).unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(Arc::ptr_eq(&before, &keeper.api().load_full()), "{name}: kept");
        own.write(name, good);
    }
    keeper.rebuild(None).unwrap();
    assert!(!Arc::ptr_eq(&before, &keeper.api().load_full()));
}

#[tokio::test]
async fn a_list_in_a_file_shuts_out_live_callers_too() {
    let (house, own) = (House::new().await, Own::new());
    let keeper = keeper(&house, &own.config).unwrap();
    let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
    let peer = crate::peer::Peer::from_leaf(&own.ca.ana().chain[0], &rules).unwrap();
    assert_eq!(house.revoked.refuses(&peer, house.clock.now()), None);
    own.write("ca.crl", &*own.ca.crl(-60, 86_400, &[&[0x11, 0x22]]));
    keeper.rebuild(None).unwrap();
    assert!(house.revoked.refuses(&peer, house.clock.now()).is_some());
    own.write("ca.crl", &*own.ca.fresh_crl());
    let mut short = own.config.clone();
    short.ca.revocation = RevocationMode::ShortLived;
    keeper.rebuild(Some(&short)).unwrap();
    assert_eq!(house.revoked.refuses(&peer, house.clock.now()), None);
}

fn reloader(house: &House, own: &Own) -> Arc<Reloader> {
    let metrics = Arc::new(Metrics::new().unwrap());
    let keeper = Arc::new(keeper(house, &own.config).unwrap());
    let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
    let guard = Arc::new(Guard {
        limits: ArcSwap::from_pointee(own.config.limits.clone()),
        rules: ArcSwap::from_pointee(rules),
        revoked: house.revoked.clone(),
        clock: TestClock::new(),
        metrics: metrics.clone(),
    });
    let path = Some(own.path("wardkeep.toml"));
    Arc::new(Reloader::new(Arc::new(own.config.clone()), path, keeper, guard, metrics))
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{text}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

#[tokio::test]
async fn a_reload_puts_limits_into_force_and_keeps_the_old_ones_on_any_error() {
    let (house, own) = (House::new().await, Own::new());
    let reloader = reloader(&house, &own);
    let file = own.path("wardkeep.toml");
    edit(&file, "body_millis = 15000", "body_millis = 7000");
    reloader.reload().unwrap();
    assert_eq!(reloader.config().borrow().limits.body_millis, 7_000);
    edit(&file, "body_millis = 7000", "boddy_millis = 7");
    let message = reloader.reload().unwrap_err().to_string();
    assert!(message.contains("did you mean `body_millis`"), "{message}");
    edit(&file, "boddy_millis = 7", "body_millis = 6000");
    own.write("ca.crl", "broken");
    assert!(reloader.reload().is_err());
    assert_eq!(reloader.config().borrow().limits.body_millis, 7_000, "all or nothing");
    own.write("ca.crl", &*own.ca.fresh_crl());
    edit(&file, "trust_domain = \"clinic.test\"", "trust_domain = \"other.test\"");
    reloader.reload().unwrap();
    let now = reloader.config().borrow().clone();
    assert_eq!((now.limits.body_millis, now.identity.trust_domain.as_str()), (6_000, "clinic.test"), "needs a restart");
}

#[tokio::test]
async fn file_changes_reload_by_themselves_and_reading_does_not() {
    let (house, own) = (House::new().await, Own::new());
    let reloader = reloader(&house, &own);
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (reloader, stop) = (reloader.clone(), stop.clone());
        async move { reloader.run(stop).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _read = std::fs::read(own.path("wardkeep.toml")).unwrap();
    own.write("unrelated", "x");
    // As an editor does: a new file renamed over the old one.
    let text = std::fs::read_to_string(own.path("wardkeep.toml")).unwrap();
    own.write("wardkeep.toml.new", text.replace("body_millis = 15000", "body_millis = 8000"));
    let mut config = reloader.config();
    std::fs::rename(own.path("wardkeep.toml.new"), own.path("wardkeep.toml")).unwrap();
    tokio::time::timeout(Duration::from_secs(10), config.changed()).await.expect("reloaded").unwrap();
    assert_eq!(config.borrow().limits.body_millis, 8_000);
    stop.cancel();
    running.await.unwrap();
}
