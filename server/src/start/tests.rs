//! A server that starts whole or not at all, and says why; and that stops when told to.
//!
//! Broke elsewhere: a default without authentication, a start that went on without its certificate, a stop that hung.

use std::time::Duration;

use wardkeep_policy::BundleSource;
use wardkeep_store::MemoryStore;

use super::*;
use crate::admin::provision::{self, Founding};
use crate::ca::authority::pem;
use crate::testing::{House, config, ground, identity};
use crate::tls::own::{Own, set_mode};

/// A store as `server init` leaves it.
async fn founded(config: &Config) -> Arc<dyn Store> {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new(Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap());
    let founding =
        Founding { administrator: identity("user", "ana"), bundle: BundleSource::starter(), token_life_millis: None };
    provision::init(&ground(&store, config), founding).await.unwrap();
    store
}

async fn start(config: Config, store: Arc<dyn Store>) -> Result<Running, StartError> {
    tokio::time::timeout(Duration::from_secs(60), Server::start(config, store, Surroundings::default())).await.unwrap()
}

#[tokio::test]
async fn a_store_that_was_never_initialised_does_not_start_and_says_so() {
    let store = Arc::new(MemoryStore::new(Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap());
    let error = start(config(), store).await.err().unwrap();
    assert_eq!(error.to_string(), "the store was never initialised: run `wardkeep server init` first");
}

#[tokio::test]
async fn an_address_in_use_is_named_with_its_listener() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    for listener in ["api", "enrol", "ops"] {
        let mut config = config();
        match listener {
            "api" => config.listen.api = address,
            "enrol" => config.listen.enrol = Some(address),
            _ => config.listen.ops = address,
        }
        let store = founded(&config).await;
        let error = start(config, store).await.err().unwrap();
        assert!(matches!(&error, StartError::Bind { listener: named, .. } if *named == listener), "{error}");
        let expected = format!("the {listener} listener cannot use `{address}`: ");
        assert!(error.to_string().starts_with(&expected), "{error}");
    }
}

#[tokio::test]
async fn a_listeners_certificate_that_is_broken_does_not_start() {
    for (name, content, expected) in [
        ("tls.crt", "no pem".to_owned(), "tls.crt` holds no certificate"),
        ("tls.key", String::new(), "tls.key` holds no private key"),
        ("ca.crt", "no pem".to_owned(), "ca.crt` holds no certificate"),
        ("ca.crl", pem("X509 CRL", b"junk"), "holds a CRL that does not read"),
    ] {
        let own = Own::new();
        let mut config = config();
        (config.tls, config.ca) = (own.config.tls.clone(), own.config.ca.clone());
        let store = founded(&config).await;
        own.write(name, content);
        let error = start(config, store).await.err().unwrap();
        assert!(matches!(error, StartError::Certificates(_)), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let own = Own::new();
    let mut config = config();
    (config.tls, config.ca) = (own.config.tls.clone(), own.config.ca.clone());
    let store = founded(&config).await;
    set_mode(&own.path("tls.key"), 0o644);
    let error = start(config, store).await.err().unwrap();
    let path = own.path("tls.key");
    let expected =
        format!("`{0}` holds a private key that others can read (mode 0644): run `chmod 600 {0}`", path.display());
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn names_that_are_none_do_not_start() {
    for name in ["", "a b", "exa_mple", "http://a.test"] {
        let mut config = config();
        config.tls.names = vec![name.to_owned()];
        let store = founded(&config).await;
        let Err(error) = start(config, store).await else { panic!("`{name}` was taken") };
        assert!(error.to_string().contains("is no DNS name and no IP address"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_server_is_ready_once_it_answers_and_not_while_it_stops() {
    let config = config();
    let running = start(config.clone(), founded(&config).await).await.unwrap();
    assert!(running.app.ready.get());
    assert!(running.app.checks().iter().all(|(_, ok, detail)| *ok && detail.is_none()));
    for address in [running.api, running.enrol.unwrap(), running.ops] {
        assert!(tokio::net::TcpStream::connect(address).await.is_ok());
        assert_ne!(address.port(), 0, "the real port");
    }
    let (app, token, addresses) = (running.app.clone(), running.stop_token(), [running.api, running.ops]);
    let waiting = tokio::spawn(running.wait());
    token.cancel();
    tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it does not stop").unwrap();
    assert!(!app.ready.get());
    let (name, ok, detail) = app.checks()[0];
    assert_eq!((name, ok, detail), ("started", false, Some("starting or stopping")));
    for address in addresses {
        assert!(tokio::net::TcpStream::connect(address).await.is_err(), "nobody listens any more");
    }
}

#[tokio::test]
async fn without_an_enrolment_listener_there_is_none() {
    let mut config = config();
    config.listen.enrol = None;
    let running = start(config.clone(), founded(&config).await).await.unwrap();
    assert_eq!(running.enrol, None);
    running.shutdown().await;
}

#[tokio::test]
async fn a_store_serves_one_server_after_the_other() {
    let house = House::new().await;
    house.key("r/k", "aes-256-gcm", "wrap").await;
    let before = house.app.engine.snapshot().version();
    // The store in memory is closed by the stop; what was in it can still be read.
    let store = house.stop().await;
    let loaded = crate::admin::load::snapshot(&*store, config().identity.kinds).unwrap();
    assert_eq!(loaded.version(), before);
    assert!(store.read(wardkeep_store::Table::Key, "r/k").unwrap().is_some());
}

#[test]
fn pools_are_as_many_as_told() {
    let mut told = Config::default();
    (told.pools.dear_threads, told.pools.dear_queue) = (3, 17);
    let settings = kms_settings(&told);
    assert_eq!((settings.rsa_threads, settings.rsa_queue), (3, 17));
    told.pools.dear_threads = 0;
    assert!(kms_settings(&told).rsa_threads >= 1, "0 means one a core");
}
