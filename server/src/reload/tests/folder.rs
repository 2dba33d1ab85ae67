//! Files change while the server runs: all of it is taken or none of it, and every way of replacing a file is noticed.
//!
//! Broke elsewhere: half a reload in force; a watch that stayed with the file that Kubernetes had replaced; a CA swap
//! that kept trusting the old one.

use std::os::unix::fs::symlink;

use rustls::pki_types::CertificateDer;
use wardkeep_model::Clock;

use super::super::*;
use crate::ca::authority::pem;
use crate::config::RevocationMode;
use crate::peer::Peer;
use crate::tls::forge::{Forge, Holder, client};
use crate::tls::keeper::KeeperError;
use crate::tls::own::{Kept, Own, set_mode};

/// Whether a caller gets through the handshake that is in force now.
fn lets_in(kept: &Kept, root: &CertificateDer<'static>, holder: &Holder) -> Result<(), String> {
    let client = Arc::new(client(root, Some(holder), &[b"h2"]));
    let mut client = rustls::ClientConnection::new(client, "localhost".try_into().unwrap()).unwrap();
    let mut server = rustls::ServerConnection::new(kept.keeper.api().load_full()).unwrap();
    for _ in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut left = wire.as_slice();
        while !left.is_empty() {
            server.read_tls(&mut left).unwrap();
            server.process_new_packets().map_err(|error| error.to_string())?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut left = wire.as_slice();
        while !left.is_empty() {
            client.read_tls(&mut left).unwrap();
            client.process_new_packets().map_err(|error| format!("client: {error}"))?;
        }
    }
    if server.is_handshaking() { Err("no end".to_owned()) } else { Ok(()) }
}

#[tokio::test]
async fn each_broken_file_keeps_everything_and_is_counted_and_named() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    let (reloader, guard) = kept.reloader(&own);
    let (before, limits) = (kept.keeper.api().load_full(), guard.limits.load_full());
    let expired = {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_after = crate::tls::forge::at!(-60);
        own.ca.sign(&params)
    };
    let stranger = Forge::new("Clinic CA");
    let cases: Vec<(&str, Vec<u8>, &str)> = vec![
        ("tls.crt", b"no pem".to_vec(), "tls.crt` holds no certificate"),
        ("tls.crt", pem("CERTIFICATE", &stranger.listener().chain[0]).into(), "not usable"),
        ("tls.key", b"".to_vec(), "tls.key` holds no private key"),
        ("tls.key", pem("PRIVATE KEY", expired.key.secret_der()).into(), "not usable"),
        ("ca.crt", b"".to_vec(), "ca.crt` holds no certificate"),
        ("ca.crt", pem("CERTIFICATE", &own.ca.ana().chain[0]).into(), "a leaf is no trust root"),
        ("ca.crl", b"\x30\x03abc".to_vec(), "ca.crl` holds a CRL that does not read"),
        ("ca.crl", own.ca.crl(-120, -60, &[]).to_vec(), "went stale at 2026-11-21T11:59:00"),
        ("wardkeep.toml", b"[limits]\nbody_milis = 5\n".to_vec(), "did you mean `body_millis`?"),
        ("wardkeep.toml", b"[limits\n".to_vec(), "not TOML"),
    ];
    for (count, (name, content, expected)) in (1..).zip(cases) {
        let good = std::fs::read(own.path(name)).unwrap();
        // A good change beside the broken one: it must not get through by itself.
        if name != "wardkeep.toml" {
            own.edit("body_millis = 15000", "body_millis = 14000");
        }
        own.write(name, content);
        let error = reloader.reload().unwrap_err().to_string();
        assert!(error.contains(expected), "{name}: {error}");
        assert!(Arc::ptr_eq(&before, &kept.keeper.api().load_full()), "{name}: {expected}");
        assert!(Arc::ptr_eq(&limits, &guard.limits.load_full()), "{name}: {expected}");
        assert_eq!((kept.reloads("kept-old"), kept.reloads("ok")), (count, 0));
        own.write(name, good);
        if name != "wardkeep.toml" {
            own.edit("body_millis = 14000", "body_millis = 15000");
        }
    }
    reloader.reload().unwrap();
    assert_eq!(kept.reloads("ok"), 1);
    assert!(!Arc::ptr_eq(&before, &kept.keeper.api().load_full()));
}

