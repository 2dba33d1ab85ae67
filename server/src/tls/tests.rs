//! What the TLS configuration must not allow, tried by clients that ask for it.

use std::sync::Arc;

use rustls::{ClientConnection, NamedGroup, ProtocolVersion, ServerConfig, ServerConnection};

use super::forge::{Forge, TestClock, client};
use super::*;

fn trust(ca: &Forge) -> Trust {
    Trust { roots: vec![ca.der.clone()], crls: vec![ca.fresh_crl()], revocation: RevocationMode::Crl }
}

fn server(ca: &Forge) -> Arc<ServerConfig> {
    Arc::new(mutual(&ca.listener(), &trust(ca), TestClock::new()).unwrap())
}

/// Runs a handshake in memory, until both sides are quiet.
fn shake(
    client: rustls::ClientConfig,
    server: &Arc<ServerConfig>,
) -> Result<(ClientConnection, ServerConnection), rustls::Error> {
    let mut client = ClientConnection::new(Arc::new(client), "localhost".try_into().unwrap()).unwrap();
    let mut server = ServerConnection::new(server.clone()).unwrap();
    for _ in 0..8 {
        let mut wire = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut wire).unwrap();
        }
        let mut left = wire.as_slice();
        while !left.is_empty() {
            server.read_tls(&mut left).unwrap();
            server.process_new_packets()?;
        }
        let mut wire = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut wire).unwrap();
        }
        let mut left = wire.as_slice();
        while !left.is_empty() {
            client.read_tls(&mut left).unwrap();
            client.process_new_packets()?;
        }
    }
    Ok((client, server))
}

#[test]
fn the_hybrid_group_and_tls_1_3_are_what_is_agreed() {
    let ca = Forge::new("Clinic CA");
    let (client, server) = shake(client(&ca.der, Some(&ca.ana()), &[b"h2", b"http/1.1"]), &server(&ca)).unwrap();
    assert!(!client.is_handshaking() && !server.is_handshaking());
    assert_eq!(server.protocol_version(), Some(ProtocolVersion::TLSv1_3));
    assert_eq!(server.negotiated_key_exchange_group().unwrap().name(), NamedGroup::X25519MLKEM768);
    assert_eq!(server.alpn_protocol(), Some(&b"h2"[..]));
}

#[test]
fn resumption_is_impossible_even_for_a_client_that_keeps_everything() {
    let ca = Forge::new("Clinic CA");
    let server = server(&ca);
    // One configuration, so that the client's own session store would offer what it has.
    let client = Arc::new(client(&ca.der, Some(&ca.ana()), &[b"h2"]));
    for _ in 0..3 {
        let (shaken, on_server) = shake((*client).clone(), &server).unwrap();
        assert_eq!(shaken.tls13_tickets_received(), 0);
        assert_eq!(on_server.handshake_kind(), Some(rustls::HandshakeKind::Full));
        assert!(on_server.peer_certificates().is_some());
    }
    assert!(!server.session_storage.can_cache());
    assert!(!server.ticketer.enabled());
    assert_eq!((server.send_tls13_tickets, server.max_early_data_size), (0, 0));
}

#[test]
fn a_hello_of_tls_1_2_is_refused() {
    let ca = Forge::new("Clinic CA");
    let mut server = ServerConnection::new(server(&ca)).unwrap();
    // A ClientHello of RFC 5246: version 3.3, one ECDHE suite, no extensions.
    let mut hello = vec![3, 3];
    hello.extend([7; 32]);
    hello.extend([0, 0, 2, 0xc0, 0x2f, 1, 0]);
    let len = u8::try_from(hello.len()).unwrap();
    let record = [&[0x16, 3, 1, 0, len + 4, 1, 0, 0, len][..], &hello].concat();
    server.read_tls(&mut record.as_slice()).unwrap();
    let refused = server.process_new_packets().unwrap_err();
    assert!(matches!(refused, rustls::Error::PeerIncompatible(_)), "{refused:?}");
}

#[test]
fn the_enrolment_listener_asks_for_no_certificate() {
    let ca = Forge::new("Clinic CA");
    let config = Arc::new(server_only(&ca.listener(), TestClock::new()).unwrap());
    let (_, server) = shake(client(&ca.der, None, &[b"h2"]), &config).unwrap();
    assert!(!server.is_handshaking() && server.peer_certificates().is_none());
}

#[test]
fn crl_mode_without_a_list_and_broken_pieces_do_not_build() {
    let ca = Forge::new("Clinic CA");
    let none = Trust { crls: Vec::new(), ..trust(&ca) };
    assert!(matches!(mutual(&ca.listener(), &none, TestClock::new()), Err(TlsError::NoCrl)));
    let broken = Trust { crls: vec![b"no list".to_vec().into()], ..trust(&ca) };
    assert!(matches!(mutual(&ca.listener(), &broken, TestClock::new()), Err(TlsError::Verifier(_))));
    let rootless = Trust { roots: Vec::new(), ..trust(&ca) };
    assert!(mutual(&ca.listener(), &rootless, TestClock::new()).is_err());
    let mixed = ListenerKey { chain: ca.listener().chain, key: ca.listener().key };
    assert!(matches!(mutual(&mixed, &trust(&ca), TestClock::new()), Err(TlsError::Listener(_))));
}
