//! Addresses as people write them, as attackers would like them read, and settings with something missing.

use proptest::prelude::*;

use super::*;

#[test]
fn an_address_is_a_host_and_a_port_over_tls() {
    for (text, shown) in [
        ("https://keys.example:9443", "https://keys.example:9443"),
        ("https://127.0.0.1:1", "https://127.0.0.1:1"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
        ("https://localhost", "https://localhost:8443"),
    ] {
        assert_eq!(Address::parse(text).unwrap().to_string(), shown);
    }
}

#[test]
fn whatever_could_send_calls_elsewhere_or_in_clear_is_refused() {
    for bad in [
        "",
        "localhost:8443",
        "http://localhost:8443",
        "https://",
        "https://user@localhost:8443",
        "https://localhost:8443/v1",
        "https://localhost:8443?x=1",
        "https://localhost:0",
        "https://localhost:99999",
        "https://localhost:",
        "https://bad host:1",
        "https://-:1",
    ] {
        assert!(Address::parse(bad).is_err(), "{bad:?}");
    }
}

#[test]
fn a_missing_variable_is_named() {
    let error = Settings::from_lookup(|name| (name != ENV_CERT).then(|| "https://h:1".to_owned())).unwrap_err();
    assert!(error.to_string().contains(ENV_CERT), "{error}");
    let empty = Settings::from_lookup(|name| Some(if name == ENV_CA { String::new() } else { "https://h:1".into() }));
    assert!(matches!(empty, Err(SettingsError::Missing { name: ENV_CA, .. })));
}

#[test]
fn refusals_show_the_address_in_ascii_and_not_all_of_it() {
    let long = format!("https://{}\u{1b}[2J", "a".repeat(5000));
    let said = Address::parse(&long).unwrap_err().to_string();
    assert!(said.len() < 400 && !said.contains('\u{1b}'), "{said}");
    let said = Address::parse("https://h\u{1b}[2J/").unwrap_err().to_string();
    assert!(said.contains("\\u{1b}") && said.contains("https://host:port"), "{said}");
}

#[test]
fn the_host_is_what_the_certificate_must_hold() {
    for (text, host, port, ip) in [
        ("https://keys.example:9443", "keys.example", 9443, false),
        ("https://127.0.0.1", "127.0.0.1", 8443, true),
        ("https://[::1]:1", "::1", 1, true),
        ("https://KEYS.example", "KEYS.example", 8443, false),
        ("https://localhost/", "localhost", 8443, false),
    ] {
        let address = Address::parse(text).unwrap();
        assert_eq!((address.host(), address.port()), (host, port), "{text}");
        assert_eq!(matches!(address.server_name(), ServerName::IpAddress(_)), ip, "{text}");
    }
}

#[test]
fn defaults_are_those_of_the_documents() {
    let settings = Settings::new("https://h", "ca", "cert", "key").unwrap();
    assert_eq!(settings.timeouts.connect, Duration::from_secs(5));
    assert_eq!(settings.timeouts.request, Duration::from_secs(30));
    assert_eq!(settings.renewal, Renewal::Automatic);
    assert_eq!(settings.cache.read.unwrap().age, Duration::from_secs(300), "the stated bound on revocation");
    assert_eq!(settings.cache.protect, None, "a data key for every record");
    assert_eq!(CacheLimits::OFF, CacheLimits { read: None, protect: None });
}

#[test]
fn all_four_variables_are_read_and_named_when_missing() {
    let all = |name: &str| Some(if name == ENV_ADDRESS { "https://h:1".to_owned() } else { format!("/{name}") });
    let settings = Settings::from_lookup(all).unwrap();
    assert_eq!(settings.key, PathBuf::from("/WARDKEEP_KEY"));
    assert_eq!((settings.ca, settings.certificate), ("/WARDKEEP_CA".into(), "/WARDKEEP_CERT".into()));
    for missing in [ENV_ADDRESS, ENV_CA, ENV_CERT, ENV_KEY] {
        let error = Settings::from_lookup(|name| all(name).filter(|_| name != missing)).unwrap_err();
        assert!(matches!(error, SettingsError::Missing { name, .. } if name == missing), "{error:?}");
        assert!(error.to_string().contains(&format!("`{missing}` is not set: set it to")), "{error}");
    }
    let bad = Settings::from_lookup(|name| if name == ENV_ADDRESS { Some("h:1".into()) } else { all(name) });
    assert!(matches!(bad, Err(SettingsError::Address { .. })));
}

proptest! {
    /// What is shown reads back as the same address: it stands in errors that people copy from.
    #[test]
    fn what_is_shown_reads_back(host in "[a-z][a-z0-9-]{0,20}[a-z0-9](\\.[a-z]{2,5})?", port in 1..=u16::MAX) {
        let address = Address::parse(&format!("https://{host}:{port}")).unwrap();
        prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
    }

    #[test]
    fn addresses_of_six_read_back(bits in any::<u128>(), port in 1..=u16::MAX) {
        let address = Address::parse(&format!("https://[{}]:{port}", std::net::Ipv6Addr::from(bits))).unwrap();
        prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
    }

    /// Whatever is taken goes to a host and a port over TLS, and carries nothing else along.
    #[test]
    fn no_text_leads_elsewhere(text in "\\PC{0,40}") {
        if let Ok(address) = Address::parse(&text) {
            prop_assert!(text.to_ascii_lowercase().starts_with("https://"));
            prop_assert!(!address.host().is_empty() && !address.host().contains(['/', '@', '?', '#', ' ']));
            prop_assert!(address.port() > 0);
        }
    }
}
