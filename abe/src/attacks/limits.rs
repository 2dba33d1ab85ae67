//! Formulas at their limits, and beyond.

use super::*;

fn round(authority: &Authority, policy: &str, attributes: &str) -> Result<(), OpenError> {
    let mut fresh = seeds();
    let (ciphertext, secret) = sealed(authority, policy, fresh());
    let again = Ciphertext::from_bytes(ciphertext.to_bytes()).unwrap();
    assert_eq!(again, ciphertext);
    let key = key(authority, attributes, fresh());
    open(authority.parameters(), &key, &again, b"context").map(|opened| assert!(opened.is_same(&secret)))
}

fn list(count: usize, leaf: impl Fn(usize) -> String, between: &str) -> String {
    (0..count).map(leaf).collect::<Vec<_>>().join(between)
}

#[test]
fn five_hundred_and_twelve_rows() {
    let authority = authority("");
    let leaf = |at: usize| format!("x{at} = y");
    let all = list(512, leaf, " and ");
    let attributes = list(512, leaf, ", ");
    assert_eq!(round(&authority, &all, &attributes), Ok(()));
    let one = list(512, leaf, " or ");
    assert_eq!(round(&authority, &one, "x511 = y"), Ok(()));
    assert_eq!(round(&authority, &format!("1 of ({})", list(512, leaf, ", ")), "x300 = y"), Ok(()));
    let half = format!("256 of ({})", list(512, leaf, ", "));
    assert_eq!(round(&authority, &half, &list(256, |at| format!("x{} = y", 2 * at), ", ")), Ok(()));
    let refused = round(&authority, &half, &list(255, |at| format!("x{} = y", 2 * at), ", "));
    assert!(matches!(refused, Err(OpenError::NotSatisfied { .. })));
    let (ciphertext, secret) = sealed(&authority, &half, Seed::new([4; 32]));
    let short = key(&authority, &list(255, |at| format!("x{} = y", 2 * at), ", "), Seed::new([5; 32]));
    assert!(!forge::opens(&authority, &ciphertext, &short, &secret), "one point short of 256");
    let more = list(513, leaf, " and ");
    assert!(AccessPolicy::parse(&more, authority.parameters()).is_err());
}

#[test]
fn formula_and_requirements_share_the_bound() {
    let (authority, mut fresh) = (authority(""), seeds());
    let public = authority.parameters();
    let policy = AccessPolicy::parse(&list(512, |at| format!("x{at} = y"), " and "), public).unwrap();
    let refused = seal(public, &policy.valid_from(Bucket::new(1)), b"", fresh()).unwrap_err();
    assert!(matches!(refused, SealError::TooManyRows { rows: 513.., max: MAX_ROWS }), "{refused}");
    assert!(refused.to_string().contains("rotate the authority"), "{refused}");
}

#[test]
fn one_attribute_sixteen_times() {
    let authority = authority("");
    let sixteen = list(16, |_| "a = x".to_owned(), " and ");
    // Flattened to one `and` of sixteen equal leaves; nothing merges what the author wrote.
    let (ciphertext, _) = sealed(&authority, &format!("b = x or ({sixteen})"), Seed::new([1; 32]));
    assert_eq!(ciphertext.rows(), 17);
    assert_eq!(ciphertext.points().in_g2.len(), 16);
    assert_eq!(round(&authority, &format!("b = x or ({sixteen})"), "a = x"), Ok(()));
    assert_eq!(round(&authority, &format!("b = x or ({sixteen})"), "b = x"), Ok(()));
}

#[test]
fn depth_sixty_four_and_one_more() {
    let authority = authority("");
    // Gates that alternate cannot be flattened.
    let nested = |depth: usize| {
        (0..depth).fold("a = x".to_owned(), |inner, at| {
            if at % 2 == 0 { format!("b = x or ({inner})") } else { format!("a = x and ({inner})") }
        })
    };
    let deepest =
        (1..100).take_while(|depth| AccessPolicy::parse(&nested(*depth), authority.parameters()).is_ok()).last();
    let deepest = deepest.unwrap();
    assert!((60..=64).contains(&deepest), "{deepest}");
    assert_eq!(round(&authority, &nested(deepest), "a = x, b = x"), Ok(()));
    assert_eq!(
        round(&authority, &nested(deepest), "b = y, c = x").map_err(|e| matches!(e, OpenError::NotSatisfied { .. })),
        Err(true)
    );
}

