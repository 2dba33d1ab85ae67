//! A policy comes with a ciphertext, from anybody: everything about it is bounded, and a hostile one is refused where
//! it passes the bound, not after it was read to its end.

use proptest::prelude::*;

use super::*;
use crate::syntax::Position;

fn nested(depth: usize) -> String {
    format!("{}role = a{}", "(".repeat(depth), ")".repeat(depth))
}

/// Gates of both kinds within each other.
fn gates(depth: usize) -> String {
    (0..depth).fold("role = r".to_owned(), |inner, level| {
        if level % 2 == 0 { format!("(role = a{level} and {inner})") } else { format!("(role = a{level} or {inner})") }
    })
}

fn many(count: usize, between: &str) -> String {
    (0..count).map(|n| format!("role = a{n}")).collect::<Vec<_>>().join(between)
}

#[test]
fn depth_64_is_the_last() {
    assert_eq!(formula(&nested(64)).depth(), 0);
    let error = error(&nested(65));
    assert_eq!(error, PolicyError::TooDeep { at: Position { offset: 64, line: 1, column: 65 } });
    assert_eq!(
        error.to_string(),
        "line 1, column 65: nested too deeply: at most 64 gates or parentheses stand within each other"
    );
    let deepest = formula(&gates(64));
    assert_eq!(deepest.depth(), 64);
    assert_eq!(Formula::parse(&deepest.to_string(), &schema()).unwrap(), deepest);
    assert!(matches!(Formula::parse(&gates(65), &schema()), Err(PolicyError::TooDeep { .. })));
    // Two gates a parenthesis: 40 parentheses, 81 gates.
    let two = (0..40).fold("role = r".to_owned(), |inner, n| format!("role = a{n} or role = b{n} and ({inner})"));
    assert!(matches!(Formula::parse(&two, &schema()), Err(PolicyError::TooDeep { .. })));
    let thresholds =
        |depth: usize| (0..depth).fold("role = r".to_owned(), |inner, _| format!("2 of (role = a, role = b, {inner})"));
    assert_eq!(formula(&thresholds(64)).depth(), 64);
    assert!(matches!(Formula::parse(&thresholds(65), &schema()), Err(PolicyError::TooDeep { .. })));
}

#[test]
fn row_512_is_the_last() {
    for between in [" and ", " or "] {
        assert_eq!(formula(&many(512, between)).rows(), 512);
        let error = error(&many(513, between));
        assert!(matches!(error, PolicyError::TooManyRows { rows: 513, .. }), "{error}");
        assert!(error.to_string().contains("the policy needs 513 rows up to here: at most 512 are allowed"), "{error}");
    }
    assert_eq!(formula(&format!("1 of ({})", many(512, ", "))).to_string(), many(512, " or "));
    assert_eq!(formula(&format!("512 of ({})", many(512, ", "))).to_string(), many(512, " and "));
    assert_eq!(formula(&format!("256 of ({})", many(512, ", "))).rows(), 512);
    // Comparisons count for their labels: 16 times 32.
    let negations = |count: usize| (0..count).map(|n| format!("region != a{n}")).collect::<Vec<_>>().join(" and ");
    assert_eq!(formula(&negations(16)).rows(), 512);
    assert!(matches!(Formula::parse(&negations(17), &schema()), Err(PolicyError::TooManyRows { rows: 544, .. })));
}

#[test]
fn lists_are_bounded_before_they_are_merged() {
    let wide = Schema::parse("n: number(32)").unwrap();
    let list = |count: usize| format!("n in [{}]", (0..count).map(|n| n.to_string()).collect::<Vec<_>>().join(","));
    assert_eq!(Formula::parse(&list(512), &wide).unwrap().rows(), 1);
    let error = Formula::parse(&list(513), &wide).unwrap_err();
    assert!(matches!(error, PolicyError::ListTooLong { at } if at.column > 1000), "{error}");
    assert!(error.to_string().contains("more than 512 values in a list: write a range"), "{error}");
}

#[test]
fn a_mebibyte_is_refused_unread() {
    let size = 1 << 20;
    let hostile = [
        "(".repeat(size),
        "role = a or ".repeat(size / 12),
        "a".repeat(size),
        "9".repeat(size),
        "\"".repeat(size),
        "2 of (".repeat(size / 6),
        "\u{301}".repeat(size / 2),
        " ".repeat(size),
        "\0".repeat(size),
    ];
    for text in hostile {
        let bytes = text.len();
        assert_eq!(Formula::parse(&text, &schema()), Err(PolicyError::TooLong { bytes }));
    }
    let message = PolicyError::TooLong { bytes: size }.to_string();
    assert_eq!(message, "the policy has 1048576 bytes: at most 65536 are allowed, also in its canonical form");
}

