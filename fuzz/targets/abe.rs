//! Everything of attribute-based encryption that reads foreign bytes. The first byte of an input says which.
//!
//! Beside "no panic, no endless loop": what is read is written back as it was, and nothing that was not sealed opens.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wardkeep_abe::{
    AccessPolicy, Attributes, Authority, AuthorityId, Bucket, Ciphertext, Formula, Grant, PublicParameters,
    RevocationList, Schema, Secret, Seed, Serial, Terms, UserKey, from_key_file, open, seal,
};

struct Ground {
    authority: Authority,
    key: UserKey,
    secret: Secret,
    sealed: Vec<u8>,
}

static GROUND: LazyLock<Ground> = LazyLock::new(|| {
    let schema = "level: number(8)\ndept: enum(a, b, c) negatable\ngroups: text set\ncity: text negatable\nborn: date";
    let schema = Schema::parse(schema).expect("a schema");
    let authority = Authority::generate(AuthorityId([1; 16]), schema, Terms::default(), Seed::new([1; 32]));
    let public = authority.parameters();
    let attributes = Attributes::parse("role = doctor, level = 7, groups = [x, y], dept = b", public.schema());
    let attributes = attributes.expect("attributes");
    let grant =
        Grant { attributes: &attributes, valid_until: Some(Bucket::new(20_000)), serial: Some(Serial::new(5)) };
    let key = authority.issue(&grant, Seed::new([2; 32])).expect("a key");
    let policy = AccessPolicy::parse("role = doctor and level > 3", public).expect("a policy");
    let (sealed, secret) = seal(public, &policy, b"", Seed::new([3; 32])).expect("a ciphertext");
    Ground { sealed: sealed.to_bytes().to_vec(), key, secret, authority }
});

fuzz_target!(|data: &[u8]| {
    let Some((mode, rest)) = data.split_first() else { return };
    let ground = &*GROUND;
    let public = ground.authority.parameters();
    match mode % 9 {
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
