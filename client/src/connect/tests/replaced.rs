//! Credential files that change under a running client: cut short, mixed, of a foreign CA.
//!
//! Broke elsewhere: a reload that took whatever it found left a service without a working certificate until somebody
//! looked (cert-manager and Vault agent both write files one after another).

use super::*;
use crate::testing::now_millis;

const HOUR: Duration = Duration::from_secs(3600);

struct Running {
    ca: std::sync::Arc<Authority>,
    server: Server,
    folder: Folder,
    client: Client,
}

impl Running {
    async fn start() -> Self {
        let ca = Authority::new("ca");
        let server = server(&ca).await;
        let folder = Folder::new(&ca, &ca.client(WHO));
        let client = Client::connect(folder.settings(server.port)).await.unwrap();
        ping(&client).await.unwrap();
        Self { ca, server, folder, client }
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        std::fs::write(self.folder.path(name), bytes).unwrap();
    }

    /// The old certificate is still shown, over the very connection that there was.
    async fn assert_unmoved(&self, serial: &str, what: &str) {
        assert_eq!(self.client.certificate().serial.to_string(), serial, "{what}");
        ping(&self.client).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        assert_eq!(self.server.seen().last().unwrap().serial, serial, "{what}");
        assert_eq!(self.server.connections.load(std::sync::atomic::Ordering::SeqCst), 1, "{what}");
    }
}

#[tokio::test]
async fn a_file_that_is_cut_anywhere_changes_nothing() {
    let running = Running::start().await;
    let before = running.client.certificate().serial.to_string();
    let next = running.ca.client(WHO);
    let (old_certificate, old_key) = (
        std::fs::read(running.folder.path("cert.pem")).unwrap(),
        std::fs::read(running.folder.path("key.pem")).unwrap(),
    );
    for (name, whole, old) in
        [("cert.pem", next.certificate.as_bytes(), &old_certificate), ("key.pem", next.key.as_bytes(), &old_key)]
    {
        // The last line break alone may be missing: the section is whole without it.
        for cut in (0..whole.len() - 1).step_by(29).chain([whole.len() - 2]) {
            running.write(name, &whole[..cut]);
            assert!(running.client.reload().is_err(), "{name} cut to {cut} of {} bytes", whole.len());
        }
        running.assert_unmoved(&before, name).await;
        running.write(name, old);
    }
    let ca = running.ca.pem.as_bytes();
    for cut in (0..ca.len() - 1).step_by(29) {
        running.write("ca.pem", &ca[..cut]);
        assert!(running.client.reload().is_err(), "ca.pem cut to {cut}");
    }
    running.assert_unmoved(&before, "ca.pem").await;
    running.write("ca.pem", ca);

    running.folder.put(&next);
    assert!(running.client.reload().unwrap());
    assert_ne!(running.client.certificate().serial.to_string(), before);
    ping(&running.client).await.unwrap();
}

