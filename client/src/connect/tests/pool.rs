//! How many connections it takes.

use std::sync::atomic::Ordering;

use super::*;

async fn speaking(protocols: &[&[u8]]) -> (Server, Client, Folder) {
    let ca = Authority::new("ca");
    let mut config = crate::testing::mutual(&ca, &ca.server());
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    let server = Server::start_with(config, |_| Reply::Json(200, "{}".to_owned())).await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    (server, client, folder)
}

#[tokio::test]
async fn calls_one_after_another_need_one_connection() {
    for protocols in [&[&b"h2"[..], b"http/1.1"][..], &[b"h2"], &[b"http/1.1"], &[]] {
        let (server, client, _folder) = speaking(protocols).await;
        for _ in 0..30 {
            ping(&client).await.unwrap();
        }
        assert_eq!(server.connections.load(Ordering::SeqCst), 1, "{protocols:?}");
    }
}

#[tokio::test]
async fn calls_at_once_share_one_connection_of_http_2() {
    let (server, client, _folder) = speaking(&[b"h2"]).await;
    ping(&client).await.unwrap();
    let calls: Vec<_> = (0..50)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { ping(&client).await })
        })
        .collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(server.seen().len(), 51);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn views_share_the_pool_of_their_client() {
    let (server, client, _folder) = speaking(&[b"h2"]).await;
    let subject = wardkeep_model::EntityUid::new("User", "ana").unwrap();
    let views = [
        client.clone(),
        client.on_behalf_of(subject),
        client.with_idempotency_key("k"),
        client.with_deadline(Duration::from_secs(9)),
    ];
    for view in &views {
        ping(view).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

/// A connection that was cut costs its calls and nothing more: the next one opens another.
#[tokio::test]
async fn a_cut_connection_is_replaced() {
    let ca = Authority::new("ca");
    let number = std::sync::atomic::AtomicUsize::new(0);
    let mut config = crate::testing::mutual(&ca, &ca.server());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let server = Server::start_with(config, move |_| match number.fetch_add(1, Ordering::SeqCst) {
        number if number % 3 == 1 => Reply::HangUp,
        _ => Reply::Json(200, "{}".to_owned()),
    })
    .await;
    let folder = Folder::new(&ca, &ca.client(WHO));
    let client = Client::connect(folder.settings(server.port)).await.unwrap();
    for _ in 0..10 {
        ping(&client).await.unwrap();
    }
    let connections = server.connections.load(Ordering::SeqCst);
    assert!((2..=10).contains(&connections), "{connections} connections");
}

/// The connector goes to the address of the settings, whatever a path looks like.
#[tokio::test]
async fn a_path_leads_nowhere_else() {
    let (server, client, _folder) = speaking(&[b"h2"]).await;
    let (other, _other_client, _other_folder) = speaking(&[b"h2"]).await;
    // Made into `https://127.0.0.1:PORT@127.0.0.1:OTHER/x`, whose host is the other one.
    let there = format!("@127.0.0.1:{}/x", other.port);
    for path in [there.as_str(), "//127.0.0.1/v1/whoami", "/../v1/whoami"] {
        let _ = client.tell(Call::get(path)).await;
    }
    assert_eq!(other.connections.load(Ordering::SeqCst), 0);
    assert!(server.connections.load(Ordering::SeqCst) >= 1);
}
