//! What a policy means, from sealing to opening: names that look alike, sets, versions, time and revocation.

use std::collections::BTreeMap;

use super::*;

const SCHEMA: &str = "groups: text set\n\
                      wards: enum(ent, icu, er) set negatable\n\
                      dept: enum(finance, audit, it) negatable\n\
                      city: text negatable\n\
                      level: number(8)\n\
                      scores: number(4) set\n\
                      born: date";

/// Whether a key for these attributes opens this policy.
fn opens(authority: &Authority, attributes: &str, policy: &str) -> bool {
    let mut fresh = seeds();
    let (ciphertext, secret) = sealed(authority, policy, fresh());
    let key = key(authority, attributes, fresh());
    match open(authority.parameters(), &key, &ciphertext, b"context") {
        Ok(opened) => {
            assert!(opened.is_same(&secret));
            assert!(forge::opens(authority, &ciphertext, &key, &secret), "the tool opens what may be opened");
            true
        }
        Err(OpenError::NotSatisfied { missing }) => {
            assert!(!missing.is_empty(), "who is refused is told what is missing");
            assert!(!forge::opens(authority, &ciphertext, &key, &secret), "{attributes} against {policy}");
            false
        }
        Err(other) => panic!("{attributes} against {policy}: {other}"),
    }
}

#[test]
fn a_policy_opens_for_whom_it_says() {
    let authority = authority(SCHEMA);
    for (attributes, policy, expected) in [
        ("role = doctor, level = 3", "role = doctor and level >= 3", true),
        ("role = doctor, level = 2", "role = doctor and level >= 3", false),
        ("role = nurse, level = 9", "role = doctor and level >= 3", false),
        ("role = doctor, level = 255", "level in [7, 255] or role = nurse", true),
        ("role = doctor, level = 255", "level < 255 or role = nurse", false),
        ("a = x, c = x", "2 of (a = x, b = x, c = x)", true),
        ("a = x", "2 of (a = x, b = x, c = x)", false),
        ("born = 1980-02-29", "born <= 1999-12-31 and born > 1980-02-28", true),
        ("born = 2000-01-01", "born <= 1999-12-31", false),
        // Ranges over a set: each leaf by some element of its own.
        ("scores = [2, 9]", "scores > 8 and scores < 3", true),
        ("scores = [5]", "scores > 8 and scores < 3", false),
        ("scores = [5]", "scores > 4 and scores < 6", true),
    ] {
        assert_eq!(opens(&authority, attributes, policy), expected, "{attributes} against {policy}");
    }
}

/// B8 and its neighbours: `!=` over sets, and over what is not there.
#[test]
fn not_equal_means_known_and_none() {
    let authority = authority(SCHEMA);
    for (attributes, policy, expected) in [
        ("wards = [ent, icu]", "wards != icu", false),
        ("wards = [ent, icu]", "wards != er", true),
        ("wards = []", "wards != er", true),
        ("role = doctor", "wards != er", false),
        ("dept = finance", "dept != audit", true),
        ("dept = audit", "dept != audit", false),
        ("role = doctor", "dept != audit", false),
        ("city = Bonn", "city != Ulm", true),
        ("city = Ulm", "city != Ulm", false),
        ("role = doctor", "city != Ulm", false),
    ] {
        assert_eq!(opens(&authority, attributes, policy), expected, "{attributes} against {policy}");
    }
    // An open set never has it: a key for {finance, audit} would open `groups != finance`.
    let refused = AccessPolicy::parse("groups != finance", authority.parameters()).unwrap_err();
    assert!(refused.to_string().contains("groups"), "{refused}");
}

