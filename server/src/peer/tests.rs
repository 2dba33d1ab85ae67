//! From a leaf to the one identity it names: whatever is odd about it is refused, and with its own word.
//!
//! Broke elsewhere: names cut at NUL, a second list of names, path steps that widened a rule (CVE-2026-3605).

use proptest::prelude::*;
use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa};

use super::*;
use crate::tls::forge::{ANA, DOMAIN, Forge, leaf_params};

fn read(edit: impl FnOnce(&mut CertificateParams)) -> Result<Peer, PeerError> {
    let mut params = leaf_params(ANA);
    edit(&mut params);
    let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
    Peer::from_leaf(&Forge::new("Clinic CA").sign(&params).chain[0], &rules)
}

#[test]
fn an_honest_leaf_names_its_holder_and_needs_no_extended_usage() {
    let peer = read(|_| {}).unwrap();
    assert_eq!((peer.identity.to_string().as_str(), peer.serial.as_str()), (ANA, "1122"));
    assert_eq!(peer.not_after.millis_since(peer.not_before), 90_000_000);
    assert!(read(|params| params.extended_key_usages.clear()).is_ok());
}

/// The handshake refuses these first; whoever calls without one must not depend on that.
#[test]
fn refusals_do_not_lean_on_the_handshake() {
    let authority = read(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    assert_eq!(authority, Err(PeerError::AuthorityLeaf));
    let again = b"\x30\x1f\x86\x1dspiffe://clinic.test/user/bob".to_vec();
    let twice = CustomExtension::from_oid_content(&[2, 5, 29, 17], again);
    assert_eq!(read(|params| params.custom_extensions.push(twice)), Err(PeerError::Malformed));
    let large = CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99_999, 1], vec![4; 20_000]);
    assert!(matches!(read(|params| params.custom_extensions.push(large)), Err(PeerError::TooLarge { .. })));
    let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
    for junk in [&b""[..], b"0", b"\x30\x80", &[0x30; 64]] {
        assert_eq!(Peer::from_leaf(junk, &rules), Err(PeerError::Malformed));
    }
}

#[test]
fn serials_are_positive_and_bounded() {
    assert_eq!(serial_of(&[]), Err(PeerError::Serial));
    assert_eq!(serial_of(&[0]), Err(PeerError::Serial));
    assert_eq!(serial_of(&[0x80, 1]), Err(PeerError::Serial), "negative");
    assert_eq!(serial_of(&[1; 21]), Err(PeerError::Serial));
    assert_eq!(serial_of(&[0, 0x80, 1]).unwrap().as_str(), "8001");
}

/// Every refusal has a word of its own, says what is wrong, and repeats nothing that could forge a log line.
#[test]
fn every_refusal_has_its_own_word() {
    let id = Identity::parse("no identity").unwrap_err();
    let all = [
        PeerError::NoCertificate,
        PeerError::Malformed,
        PeerError::TooLarge { len: 16_385 },
        PeerError::AuthorityLeaf,
        PeerError::NotForClients,
        PeerError::NoUri,
        PeerError::ManyUris { count: 2 },
        PeerError::ManyNames { count: 17 },
        PeerError::NulByte,
        PeerError::RootPath,
        PeerError::Identity(id),
        PeerError::TrustDomain { found: "a.test".to_owned(), expected: "b.test".to_owned() },
        PeerError::Serial,
        PeerError::LivesTooLong { hours: 25, most: 24 },
    ];
    let words: std::collections::BTreeSet<_> = all.iter().map(PeerError::code).collect();
    assert_eq!(words.len(), all.len());
    for error in all {
        let text = error.to_string();
        assert!(text.len() > 15 && text.starts_with(char::is_lowercase), "{text}");
    }
    let lives = PeerError::LivesTooLong { hours: 25, most: 24 };
    assert_eq!(lives.to_string(), "the certificate lives 25 h: without a CRL at most 24 h are taken");
}

#[test]
fn names_are_taken_up_to_their_bound() {
    let names = |count: usize| {
        read(|params| {
            for n in 1..count {
                params.subject_alt_names.push(rcgen::SanType::DnsName(format!("h{n}.test").try_into().unwrap()));
            }
        })
    };
    assert!(names(MAX_NAMES - 1).is_ok() && names(MAX_NAMES).is_ok());
    assert_eq!(names(MAX_NAMES + 1), Err(PeerError::ManyNames { count: MAX_NAMES + 1 }));
}