#[tokio::test]
async fn a_key_that_was_opened_to_others_is_refused_at_the_start_and_at_a_reload() {
    let own = Own::new();
    set_mode(&own.path("tls.key"), 0o640);
    let error = own.kept().await.err().unwrap();
    assert!(matches!(error, KeeperError::File(_)) && error.to_string().contains("run `chmod 600 "), "{error}");
    set_mode(&own.path("tls.key"), 0o600);
    let kept = own.kept().await.unwrap();
    let (reloader, _) = kept.reloader(&own);
    let before = kept.keeper.api().load_full();
    set_mode(&own.path("tls.key"), 0o604);
    let error = reloader.reload().unwrap_err().to_string();
    assert!(error.contains("mode 0604"), "{error}");
    assert!(Arc::ptr_eq(&before, &kept.keeper.api().load_full()));
    assert_eq!(kept.reloads("kept-old"), 1);
}

#[tokio::test]
async fn a_new_ca_is_trusted_and_the_old_one_no_longer() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    let (reloader, _) = kept.reloader(&own);
    let next = Forge::new("Next CA");
    assert_eq!(lets_in(&kept, &own.ca.der, &own.ca.ana()), Ok(()));
    assert!(lets_in(&kept, &own.ca.der, &next.ana()).is_err());
    // Half of the swap: the new root without its list.
    own.write("ca.crt", pem("CERTIFICATE", &next.der));
    own.write_listener(&next);
    reloader.reload().unwrap();
    let refused = lets_in(&kept, &next.der, &next.ana()).unwrap_err();
    assert!(refused.contains("UnknownRevocationStatus"), "unknown means no: {refused}");
    own.write("ca.crl", &*next.fresh_crl());
    reloader.reload().unwrap();
    assert_eq!(lets_in(&kept, &next.der, &next.ana()), Ok(()));
    assert!(lets_in(&kept, &next.der, &own.ca.ana()).is_err(), "the old CA's caller");
    // Both during a change of hands.
    own.write("ca.crt", format!("{}{}", pem("CERTIFICATE", &own.ca.der), pem("CERTIFICATE", &next.der)));
    own.write("ca.crl", format!("{}{}", pem("X509 CRL", &own.ca.fresh_crl()), pem("X509 CRL", &next.fresh_crl())));
    reloader.reload().unwrap();
    assert_eq!(lets_in(&kept, &next.der, &own.ca.ana()), Ok(()));
    assert_eq!(lets_in(&kept, &next.der, &next.ana()), Ok(()));
}

#[tokio::test]
async fn a_list_is_swapped_under_live_callers_and_at_the_handshake() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    let (reloader, guard) = kept.reloader(&own);
    let holder = own.ca.ana();
    let live = Peer::from_leaf(&holder.chain[0], &guard.rules.load()).unwrap();
    let refused = || kept.revoked.refuses(&live, kept.clock.now()).is_some();
    assert!(!refused());
    let watcher = kept.revoked.changes();
    own.write("ca.crl", &*own.ca.crl(-60, 3_600, &[&[0x11, 0x22]]));
    reloader.reload().unwrap();
    assert!(refused(), "without a new handshake");
    assert!(watcher.has_changed().unwrap(), "the sweep is woken");
    assert!(lets_in(&kept, &own.ca.der, &holder).unwrap_err().contains("Revoked"));
    let line = format!("wardkeep_crl_next_update_timestamp_seconds {}", crate::tls::forge::NOW + 3_600);
    assert!(kept.metrics.render().contains(&line));
    own.write("ca.crl", &*own.ca.fresh_crl());
    reloader.reload().unwrap();
    assert!(!refused(), "what a file took, a file gives back");
}

#[tokio::test]
async fn short_lives_are_asked_for_from_the_reload_on() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    let (reloader, guard) = kept.reloader(&own);
    assert_eq!(guard.rules.load().longest_life_millis, None);
    own.edit("revocation = \"crl\"", "revocation = \"short-lived\"");
    own.edit("longest_leaf_life_hours = 24", "longest_leaf_life_hours = 12");
    reloader.reload().unwrap();
    assert_eq!(guard.rules.load().longest_life_millis, Some(12 * 3_600_000));
    assert_eq!(reloader.config().borrow().ca.revocation, RevocationMode::ShortLived);
    own.write("ca.crl", &*own.ca.crl(-120, -60, &[]));
    reloader.reload().expect("a stale list is no matter where lists do not count");
}