/// B4 and B6, and what normalisation may not merge: none of these keys opens the policy of another's name.
#[test]
fn names_that_look_alike_are_not_alike() {
    let authority = authority("");
    let alike = [
        "dept = finance",
        "\"dept_finance\" = x",
        "\"dept = finance\" = x",
        "\"dept=finance\" = x",
        "Dept = finance",
        "dept = Finance",
        "dept = \"finance \"",
        "dept = \" finance\"",
        "\"dept \" = finance",
        "\"valid-until\" = \"20000\"",
        "valid-until = 20000",
        "serial = 7",
        "\"serial\" = \"7\"",
        "B = B",
        "\"f\u{131}nance\" = x",
        "finance = dept",
    ];
    for (at, attributes) in alike.iter().enumerate() {
        for (other, policy) in alike.iter().enumerate() {
            let Ok(_) = AccessPolicy::parse(policy, authority.parameters()) else { panic!("{policy}") };
            assert_eq!(opens(&authority, attributes, policy), at == other, "{attributes} against {policy}");
        }
    }
    // One name in two spellings is one name.
    assert!(opens(&authority, "caf\u{e9} = ol\u{e9}", "cafe\u{301} = ole\u{301}"));
}

/// B4: an attribute named like what keys carry for time and revocation gives neither.
#[test]
fn attributes_cannot_stand_for_validity_or_serials() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let policy = AccessPolicy::parse("role = doctor", public).unwrap().valid_from(Bucket::new(20_000));
    let (ciphertext, secret) = seal(public, &policy, b"context", fresh()).unwrap();
    for claim in ["valid-until = 65535", "\"valid-until\" = \"65535\"", "validity = 65535", "bucket = 20000"] {
        let key = key(&authority, &format!("role = doctor, {claim}"), fresh());
        let refused = open(public, &key, &ciphertext, b"context").unwrap_err();
        assert!(matches!(refused, OpenError::NotSatisfied { .. }), "{claim}: {refused}");
        assert!(!forge::opens(&authority, &ciphertext, &key, &secret), "{claim}");
    }
}

/// B9: a key issued under a later declaration shares no label with the former one, in whatever it was changed.
#[test]
fn declarations_never_meet() {
    let mut fresh = seeds();
    let eight = authority("level: number(8)");
    let policy = AccessPolicy::parse("level <= 15", eight.parameters()).unwrap();
    let (ciphertext, secret) = seal(eight.parameters(), &policy, b"context", fresh()).unwrap();
    let old = Loot::of(&key(&eight, "level = 200", fresh()));
    for declared in ["level: number(16)", "level: number(8, signed)", "level: number(8) set", "level: number(12)"] {
        let schema = Schema::parse(declared).unwrap();
        let next = eight.rotate(schema, Terms::default(), fresh()).unwrap();
        let attributes = Attributes::parse("level = 100", next.parameters().schema()).unwrap();
        let grant = Grant { attributes: &attributes, valid_until: None, serial: None };
        let new = next.issue(&grant, fresh()).unwrap();
        assert!(new.labels().iter().all(|label| old.sk2.iter().all(|(held, _)| held != label)), "{declared}");
        let refused = open(next.parameters(), &new, &ciphertext, b"context").unwrap_err();
        assert_eq!(refused, OpenError::OtherVersion { found: 1, held: 2 });
        assert!(!forge::opens(&eight, &ciphertext, &new, &secret), "{declared}");
    }
    let low = key(&eight, "level = 15", fresh());
    assert!(open(eight.parameters(), &low, &ciphertext, b"context").unwrap().is_same(&secret));
}

/// The labels do not rest on versions alone: two authorities of one id that declare the same name in two ways.
#[test]
fn type_tags_alone_keep_declarations_apart() {
    let kinds =
        ["level: number(8)", "level: number(16)", "level: number(8, signed)", "level: number(8) set", "level: date"];
    let labels: Vec<Vec<Label>> = kinds
        .iter()
        .map(|declared| {
            let value = if declared.ends_with("date") { "level = 2000-01-01" } else { "level = 7" };
            let authority = authority(declared);
            key(&authority, value, Seed::new([1; 32])).labels().to_vec()
        })
        .collect();
    for (at, first) in labels.iter().enumerate() {
        for second in &labels[at + 1..] {
            assert!(first.iter().all(|label| !second.contains(label)));
        }
    }
}

