//! From text and environment to the typed configuration.

use std::io::Read;
use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};

use super::{Config, ConfigError};

/// Largest configuration file, and largest file that a `_FILE` variable names, in bytes.
const MAX_FILE: u64 = 1024 * 1024;
const PREFIX: &str = "WARDKEEP__";

/// Reads a small file, and no more of a large one than tells that it is too large.
pub(super) fn read_bounded(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::Unreadable { path: path.to_owned(), source };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(MAX_FILE + 1).read_to_string(&mut text).map_err(unreadable)?;
    if u64::try_from(text.len()).unwrap_or(u64::MAX) > MAX_FILE {
        return Err(ConfigError::TooLarge { path: path.to_owned(), most: MAX_FILE });
    }
    Ok(text)
}

/// The text as a table; the parser's message holds line and column.
pub(super) fn parse(text: &str) -> Result<Table, ConfigError> {
    Ok(text.parse::<Table>()?)
}

/// Lays environment variables over the table.
pub(super) fn overlay(table: &mut Table, env: impl IntoIterator<Item = (String, String)>) -> Result<(), ConfigError> {
    let known = defaults();
    let mut variables: Vec<(String, String)> = env.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
    variables.sort();
    let names: Vec<String> = variables.iter().map(|(name, _)| name.clone()).collect();
    for (name, value) in variables {
        let (plain, value) = resolve_file(&known, &name, value)?;
        if plain != name && names.contains(&plain) {
            return Err(ConfigError::SetTwice { name: plain });
        }
        set(table, &known, &plain, &value)?;
    }
    Ok(())
}

