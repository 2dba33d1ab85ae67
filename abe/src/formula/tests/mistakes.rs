//! Somebody reads these messages who wrote the policy in another language's habit.

use super::*;

/// Policy, column, a part of the message.
const MISTAKES: &[(&str, usize, &str)] = &[
    ("role = a && level = 3", 10, "`&&` has no meaning here: write `and`"),
    ("role = a || level = 3", 10, "`||` has no meaning here: write `or`"),
    ("role == a", 6, "`==` has no meaning here: write `=`"),
    ("!(role = a)", 1, "there is no negation of a whole formula: write `name != value`"),
    ("role = 'a'", 8, "quote with `\"`"),
    ("role = a AND level = 3", 10, "write `and` for `AND`: keywords are lower-case"),
    ("role = a Or level = 3", 10, "write `or` for `Or`"),
    ("2 OF (role = a, level = 3)", 3, "write `of` for `OF`"),
    ("role IN [a]", 6, "write `in` for `IN`"),
    ("not role = a", 1, "there is no `not`: write `name != value` (or `<` for `not >=`)"),
    ("NOT role = a", 1, "there is no `not`"),
    ("role = a and not (level = 3)", 14, "there is no `not`"),
    ("doctor", 1, "doctor alone is no condition: write `name = value`, as in `role = doctor`"),
    ("doctor and nurse", 1, "doctor alone is no condition"),
    ("\"head doctor\"", 1, "\"head doctor\" alone is no condition"),
    ("role = a and", 13, "expected a condition, such as `role = doctor`, or `(`, found the end"),
    ("and role = a", 1, "expected a condition, such as `role = doctor`, or `(`, found `and`"),
    ("role = a or or role = b", 13, "expected a condition, such as `role = doctor`, or `(`, found `or`"),
    ("of = a", 1, "`of` is a keyword: as a name or a value write it in quotes, `\"of\"`"),
    ("role = in", 8, "`in` is a keyword"),
    ("role = ", 8, "expected a value: a word, a number, a date, or \"text\", found the end"),
    ("role = )", 8, "expected a value: a word, a number, a date, or \"text\", found `)`"),
    ("role = [a, b]", 8, "expected one value; for a list write `name in [..]`, found `[`"),
    ("role = a b", 10, "expected `and`, `or` or the end, found `b`"),
    ("role = a, role = b", 9, "expected `and`, `or` or the end, found `,`"),
    ("(role = a", 10, "expected `and`, `or` or `)`, found the end"),
    ("role = a)", 9, "expected `and`, `or` or the end, found `)`"),
    ("()", 2, "expected a condition"),
    ("role in a", 9, "expected `[` and the values, as in `dept in [cardiology, surgery]`, found `a`"),
    ("role in []", 9, "an empty list holds for nobody"),
    ("role in [a b]", 12, "expected `,` or `]` after a value, found `b`"),
    ("role in [a,]", 12, "expected a value"),
    ("role in [a, 3]", 13, "role takes text, and 3 is a number: quote it"),
    ("undeclared in [a, 3]", 19, "undeclared takes text, and 3 is a number: quote it"),
    ("undeclared in [3, a]", 19, "undeclared takes numbers, and a is text"),
    ("3 < level", 3, "expected `of` after the number, as in `2 of (..)`; a comparison begins with its name, found `<`"),
    ("2 of role = a", 6, "expected `(` and the conditions, separated by `,`, found `role`"),
    ("0 of (role = a)", 1, "0 of anything would let everybody open: write 1 or more"),
    ("-1 of (role = a)", 1, "-1 of anything would let everybody open"),
    ("3 of (role = a, level = 3)", 1, "3 of 2 cannot be: the number is 1 to 2"),
    ("2 of (role = a; level = 3)", 15, "separate with `,`"),
    ("2 of (role = a, level = 3", 26, "expected `and`, `or`, `,` or `)`, found the end"),
    ("2 of (role = a,)", 16, "expected a condition"),
    ("level >= high", 10, "level takes numbers, and high is text: write digits, or declare it otherwise"),
    ("level >= \"3\"", 10, "level takes numbers, and \"3\" is text: write it without quotes"),
    ("level > 256", 9, "level takes numbers from 0 to 255, and 256 is not one: declare it wider"),
    ("level = -1", 9, "declare it `signed`"),
    ("level < 0", 9, "no value of level satisfies this: leave the condition out, or correct the bound"),
    ("level > 255", 9, "no value of level satisfies this"),
    ("balance < -32768", 11, "no value of balance satisfies this"),
    ("born > 9999-12-31", 8, "no value of born satisfies this"),
    ("born < 0001-01-01", 8, "no value of born satisfies this"),
    ("born < 1980", 8, "born takes dates, and 1980 is a number: write it as 2026-11-21"),
    ("role > a", 6, "`>` needs a number or a date, and role is text: use `=` or `in [..]`, or declare it `number`"),
    ("dept <= surgery", 6, "`<=` needs a number or a date, and dept is text"),
    ("undeclared < high", 12, "`<` needs a number or a date, and undeclared is text"),
    ("dept = surgry", 8, "dept does not list the value surgry: did you mean surgery?"),
    ("dept in [surgery, Cardiology]", 19, "did you mean cardiology?"),
    ("dept != finance", 9, "dept does not list the value finance: see its declaration"),
    ("ward != a", 6, "`!=` needs keys that carry it: declare `ward: enum(a, b) negatable` in a new version"),
    ("role != a", 6, "declare `role: text negatable`"),
    ("undeclared != 3", 12, "declare `undeclared: number(32) negatable`"),
    (
        "groups != finance",
        8,
        "`!=` over the open set groups cannot be: a key for {finance, audit} would open `!= finance`",
    ),
    ("role = \"\"", 8, "role cannot hold this: the text is empty"),
    ("\"\" = a", 1, "the name of the attribute is empty"),
    ("\"a\\tb\" = a", 1, "the name holds the control character U+0009"),
    ("role = 007", 8, "`007` begins with a zero: drop it from a number, quote it if it is text"),
    ("role = a # doctors", 10, "`#` has no meaning here"),
    ("level = 3.5", 9, "`3.5` is neither a number nor a date"),
];

