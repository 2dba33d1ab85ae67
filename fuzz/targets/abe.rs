//! Everything of attribute-based encryption that reads foreign bytes. The first byte of an input says which.
//!
//! Beside "no panic, no endless loop": what is read is written back as it was, and nothing that was not sealed opens.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wardkeep_abe::{
    AccessPolicy, Attributes, Authority, AuthorityId, Bucket, Ciphertext, Formula, Grant, Product, PublicParameters,
    RevocationList, Schema, Secret, Seed, Serial, Terms, UserKey, from_key_file, key_policy, open, seal,
};
use wardkeep_envelope::batch::{BatchOpener, BatchSealer};
use wardkeep_envelope::{AbeReader, AbeRecipient, AllOf, FileKey, RandomFailed, Recipient};

struct Ground {
    authority: Authority,
    key: UserKey,
    secret: Secret,
    sealed: Vec<u8>,
    twin: Twin,
    header: Vec<u8>,
}

/// The same for the key-policy scheme.
struct Twin {
    authority: key_policy::Authority<Product>,
    key: key_policy::UserKey<Product>,
    secret: Secret,
    sealed: Vec<u8>,
}

const WARD: &[u8] = b"ward 7";

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let schema = "level: number(8)\ndept: enum(a, b, c) negatable\ngroups: text set\ncity: text negatable\nborn: date";
    let schema = Schema::parse(schema).expect("a schema");
    let authority = Authority::generate(AuthorityId([1; 16]), schema, Terms::default(), Seed::new([1; 32]));
    let public = authority.parameters();
    let attributes = Attributes::parse("role = doctor, level = 7, groups = [x, y], dept = b", public.schema());
    let attributes = attributes.expect("attributes");
    let grant = Grant { attributes: &attributes, valid_until: Some(Bucket::new(20_000)), serial: Some(Serial::new(5)) };
    let key = authority.issue(&grant, Seed::new([2; 32])).expect("a key");
    let policy = AccessPolicy::parse("role = doctor and level > 3", public).expect("a policy");
    let (sealed, secret) = seal(public, &policy, b"", Seed::new([3; 32])).expect("a ciphertext");
    let header = header(public, &policy);
    Ground { sealed: sealed.to_bytes().to_vec(), key, secret, authority, twin: twin(), header }
});

fn twin() -> Twin {
    let schema = Schema::parse("year: number(8)\nkinds: text set").expect("a schema");
    let authority = key_policy::Authority::generate(AuthorityId([2; 16]), schema, Seed::new([1; 32]));
    let public = authority.parameters();
    let formula = Formula::parse("kinds = visit and year > 3", public.schema()).expect("a formula");
    let key = authority.issue(&formula, Seed::new([2; 32])).expect("a key");
    let record = Attributes::parse("kinds = [visit], year = 7", public.schema()).expect("labels");
    let (sealed, secret) = key_policy::seal(public, &record, b"", Seed::new([3; 32])).expect("a ciphertext");
    Twin { sealed: sealed.to_bytes().to_vec(), key, secret, authority }
}