/// `NAME_FILE` stands for the file's content, unless the key itself ends in `_file` (`[root_key] file`).
fn resolve_file(known: &Table, name: &str, value: String) -> Result<(String, String), ConfigError> {
    let Some(plain) = name.strip_suffix("_FILE") else { return Ok((name.to_owned(), value)) };
    if key_of(name).is_some_and(|(section, key, _)| is_known(known, &section, &key)) {
        return Ok((name.to_owned(), value));
    }
    let content = read_bounded(Path::new(&value))?;
    Ok((plain.to_owned(), content.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Section, key and possibly the key inside a map of a variable's name.
fn key_of(name: &str) -> Option<(String, String, Option<String>)> {
    let lower = name.strip_prefix(PREFIX)?.to_ascii_lowercase();
    let mut parts = lower.splitn(3, "__").map(str::to_owned);
    Some((parts.next()?, parts.next()?, parts.next()))
}

fn is_known(known: &Table, section: &str, key: &str) -> bool {
    known.get(section).and_then(Value::as_table).is_some_and(|section| section.contains_key(key))
}

fn set(table: &mut Table, known: &Table, name: &str, text: &str) -> Result<(), ConfigError> {
    let unknown = |hint: String| ConfigError::UnknownVariable { name: name.to_owned(), hint };
    let shape = || unknown(format!("write `{PREFIX}SECTION__KEY`"));
    let (section, key, inner) = key_of(name).ok_or_else(shape)?;
    let Some(section_keys) = known.get(&section).and_then(Value::as_table) else {
        return Err(unknown(hint(&section, known.keys().map(String::as_str))));
    };
    let Some(default) = section_keys.get(&key) else {
        return Err(unknown(hint(&key, section_keys.keys().map(String::as_str))));
    };
    let entry = table.entry(section).or_insert_with(|| Value::Table(Table::new()));
    let Some(entry) = entry.as_table_mut() else { return Err(shape()) };
    match inner {
        None => {
            entry.insert(key, value_like(default, text));
        }
        Some(inner) => {
            let map = entry.entry(key).or_insert_with(|| default.clone());
            let sample = default.as_table().and_then(|map| map.values().next().cloned());
            let Some(map) = map.as_table_mut() else { return Err(shape()) };
            map.insert(inner, value_like(&sample.unwrap_or(Value::String(String::new())), text));
        }
    }
    Ok(())
}

/// The environment knows only text: the default's type says what it means. Text that does not fit stays text, so that
/// the typed reader names the key.
fn value_like(default: &Value, text: &str) -> Value {
    if default.is_str() {
        return Value::String(text.to_owned());
    }
    let parsed = format!("value = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("value"));
    parsed.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Every key there is, with a value of its type: absent options too.
fn defaults() -> Table {
    let mut table = Table::try_from(Config::default()).unwrap_or_default();
    for (section, key, sample) in [
        ("storage", "head", Value::String(String::new())),
        ("root_key", "file", Value::String(String::new())),
        ("root_key", "env", Value::String(String::new())),
        ("listen", "enrol", Value::String(String::new())),
        ("listen", "public_url", Value::String(String::new())),
        ("tls", "certificate_file", Value::String(String::new())),
        ("tls", "key_file", Value::String(String::new())),
        ("ca", "certificate_file", Value::String(String::new())),
        ("rate_limit", "requests_per_second", Value::Integer(0)),
    ] {
        if let Some(Value::Table(keys)) = table.get_mut(section) {
            keys.entry(key).or_insert(sample);
        }
    }
    table
}

/// Each section is read by itself, so that every message can say where.
pub(super) fn typed(mut table: Table) -> Result<Config, ConfigError> {
    let known = defaults();
    if let Some(unknown) = table.keys().find(|key| !known.contains_key(*key)) {
        return Err(ConfigError::UnknownKey {
            path: unknown.clone(),
            hint: hint(unknown, known.keys().map(String::as_str)),
        });
    }
    Ok(Config {
        storage: section(&mut table, &known, "storage")?,
        root_key: section(&mut table, &known, "root_key")?,
        listen: section(&mut table, &known, "listen")?,
        tls: section(&mut table, &known, "tls")?,
        ca: section(&mut table, &known, "ca")?,
        identity: section(&mut table, &known, "identity")?,
        limits: section(&mut table, &known, "limits")?,
        rate_limit: section(&mut table, &known, "rate_limit")?,
        log: section(&mut table, &known, "log")?,
        pools: section(&mut table, &known, "pools")?,
        user_keys: section(&mut table, &known, "user_keys")?,
    })
}

fn section<T: DeserializeOwned + Serialize + Default>(
    table: &mut Table,
    known: &Table,
    name: &str,
) -> Result<T, ConfigError> {
    let Some(value) = table.remove(name) else { return Ok(T::default()) };
    let wrong = |path: String, reason: String| ConfigError::Value { path, reason };
    let Value::Table(given) = value else {
        return Err(wrong(name.to_owned(), format!("it is a section, write `[{name}]`")));
    };
    let Some(keys) = known.get(name).and_then(Value::as_table) else { return Ok(T::default()) };
    if let Some(unknown) = given.keys().find(|key| !keys.contains_key(*key)) {
        let hint = hint(unknown, keys.keys().map(String::as_str));
        return Err(ConfigError::UnknownKey { path: format!("{name}.{unknown}"), hint });
    }
    // One key at a time first: only then is it known which one does not fit.
    for (key, value) in &given {
        let alone = Table::from_iter([(key.clone(), value.clone())]);
        if let Err(error) = alone.try_into::<T>() {
            return Err(wrong(format!("{name}.{key}"), error.message().trim_end().to_owned()));
        }
    }
    given.try_into().map_err(|error: toml::de::Error| wrong(name.to_owned(), error.message().to_owned()))
}

/// `did you mean` for a near miss, else everything that could stand here.
fn hint<'a>(given: &str, known: impl Iterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().map(|name| (distance(given, name), *name)).min();
    match nearest {
        Some((distance, name)) if distance <= 2.max(name.len() / 3) => format!("did you mean `{name}`?"),
        _ => format!("use one of `{}`", known.join("`, `")),
    }
}

/// Levenshtein distance in bytes; names longer than 64 bytes are far from everything.
fn distance(left: &str, right: &str) -> usize {
    if left.len() > 64 {
        return usize::MAX;
    }
    let mut row: Vec<usize> = (0..=right.len()).collect();
    for (index, from) in left.bytes().enumerate() {
        let mut diagonal = index;
        let mut before = index + 1;
        for (cell, to) in row.iter_mut().skip(1).zip(right.bytes()) {
            let above = *cell;
            let best = (diagonal + usize::from(from != to)).min(above + 1).min(before + 1);
            diagonal = above;
            before = best;
            *cell = best;
        }
        if let Some(first) = row.first_mut() {
            *first = index + 1;
        }
    }
    row.last().copied().unwrap_or(0)
}