#[test]
fn context_policy_and_authority_are_bound() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let (ciphertext, _) = sealed(&authority, "role = doctor", fresh());
    let key_ = key(&authority, "role = doctor, dept = ent", fresh());
    for context in [b"".as_slice(), b"Context", b"context\0", &vec![7; MAX_CONTEXT + 1]] {
        assert_eq!(open(public, &key_, &ciphertext, context).unwrap_err(), OpenError::NotOpened);
    }
    // The policy of another ciphertext, of the same shape, which the key satisfies as well.
    let (other, _) = sealed(&authority, "dept = ent", fresh());
    let swapped = Ciphertext::new(
        Scheme::CiphertextPolicy,
        *ciphertext.scope(),
        other.statement().to_vec(),
        ciphertext.points().clone(),
    );
    assert_eq!(open(public, &key_, &swapped, b"context").unwrap_err(), OpenError::NotOpened);
    // Another authority with the same attributes, and this one's next version.
    let stranger = Authority::generate(AuthorityId([4; 16]), Schema::default(), Terms::default(), fresh());
    let (foreign, _) = sealed(&stranger, "role = doctor", fresh());
    let refused = open(public, &key_, &foreign, b"context").unwrap_err();
    assert_eq!(refused, OpenError::OtherAuthority { found: AuthorityId([4; 16]), held: AuthorityId([3; 16]) });
    let next = authority.rotate(Schema::default(), Terms::default(), fresh()).unwrap();
    let (later, _) = sealed(&next, "role = doctor", fresh());
    assert_eq!(open(public, &key_, &later, b"context").unwrap_err(), OpenError::OtherVersion { found: 2, held: 1 });
    // Its header rewritten to this authority and version: the points are of another alpha.
    for other in [&foreign, &later] {
        let relabelled = Ciphertext::new(
            Scheme::CiphertextPolicy,
            *ciphertext.scope(),
            other.statement().to_vec(),
            other.points().clone(),
        );
        assert_eq!(open(public, &key_, &relabelled, b"context").unwrap_err(), OpenError::NotOpened);
    }
    assert_eq!(
        open(next.parameters(), &key_, &ciphertext, b"context").unwrap_err(),
        DecodeError::OtherParameters { part: "key" }.into()
    );
}

/// A key issued until a bucket, and what was sealed before and after.
#[test]
fn an_expired_key_opens_nothing_later() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let attributes = Attributes::parse("role = doctor", public.schema()).unwrap();
    let until = |bucket| Grant { attributes: &attributes, valid_until: Some(Bucket::new(bucket)), serial: None };
    let sealed_in = |bucket: u32, seed| {
        let policy = AccessPolicy::parse("role = doctor", public).unwrap().valid_from(Bucket::new(bucket));
        seal(public, &policy, b"context", seed).unwrap()
    };
    for (valid, bucket, expected) in [
        (20_000, 20_000, true),
        (20_000, 19_999, true),
        (20_000, 0, true),
        (20_000, 20_001, false),
        (20_000, 65_535, false),
        (65_535, 65_535, true),
        (0, 0, true),
        (0, 1, false),
    ] {
        let key = authority.issue(&until(valid), fresh()).unwrap();
        let (ciphertext, secret) = sealed_in(bucket, fresh());
        match open(public, &key, &ciphertext, b"context") {
            Ok(opened) => assert!(expected && opened.is_same(&secret), "until {valid}, sealed in {bucket}"),
            Err(OpenError::NotSatisfied { missing }) => {
                assert!(!expected, "until {valid}, sealed in {bucket}");
                assert!(!forge::opens(&authority, &ciphertext, &key, &secret), "until {valid}, sealed in {bucket}");
                assert!(missing[0].contains("expired"), "{missing:?}");
            }
            Err(other) => panic!("{other}"),
        }
    }
    let without = key(&authority, "role = doctor", fresh());
    let (ciphertext, secret) = sealed_in(0, fresh());
    assert!(!forge::opens(&authority, &ciphertext, &without, &secret));
    assert!(matches!(open(public, &without, &ciphertext, b"context"), Err(OpenError::NotSatisfied { .. })));
}

