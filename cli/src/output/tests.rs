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
