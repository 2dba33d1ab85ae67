//! Credential files as they are found in the wild: missing, swapped, broken, half replaced.

use super::*;
use crate::testing::{Authority, Folder};

const WHO: &str = "spiffe://example/service/web";

#[test]
fn a_sound_set_loads_and_says_who_it_is() {
    let ca = Authority::new("ca");
    let folder = Folder::new(&ca, &ca.client(WHO));
    let credential = load(&folder.settings(1)).ok().unwrap();
    assert_eq!(credential.certificate.identity.unwrap().to_string(), WHO);
    assert!(credential.certificate.not_after > credential.certificate.not_before);
    assert_eq!(credential.stamps, Stamps::of(&folder.settings(1)));
    assert!(!credential.tls.enable_early_data);
}

#[test]
fn every_broken_file_is_named() {
    let ca = Authority::new("ca");
    let (ours, other) = (ca.client(WHO), ca.client(WHO));
    type Break = fn(&Folder, &str);
    let breaks: [(&str, Break, &str); 6] = [
        ("ca.pem", |folder, name| std::fs::remove_file(folder.path(name)).unwrap(), "cannot read"),
        ("cert.pem", |folder, name| std::fs::write(folder.path(name), "").unwrap(), "no usable PEM"),
        ("cert.pem", |folder, name| std::fs::write(folder.path(name), [0xFF; 64]).unwrap(), "no usable PEM"),
        ("key.pem", |folder, name| std::fs::write(folder.path(name), "rubbish").unwrap(), "no usable PEM"),
        (
            "key.pem",
            |folder, name| {
                let text = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
                std::fs::write(folder.path(name), text).unwrap();
            },
            "cannot be used",
        ),
        (
            "cert.pem",
            |folder, name| {
                let text = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
                std::fs::write(folder.path(name), text).unwrap();
            },
            "cannot be parsed",
        ),
    ];
    for (name, break_it, says) in breaks {
        let folder = Folder::new(&ca, &ours);
        break_it(&folder, name);
        let error = load(&folder.settings(1)).err().unwrap().to_string();
        assert!(error.contains(says) && error.contains(name), "{name}: {error}");
    }
    let folder = Folder::new(&ca, &ours);
    std::fs::write(folder.path("key.pem"), &other.key).unwrap();
    assert!(matches!(load(&folder.settings(1)), Err(CredentialError::Mismatch { .. })));
}

#[test]
fn a_private_key_never_shows_in_an_error() {
    let ca = Authority::new("ca");
    let folder = Folder::new(&ca, &ca.client(WHO));
    let stray = ca.client(WHO);
    std::fs::write(folder.path("key.pem"), &stray.key).unwrap();
    let error = load(&folder.settings(1)).err().unwrap();
    let line = stray.key.lines().nth(1).unwrap();
    assert!(!format!("{error:?} {error}").contains(line));
}

#[test]
fn a_key_that_waits_beside_its_certificate_is_found() {
    let ca = Authority::new("ca");
    let folder = Folder::new(&ca, &ca.client(WHO));
    let next = ca.client(WHO);
    // A renewal that was cut off after its first rename.
    std::fs::write(folder.path("cert.pem"), &next.certificate).unwrap();
    std::fs::write(folder.path("key.pem.pending"), &next.key).unwrap();
    let settings = folder.settings(1);
    assert!(load(&settings).is_ok());
    assert!(rests_on(&settings, &pending_key(&settings.key)));
    // One that was cut off before it: the waiting key belongs to nothing and is not looked at.
    let folder = Folder::new(&ca, &ca.client(WHO));
    std::fs::write(folder.path("key.pem.pending"), &next.key).unwrap();
    let settings = folder.settings(1);
    assert!(load(&settings).is_ok());
    assert!(!rests_on(&settings, &pending_key(&settings.key)));
}

#[test]
fn identities_that_are_not_ours_are_none() {
    let ca = Authority::new("ca");
    for uri in ["https://example/service/web", "spiffe://example/web", "spiffe://example/a/b/c"] {
        let (chain, _) = ca.client(uri).der();
        assert_eq!(describe(&chain[0]).unwrap().identity, None, "{uri}");
    }
    assert!(describe(b"").is_none());
    let (chain, _) = ca.client(WHO).der();
    let mut longer = chain[0].to_vec();
    longer.push(0);
    assert!(describe(&longer).is_none(), "trailing bytes");
}

#[test]
fn a_chain_has_a_bound() {
    let ca = Authority::new("ca");
    assert!(parse_certificates(ca.pem.repeat(MAX_CHAIN).as_bytes()).is_some());
    assert!(parse_certificates(ca.pem.repeat(MAX_CHAIN + 1).as_bytes()).is_none());
}