/// A revoked serial, a re-issued key of the same holder, and serials that were never given out.
#[test]
fn a_revoked_serial_opens_nothing_sealed_with_the_list() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let attributes = Attributes::parse("role = doctor", public.schema()).unwrap();
    let mut issued = |serial| {
        let serial = Some(Serial::new(serial));
        authority
            .issue(&Grant { attributes: &attributes, valid_until: Some(Bucket::new(200)), serial }, fresh())
            .unwrap()
    };
    let (revoked_key, reissued, other) = (issued(5), issued(6), issued((1 << 20) - 1));
    let revoked = BTreeMap::from([(Serial::new(5), Bucket::new(200))]);
    let dates = Dates { number: 1, issued_at: 1_000, next_update: 2_000 };
    let list = authority.revocation_list(dates, revoked).unwrap();
    let before = AccessPolicy::parse("role = doctor", public).unwrap().valid_from(Bucket::new(100));
    let after = before.clone().excluding(&list, public, 1_500).unwrap();
    let (old, _) = seal(public, &before, b"context", Seed::new([1; 32])).unwrap();
    let (new, secret) = seal(public, &after, b"context", Seed::new([2; 32])).unwrap();
    assert!(open(public, &revoked_key, &old, b"context").is_ok(), "what was sealed before stays open");
    let refused = open(public, &revoked_key, &new, b"context").unwrap_err();
    assert!(matches!(&refused, OpenError::NotSatisfied { missing } if missing[0].contains("serial")), "{refused}");
    assert!(!forge::opens(&authority, &new, &revoked_key, &secret));
    assert!(forge::opens(&authority, &new, &reissued, &secret));
    for key in [&reissued, &other] {
        assert!(open(public, key, &new, b"context").unwrap().is_same(&secret));
    }
    assert_eq!(new.revocation_list(), Some((1, 1_000)));
    // Without a bucket the cover could never forget an expired serial.
    let unbounded = AccessPolicy::parse("role = doctor", public).unwrap().excluding(&list, public, 1_500).unwrap();
    assert_eq!(seal(public, &unbounded, b"", Seed::new([3; 32])).unwrap_err(), SealError::CoverWithoutBucket);
    assert!(matches!(before.excluding(&list, public, 2_000), Err(RevocationError::Stale { .. })));
}

/// Authorities forget revoked serials once they have expired, so that a list says nothing of earlier buckets: with one
/// of those, a revoked key that has expired meanwhile would open again.
#[test]
fn a_list_goes_with_no_bucket_before_its_date() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    const DAY: u64 = 86_400;
    // Serial 5 was valid until day 99 and revoked on day 50; on day 100 it has left the list.
    let dates = Dates { number: 9, issued_at: 100 * DAY, next_update: 101 * DAY };
    let list = authority.revocation_list(dates, BTreeMap::new()).unwrap();
    let policy = || AccessPolicy::parse("role = doctor", public).unwrap();
    let listed = |policy: AccessPolicy| policy.excluding(&list, public, 100 * DAY + 5).unwrap();
    let (bucket, first) = (Bucket::new(90), Bucket::new(100));
    let early = SealError::BucketBeforeList { bucket, first };
    for policy in [listed(policy().valid_from(bucket)), listed(policy()).valid_from(bucket)] {
        assert_eq!(seal(public, &policy, b"", fresh()).unwrap_err(), early);
    }
    assert!(early.to_string().contains("later one"), "{early}");
    assert!(seal(public, &listed(policy().valid_from(first)), b"", fresh()).is_ok());
    assert_eq!(listed(policy()).renew_by(), Some(101 * DAY));
    // A cover that was made for a later bucket has forgotten more.
    let revoked = BTreeMap::from([(Serial::new(5), Bucket::new(200))]);
    let list = authority.revocation_list(dates, revoked).unwrap();
    let later = policy().valid_from(Bucket::new(300)).excluding(&list, public, 100 * DAY).unwrap();
    let earlier = later.clone().valid_from(Bucket::new(150));
    assert!(matches!(seal(public, &earlier, b"", fresh()), Err(SealError::BucketBeforeList { .. })));
    assert!(seal(public, &later, b"", fresh()).is_ok());
}

