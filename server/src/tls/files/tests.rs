//! Files that are broken, too large, or open to everybody.
//!
//! Broke elsewhere: private keys that any user of the machine could read, and nobody said so.

use super::*;
use crate::ca::authority::pem;
use crate::tls::forge::Forge;
use crate::tls::own::set_mode;

#[test]
fn broken_files_say_which_and_why() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file.pem");
    for (content, expected) in [
        ("", "holds no certificate"),
        ("hello", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\n!!!\n-----END CERTIFICATE-----\n", "broken certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n", "broken certificate"),
    ] {
        std::fs::write(&path, content).unwrap();
        let message = certificates(&path).unwrap_err().to_string();
        assert!(message.contains(expected) && message.contains("file.pem"), "{message}");
    }
    assert!(crls(&folder.path().join("none")).unwrap_err().to_string().contains("cannot be read"));
    std::fs::write(&path, vec![b'x'; 1 << 21]).unwrap();
    assert!(matches!(certificates(&path), Err(FileError::TooLarge { .. })));
}

#[test]
fn a_key_that_others_can_read_is_refused_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    let listener = Forge::new("Clinic CA").listener();
    std::fs::write(&certificate, pem("CERTIFICATE", &listener.chain[0])).unwrap();
    std::fs::write(&key, pem("PRIVATE KEY", listener.key.secret_der())).unwrap();
    set_mode(&certificate, 0o644);
    for bits in [0o040, 0o004, 0o020, 0o002, 0o010, 0o001, 0o044, 0o077] {
        set_mode(&key, 0o600 | bits);
        let error = listener_key(&certificate, &key).unwrap_err();
        assert!(matches!(error, FileError::Mode { mode, .. } if mode == 0o600 | bits), "{error}");
        let expected = format!("(mode {:04o}): run `chmod 600 {}`", 0o600 | bits, key.display());
        assert!(error.to_string().ends_with(&expected), "{error}");
    }
    for mode in [0o600, 0o400, 0o700] {
        set_mode(&key, mode);
        assert!(listener_key(&certificate, &key).is_ok(), "{mode:o}: a certificate may be read by everybody");
    }
}

#[test]
fn it_is_the_file_behind_a_link_that_counts() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let listener = Forge::new("Clinic CA").listener();
    std::fs::write(at("tls.crt"), pem("CERTIFICATE", &listener.chain[0])).unwrap();
    std::fs::write(at("real"), pem("PRIVATE KEY", listener.key.secret_der())).unwrap();
    // A link's own mode is 0777 on Linux: it says nothing.
    std::os::unix::fs::symlink(at("real"), at("tls.key")).unwrap();
    set_mode(&at("real"), 0o640);
    assert!(matches!(listener_key(&at("tls.crt"), &at("tls.key")), Err(FileError::Mode { mode: 0o640, .. })));
    set_mode(&at("real"), 0o400);
    assert!(listener_key(&at("tls.crt"), &at("tls.key")).is_ok());
}

#[test]
fn files_are_read_to_their_bound() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crt");
    let good = pem("CERTIFICATE", &Forge::new("Clinic CA").der);
    let padded = |len: usize| format!("{good}{}", "\n".repeat(len - good.len()));
    let most = usize::try_from(MAX_SMALL).unwrap();
    std::fs::write(&path, padded(most)).unwrap();
    assert_eq!(certificates(&path).unwrap().len(), 1);
    std::fs::write(&path, padded(most + 1)).unwrap();
    let error = certificates(&path).unwrap_err();
    assert!(error.to_string().ends_with("has more than 1048576 bytes"), "{error}");
}

#[test]
fn a_list_is_taken_in_pem_and_in_der_and_several_in_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ca.crl");
    let ca = Forge::new("Clinic CA");
    let (one, other) = (ca.fresh_crl(), ca.crl(-60, 60, &[&[7]]));
    std::fs::write(&path, &*one).unwrap();
    assert_eq!(crls(&path).unwrap(), std::slice::from_ref(&one));
    std::fs::write(&path, format!("{}{}", pem("X509 CRL", &one), pem("X509 CRL", &other))).unwrap();
    assert_eq!(crls(&path).unwrap(), [one, other]);
    for (content, expected) in [
        ("", "holds no CRL"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "holds no CRL"),
        ("-----BEGIN X509 CRL-----\n*\n-----END X509 CRL-----\n", "broken CRL"),
    ] {
        std::fs::write(&path, content).unwrap();
        let error = crls(&path).unwrap_err().to_string();
        assert!(error.contains(expected), "{content}: {error}");
    }
}

#[test]
fn a_key_file_without_a_key_is_told_apart_from_a_broken_one() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("tls.crt"), folder.path().join("tls.key"));
    std::fs::write(&certificate, pem("CERTIFICATE", &Forge::new("Clinic CA").der)).unwrap();
    for (content, expected) in [
        (String::new(), "holds no private key"),
        (pem("CERTIFICATE", b"x"), "holds no private key"),
        ("-----BEGIN PRIVATE KEY-----\n*\n-----END PRIVATE KEY-----\n".to_owned(), "broken private key"),
    ] {
        std::fs::write(&key, content).unwrap();
        set_mode(&key, 0o600);
        let error = listener_key(&certificate, &key).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("tls.key"), "{error}");
    }
    std::fs::remove_file(&key).unwrap();
    assert!(matches!(listener_key(&certificate, &key), Err(FileError::Unreadable { .. })));
}