/// A batch's header with a stanza of attributes, and one that asks for the same twice over.
fn header(public: &PublicParameters, policy: &AccessPolicy) -> Vec<u8> {
    let mut random = |out: &mut [u8]| -> Result<(), RandomFailed> {
        out.fill(7);
        Ok(())
    };
    let one = AbeRecipient::new(public, policy.clone());
    let parts: [&dyn Recipient; 2] = [&one, &one];
    let both = AllOf::new(&parts).expect("two parts");
    let recipients: [&dyn Recipient; 2] = [&both, &one];
    let sealer = BatchSealer::new(&FileKey::from_bytes([9; 32]), &recipients, WARD, &mut random);
    sealer.expect("a batch").header().to_vec()
}

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    let ground = &*GROUND;
    let public = ground.authority.parameters();
    match mode % 13 {
        0 => text(rest, |text| formula(text, public)),
        1 => text(rest, |text| {
            if let Ok(read) = Attributes::parse(text, public.schema()) {
                let again = Attributes::parse(&read.to_string(), public.schema());
                assert_eq!(again.as_ref(), Ok(&read), "{read}");
            }
        }),
        2 => text(rest, |text| {
            if let Ok(read) = Schema::parse(text) {
                assert_eq!(Schema::parse(&read.to_text()).as_ref(), Ok(&read));
                assert_eq!(Schema::from_bytes(&read.to_bytes()).as_ref(), Ok(&read));
            }
        }),
        3 => {
            if let Ok(read) = Schema::from_bytes(rest) {
                assert_eq!(read.to_bytes(), rest, "one encoding");
            }
        }
        4 => ciphertext(rest, ground),
        5 => {
            if let Ok(read) = UserKey::from_bytes(rest, public) {
                assert_eq!(read.to_bytes().as_slice(), rest, "one encoding");
            }
        }
        6 => {
            if let Ok(read) = PublicParameters::from_bytes(rest) {
                assert_eq!(read.to_bytes(), rest, "one encoding");
            }
        }
        7 => {
            if let Ok(read) = RevocationList::from_bytes(rest, public) {
                assert_eq!(read.to_bytes(), rest, "one encoding");
            }
            let _ = Authority::from_bytes(rest);
        }
        8 => envelope(&edited(&ground.header, rest), ground),
        9 => envelope(rest, ground),
        10 => {
            let read = key_policy::UserKey::<Product>::from_bytes(rest, ground.twin.authority.parameters());
            if let Ok(read) = read {
                assert_eq!(read.to_bytes().as_slice(), rest, "one encoding");
            }
            let _ = key_policy::Authority::<Product>::from_bytes(rest);
        }
        11 => record(rest, &ground.twin),
        _ => {
            let _ = from_key_file(rest).map(|(public, _): (PublicParameters, UserKey)| public.version());
        }
    }
});

fn text(bytes: &[u8], read: impl FnOnce(&str)) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        read(text);
    }
}

fn formula(text: &str, public: &PublicParameters) {
    let Ok(read) = Formula::parse(text, public.schema()) else { return };
    let canonical = read.to_string();
    assert_eq!(Formula::parse(&canonical, public.schema()).as_ref(), Ok(&read), "{canonical}");
    assert!(read.simplify().rows() <= read.rows());
    assert!(AccessPolicy::of(read, public).is_ok(), "whatever is read can be sealed under");
}

/// Of all bytes there are, one ciphertext opens to this secret.
fn ciphertext(bytes: &[u8], ground: &Ground) {
    let Ok(read) = Ciphertext::from_bytes(bytes) else { return };
    assert_eq!(read.to_bytes(), bytes, "one encoding");
    if let Ok(secret) = open(ground.authority.parameters(), &ground.key, &read, b"") {
        assert!(secret.is_same(&ground.secret) == (bytes == ground.sealed));
    }
}

/// The same of the twin.
fn record(bytes: &[u8], twin: &Twin) {
    let Ok(read) = Ciphertext::from_bytes(bytes) else { return };
    if let Ok(secret) = key_policy::open(twin.authority.parameters(), &twin.key, &read, b"") {
        assert!(secret.is_same(&twin.secret) == (bytes == twin.sealed));
    }
}

/// A header is what was made, or gives no reader. (Its two ciphertexts of one policy are of different randomness.)
fn envelope(bytes: &[u8], ground: &Ground) {
    let Ok(read) = BatchOpener::from_bytes(bytes) else { return };
    let holder = AbeReader::new(ground.authority.parameters(), &ground.key).expect("its own parameters");
    match read.reader(&[&holder], WARD) {
        Ok(_) => assert!(bytes == ground.header, "a changed header opened"),
        Err(error) => assert!(bytes != ground.header, "{error}"),
    }
}

/// Some bytes of an honest header changed: what comes from nothing seldom gets past the counts.
fn edited(honest: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut out = honest.to_vec();
    for edit in edits.chunks_exact(3).take(16) {
        let [high, low, by] = edit else { continue };
        let place = usize::from(u16::from_be_bytes([*high, *low])) % out.len();
        out.iter_mut().skip(place).take(1).for_each(|byte| *byte ^= by);
    }
    out
}
