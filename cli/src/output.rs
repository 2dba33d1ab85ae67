//! What a command answers with: one value, shown as a table, JSON or YAML.
//!
//! Standard output carries the answer and nothing else; remarks and bars go to standard error, so that
//! `wardkeep … --output json | jq` always works.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Value;

/// How answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Format {
    /// A table for people.
    Table,
    /// One line of JSON a value.
    Json,
    /// YAML.
    Yaml,
}

/// Why an answer could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutputError {
    /// The reader went away, as `head` does: not worth a message.
    #[error("the reader of standard output went away")]
    Closed,
    /// Standard output failed in another way.
    #[error("could not write to standard output: {0}")]
    Write(#[source] io::Error),
    /// The value has no such form; only a mistake of ours makes this.
    #[error("the answer has no JSON form: {0}")]
    Json(#[from] serde_json::Error),
    /// As above, for YAML.
    #[error("the answer has no YAML form: {0}")]
    Yaml(#[from] serde_norway::Error),
}

impl From<io::Error> for OutputError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe { Self::Closed } else { Self::Write(error) }
    }
}

/// Shows `value` on standard output. `columns` names what a table shows, in order; none shows all.
pub(crate) fn show<T: Serialize>(format: Format, value: &T, columns: &[&str]) -> Result<(), OutputError> {
    let text = render(format, value, columns)?;
    raw(text.as_bytes())
}

/// Writes bytes to standard output as they are.
pub(crate) fn raw(bytes: &[u8]) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    Ok(out.flush()?)
}

/// Writes one line of text to standard output.
pub(crate) fn line(text: &str) -> Result<(), OutputError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    Ok(())
}

/// A remark on standard error. One that cannot be written is dropped: the answer matters, not the remark.
pub(crate) fn remark(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}

fn render<T: Serialize>(format: Format, value: &T, columns: &[&str]) -> Result<String, OutputError> {
    Ok(match format {
        Format::Json => serde_json::to_string(value)? + "\n",
        Format::Yaml => serde_norway::to_string(value)?,
        Format::Table => table(&serde_json::to_value(value)?, columns) + "\n",
    })
}

fn table(value: &Value, columns: &[&str]) -> String {
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
    match value {
        Value::Array(rows) => {
            let names = names_of(rows, columns);
            table.set_header(names.iter().map(|name| name.replace('_', " ")));
            for row in rows {
                table.add_row(names.iter().map(|name| row.get(name).map_or_else(|| cell(row, &names), in_a_row)));
            }
        }
        Value::Object(fields) => {
            let shown = fields.iter().filter(|(name, _)| columns.is_empty() || columns.contains(&name.as_str()));
            for (name, field) in shown {
                table.add_row([name.replace('_', " "), plain(field)]);
            }
        }
        single => return plain(single),
    }
    table.to_string()
}

/// The columns of a list: those asked for, or all members of its first row.
fn names_of(rows: &[Value], columns: &[&str]) -> Vec<String> {
    if !columns.is_empty() {
        return columns.iter().map(|name| (*name).to_owned()).collect();
    }
    match rows.first() {
        Some(Value::Object(fields)) => fields.keys().cloned().collect(),
        _ => vec!["value".to_owned()],
    }
}

/// A cell that its row does not have: the row itself where rows are plain values, else empty.
fn cell(row: &Value, names: &[String]) -> String {
    if row.is_object() || names.len() != 1 { String::new() } else { in_a_row(row) }
}

/// A value in a row of several: a line break in a name must not begin what looks like another row.
fn in_a_row(value: &Value) -> String {
    plain(value).replace('\n', "\\n")
}

/// A value in a cell; control characters are made visible, for a name must not move the cursor.
fn plain(value: &Value) -> String {
    let text = match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(|item| !item.is_object() && !item.is_array()) => {
            items.iter().map(plain).collect::<Vec<_>>().join(", ")
        }
        Value::Object(fields) => {
            fields.iter().map(|(name, field)| format!("{name}={}", plain(field))).collect::<Vec<_>>().join(" ")
        }
        Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join("; "),
        other => other.to_string(),
    };
    if text.chars().any(|c| c.is_control() && c != '\n') {
        text.chars().flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests;
