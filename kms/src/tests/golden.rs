//! Golden bytes: what was made yesterday opens today, and what is made today from the same chance is the
//! same bytes. RSA's padding takes its chance from the library, so its form is only opened.
//!
//! `WARDKEEP_WRITE_GOLDEN=1` writes the files anew; a reviewer sees them change.

use wardkeep_model::{KeySpec, KeyUsage, KeyVersion};

use super::fixture::{FixedEntropy, context, id};
use crate::material::Material;
use crate::wrapped::{self, WrappedInfo, WrappedKind};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/testdata");

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Vec<u8> {
    let text = text.trim();
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
}

fn file(name: &str, made: impl Fn() -> Vec<u8>) -> Vec<u8> {
    let path = format!("{FOLDER}/{name}");
    if std::env::var_os("WARDKEEP_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, format!("{}\n", hex(&made()))).unwrap();
    }
    unhex(&std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}")))
}

fn info(kind: WrappedKind) -> WrappedInfo {
    WrappedInfo { key: id("payments/card-data"), version: KeyVersion::new(3).unwrap(), kind }
}

fn aes() -> crate::material::aes::AesKey {
    crate::material::aes::AesKey::new(&[0x11; 32]).unwrap()
}

fn start(info: &WrappedInfo) -> Vec<u8> {
    wrapped::header(info.kind, &info.key, info.version, 128)
}

#[test]
fn an_aes_wrapped_data_key_of_format_1() {
    let (info, context) = (info(WrappedKind::AesDataKey), context("golden"));
    let make = || {
        let mut out = start(&info);
        let secret = aes().generate(&FixedEntropy::counting(), &wrapped::aad(&info, &context), &mut out).unwrap();
        out.extend_from_slice(secret.expose());
        out
    };
    let golden = file("aes-data-key-1.hex", make);
    assert_eq!(hex(&golden), hex(&make()));
    let (bytes, secret) = golden.split_at(golden.len() - 32);
    let (read, body) = wrapped::parse(bytes).unwrap();
    assert_eq!(read, info);
    assert_eq!(aes().open_key(&wrapped::aad(&read, &context), body).unwrap().expose(), secret);
}

#[test]
fn a_ciphertext_of_format_1() {
    let (info, context) = (info(WrappedKind::Ciphertext), context("golden"));
    let make = || {
        let mut out = start(&info);
        aes().seal(&FixedEntropy::counting(), &wrapped::aad(&info, &context), b"golden plaintext", &mut out).unwrap();
        out
    };
    let golden = file("ciphertext-1.hex", make);
    assert_eq!(hex(&golden), hex(&make()));
    let (read, body) = wrapped::parse(&golden).unwrap();
    assert_eq!(aes().open(&wrapped::aad(&read, &context), body).unwrap().as_slice(), b"golden plaintext");
}

#[test]
fn an_rsa_wrapped_data_key_and_its_material_of_format_1() {
    let (info, context) = (info(WrappedKind::RsaDataKey), context("golden"));
    let row = file("rsa-material-1.hex", || {
        crate::material::make(KeySpec::Rsa3072, KeyUsage::Wrap, &FixedEntropy::counting()).unwrap().secret.to_vec()
    });
    let Material::RsaWrap(key) = Material::parse(KeySpec::Rsa3072, KeyUsage::Wrap, &row).unwrap() else {
        panic!("another kind")
    };
    let (label, bound) = (wrapped::oaep_label(&info, &context), wrapped::tag_input(&info, &context));
    let golden = file("rsa-data-key-1.hex", || {
        let mut out = start(&info);
        key.wrap(&label, &bound, &[0x22; 32], &mut out).unwrap();
        out
    });
    let (read, body) = wrapped::parse(&golden).unwrap();
    assert_eq!(read, info);
    let oaep = key.authentic(&bound, body).unwrap();
    assert_eq!(key.open_key(&label, oaep).unwrap().expose(), &[0x22; 32]);
}

#[test]
fn material_of_another_kind_or_version_is_not_parsed() {
    let entropy = FixedEntropy::counting();
    let row = crate::material::make(KeySpec::Ed25519, KeyUsage::Sign, &entropy).unwrap().secret;
    assert!(Material::parse(KeySpec::Ed25519, KeyUsage::Sign, &row).is_ok());
    // 32 bytes of seed are 32 bytes of AES key, but for the kind.
    assert!(Material::parse(KeySpec::Aes256Gcm, KeyUsage::Wrap, &row).is_err());
    let mut newer = row.to_vec();
    newer[0] = 2;
    assert!(Material::parse(KeySpec::Ed25519, KeyUsage::Sign, &newer).is_err());
    for cut in 0..row.len() {
        assert!(Material::parse(KeySpec::Ed25519, KeyUsage::Sign, &row[..cut]).is_err());
    }
}

#[test]
fn the_bindings_are_those_of_the_document() {
    let context = context("golden");
    let aad = wrapped::aad(&info(WrappedKind::AesDataKey), &context);
    let mut expected = b"wardkeep kms aad v1\0\x01\x01\0\0\0\x03\x04wrap\x08data-key\x12payments/card-data".to_vec();
    expected.extend_from_slice(&(context.canonical().len() as u32).to_be_bytes());
    expected.extend_from_slice(context.canonical());
    assert_eq!(hex(&aad), hex(&expected));
    let label = wrapped::oaep_label(&info(WrappedKind::RsaDataKey), &context);
    assert_eq!(label.len(), 20 + 1 + 2 + 4 + 5 + 9 + 19 + 32);
}
