//! Renewal and the files it replaces: whoever reads them at any moment finds a pair, and nobody else reads the key.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use crate::credential::load;

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_starts_during_a_renewal_finds_a_pair() {
    let (_ca, server, folder) = set_up(WHO).await;
    let settings = folder.settings(server.port);
    let client = Client::connect(settings.clone()).await.unwrap();
    let ended = Arc::new(AtomicBool::new(false));
    let looking = {
        let (settings, ended) = (settings.clone(), ended.clone());
        std::thread::spawn(move || {
            let mut looks = 0_u32;
            while !ended.load(Ordering::SeqCst) {
                let loaded = load(&settings);
                assert!(loaded.is_ok(), "look {looks}: {:?}", loaded.err());
                assert_eq!(mode(&settings.key), 0o600);
                looks += 1;
            }
            looks
        })
    };
    for _ in 0..30 {
        client.renew_certificate().await.unwrap();
    }
    ended.store(true, Ordering::SeqCst);
    assert!(looking.join().unwrap() > 10);
    let names: Vec<_> =
        std::fs::read_dir(folder.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names.len(), 4, "three files and the lock: {names:?}");
}

#[tokio::test]
async fn loose_modes_of_the_old_files_are_not_inherited() {
    let (_ca, server, folder) = set_up(WHO).await;
    for name in ["cert.pem", "key.pem"] {
        std::fs::set_permissions(folder.path(name), std::fs::Permissions::from_mode(0o666)).unwrap();
    }
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    client.renew_certificate().await.unwrap();
    for name in ["cert.pem", "key.pem", "key.pem.lock"] {
        assert_eq!(mode(&folder.path(name)), 0o600, "{name}");
    }
}

/// A link at the key's name is replaced, not followed: the key does not end up where somebody else wanted it.
#[tokio::test]
async fn a_planted_link_is_not_followed() {
    let (_ca, server, folder) = set_up(WHO).await;
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let (place, trap) = (folder.path("key.pem"), folder.path("trap"));
    std::fs::rename(&place, folder.path("real")).unwrap();
    std::fs::write(&trap, "untouched").unwrap();
    std::os::unix::fs::symlink(&trap, &place).unwrap();
    client.renew_certificate().await.unwrap();
    assert_eq!(std::fs::read_to_string(&trap).unwrap(), "untouched");
    assert!(!std::fs::symlink_metadata(&place).unwrap().is_symlink());
}

#[tokio::test]
async fn a_folder_that_takes_no_files_is_found_out_before_the_server_is_asked() {
    let (_ca, server, folder) = set_up(WHO).await;
    let mut settings = folder.settings(server.port);
    let client = Client::connect(settings.clone()).await.unwrap();
    // The place of the pending key is taken by a folder.
    std::fs::create_dir(folder.path("key.pem.pending")).unwrap();
    let error = client.renew_certificate().await.unwrap_err();
    assert!(matches!(error, RenewError::Write(_)), "{error:?}");
    assert!(error.to_string().contains("writable"), "{error}");
    assert_eq!(error.side(), Side::Local);
    assert!(server.seen().is_empty(), "no certificate was issued that nobody keeps");
    std::fs::remove_dir(folder.path("key.pem.pending")).unwrap();

    settings.key = folder.path("no-such-folder").join("key.pem");
    assert!(matches!(lock(&settings.key), Err(RenewError::Write(_))));
}

#[tokio::test]
async fn a_certificate_file_that_cannot_be_replaced_leaves_a_pair_that_works() {
    let (_ca, server, folder) = set_up(WHO).await;
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let (old, before) = (std::fs::read(folder.path("cert.pem")).unwrap(), client.certificate());
    std::fs::remove_file(folder.path("cert.pem")).unwrap();
    std::fs::create_dir(folder.path("cert.pem")).unwrap();
    let error = client.renew_certificate().await.unwrap_err();
    assert!(matches!(error, RenewError::Write(_)), "{error:?}");
    assert_eq!(client.certificate(), before);
    client.tell(Call::get("/v1/whoami")).await.unwrap();
    std::fs::remove_dir(folder.path("cert.pem")).unwrap();
    std::fs::write(folder.path("cert.pem"), old).unwrap();
    // The key that waits belongs to nothing that stands, and the next renewal overwrites it.
    assert!(folder.path("key.pem.pending").exists());
    client.renew_certificate().await.unwrap();
    assert!(!folder.path("key.pem.pending").exists());
}

#[tokio::test]
async fn answers_that_are_no_certificate_for_us_change_no_file() {
    let ca = Authority::new("ca");
    let other = crate::certify::Applicant::new().unwrap();
    type Answer = Box<dyn Fn(&Authority, &Seen) -> Reply + Send + Sync>;
    let csr = other.csr_pem.clone();
    type Is = fn(&RenewError) -> bool;
    let answers: [(&str, Answer, Is); 4] = [
        ("for another key", Box::new(move |ca, _| Reply::ok(&ca.answer(&csr, WHO))), |error| {
            matches!(error, RenewError::Issue(IssueFault::OtherKey))
        }),
        (
            "rubbish",
            Box::new(|ca, seen| {
                let mut answer = ca.answer(&seen.json::<RenewCertificate>().csr_pem, WHO);
                answer.certificate_pem = "rubbish".to_owned();
                Reply::ok(&answer)
            }),
            |error| matches!(error, RenewError::Issue(IssueFault::Unreadable)),
        ),
        (
            "a chain that is rubbish",
            Box::new(|ca, seen| {
                let mut answer = ca.answer(&seen.json::<RenewCertificate>().csr_pem, WHO);
                answer.chain_pem = "-----BEGIN CERTIFICATE-----\nAAAA\n".to_owned();
                Reply::ok(&answer)
            }),
            |error| matches!(error, RenewError::Issue(IssueFault::Unreadable)),
        ),
        ("no answer of the form", Box::new(|_, _| Reply::Json(200, "{}".to_owned())), |error| {
            matches!(error, RenewError::Call(CallError::Protocol { .. }))
        }),
    ];
    for (what, answer, is) in answers {
        let authority = ca.clone();
        let server = Server::start(&ca, move |seen| answer(&authority, seen)).await;
        let folder = Folder::new(&ca, &ca.client(WHO));
        let client = Client::connect(folder.settings(server.port)).await.unwrap();
        let files = || ["cert.pem", "key.pem"].map(|name| std::fs::read(folder.path(name)).unwrap());
        let before = files();
        let error = client.renew_certificate().await.unwrap_err();
        assert!(is(&error), "{what}: {error:?}");
        assert_eq!(error.side(), Side::Remote, "{what}");
        assert!(files() == before, "{what}");
        assert_eq!(server.seen().len(), 1, "{what}: a certificate is asked for once");
    }
}

/// A server whose CA was replaced issues under the new one. It was asked over a connection that it vouched for itself.
#[tokio::test]
async fn what_the_server_issues_under_another_ca_is_taken() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let issuer = new.clone();
    let server =
        Server::start(&old, move |seen| Reply::ok(&issuer.answer(&seen.json::<RenewCertificate>().csr_pem, WHO))).await;
    let folder = Folder::new(&old, &old.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let renewed = client.renew_certificate().await.unwrap();
    assert_eq!(client.certificate(), renewed);
    assert!(!client.reload().unwrap(), "and it is not looked at again as a foreign one");
}
