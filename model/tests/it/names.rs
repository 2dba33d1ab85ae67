//! Ring and key names, identities, serials and request ids: the grammar of each written down once more, and held against
//! whatever text comes.
//!
//! Elsewhere `..`, case folding, a percent sign or a trailing slash gave one thing two names, and the rule was written for
//! the other one (CVE-2026-3605, CVE-2025-5999, CVE-2025-54996, CVE-2025-64761).

use std::collections::BTreeMap;

use proptest::prelude::*;
use wardkeep_model::{CertificateSerial, IdError, Identity, KeyId, KeyName, KeyVersion, RequestId, RingName};

/// A ring or key name, by words: starts and ends with a letter or digit, and a dot stands between two of them or after
/// a hyphen, never before one.
fn is_name(text: &str) -> bool {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let allowed = |c: char| plain(c) || "-_.".contains(c);
    let pairs = text.chars().zip(text.chars().skip(1));
    (1..=63).contains(&text.len())
        && text.chars().all(allowed)
        && text.starts_with(plain)
        && text.ends_with(plain)
        && pairs.into_iter().all(|(first, second)| first != '.' || plain(second))
}

/// Text that is a name, nearly one, or none.
fn near_names() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9._-]{0,70}",
        "[a-z0-9]{1,3}[._-]{0,3}[a-z0-9]{0,3}",
        "[a-zA-Z0-9./%~ -]{0,10}",
        ".{0,70}",
        "[a-z]{60,66}",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn a_name_is_what_the_words_say(text in near_names()) {
        prop_assert_eq!(RingName::new(&text).is_ok(), is_name(&text), "ring {:?}", &text);
        prop_assert_eq!(KeyName::new(&text).is_ok(), is_name(&text), "key {:?}", &text);
        if let Ok(name) = RingName::new(&text) {
            prop_assert_eq!(name.as_str(), &text);
            prop_assert_eq!(name.to_string(), text.clone());
            let entity = name.entity();
            prop_assert_eq!(entity.id(), &text);
        }
    }

    #[test]
    fn a_key_id_is_two_names_and_a_slash(text in prop_oneof![(near_names(), near_names()).prop_map(|(ring, key)| format!("{ring}/{key}")), near_names(), ".{0,20}/.{0,20}/.{0,5}"]) {
        let wanted = matches!(text.split('/').collect::<Vec<_>>()[..], [ring, key] if is_name(ring) && is_name(key));
        let read = KeyId::parse(&text);
        prop_assert_eq!(read.is_ok(), wanted, "{:?}", &text);
        if let Ok(id) = read {
            prop_assert_eq!(id.as_str(), &text);
            prop_assert_eq!(format!("{id} {id:?}"), format!("{text} {text}"));
            prop_assert_eq!(format!("{}/{}", id.ring(), id.name()), text.clone());
            prop_assert_eq!(KeyId::new(id.ring().clone(), &KeyName::new(id.name()).unwrap()), id.clone());
            let entity = id.entity();
            prop_assert_eq!((entity.kind(), entity.id()), ("Wardkeep::Key", text.as_str()));
            prop_assert_eq!(text.parse::<KeyId>().unwrap(), id);
        }
    }

    #[test]
    fn an_identity_is_read_as_it_is_printed(domain in "[a-z0-9._-]{1,30}", kind in "[A-Za-z0-9._-]{1,20}", name in "[A-Za-z0-9._-]{1,20}") {
        let dots = |part: &str| part.bytes().all(|b| b == b'.');
        let made = Identity::new(&domain, &kind, &name);
        prop_assert_eq!(made.is_ok(), !dots(&kind) && !dots(&name));
        if let Ok(identity) = made {
            let text = identity.to_string();
            let again: Identity = text.parse().unwrap();
            prop_assert_eq!((again.trust_domain(), again.kind(), again.name()), (&*domain, &*kind, &*name));
            prop_assert_eq!(format!("{again:?}"), text);
            prop_assert_eq!(again, identity);
        }
    }

    #[test]
    fn no_text_makes_two_identities_one(one in "spiffe://[a-z./:@?#%]{0,12}/[a-zA-Z.%/]{0,12}/[a-zA-Z.%?#]{0,12}") {
        if let Ok(identity) = Identity::parse(&one) {
            prop_assert_eq!(identity.to_string(), one, "the one spelling");
        }
    }

    #[test]
    fn a_serial_has_one_spelling_whatever_it_was_written_like(bytes in prop::collection::vec(any::<u8>(), 0..21), zeros in 0..3_usize, colons in any::<bool>()) {
        let serial = CertificateSerial::from_bytes(&bytes).unwrap();
        let hex: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        let text = if colons {
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
        } else {
            hex.clone()
        };
        if !text.is_empty() {
            prop_assert_eq!(&CertificateSerial::parse(&text).unwrap(), &serial);
        }
        if hex.len() + 2 * zeros <= 40 && !hex.is_empty() {
            prop_assert_eq!(&CertificateSerial::parse(&format!("{}{hex}", "00".repeat(zeros))).unwrap(), &serial);
        }
        prop_assert_eq!(&CertificateSerial::parse(serial.as_str()).unwrap(), &serial);
        let canonical = serial.as_str().bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        prop_assert!(canonical && (serial.as_str() == "0" || !serial.as_str().starts_with('0')), "{}", serial);
    }

    #[test]
    fn a_request_id_is_printable_and_short(text in ".{0,70}") {
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
        let wanted = (1..=64).contains(&text.len()) && text.bytes().all(allowed);
        prop_assert_eq!(RequestId::new(&text).is_ok(), wanted, "{:?}", text);
    }

    #[test]
    fn a_drawn_request_id_is_one_that_is_taken(bits in any::<u128>()) {
        let id = RequestId::from_random(bits);
        prop_assert_eq!(RequestId::new(id.as_str()).unwrap(), id.clone());
        prop_assert_eq!(u128::from_str_radix(id.as_str(), 16).unwrap(), bits);
        prop_assert_eq!(id.as_str().len(), 32);
    }
}