#[tokio::test]
async fn a_size_that_needs_a_restart_is_not_in_force_and_the_rest_is() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    let (reloader, guard) = kept.reloader(&own);
    own.edit("connections = 4096", "connections = 9");
    own.edit("json_depth = 32", "json_depth = 64");
    own.edit("handshakes = 256", "handshakes = 7");
    reloader.reload().unwrap();
    let limits = guard.limits.load();
    assert_eq!((limits.connections, limits.json_depth, limits.handshakes), (4_096, 32, 7));
    assert_eq!(reloader.config().borrow().limits, **limits, "what is shown is what is in force");
}

/// Runs the reloader while `change` works on the folder, until the limit is seen.
async fn noticed(own: &Own, kept: &Kept, body_millis: u64, change: impl AsyncFnOnce()) {
    let (reloader, _) = kept.reloader(own);
    let mut config = reloader.config();
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (reloader, stop) = (reloader.clone(), stop.clone());
        async move { reloader.run(stop).await }
    });
    // The first look is a reload of its own: what follows must be noticed by the watch.
    for _ in 0..400 {
        if kept.reloads("ok") > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    change().await;
    let seen = config.wait_for(|config| config.limits.body_millis == body_millis);
    tokio::time::timeout(Duration::from_secs(20), seen).await.expect("not noticed before the slow look").unwrap();
    stop.cancel();
    tokio::time::timeout(Duration::from_secs(10), running).await.expect("it does not end").unwrap();
}

#[tokio::test]
async fn a_file_written_in_place_is_noticed() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    noticed(&own, &kept, 8_001, async || own.edit("body_millis = 15000", "body_millis = 8001")).await;
}

#[tokio::test]
async fn a_file_that_was_gone_for_a_moment_is_noticed_when_it_is_back() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    let text = std::fs::read_to_string(own.path("wardkeep.toml")).unwrap();
    noticed(&own, &kept, 8_002, async || {
        std::fs::remove_file(own.path("wardkeep.toml")).unwrap();
        tokio::time::sleep(Duration::from_millis(500)).await;
        own.write("wardkeep.toml", text.replace("body_millis = 15000", "body_millis = 8002"));
    })
    .await;
    assert!(kept.reloads("kept-old") <= 2, "missing, it kept the old one");
}

/// As the kubelet does: the names are links into `..data`, itself a link to a folder, which is replaced by rename.
#[tokio::test]
async fn a_folder_that_is_swapped_as_kubernetes_does_is_noticed() {
    let own = Own::new();
    let text = std::fs::read_to_string(own.path("wardkeep.toml")).unwrap();
    let version = |name: &str, text: &str| {
        std::fs::create_dir(own.path(name)).unwrap();
        own.write(&format!("{name}/wardkeep.toml"), text);
    };
    version("..2026_1", &text);
    symlink("..2026_1", own.path("..data")).unwrap();
    std::fs::remove_file(own.path("wardkeep.toml")).unwrap();
    symlink("..data/wardkeep.toml", own.path("wardkeep.toml")).unwrap();
    let kept = own.kept().await.unwrap();
    noticed(&own, &kept, 8_003, async || {
        version("..2026_2", &text.replace("body_millis = 15000", "body_millis = 8003"));
        symlink("..2026_2", own.path("..data_tmp")).unwrap();
        std::fs::rename(own.path("..data_tmp"), own.path("..data")).unwrap();
        std::fs::remove_dir_all(own.path("..2026_1")).unwrap();
    })
    .await;
}

#[tokio::test]
async fn reloads_that_race_leave_the_newest_in_force() {
    let own = Own::new();
    let kept = own.kept().await.unwrap();
    let (reloader, guard) = kept.reloader(&own);
    for round in 0..10_u64 {
        let body = 5_000 + round;
        let text = toml::to_string(&own.config).unwrap();
        own.write("wardkeep.toml", text.replace("body_millis = 15000", &format!("body_millis = {body}")));
        let racers: Vec<_> = (0..4)
            .map(|_| {
                let reloader = reloader.clone();
                std::thread::spawn(move || reloader.reload().unwrap())
            })
            .collect();
        racers.into_iter().for_each(|racer| racer.join().unwrap());
        assert_eq!(guard.limits.load().body_millis, body);
        assert_eq!(reloader.config().borrow().limits.body_millis, body);
    }
    assert_eq!(kept.reloads("ok"), 40);
}