/// A list of the next version, with that version's parameters, on a policy of this one: its serials are others.
#[test]
fn a_list_of_another_version_is_refused() {
    let (authority, mut fresh) = (authority(""), seeds());
    let next = authority.rotate(Schema::default(), Terms::default(), fresh()).unwrap();
    let list = next.revocation_list(Dates { number: 1, issued_at: 10, next_update: 20 }, BTreeMap::new()).unwrap();
    let policy = AccessPolicy::parse("role = doctor", authority.parameters()).unwrap().valid_from(Bucket::new(0));
    for parameters in [authority.parameters(), next.parameters()] {
        let refused = policy.clone().excluding(&list, parameters, 15).unwrap_err();
        assert_eq!(refused, RevocationError::OtherAuthority);
    }
}

/// A serial beyond the tree would shut out another one in its place.
#[test]
fn a_list_holds_no_serial_beyond_the_tree() {
    let authority = authority("");
    let dates = Dates { number: 1, issued_at: 10, next_update: 20 };
    let of = |serial| authority.revocation_list(dates, BTreeMap::from([(Serial::new(serial), Bucket::new(5))]));
    assert!(of((1 << 20) - 1).is_ok());
    let serial = Serial::new(1 << 20);
    assert_eq!(of(1 << 20).unwrap_err(), RevocationError::SerialOutOfRange { serial });
}

/// A child opens no more than its parent, and ends where its prefixes let it.
#[test]
fn delegation_only_narrows() {
    let (authority, mut fresh) = (authority("groups: text set"), seeds());
    let public = authority.parameters();
    let attributes = Attributes::parse("role = doctor, dept = ent, groups = [a, b]", public.schema()).unwrap();
    let grant = Grant { attributes: &attributes, valid_until: Some(Bucket::new(0b1011)), serial: Some(Serial::new(4)) };
    let parent = authority.issue(&grant, fresh()).unwrap();
    let narrowing = Narrowing {
        without: vec!["dept".into()],
        without_values: vec![("groups".into(), "b".into())],
        valid_until: Some(Bucket::new(0b1010)),
    };
    let child = parent.delegate(public, &narrowing, fresh()).unwrap();
    assert_eq!((child.valid_until(), child.serial()), (Some(Bucket::new(0b1010)), parent.serial()));
    let mut opens = |policy: &str, bucket: Option<u32>| {
        let policy = AccessPolicy::parse(policy, public).unwrap();
        let policy = match bucket {
            Some(bucket) => policy.valid_from(Bucket::new(bucket)),
            None => policy,
        };
        let (ciphertext, secret) = seal(public, &policy, b"context", fresh()).unwrap();
        let opened = open(public, &child, &ciphertext, b"context");
        assert!(opened.as_ref().is_ok_and(|opened| opened.is_same(&secret)) || opened.is_err());
        assert_eq!(forge::opens(&authority, &ciphertext, &child, &secret), opened.is_ok());
        opened.is_ok()
    };
    assert!(opens("role = doctor and groups = a", Some(0b1010)));
    assert!(!opens("role = doctor and groups = a", Some(0b1011)));
    assert!(!opens("dept = ent", None));
    assert!(!opens("groups = b", None));
    // The child is a key like any other: it is written, read, and narrowed again, but not widened.
    let again = UserKey::from_bytes(&child.to_bytes(), public).unwrap();
    assert_eq!(again.labels(), child.labels());
    for (wanted, reached) in [(0b1001, Some(0b1000)), (0b1000, Some(0b1000)), (0b0111, Some(0)), (0, Some(0))] {
        let narrowing = Narrowing { valid_until: Some(Bucket::new(wanted)), ..Narrowing::default() };
        let shorter = parent.delegate(public, &narrowing, fresh()).unwrap();
        assert_eq!(shorter.valid_until(), reached.map(Bucket::new), "at most {wanted:b}");
    }
    let later = Narrowing { valid_until: Some(Bucket::new(0b1011)), ..Narrowing::default() };
    assert!(matches!(child.delegate(public, &later, fresh()), Err(DelegateError::Expiry { .. })));
    let absent = Narrowing { without: vec!["ward".into()], ..Narrowing::default() };
    assert_eq!(parent.delegate(public, &absent, fresh()).unwrap_err(), DelegateError::NotHeld { name: "ward".into() });
    let all = Narrowing { without: vec!["role".into(), "dept".into(), "groups".into()], ..Narrowing::default() };
    assert_eq!(parent.delegate(public, &all, fresh()).unwrap_err(), DelegateError::NothingLeft);
}