#[test]
fn lengths_end_where_they_are_said_to() {
    for (len, good) in [(0, false), (1, true), (62, true), (63, true), (64, false)] {
        assert_eq!(RingName::new(&"a".repeat(len)).is_ok(), good, "{len} bytes of a ring");
        assert_eq!(KeyName::new(&"a".repeat(len)).is_ok(), good, "{len} bytes of a key");
    }
    let longest = format!("{}/{}", "r".repeat(63), "k".repeat(63));
    assert_eq!(KeyId::parse(&longest).unwrap().as_str().len(), 127, "what a header's one byte of length holds");
    for (len, good) in [(0, false), (1, true), (63, true), (64, true), (65, false)] {
        assert_eq!(RequestId::new(&"a".repeat(len)).is_ok(), good, "{len} bytes of a request id");
    }
    for (len, good) in [(0, false), (1, true), (127, true), (128, true), (129, false)] {
        let part = "a".repeat(len);
        assert_eq!(Identity::new("d", &part, "n").is_ok(), good, "{len} bytes of a kind");
        assert_eq!(Identity::new("d", "k", &part).is_ok(), good, "{len} bytes of a name");
    }
    for (len, good) in [(0, false), (1, true), (254, true), (255, true), (256, false)] {
        assert_eq!(Identity::new(&"d".repeat(len), "k", "n").is_ok(), good, "{len} bytes of a trust domain");
    }
    for (len, good) in [(0, true), (19, true), (20, true), (21, false)] {
        assert_eq!(CertificateSerial::from_bytes(&vec![0xff; len]).is_ok(), good, "{len} bytes of a serial");
    }
    assert!(
        CertificateSerial::from_bytes(&[vec![0; 5], vec![0xff; 20]].concat()).is_ok(),
        "zeros in front do not count"
    );
    let uri = |name: usize| format!("spiffe://{}/{}/{}", "d".repeat(255), "k".repeat(128), "n".repeat(name));
    assert!(Identity::parse(&uri(128)).is_ok() && Identity::parse(&uri(129)).is_err());
    assert!(Identity::parse(&format!("spiffe://d/k/{}", "n".repeat(3000))).is_err());
}

#[test]
fn versions_count_from_one_and_stop_at_the_end() {
    assert_eq!(KeyVersion::new(0), None);
    assert_eq!(KeyVersion::new(1), Some(KeyVersion::FIRST));
    assert_eq!(KeyVersion::FIRST.next().map(KeyVersion::get), Some(2));
    let last = KeyVersion::new(u32::MAX).unwrap();
    assert_eq!((last.next(), last.to_string()), (None, "4294967295".to_owned()));
    assert!(KeyVersion::FIRST < last);
}

#[test]
fn an_error_says_which_name_where_and_what_to_use() {
    let cases: [(IdError, &[&str]); 9] = [
        (RingName::new("").unwrap_err(), &["ring name", "0 bytes", "1 to 63"]),
        (RingName::new(&"a".repeat(64)).unwrap_err(), &["ring name", "64 bytes", "1 to 63"]),
        (RingName::new("pAy").unwrap_err(), &["ring name", "`pAy`", "byte 1", "a-z"]),
        (KeyName::new("a..b").unwrap_err(), &["key name", "`a..b`", "byte 2", "between them"]),
        (KeyName::new("-a").unwrap_err(), &["key name", "byte 0"]),
        (KeyId::parse("alone").unwrap_err(), &["key id", "`alone`", "`ring/key`"]),
        (Identity::parse("spiffe://a/b").unwrap_err(), &["identity", "spiffe://<trust-domain>/<kind>/<name>"]),
        (CertificateSerial::parse("xy").unwrap_err(), &["certificate serial", "`xy`", "hexadecimal"]),
        (RequestId::new("a b").unwrap_err(), &["request id", "byte 1", "A-Z"]),
    ];
    for (error, words) in cases {
        let said = error.to_string();
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
    }
}

#[test]
fn what_an_error_shows_is_escaped_and_short() {
    for bad in ["a\r\nFake: line", "a\u{1b}[31m", "\u{202e}abc", "\0"] {
        let said = RingName::new(bad).unwrap_err().to_string();
        assert!(said.bytes().all(|b| (0x20..0x7f).contains(&b)), "{said:?}");
    }
    let said = KeyId::parse(&"x".repeat(5_000)).unwrap_err().to_string();
    assert!(said.len() < 200, "{} bytes", said.len());
}

#[test]
fn names_are_in_one_order_whatever_they_are_kept_in() {
    let mut keys: Vec<KeyId> =
        ["b/a", "a/b", "a.b/c", "a/a", "a-b/c"].iter().map(|id| KeyId::parse(id).unwrap()).collect();
    keys.sort();
    let shown: Vec<&str> = keys.iter().map(KeyId::as_str).collect();
    assert_eq!(shown, ["a-b/c", "a.b/c", "a/a", "a/b", "b/a"], "the order of their text, which pages go by");
    let map: BTreeMap<RingName, u8> = ["z", "a"].iter().map(|name| (RingName::new(name).unwrap(), 1)).collect();
    assert_eq!(map.keys().next().map(RingName::as_str), Some("a"));
}