#[test]
fn a_life_is_taken_up_to_its_bound() {
    let leaf = |seconds: i64| {
        let mut params = leaf_params(ANA);
        params.not_before = crate::tls::forge::at!(0);
        params.not_after = crate::tls::forge::at!(seconds);
        let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: Some(86_400_000) };
        Peer::from_leaf(&Forge::new("Clinic CA").sign(&params).chain[0], &rules)
    };
    assert!(leaf(86_399).is_ok() && leaf(86_400).is_ok());
    assert_eq!(leaf(86_401), Err(PeerError::LivesTooLong { hours: 25, most: 24 }));
    assert_eq!(leaf(10 * 86_400), Err(PeerError::LivesTooLong { hours: 240, most: 24 }));
}

#[test]
fn an_issuer_is_known_by_its_whole_name() {
    let digest = |name: &str| {
        let ca = Forge::new(name);
        let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
        Peer::from_leaf(&ca.ana().chain[0], &rules).unwrap().issuer_digest
    };
    assert_eq!(digest("Clinic CA"), digest("Clinic CA"));
    let all: std::collections::BTreeSet<_> = ["Clinic CA", "clinic ca", "Clinic CA ", "Clinic  CA"].map(digest).into();
    assert_eq!(all.len(), 4, "names that look alike are not the same issuer");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any URI in the one place for it: either it is the identity, letter by letter, or it is refused.
    #[test]
    fn a_uri_names_exactly_what_it_says(uri in "(spiffe|http|SPIFFE)://[a-zA-Z.%:@-]{0,14}/[a-z./%?#A-Z0-9_ -]{0,24}") {
        let Ok(name) = rcgen::string::Ia5String::try_from(uri.as_str()) else { return Ok(()) };
        let got = read(|params| params.subject_alt_names = vec![rcgen::SanType::URI(name)]);
        match got {
            Ok(peer) => {
                prop_assert_eq!(peer.identity.to_string(), uri);
                prop_assert_eq!(peer.identity.trust_domain(), DOMAIN);
            }
            Err(error) => prop_assert!(
                matches!(error, PeerError::Identity(_) | PeerError::RootPath | PeerError::TrustDomain { .. }),
                "{}", error
            ),
        }
    }

    #[test]
    fn every_honest_name_is_read_back(kind in "[a-z][a-z0-9-]{0,10}", name in "[a-zA-Z0-9][a-zA-Z0-9_-]{0,20}") {
        let uri = format!("spiffe://{DOMAIN}/{kind}/{name}");
        prop_assume!(Identity::parse(&uri).is_ok());
        let text = uri.clone();
        let peer = read(|params| params.subject_alt_names = vec![rcgen::SanType::URI(text.try_into().unwrap())]);
        prop_assert_eq!(peer.unwrap().identity.to_string(), uri);
    }

    /// One byte of an honest leaf is another: read or refused, and never anything but that.
    #[test]
    fn no_changed_byte_makes_the_reader_stumble(at in 0_usize..1_000, by in 1_u8..=255) {
        static LEAF: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
        let leaf = LEAF.get_or_init(|| Forge::new("Clinic CA").ana().chain[0].to_vec());
        let mut changed = leaf.clone();
        let at = at % changed.len();
        changed[at] ^= by;
        let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
        if let Ok(peer) = Peer::from_leaf(&changed, &rules) {
            prop_assert_eq!(peer.identity.trust_domain(), DOMAIN);
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_stumble(junk in prop::collection::vec(any::<u8>(), 0..300)) {
        let rules = PeerRules { trust_domain: DOMAIN.to_owned(), longest_life_millis: None };
        prop_assert!(Peer::from_leaf(&junk, &rules).is_err());
    }

    #[test]
    fn a_serial_is_one_positive_number(raw in prop::collection::vec(any::<u8>(), 0..25)) {
        match serial_of(&raw) {
            Ok(serial) => {
                prop_assert!(raw[0] & 0x80 == 0 && raw.iter().any(|byte| *byte != 0));
                let digits: String = raw.iter().map(|byte| format!("{byte:02x}")).collect();
                prop_assert_eq!(serial.as_str().trim_start_matches('0'), digits.trim_start_matches('0'));
            }
            Err(error) => {
                prop_assert_eq!(error, PeerError::Serial);
                let zero = raw.iter().all(|byte| *byte == 0);
                let negative = raw.first().is_some_and(|first| first & 0x80 != 0);
                prop_assert!(raw.len() > 20 || zero || negative, "{:?}", raw);
            }
        }
    }
}
