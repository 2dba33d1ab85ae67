//! Golden bytes of every format version: what was ever written must open for ever.
//!
//! The generator makes them anew with fixed randomness and compares; `WARDKEEP_WRITE_GOLDEN=1` writes them.
//! A file that changes is a new format version, never an edit of an old one.

use std::path::PathBuf;

use wardkeep_envelope::{FileKey, Opener, Recipient, Sealer};

use crate::harness::{CONTEXT, Foreign, KeyService, RsaHolder, fixed, text};

const SERVICE: KeyService = KeyService([1; 32]);

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata/v1").join(name)
}

/// Name, stanzas (`k` key service, `r` RSA, `3` a kind set aside), context, length of the text.
const CASES: [(&str, &str, &[u8], usize); 6] = [
    ("kms-empty.envelope", "k", b"", 0),
    ("kms-small.envelope", "k", CONTEXT, 11),
    ("rsa-small.envelope", "r", CONTEXT, 11),
    ("kms-rsa-unknown.envelope", "3kr", CONTEXT, 300),
    ("kms-one-full-chunk.envelope", "k", CONTEXT, 65_536),
    ("kms-two-chunks.envelope", "k", CONTEXT, 65_537),
];

fn generate(name: &str, stanzas: &str, context: &[u8], length: usize, rsa: &RsaHolder) -> Vec<u8> {
    let (data_key, foreign) = (SERVICE.data_key(7, 1), Foreign(3));
    let recipients: Vec<&dyn Recipient> = stanzas
        .chars()
        .map(|kind| match kind {
            'k' => &data_key as &dyn Recipient,
            'r' => &rsa.public,
            _ => &foreign,
        })
        .collect();
    let key = FileKey::from_bytes([7; 32]);
    Sealer::new(&key, &recipients, context, &mut fixed(name)).unwrap().seal(&text(length)).unwrap()
}

#[test]
fn version_1_is_written_as_ever_and_opens_for_ever() {
    let rsa = RsaHolder::new();
    for (name, stanzas, context, length) in CASES {
        let made = generate(name, stanzas, context, length, &rsa);
        if std::env::var_os("WARDKEEP_WRITE_GOLDEN").is_some() {
            std::fs::write(path(name), &made).unwrap();
        }
        let golden = std::fs::read(path(name)).unwrap();
        assert!(made == golden, "{name} differs from its golden bytes: add a format version instead");
        for (kind, holder) in [('k', &SERVICE as &dyn wardkeep_envelope::Unwrap), ('r', &rsa)] {
            if stanzas.contains(kind) {
                let opened = Opener::from_bytes(&golden).unwrap().open(&[holder], context).unwrap();
                assert!(opened == text(length), "{name}");
            }
        }
    }
    let files = std::fs::read_dir(path("")).unwrap().count();
    assert_eq!(files, CASES.len(), "a golden file without a case");
}