#[test]
fn what_just_fits_is_refused_where_it_passes_another_bound() {
    let size = MAX_TEXT;
    let at = |text: &str| Formula::parse(text, &schema()).expect_err(text).position().offset;
    assert_eq!(at(&"(".repeat(size)), 64);
    assert_eq!(at(&"2 of (".repeat(size / 6)), 64 * 6 + 5);
    assert!(at(&many(5000, " or ")) < 9000);
    assert_eq!(at(&"9".repeat(size)), 0);
    assert_eq!(at(&"a".repeat(size)), 0);
    assert_eq!(at(&format!("role = {}", "a".repeat(size - 7))), 7);
    assert_eq!(at(&format!("role = {}", "9".repeat(size - 7))), 7);
    assert_eq!(at(&format!("\"{}\" = a", "e\u{301}".repeat(8000))), 0);
    assert_eq!(at(&format!("a{} = b", "\u{301}".repeat(8000))), 0);
}

#[test]
fn names_and_values_are_bounded_after_normalisation() {
    assert!(Formula::parse(&format!("{} = x", "n".repeat(256)), &schema()).is_ok());
    assert!(error(&format!("{} = x", "n".repeat(257))).to_string().contains("the name has 257 bytes"));
    assert!(Formula::parse(&format!("role = {}", "v".repeat(4096)), &schema()).is_ok());
    assert!(error(&format!("role = {}", "v".repeat(4097))).to_string().contains("the text has 4097 bytes"));
    assert!(Formula::parse(&format!("role = \"{}\"", "e\u{301}".repeat(2048)), &schema()).is_ok());
}

#[test]
fn the_canonical_text_fits_as_well() {
    // Ten characters that print as eight bytes each: short to read, long to write.
    let value = |n: usize| format!("\"{n}{}\"", "\u{202e}".repeat(1000));
    let policy = |count: usize| (0..count).map(|n| format!("role={}", value(n))).collect::<Vec<_>>().join(" or ");
    let fits = formula(&policy(8));
    assert!(fits.to_string().len() > 64_000);
    assert_eq!(Formula::parse(&fits.to_string(), &schema()).unwrap(), fits);
    let text = policy(9);
    assert!(text.len() < MAX_TEXT);
    assert!(matches!(Formula::parse(&text, &schema()), Err(PolicyError::TooLong { bytes }) if bytes > MAX_TEXT));
}

#[test]
fn simplifying_the_worst_formulas_ends() {
    // More pairs of branches than the simplifier compares: it stops there, and the meaning stays.
    let branches: Vec<String> = (0..170).map(|n| format!("a{n} = x and (b{} = x or c{} = x)", n % 13, n % 7)).collect();
    let wide = formula(&format!("({}) and ({})", branches[..85].join(" or "), branches[85..].join(" or ")));
    let simple = wide.simplify();
    assert!(simple.rows() <= wide.rows());
    for (a, b, c) in [(0, 0, 0), (1, 1, 0), (90, 3, 6), (12, 12, 5), (169, 0, 1)] {
        let text = format!("a{a} = x, a{} = x, b{b} = x, c{c} = x", 169 - a);
        let holder = Attributes::parse(&text, &schema()).unwrap();
        assert_eq!(simple.evaluate(&holder), wide.evaluate(&holder), "{text}");
    }
    // Deep alternation beside itself, and leaves that are all compared with all.
    let deep = gates(62);
    let twice = formula(&format!("{deep} or ({deep} and role = z)"));
    assert!(twice.simplify().rows() <= twice.rows());
    let ranges: Vec<String> = (0..100).map(|n| format!("level >= {n}")).collect();
    let ranges = formula(&ranges.join(" or "));
    assert!(ranges.rows() > 400);
    assert_eq!(ranges.simplify().to_string(), "level >= 0");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn no_text_ends_the_parser(
        text in "\\PC{0,60}|[a-d0-9=!<>()\\[\\],\" -]{0,60}|((role|level|tags|dept|2 of|in|and|or|not|a|3|surgery) ?[()\\[\\],=!<>]{0,2} ?){0,12}"
    ) {
        match Formula::parse(&text, &schema()) {
            Ok(read) => {
                let printed = read.to_string();
                prop_assert_eq!(Formula::parse(&printed, &schema()).unwrap(), read);
            }
            Err(error) => {
                let at = error.position();
                prop_assert!(at.offset <= text.len() && text.is_char_boundary(at.offset));
                prop_assert!(!error.render(&text).is_empty());
            }
        }
    }

    #[test]
    fn no_bytes_end_the_parser(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
        let text = String::from_utf8_lossy(&bytes);
        let _ = Formula::parse(&text, &schema());
        let _ = Schema::parse(&text);
        let _ = Attributes::parse(&text, &schema());
    }
}