#[test]
fn every_mistake_has_its_place_and_a_hint() {
    for (text, column, message) in MISTAKES {
        let error = error(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert_eq!((error.position().line, error.position().column), (1, *column), "{text}: {error}");
        let rendered = error.render(text);
        let caret = rendered.lines().last().unwrap();
        assert_eq!(caret.chars().count(), "  | ".len() + column, "{rendered}");
    }
}

#[test]
fn the_place_is_right_on_later_lines_and_behind_letters_of_many_bytes() {
    let text = "\"größe\" = \"ä\"\n  and role === b";
    let error = error(text);
    let at = error.position();
    assert_eq!((at.offset, at.line, at.column), (text.find("===").unwrap(), 2, 12));
    assert_eq!(error.render(text).lines().last().unwrap(), format!("  | {}^", " ".repeat(11)));
}

#[test]
fn nothing_is_no_policy() {
    for text in ["", "  ", "\n\t\r\n"] {
        assert_eq!(error(text), PolicyError::Empty);
        assert_eq!(error(text).render(text), "the policy is empty: write who may open, as in `role = doctor`");
    }
}

#[test]
fn a_value_of_one_cannot_be_another() {
    let schema =
        Schema::parse("only: enum(one) negatable\nsome: enum(one) set negatable\nbit: number(1) negatable").unwrap();
    let error = Formula::parse("only != one", &schema).unwrap_err();
    assert!(matches!(error, PolicyError::Unsatisfiable { .. }), "{error}");
    // A set may be known to be empty, and a bit has another value.
    assert!(Formula::parse("some != one and bit != 0", &schema).is_ok());
}

#[test]
fn messages_repeat_no_more_than_the_beginning_of_an_input() {
    let long = "x".repeat(4000);
    for text in [
        format!("role = a {long}"),
        format!("{long} = a"),
        format!("level = {long}"),
        format!("dept = {long}"),
        format!("role = 1{long}"),
        format!("\"{}\" = \"{long}{long}\"", "n".repeat(200)),
    ] {
        let error = error(&text);
        assert!(error.to_string().chars().count() < 330, "{error}");
        assert!(error.render(&text).chars().count() < 600);
    }
}
