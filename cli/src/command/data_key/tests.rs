//! Recipients as people have them in files: PEM, JWK, and what is neither.

use super::*;

const JWK: &str = r#"{"kty":"RSA","n":"AQAB","e":"AQAB","kid":"x","use":"enc","alg":"RSA-OAEP-256"}"#;

fn read(text: &[u8]) -> Result<Recipient, CommandError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipient");
    std::fs::write(&file, text).unwrap();
    recipient(&file)
}

#[test]
fn pem_and_jwk_are_told_apart_by_how_they_begin() {
    let pem = "Subject: x\n-----BEGIN PUBLIC KEY-----\r\nAQ\nID\n-----END PUBLIC KEY-----\n";
    assert_eq!(read(pem.as_bytes()).unwrap(), Recipient::Spki(vec![1, 2, 3].into()));
    let Recipient::Jwk(jwk) = read(format!("\n  {JWK}\n").as_bytes()).unwrap() else {
        panic!("a JWK was taken for PEM")
    };
    assert_eq!((jwk.kty.as_str(), jwk.e.as_str(), jwk.usage.as_deref()), ("RSA", "AQAB", Some("enc")));
}

#[test]
fn what_is_neither_is_refused_by_name() {
    for (bad, says) in [
        (&b""[..], "no public key in PEM"),
        (b"rubbish", "no public key in PEM"),
        (b"-----BEGIN PUBLIC KEY-----\nAQID\n", "no public key in PEM"),
        (b"-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", "no public key in PEM"),
        (b"-----BEGIN RSA PUBLIC KEY-----\nAQID\n-----END RSA PUBLIC KEY-----\n", "no public key in PEM"),
        (b"-----BEGIN PRIVATE KEY-----\nAQID\n-----END PRIVATE KEY-----\n", "no public key in PEM"),
        (b"{", "cannot be used"),
        (br#"{"kty":"RSA","n":"AQAB"}"#, "missing field `e`"),
        (b"\xff\xfe", "could not read"),
    ] {
        let said = read(bad).unwrap_err().to_string();
        assert!(said.contains(says) && said.contains("recipient`"), "{said}");
    }
    assert!(recipient(Path::new("no-such-file")).is_err());
}

/// Whoever sends the private members has given the key away, and should hear of it before they are sent.
#[test]
fn a_private_jwk_never_leaves_this_machine() {
    for member in ["d", "p", "q", "dp", "dq", "qi"] {
        let private = JWK.replace("\"kid\":\"x\"", &format!("\"{member}\":\"c2VjcmV0\""));
        let error = read(private.as_bytes()).unwrap_err();
        assert!(matches!(error, CommandError::JsonFile { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&format!("unknown field `{member}`")) && !said.contains("c2VjcmV0"), "{said}");
    }
}

#[test]
fn a_wrapped_data_key_is_base64_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("wrapped");
    let read = |text: &str| {
        std::fs::write(&file, text).unwrap();
        wrapped(&Source::File(file.clone()))
    };
    assert_eq!(read("AQID\n").unwrap(), [1, 2, 3]);
    for bad in ["AQI", "AQ-_", "A Q I D", "{}"] {
        let error = read(bad).unwrap_err();
        assert!(matches!(error, CommandError::NotBase64 { what: "the wrapped data key" }), "{bad}: {error:?}");
        assert!(!error.to_string().contains(bad), "what was given is not repeated");
    }
    assert!(matches!(read(""), Err(CommandError::Secret(_))));
}

#[test]
fn a_data_key_goes_to_its_file_alone_and_replaces_none() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("plain");
    keep(None, Some(Secret::new(vec![7; 32]))).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    keep(Some(&file), None).unwrap();
    assert!(!file.exists(), "with a recipient there is nothing to write");
    keep(Some(&file), Some(Secret::new(vec![7; 32]))).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), [7; 32]);
    let error = keep(Some(&file), Some(Secret::new(vec![8; 32]))).unwrap_err();
    assert!(error.to_string().contains("exists already"), "{error}");
    assert_eq!(std::fs::read(&file).unwrap(), [7; 32]);
}
