//! Answers in their three forms.

use serde_json::json;

use super::*;

#[test]
fn a_list_has_the_columns_asked_for() {
    let rows = json!([{"name": "a", "labels": {"team": "x"}, "n": 1}, {"name": "b"}]);
    let shown = render(Format::Table, &rows, &["n", "name", "labels"]).unwrap();
    let lines: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines, [vec!["n", "name", "labels"], vec!["1", "a", "team=x"], vec!["b"]]);
}

#[test]
fn a_name_cannot_move_the_cursor() {
    let shown = render(Format::Table, &json!({"name": "a\u{1b}[2Jb"}), &[]).unwrap();
    assert!(!shown.contains('\u{1b}') && shown.contains("\\u{1b}"), "{shown:?}");
}

#[test]
fn json_is_one_line_and_yaml_reads_back() {
    let value = json!({"a": [1, "two"], "b": null});
    assert_eq!(render(Format::Json, &value, &["a"]).unwrap(), "{\"a\":[1,\"two\"],\"b\":null}\n");
    let yaml = render(Format::Yaml, &value, &[]).unwrap();
    assert_eq!(serde_norway::from_str::<Value>(&yaml).unwrap(), value);
}

#[test]
fn plain_values_and_empty_lists_have_tables_too() {
    assert_eq!(render(Format::Table, &json!("x"), &[]).unwrap(), "x\n");
    assert!(render(Format::Table, &json!(["x", "y"]), &[]).unwrap().contains('y'));
    assert!(render(Format::Table, &json!([]), &["name"]).unwrap().contains("name"));
}

/// Somebody names a thing so that a list seems to hold another line.
#[test]
fn a_name_cannot_forge_a_row() {
    let forged = json!([{"name": "a\nadmin  all", "n": "x\r\ny"}, {"name": "b", "n": ""}]);
    let shown = render(Format::Table, &forged, &["name", "n"]).unwrap();
    assert_eq!(shown.lines().count(), 3, "{shown}");
    assert!(shown.contains("a\\nadmin") && !shown.contains('\r'), "{shown:?}");
    let nested = json!([{"labels": {"team": "x\ny"}, "list": ["p\nq", "r"]}, "s\nt"]);
    assert_eq!(render(Format::Table, &nested, &[]).unwrap().lines().count(), 3);
    // What stands alone may have lines: a certificate, a policy.
    assert_eq!(render(Format::Table, &json!({"text": "a\nb"}), &[]).unwrap().lines().count(), 2);
}

#[test]
fn every_control_character_is_made_visible_in_a_table_and_kept_in_json() {
    for code in (0..0x20_u32).chain(0x7F..0xA0) {
        let c = char::from_u32(code).unwrap();
        let value = json!([{"name": format!("a{c}b")}]);
        let shown = render(Format::Table, &value, &["name"]).unwrap();
        assert!(
            !shown.trim_end_matches('\n').lines().nth(1).unwrap().chars().any(char::is_control),
            "{code:#x}: {shown:?}"
        );
        let json = render(Format::Json, &value, &[]).unwrap();
        assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), value, "{code:#x}");
        assert_eq!(json.lines().count(), 1, "{code:#x}: one line a value");
        assert_eq!(
            serde_norway::from_str::<Value>(&render(Format::Yaml, &value, &[]).unwrap()).unwrap(),
            value,
            "{code:#x}"
        );
    }
}

#[test]
fn cells_show_what_values_hold() {
    for (value, shown) in [
        (json!(null), ""),
        (json!(true), "true"),
        (json!(-7), "-7"),
        (json!(""), ""),
        (json!(["a", 1, null]), "a, 1, "),
        (json!([["a"], {"b": 1}]), "a; b=1"),
        (json!({"type": "User", "id": "ana"}), "type=User id=ana"),
        (json!({}), ""),
        (json!([]), ""),
        (json!("żółć 日本"), "żółć 日本"),
    ] {
        assert_eq!(plain(&value), shown, "{value}");
    }
}

#[test]
fn a_broken_pipe_is_told_from_a_full_disk() {
    use std::io::ErrorKind;
    assert!(matches!(OutputError::from(io::Error::from(ErrorKind::BrokenPipe)), OutputError::Closed));
    let full = OutputError::from(io::Error::from(ErrorKind::StorageFull));
    assert!(matches!(full, OutputError::Write(_)));
    assert!(full.to_string().contains("standard output"), "{full}");
}

/// A value that JSON cannot hold: a map whose keys are no text.
#[test]
fn what_has_no_json_form_is_an_error_and_no_panic() {
    let odd = std::collections::BTreeMap::from([(vec![1_u8], 1)]);
    assert!(matches!(render(Format::Json, &odd, &[]), Err(OutputError::Json(_))));
    assert!(matches!(render(Format::Table, &odd, &[]), Err(OutputError::Json(_))));
}
