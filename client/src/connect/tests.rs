//! Mutual TLS for real: who is trusted, who is shown, and what happens when files change.

use super::*;
use crate::call::Call;
use crate::testing::{Authority, Folder, Reply, Server};
use crate::{CallError, Client};

mod pool;
mod replaced;

const WHO: &str = "spiffe://example/service/web";

async fn server(ca: &Authority) -> Server {
    Server::start(ca, |_| Reply::Json(200, "{}".to_owned())).await
}

async fn ping(client: &Client) -> Result<(), CallError> {
    client.tell(Call::get("/v1/whoami")).await
}

#[tokio::test]
async fn both_sides_show_certificates_and_one_connection_serves_many_calls() {
    let ca = Authority::new("ca");
    let server = server(&ca).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    for _ in 0..20 {
        ping(&client).await.unwrap();
    }
    let seen = server.seen();
    assert_eq!(seen[0].serial, client.certificate().serial.to_string());
    assert_eq!(seen[0].version, http::Version::HTTP_2);
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn without_h2_it_speaks_http_1() {
    let ca = Authority::new("ca");
    let mut config = crate::testing::mutual(&ca, &ca.server());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let server = Server::start_with(config, |_| Reply::Json(200, "{}".to_owned())).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    ping(&client).await.unwrap();
    ping(&client).await.unwrap();
    assert_eq!(server.seen()[1].version, http::Version::HTTP_11);
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_server_of_another_ca_is_refused_even_with_the_same_name() {
    let (ours, forged) = (Authority::new("ca"), Authority::new("ca"));
    let server = server(&forged).await;
    let folder = Folder::new(&ours, &forged.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let error = ping(&client).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { source: ConnectError::Tls { .. }, .. }), "{error:?}");
    assert!(server.seen().is_empty());
    assert_eq!(server.connections.load(std::sync::atomic::Ordering::SeqCst), 1, "not tried again");
}

#[tokio::test]
async fn a_server_of_another_name_is_refused() {
    let ca = Authority::new("ca");
    let server = server(&ca).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let mut settings = folder.settings(server.port);
    settings.address = Address::parse(&format!("https://localhost:{}", server.port)).unwrap();
    let error = ping(&Client::connect(settings).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { source: ConnectError::Tls { .. }, .. }), "{error:?}");
}

#[tokio::test]
async fn a_client_certificate_that_the_server_refuses_is_a_tls_error_and_final() {
    let (ca, other) = (Authority::new("ca"), Authority::new("other"));
    let server = server(&ca).await;
    let folder = Folder::new(&ca, &other.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let error = ping(&client).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { source: ConnectError::Tls { .. }, .. }), "{error:?}");
    assert!(error.to_string().contains("check the CA file"), "{error}");
}

#[tokio::test]
async fn an_old_protocol_is_refused() {
    let ca = Authority::new("ca");
    let tcp = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = tcp.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut peer, _)) = tcp.accept().await {
            // A TLS 1.2 ServerHello's beginning, as a downgrading middleman would send it.
            let hello = [0x16, 3, 3, 0, 6, 2, 0, 0, 2, 3, 3];
            let _ = tokio::io::AsyncWriteExt::write_all(&mut peer, &hello).await;
            let _ = tokio::io::AsyncReadExt::read_to_end(&mut peer, &mut Vec::new()).await;
        }
    });
    let folder = Folder::new(&ca, &ca.client(WHO));
    let error = ping(&Client::connect(folder.settings(port)).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { source: ConnectError::Tls { .. }, .. }), "{error:?}");
}

#[tokio::test]
async fn a_listener_that_never_shakes_hands_is_left_in_time() {
    let ca = Authority::new("ca");
    let tcp = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let folder = Folder::new(&ca, &ca.client(WHO));
    let mut settings = folder.settings(tcp.local_addr().unwrap().port());
    settings.timeouts.connect = Duration::from_millis(100);
    settings.timeouts.request = Duration::from_millis(400);
    let error = ping(&Client::connect(settings).await.unwrap()).await.unwrap_err();
    let in_time =
        matches!(error, CallError::Connect { source: ConnectError::Slow { .. }, .. } | CallError::Timeout { .. });
    assert!(in_time, "{error:?}");
}

#[tokio::test]
async fn a_closed_port_says_where_it_looked() {
    let ca = Authority::new("ca");
    let port = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap().local_addr().unwrap().port();
    let folder = Folder::new(&ca, &ca.client(WHO));
    let error = ping(&Client::connect(folder.settings(port)).await.unwrap()).await.unwrap_err();
    assert!(matches!(error, CallError::Connect { source: ConnectError::Unreachable { .. }, .. }), "{error:?}");
    assert!(error.to_string().contains(&port.to_string()), "{error}");
}

#[tokio::test]
async fn replaced_files_are_shown_on_new_connections() {
    let ca = Authority::new("ca");
    let server = server(&ca).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    ping(&client).await.unwrap();
    let before = client.certificate().serial;
    assert!(!client.reload().unwrap(), "nothing changed");

    folder.put(&ca.client(WHO));
    assert!(client.reload().unwrap());
    ping(&client).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen[0].serial, before.to_string());
    assert_eq!(seen[1].serial, client.certificate().serial.to_string());
    assert_ne!(seen[0].serial, seen[1].serial);
}

#[tokio::test]
async fn files_are_taken_up_without_being_asked() {
    let ca = Authority::new("ca");
    let folder = Folder::new(&ca, &ca.client(WHO));
    let mut settings = folder.settings(1);
    settings.timeouts.poll = Duration::from_millis(50);
    let client = Client::connect(settings).await.unwrap();
    let before = client.certificate().serial;
    folder.put(&ca.client(WHO));
    for _ in 0..100 {
        if client.certificate().serial != before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the new certificate was not taken up within 5 s");
}

#[tokio::test]
async fn broken_files_keep_what_works() {
    let ca = Authority::new("ca");
    let server = server(&ca).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    let before = client.certificate().serial;
    let (next, stray) = (ca.client(WHO), ca.client(WHO));

    // Half of a replacement: the certificate is new, the key is not.
    std::fs::write(folder.path("cert.pem"), &next.certificate).unwrap();
    assert!(matches!(client.reload(), Err(CredentialError::Mismatch { .. })));
    std::fs::write(folder.path("key.pem"), &stray.key).unwrap();
    assert!(client.reload().is_err());
    std::fs::write(folder.path("key.pem"), "rubbish").unwrap();
    assert!(matches!(client.reload(), Err(CredentialError::Pem { .. })));
    std::fs::remove_file(folder.path("ca.pem")).unwrap();
    assert!(matches!(client.reload(), Err(CredentialError::Read { .. })));
    assert_eq!(client.certificate().serial, before);
    ping(&client).await.unwrap();

    std::fs::write(folder.path("ca.pem"), &ca.pem).unwrap();
    std::fs::write(folder.path("key.pem"), &next.key).unwrap();
    assert!(client.reload().unwrap());
    ping(&client).await.unwrap();
}

#[tokio::test]
async fn a_new_ca_file_is_believed_and_the_old_one_forgotten() {
    let (old, new) = (Authority::new("old"), Authority::new("new"));
    let server = server(&new).await;
    let folder = Folder::new(&old, &new.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    assert!(ping(&client).await.is_err());
    std::fs::write(folder.path("ca.pem"), &new.pem).unwrap();
    assert!(client.reload().unwrap());
    ping(&client).await.unwrap();
}