#[tokio::test]
async fn a_pair_of_a_foreign_ca_keeps_the_old_one() {
    let running = Running::start().await;
    let before = running.client.certificate().serial.to_string();
    let foreign = Authority::new("ca");
    running.folder.put(&foreign.client(WHO));
    for _ in 0..3 {
        let error = running.client.reload().unwrap_err();
        assert!(matches!(error, CredentialError::Foreign { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains("cert.pem") && said.contains("no CA of the CA file"), "{said}");
    }
    running.assert_unmoved(&before, "a foreign pair").await;

    // The keeper's way: it looks by itself, and keeps the old one too.
    running.folder.put(&running.ca.client(WHO));
    assert!(running.client.reload().unwrap());
}

#[tokio::test]
async fn all_three_of_another_installation_are_taken_as_they_are_meant() {
    let running = Running::start().await;
    let foreign = Authority::new("ca");
    running.write("ca.pem", &foreign.pem);
    running.folder.put(&foreign.client(WHO));
    assert!(running.client.reload().unwrap());
    assert!(ping(&running.client).await.is_err(), "the server of the former CA is not believed any more");
}

#[tokio::test]
async fn expired_and_not_yet_valid_certificates_do_not_take_the_place_of_a_good_one() {
    let running = Running::start().await;
    let before = running.client.certificate().serial.to_string();
    for (what, next) in [
        ("expired", running.ca.client_of_age(WHO, HOUR, HOUR * 2)),
        ("about to begin", running.ca.client_in(WHO, HOUR)),
    ] {
        running.folder.put(&next);
        assert!(matches!(running.client.reload(), Err(CredentialError::Foreign { .. })), "{what}");
        running.assert_unmoved(&before, what).await;
    }
}

/// Where clients have a CA of their own, the CA file never vouched for them: there is nothing to compare with.
#[tokio::test]
async fn clients_of_another_ca_than_the_servers_are_reloaded_as_ever() {
    let (servers, clients) = (Authority::new("servers"), Authority::new("clients"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(clients.der()).unwrap();
    let config = crate::testing::mutual(&clients, &servers.server());
    let server = Server::start_with(config, |_| Reply::Json(200, "{}".to_owned())).await;
    let folder = Folder::new(&servers, &clients.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    ping(&client).await.unwrap();
    folder.put(&clients.client(WHO));
    assert!(client.reload().unwrap());
    ping(&client).await.unwrap();
    assert_eq!(server.seen().last().unwrap().serial, client.certificate().serial.to_string());
}

/// Once the one in use has ended, any pair that loads is better than none.
#[tokio::test]
async fn an_expired_certificate_defends_nothing() {
    let ca = Authority::new("ca");
    let folder = Folder::new(&ca, &ca.client_of_age(WHO, HOUR, HOUR * 2));
    let client = Client::connect(folder.settings(1)).await.unwrap();
    assert!(client.certificate().not_after.millis() < now_millis());
    folder.put(&Authority::new("other").client(WHO));
    assert!(client.reload().unwrap());
}

/// Half of a renewal of somebody else's, in either order, and then the other half.
#[tokio::test]
async fn two_halves_are_taken_when_they_fit_and_not_before() {
    for order in [["cert.pem", "key.pem"], ["key.pem", "cert.pem"]] {
        let running = Running::start().await;
        let before = running.client.certificate().serial.to_string();
        let next = running.ca.client(WHO);
        let text = |name| if name == "cert.pem" { &next.certificate } else { &next.key };
        running.write(order[0], text(order[0]));
        assert!(matches!(running.client.reload(), Err(CredentialError::Mismatch { .. })), "{order:?}");
        running.assert_unmoved(&before, order[0]).await;
        running.write(order[1], text(order[1]));
        assert!(running.client.reload().unwrap(), "{order:?}");
        ping(&running.client).await.unwrap();
        assert_eq!(running.server.seen().last().unwrap().serial, running.client.certificate().serial.to_string());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn calls_under_way_end_on_the_connection_they_began_on() {
    let ca = Authority::new("ca");
    let gate = std::sync::Arc::new(std::sync::Barrier::new(2));
    let waiting = gate.clone();
    let server = Server::start(&ca, move |seen| {
        if seen.path == "/v1/config" {
            // The answer is held back until the files have changed.
            tokio::task::block_in_place(|| {
                waiting.wait();
            });
        }
        Reply::Json(200, "[]".to_owned())
    })
    .await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    ping(&client).await.unwrap();
    let slow = {
        let client = client.clone();
        tokio::spawn(async move { client.tell(Call::get("/v1/config")).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    folder.put(&ca.client(WHO));
    assert!(client.reload().unwrap());
    ping(&client).await.unwrap();
    tokio::task::spawn_blocking(move || {
        gate.wait();
    })
    .await
    .unwrap();
    slow.await.unwrap().unwrap();
}
