//! Who is shut out: exactly those who were, at once, and nobody by another's serial.
//!
//! Broke elsewhere: a revoked key that lived on in a cache (COSMIAN-2026-008), a list that un-revoked at its reload.

use proptest::prelude::*;

use super::*;

const OWN: [u8; 32] = [1; 32];
const FOREIGN: [u8; 32] = [2; 32];

fn peer(issuer: [u8; 32], serial: &str, issued: u64) -> Peer {
    Peer {
        identity: Identity::parse("spiffe://a.test/user/ana").unwrap(),
        serial: CertificateSerial::parse(serial).unwrap(),
        issuer_digest: issuer,
        not_before: Timestamp::from_millis(issued * 1000),
        not_after: Timestamp::from_millis((issued + 1000) * 1000),
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

#[test]
fn a_serial_counts_only_with_its_issuer() {
    let revoked = Revoked::new();
    revoked.add_serials([(OWN, CertificateSerial::parse("7").unwrap())]);
    assert_eq!(revoked.refuses(&peer(OWN, "7", 5), at(6)), Some(Revocation::Serial));
    assert_eq!(revoked.refuses(&peer(FOREIGN, "7", 5), at(6)), None);
    assert_eq!(revoked.refuses(&peer(OWN, "8", 5), at(6)), None);
}

#[test]
fn an_identity_cut_takes_what_is_older_and_spares_what_is_kept() {
    let revoked = Revoked::new();
    revoked.set_own_issuer(OWN);
    let keep = HashSet::from([CertificateSerial::parse("9").unwrap()]);
    let cut = IdentityCut { at: Timestamp::from_millis(10_500), keep };
    revoked.add_identity(Identity::parse("spiffe://a.test/user/ana").unwrap(), cut);
    assert_eq!(revoked.refuses(&peer(OWN, "1", 9), at(20)), Some(Revocation::Identity));
    assert_eq!(revoked.refuses(&peer(OWN, "9", 9), at(20)), None);
    assert_eq!(revoked.refuses(&peer(OWN, "2", 10), at(20)), None, "issued after, in the same second");
    assert_eq!(revoked.refuses(&peer(FOREIGN, "2", 10), at(20)), Some(Revocation::Identity), "cannot tell: refused");
    assert_eq!(revoked.refuses(&peer(FOREIGN, "2", 11), at(20)), None);
}

#[test]
fn a_reloaded_list_takes_nothing_away_that_was_revoked_here() {
    let revoked = Revoked::new();
    let serial = CertificateSerial::parse("7").unwrap();
    revoked.add_serials([(OWN, serial.clone())]);
    revoked.replace_listed(HashSet::from([(FOREIGN, serial.clone())]));
    revoked.replace_listed(HashSet::new());
    assert!(revoked.contains(&OWN, &serial));
    assert!(!revoked.contains(&FOREIGN, &serial));
}

#[test]
fn expiry_ends_a_live_connection_too() {
    let revoked = Revoked::new();
    assert_eq!(revoked.refuses(&peer(OWN, "7", 5), at(1005)), None);
    assert_eq!(revoked.refuses(&peer(OWN, "7", 5), at(1006)), Some(Revocation::Expired));
}

#[test]
fn every_change_wakes_the_watchers() {
    let revoked = Revoked::new();
    let watcher = revoked.changes();
    revoked.add_serials([]);
    assert!(watcher.has_changed().unwrap());
}

/// Against a model that walks a plain list of what happened.
#[derive(Debug, Clone)]
enum Step {
    Serial { own: bool, serial: u8 },
    AnyIssuer { serial: u8 },
    Cut { second: u64, keep: Option<u8> },
    Listed { own: bool, serials: Vec<u8> },
}

fn named(serial: u8) -> CertificateSerial {
    CertificateSerial::parse(&format!("{:x}", u16::from(serial) + 1)).unwrap()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (any::<bool>(), 0_u8..6).prop_map(|(own, serial)| Step::Serial { own, serial }),
        (0_u8..6).prop_map(|serial| Step::AnyIssuer { serial }),
        (0_u64..10, prop::option::of(0_u8..6)).prop_map(|(second, keep)| Step::Cut { second, keep }),
        (any::<bool>(), prop::collection::vec(0_u8..6, 0..3)).prop_map(|(own, serials)| Step::Listed { own, serials }),
    ]
}

fn issuer(own: bool) -> [u8; 32] {
    if own { OWN } else { FOREIGN }
}

/// Whether somebody is out after these steps, worked out from the beginning.
fn out(steps: &[Step], own: bool, serial: u8, issued: u64) -> bool {
    let by_name = steps.iter().any(|step| match step {
        Step::Serial { own: of, serial: gone } => *of == own && *gone == serial,
        Step::AnyIssuer { serial: gone } => *gone == serial,
        _ => false,
    });
    // Of the lists in files only the newest counts; of the cuts too.
    let newest = steps.iter().rev().find(|step| matches!(step, Step::Listed { .. }));
    let listed = matches!(newest, Some(Step::Listed { own: of, serials }) if *of == own && serials.contains(&serial));
    let cut = match steps.iter().rev().find(|step| matches!(step, Step::Cut { .. })) {
        Some(Step::Cut { keep: Some(kept), .. }) if *kept == serial => false,
        Some(Step::Cut { second, .. }) => {
            if own {
                issued < *second
            } else {
                issued <= *second
            }
        }
        _ => false,
    };
    by_name || listed || cut
}

proptest! {
    #[test]
    fn who_is_out_is_who_was_shut_out(steps in prop::collection::vec(step(), 0..12)) {
        let revoked = Revoked::new();
        revoked.set_own_issuer(OWN);
        for step in &steps {
            match step {
                Step::Serial { own, serial } => revoked.add_serials([(issuer(*own), named(*serial))]),
                Step::AnyIssuer { serial } => revoked.add_serials([(ANY_ISSUER, named(*serial))]),
                Step::Cut { second, keep } => {
                    let keep = keep.iter().map(|serial| named(*serial)).collect();
                    let identity = Identity::parse("spiffe://a.test/user/ana").unwrap();
                    revoked.add_identity(identity, IdentityCut { at: at(*second), keep });
                }
                Step::Listed { own, serials } => {
                    revoked.replace_listed(serials.iter().map(|serial| (issuer(*own), named(*serial))).collect());
                }
            }
        }
        for own in [true, false] {
            for serial in 0..6 {
                for issued in 0..10 {
                    let peer = peer(issuer(own), named(serial).as_str(), issued);
                    let refused = revoked.refuses(&peer, at(issued + 1)).is_some();
                    prop_assert_eq!(refused, out(&steps, own, serial, issued), "{} {} {}", own, serial, issued);
                }
            }
        }
    }

    #[test]
    fn a_certificate_is_good_to_the_end_of_its_last_second(millis in 0_u64..2_000_000) {
        let peer = peer(OWN, "7", 5);
        let now = Timestamp::from_millis(millis);
        let over = millis > peer.not_after.millis() + 999;
        prop_assert_eq!(Revoked::new().refuses(&peer, now), over.then_some(Revocation::Expired));
    }
}

#[test]
fn another_identitys_cut_touches_nobody() {
    let revoked = Revoked::new();
    for other in ["spiffe://a.test/user/an", "spiffe://a.test/user/anaa", "spiffe://a.test/service/ana"] {
        revoked.add_identity(Identity::parse(other).unwrap(), IdentityCut { at: at(99), keep: HashSet::new() });
    }
    assert_eq!(revoked.refuses(&peer(OWN, "7", 5), at(6)), None);
    assert_eq!(revoked.len(), 3);
}

#[test]
fn what_waited_is_judged_by_what_happened_since() {
    let ana = Identity::parse("spiffe://a.test/user/ana").unwrap();
    let serial = || CertificateSerial::parse("7").unwrap();
    let revoked = Revoked::new();
    revoked.set_own_issuer(OWN);
    let since = |second| revoked.shut_out_since(at(second), &ana, FOREIGN, &serial());
    assert!(!since(10));
    revoked.add_identity(ana.clone(), IdentityCut { at: at(20), keep: HashSet::new() });
    assert!(since(19) && since(20), "cut after the decision, or in its moment");
    assert!(!since(21), "decided after the cut, under a newer certificate");
    assert!(!revoked.shut_out_since(at(10), &ana, OWN, &serial()), "of our own CA the serials say it all");
    revoked.add_identity(ana.clone(), IdentityCut { at: at(30), keep: HashSet::from([serial()]) });
    assert!(!since(10), "spared");
    revoked.add_serials([(FOREIGN, serial())]);
    assert!(since(40), "a serial is out whenever it was decided");
}

#[test]
fn a_cut_of_no_issuer_is_for_every_issuer() {
    let revoked = Revoked::new();
    revoked.add_serials([(ANY_ISSUER, CertificateSerial::parse("7").unwrap())]);
    for issuer in [OWN, FOREIGN, [9; 32]] {
        assert_eq!(revoked.refuses(&peer(issuer, "7", 5), at(6)), Some(Revocation::Serial));
        assert!(revoked.contains(&issuer, &CertificateSerial::parse("7").unwrap()));
    }
    assert_eq!(revoked.refuses(&peer(OWN, "8", 5), at(6)), None);
}

#[test]
fn words_are_stable_and_distinct() {
    let all = [Revocation::Serial, Revocation::Identity, Revocation::Expired];
    assert_eq!(all.map(Revocation::word), ["certificate-revoked", "identity-revoked", "certificate-expired"]);
    assert_eq!(Revocation::Expired.to_string(), "the certificate has expired");
}

/// Writers on many threads: nothing that one adds is lost by another that replaces the set at the same moment.
#[test]
fn writers_that_race_lose_nothing() {
    let revoked = Arc::new(Revoked::new());
    let writers: Vec<_> = (0..4_u32)
        .map(|writer| {
            let revoked = revoked.clone();
            std::thread::spawn(move || {
                for n in 0..200_u32 {
                    let serial = CertificateSerial::parse(&format!("{:x}", 1 + writer * 1_000 + n)).unwrap();
                    revoked.add_serials([(OWN, serial)]);
                    revoked.replace_listed(HashSet::new());
                }
            })
        })
        .collect();
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert_eq!(revoked.len(), 800);
}