/// A ciphertext whose policy is a megabyte, is nested a million deep, or counts what is not there: all structural.
#[test]
fn hostile_ciphertexts_are_refused_by_their_structure() {
    let (authority, mut fresh) = (authority(""), seeds());
    let key = key(&authority, "a = x", fresh());
    let (honest, _) = sealed(&authority, "a = x", fresh());
    let hostile = [
        "(".repeat(1 << 20),
        "a = x or ".repeat(1 << 17),
        format!("a = {}", "y".repeat(1 << 20)),
        format!("9999999999 of ({})", "a = x, ".repeat(1 << 12)),
        "a = x ".to_owned(),
        String::new(),
    ];
    for text in hostile {
        let mut statement = u32::try_from(text.len()).unwrap().to_be_bytes().to_vec();
        statement.extend_from_slice(text.as_bytes());
        statement.extend_from_slice(&[0, 0]);
        let made = Ciphertext::new(Scheme::CiphertextPolicy, *honest.scope(), statement, honest.points().clone());
        let opened = Ciphertext::from_bytes(made.to_bytes())
            .map_err(OpenError::from)
            .and_then(|read| open(authority.parameters(), &key, &read, b"context"));
        let refused = opened.err().unwrap();
        assert!(matches!(refused, OpenError::Decode(_) | OpenError::Policy(_)), "{refused}");
    }
}

#[test]
fn keys_and_contexts_have_bounds() {
    let (authority, mut fresh) = (authority("tags: text set\nnumbers: number(64) set"), seeds());
    let public = authority.parameters();
    let policy = AccessPolicy::parse("tags = a", public).unwrap();
    assert!(seal(public, &policy, &vec![0; MAX_CONTEXT], fresh()).is_ok());
    let refused = seal(public, &policy, &vec![0; MAX_CONTEXT + 1], fresh()).unwrap_err();
    assert_eq!(refused, SealError::ContextTooLong { len: MAX_CONTEXT + 1, max: MAX_CONTEXT });
    // A number of 64 bits is 65 labels: 63 of them fit a key, 64 and one word more do not.
    let numbers = |count: usize| {
        let text = format!(
            "numbers = [{}]",
            list(count, |at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_string(), ", ")
        );
        Attributes::parse(&text, public.schema()).unwrap()
    };
    let mut issue = |attributes: &Attributes| {
        authority.issue(&Grant { attributes, valid_until: None, serial: None }, fresh()).map(|key| key.labels().len())
    };
    assert!(issue(&numbers(63)).unwrap() <= MAX_LABELS);
    let refused = issue(&numbers(90)).unwrap_err();
    assert!(matches!(refused, IssueError::TooManyLabels { count: 4_097.., max: MAX_LABELS }), "{refused}");
    let attributes = Attributes::parse("tags = [a]", public.schema()).unwrap();
    let out_of_range = |valid_until, serial| {
        authority.issue(&Grant { attributes: &attributes, valid_until, serial }, Seed::new([1; 32])).unwrap_err()
    };
    let bucket = Bucket::new(1 << 16);
    assert_eq!(out_of_range(Some(bucket), None), IssueError::BucketOutOfRange { bucket });
    let serial = Serial::new(1 << 20);
    assert_eq!(out_of_range(None, Some(serial)), IssueError::SerialOutOfRange { serial });
    let refused = seal(public, &policy.valid_from(bucket), b"", fresh()).unwrap_err();
    assert_eq!(refused, SealError::BucketOutOfRange { bucket });
    for bits in [0, 33] {
        assert_eq!(Terms::new(BucketLength::Hour, bits).unwrap_err(), SetupError::SerialBits { bits });
    }
}
