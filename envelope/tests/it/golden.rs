//! Golden bytes of every format version: what was ever written must open for ever.
//!
//! The generator makes them anew with fixed randomness and compares; `WARDKEEP_WRITE_GOLDEN=1` writes them.
//! A file that changes is a new format version, never an edit of an old one.

use std::path::PathBuf;

use wardkeep_envelope::batch::{BatchOpener, BatchSealer};
use wardkeep_envelope::{AllOf, FileKey, Opener, Recipient, Sealer, Unwrap};

use crate::harness::{CONTEXT, Foreign, KeyService, RsaHolder, fixed, text};

const SERVICE: KeyService = KeyService([1; 32]);

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("testdata").join(name)
}

/// The golden bytes of that name, which must be what was made now.
pub(crate) fn golden(name: &str, made: &[u8]) -> Vec<u8> {
    if std::env::var_os("WARDKEEP_WRITE_GOLDEN").is_some() {
        std::fs::create_dir_all(path(name).parent().unwrap()).unwrap();
        std::fs::write(path(name), made).unwrap();
    }
    let golden = std::fs::read(path(name)).unwrap();
    assert!(made == golden, "{name} differs from its golden bytes: add a format version instead");
    golden
}

/// Name, stanzas (`k` key service, `r` RSA, `&` both together, `3` a body that is none of its kind), context, length of
/// the text.
const CASES: [(&str, &str, &[u8], usize); 7] = [
    ("kms-and-rsa.envelope", "&", CONTEXT, 11),
    ("kms-empty.envelope", "k", b"", 0),
    ("kms-small.envelope", "k", CONTEXT, 11),
    ("rsa-small.envelope", "r", CONTEXT, 11),
    ("kms-rsa-unknown.envelope", "3kr", CONTEXT, 300),
    ("kms-one-full-chunk.envelope", "k", CONTEXT, 65_536),
    ("kms-two-chunks.envelope", "k", CONTEXT, 65_537),
];

fn generate(name: &str, stanzas: &str, context: &[u8], length: usize, rsa: &RsaHolder) -> Vec<u8> {
    let (data_key, foreign) = (SERVICE.data_key(7, 1), Foreign(3));
    let both: [&dyn Recipient; 2] = [&data_key, &rsa.public];
    let both = AllOf::new(&both).unwrap();
    let recipients: Vec<&dyn Recipient> = stanzas
        .chars()
        .map(|kind| match kind {
            'k' => &data_key as &dyn Recipient,
            'r' => &rsa.public,
            '&' => &both,
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
        let golden = golden(&format!("v1/{name}"), &made);
        for (kind, holders) in [
            ('k', [&SERVICE as &dyn Unwrap].as_slice()),
            ('r', [&rsa as &dyn Unwrap].as_slice()),
            ('&', [&SERVICE as &dyn Unwrap, &rsa].as_slice()),
        ] {
            if stanzas.contains(kind) {
                let opened = Opener::from_bytes(&golden).unwrap().open(holders, context).unwrap();
                assert!(opened == text(length), "{name}");
            }
        }
    }
    let files = std::fs::read_dir(path("v1")).unwrap().count();
    assert_eq!(files, CASES.len(), "a golden file without a case");
}

#[test]
fn batches_of_version_1_are_written_as_ever_and_open_for_ever() {
    let key = SERVICE.data_key(7, 1);
    let mut batch = BatchSealer::new(key.file_key(), &[&key], CONTEXT, &mut fixed("batch")).unwrap();
    let boxes = [0, 11, 1024].map(|length| batch.seal(format!("record {length}").as_bytes(), &text(length)).unwrap());
    let header = golden("batch1/kms.batch", batch.header());
    let reader = BatchOpener::from_bytes(&header).unwrap().reader(&[&SERVICE], CONTEXT).unwrap();
    for (number, (made, length)) in boxes.iter().zip([0, 11, 1024]).enumerate() {
        let sealed = golden(&format!("batch1/kms-{number}.box"), made);
        let opened = reader.open_numbered(number as u32, &sealed, format!("record {length}").as_bytes());
        assert!(opened.unwrap() == text(length), "{number}");
    }
}
