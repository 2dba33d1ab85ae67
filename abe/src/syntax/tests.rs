//! Words: what two texts have in common, and where a mistake is shown.

use proptest::prelude::*;

use super::*;

fn tokens(text: &str) -> Result<Vec<Token>, SyntaxError> {
    let mut lexer = Lexer::new(text, Position::START);
    let mut found = Vec::new();
    loop {
        let next = lexer.next()?;
        if next.token == Token::End {
            return Ok(found);
        }
        found.push(next.token);
    }
}

#[test]
fn words_numbers_dates_quotes_and_signs() {
    let word = |text: &str| Token::Word(text.to_owned());
    assert_eq!(tokens("role_1.a-b ärzte 医").unwrap(), [word("role_1.a-b"), word("ärzte"), word("医")]);
    assert_eq!(
        tokens("0 -5 18446744073709551615").unwrap(),
        [Token::Number(0), Token::Number(-5), Token::Number(u64::MAX.into())]
    );
    assert_eq!(tokens("2026-11-21").unwrap(), [Token::Date(crate::value::Date::new(2026, 11, 21).unwrap())]);
    assert_eq!(
        tokens(r#""a \" \\ \n\t \u{e9}\u{10FFFF}""#).unwrap(),
        [Token::Quoted("a \" \\ \n\t \u{e9}\u{10ffff}".to_owned())]
    );
    let signs = "( ) [ ] , : = != < <= > >=";
    let found = tokens(signs).unwrap();
    let written: Vec<&str> =
        found.iter().map(|token| if let Token::Symbol(symbol) = token { symbol.sign() } else { "" }).collect();
    assert_eq!(written.join(" "), signs);
}

#[test]
fn every_mistake_says_what_to_write() {
    let cases = [
        ("a && b", 3, "`&&` has no meaning here: write `and`"),
        ("a & b", 3, "`&` has no meaning here: write `and`"),
        ("a || b", 3, "`||` has no meaning here: write `or`"),
        ("a | b", 3, "`|` has no meaning here: write `or`"),
        ("a == b", 3, "`==` has no meaning here: write `=`"),
        ("a <> b", 3, "`<>` has no meaning here: write `!=`"),
        ("a => b", 3, "`=>` has no meaning here: write `>=`"),
        ("a =< b", 3, "`=<` has no meaning here: write `<=`"),
        ("!a", 1, "there is no negation of a whole formula"),
        ("a ≠ b", 3, "`≠` has no meaning here: write `!=`"),
        ("a ≤ 3", 3, "write `<=`"),
        ("a ≥ 3", 3, "write `>=`"),
        ("a = 'b'", 5, "quote with `\"`"),
        ("a = “b”", 5, "quote with `\"`"),
        ("{a}", 1, "lists stand in `[` and `]`"),
        ("a; b", 2, "separate with `,`"),
        ("a = - 3", 5, "a sign stands directly before the digits"),
        ("a\u{a0}= b", 2, "separate words with plain spaces"),
        ("a\u{0}", 2, "`U+0000` has no meaning here"),
        ("a@b", 2, "quote whatever holds more than letters"),
        ("\u{301}a", 1, "quote whatever holds more"),
        ("a = \"b", 5, "the quote that begins here does not end on its line"),
        ("a = \"b\nc\"", 5, "does not end on its line"),
        (r#""a\x""#, 3, "unknown escape"),
        (r#""a\u{}""#, 3, "unknown escape"),
        (r#""a\u{d800}""#, 3, "unknown escape"),
        (r#""a\u{110000}""#, 3, "unknown escape"),
        (r#""a\u{1234567}""#, 3, "unknown escape"),
        (r#""a\u{+e9}""#, 3, "unknown escape"),
        ("\"a\u{7}\"", 3, "the control character U+0007 inside quotes: write it as `\\u{7}`"),
        ("3rd", 1, "`3rd` is neither a number nor a date"),
        ("3.5", 1, "`3.5` is neither"),
        ("-3-4", 1, "`-3-4` is neither"),
        ("2026-1-01", 1, "neither a number nor a date"),
        ("007", 1, "`007` begins with a zero"),
        ("-0", 1, "`-0` begins with a zero"),
        ("100000000000000000000000", 1, "a number of 24 digits"),
        ("2026-02-29", 1, "`2026-02-29` is not a day"),
    ];
    for (text, column, message) in cases {
        let error = tokens(text).unwrap_err();
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!((error.position().line, error.position().column), (1, column), "{text}: {error}");
        assert!(error.to_string().starts_with(&format!("line 1, column {column}: ")), "{error}");
    }
}

#[test]
fn positions_count_bytes_lines_and_characters() {
    let mut lexer = Lexer::new("ä =\r\n\n  \"é\" x", Position::START);
    let places: Vec<(usize, usize, usize)> =
        (0..4).map(|_| lexer.next().unwrap().at).map(|at| (at.offset, at.line, at.column)).collect();
    assert_eq!(places, [(0, 1, 1), (3, 1, 3), (9, 3, 3), (14, 3, 7)]);
}

#[test]
fn names_are_bounded_normal_and_visible() {
    assert_eq!(&*name("cafe\u{301}").unwrap(), "caf\u{e9}");
    assert_eq!(name(""), Err(NameDefect::Empty));
    assert!(name(&"a".repeat(256)).is_ok());
    assert_eq!(name(&"a".repeat(257)), Err(NameDefect::TooLong { bytes: 257 }));
    // The bound is one on normalised bytes: decomposed letters shrink below it, and others grow beyond.
    assert_eq!(name(&"e\u{301}".repeat(128)).unwrap().len(), 256);
    assert_eq!(name(&"\u{958}".repeat(43)), Err(NameDefect::TooLong { bytes: 258 }));
    assert_eq!(name(&"a".repeat(1 << 20)), Err(NameDefect::TooLong { bytes: 1 << 20 }));
    for found in ['\0', '\n', '\u{7f}', '\u{85}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{200f}'] {
        assert_eq!(name(&format!("a{found}b")), Err(NameDefect::Control { found }));
    }
    // Joiners are letters' business.
    assert!(name("می\u{200c}خواهم").is_ok());
    let messages = [NameDefect::Empty, NameDefect::TooLong { bytes: 257 }, NameDefect::Control { found: '\u{202e}' }];
    let messages: Vec<String> = messages.iter().map(ToString::to_string).collect();
    assert_eq!(
        messages,
        [
            "the name of the attribute is empty: name it",
            "the name has 257 bytes: at most 256 are allowed after normalisation",
            "the name holds the control character U+202E: leave it out",
        ]
    );
}

#[test]
fn values_are_bounded_and_normal() {
    assert_eq!(text(""), Err(TextDefect::Empty));
    assert!(text(&"a".repeat(4096)).is_ok());
    assert_eq!(text(&"a".repeat(4097)), Err(TextDefect::TooLong { bytes: 4097 }));
    assert_eq!(text(&"a".repeat(1 << 20)), Err(TextDefect::TooLong { bytes: 1 << 20 }));
    assert_eq!(&*text("A\u{30a}").unwrap(), "\u{c5}");
    assert!(TextDefect::Empty.to_string().contains("leave the attribute out"));
    assert!(TextDefect::TooLong { bytes: 4097 }.to_string().contains("4097 bytes: at most 4096"));
}

#[test]
fn quotes_stand_where_they_are_needed_alone() {
    let cases = [
        ("doctor", "doctor"),
        ("_arzt-1.2_x", "_arzt-1.2_x"),
        // Canonical forms follow no table of Unicode: what is a letter today need not have been one when it was sealed.
        ("ärzte", "\"ärzte\""),
        ("", "\"\""),
        ("and", "\"and\""),
        ("AND", "AND"),
        ("3", "\"3\""),
        ("-x", "\"-x\""),
        ("2026-11-21", "\"2026-11-21\""),
        ("a b", "\"a b\""),
        ("a\"\\b", "\"a\\\"\\\\b\""),
        ("a\nb\tc\r", "\"a\\nb\\tc\\u{d}\""),
        // What turns a policy around for its reader is shown as what it is.
        ("a\u{202e}b", "\"a\\u{202e}b\""),
        ("\u{301}a", "\"\u{301}a\""),
    ];
    for (text, written) in cases {
        assert_eq!(Quoted(text).to_string(), written);
    }
}

#[test]
fn the_caret_stands_below_the_mistake() {
    let at = Position { offset: 8, line: 2, column: 3 };
    assert_eq!(render(&"wrong", at, "one\nab?d\nthree"), "wrong\n  | ab?d\n  |   ^");
    assert_eq!(render(&"wrong", Position::NONE, "one"), "wrong");
    assert_eq!(render(&"wrong", Position { line: 9, ..at }, "one"), "wrong");
    // A long line is shown around the place, and control characters are not sent to a terminal.
    let long = format!("{}\u{1b}[2J?{}", "a".repeat(5000), "b".repeat(5000));
    let shown = render(&"wrong", Position { offset: 5004, line: 1, column: 5005 }, &long);
    let lines: Vec<&str> = shown.lines().collect();
    let caret = lines[2].chars().count() - 1;
    assert_eq!(lines[1].chars().nth(caret), Some('?'), "{shown}");
    assert!(shown.len() < 300 && !shown.contains('\u{1b}') && shown.contains('…'), "{shown}");
}

#[test]
fn the_nearest_word_is_near() {
    let known = ["cardiology", "surgery", "Ear, nose", "a"];
    assert_eq!(nearest("cardiolgy", known), Some("cardiology"));
    assert_eq!(nearest("Surgery", known), Some("surgery"));
    assert_eq!(nearest("surgry", known), Some("surgery"));
    assert_eq!(nearest("finance", known), None);
    assert_eq!(nearest("b", ["a"]), Some("a"));
    assert_eq!(nearest("", ["abc"]), None);
    assert_eq!(nearest(&"a".repeat(65), ["a"]), None);
}

proptest! {
    #[test]
    fn what_is_quoted_reads_back(text in "\\PC{1,12}|[ -~]{1,12}|[\\x00-\\x1f\u{202e}a]{1,6}") {
        let normal = super::text(&text).unwrap();
        let read = tokens(&Quoted(&normal).to_string()).unwrap();
        let [Token::Word(back) | Token::Quoted(back)] = &read[..] else { panic!("{read:?}") };
        prop_assert_eq!(&**back, &*normal);
        let bare = matches!(read[0], Token::Word(_));
        prop_assert!(!bare || !KEYWORDS.contains(&back.as_str()));
    }

    #[test]
    fn no_text_ends_the_lexer(text in "\\PC{0,60}|[\"\\\\\\[\\]()=!<>&|a0-9 u{}\n-]{0,60}") {
        if let Err(error) = tokens(&text) {
            let at = error.position();
            prop_assert!(at.offset <= text.len() && text.is_char_boundary(at.offset));
            prop_assert!(!error.to_string().is_empty());
            render(&error, at, &text);
        }
    }
}
