//! What is asked of every wire type, in one place: a sample, and every way to spoil it.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use utoipa::PartialSchema;
use utoipa::openapi::{RefOr, Schema};

/// A sample's members.
fn members(sample: &Value) -> &Map<String, Value> {
    sample.as_object().unwrap_or_else(|| panic!("no object: {sample}"))
}

fn without(sample: &Value, name: &str) -> Value {
    let mut less = members(sample).clone();
    less.remove(name);
    Value::Object(less)
}

fn with(sample: &Value, name: &str, value: Value) -> Value {
    let mut more = members(sample).clone();
    more.insert(name.to_owned(), value);
    Value::Object(more)
}

fn read<T: DeserializeOwned>(value: &Value) -> Result<T, serde_json::Error> {
    serde_json::from_str(&value.to_string())
}

fn refused<T: DeserializeOwned>(value: &Value, why: &str) {
    assert!(read::<T>(value).is_err(), "{}: {why}: {value}", std::any::type_name::<T>());
}

/// Reads and writes, and takes nothing else than it is made of. `required` names the members that must be there.
fn shape<T: Serialize + DeserializeOwned>(sample: &Value, required: &[&str]) {
    let kind = std::any::type_name::<T>();
    let value: T = read(sample).unwrap_or_else(|error| panic!("{kind}: {error}: {sample}"));
    assert_eq!(serde_json::to_value(&value).unwrap(), *sample, "{kind} writes what it read");
    for name in required {
        assert!(sample.get(name).is_some(), "{kind}: the sample lacks `{name}`");
    }
    for name in members(sample).keys() {
        // A list in a list fits nowhere.
        refused::<T>(&with(sample, name, json!([[null]])), &format!("`{name}` of a wrong type"));
        let less = without(sample, name);
        if required.contains(&name.as_str()) {
            refused::<T>(&less, &format!("`{name}` missing"));
            refused::<T>(&with(sample, name, Value::Null), &format!("`{name}` null"));
        } else {
            assert!(read::<T>(&less).is_ok(), "{kind}: `{name}` is optional: {less}");
        }
        // The same name twice: which of the two counts is nobody's to guess.
        let text = sample.to_string();
        let twice = format!("{{{}:{},{}", json!(name), sample[name], text.strip_prefix('{').unwrap());
        assert!(serde_json::from_str::<T>(&twice).is_err(), "{kind}: `{name}` twice: {twice}");
        let other_case = with(&less, &name.to_uppercase(), sample[name].clone());
        if required.contains(&name.as_str()) {
            refused::<T>(&other_case, "names have one spelling");
        }
    }
    for other in [json!(null), json!("text"), json!(3), json!(true), json!([sample])] {
        refused::<T>(&other, "no object");
    }
}

/// The OpenAPI document says of every member what reading it does: there or not, and required or not.
fn documented<T: PartialSchema>(sample: &Value, required: &[&str]) {
    let kind = std::any::type_name::<T>();
    let RefOr::T(Schema::Object(object)) = T::schema() else { panic!("{kind}: no object in the document") };
    let mut told: Vec<&str> = object.required.iter().map(String::as_str).collect();
    let mut wanted = required.to_vec();
    told.sort_unstable();
    wanted.sort_unstable();
    assert_eq!(told, wanted, "{kind}: what the document calls required");
    let mut names: Vec<&String> = object.properties.keys().collect();
    let mut sampled: Vec<&String> = members(sample).keys().collect();
    names.sort_unstable();
    sampled.sort_unstable();
    assert_eq!(names, sampled, "{kind}: the sample has every member of the document");
}

/// A request: a name that it does not know is a misspelt option, and refused.
pub(crate) fn request<T: Serialize + DeserializeOwned + PartialSchema>(sample: Value, required: &[&str]) {
    shape::<T>(&sample, required);
    documented::<T>(&sample, required);
    for name in ["nonce", "unknown", "__proto__", ""] {
        refused::<T>(&with(&sample, name, json!(1)), "an unknown member");
        refused::<T>(&with(&sample, name, Value::Null), "an unknown member, null");
    }
    for name in members(&sample).keys() {
        refused::<T>(&with(&sample, &format!("{name}s"), json!(1)), "a misspelt member");
    }
}

/// An answer: a newer server may say more.
pub(crate) fn answer<T: Serialize + DeserializeOwned + PartialSchema>(sample: Value, required: &[&str]) {
    shape::<T>(&sample, required);
    documented::<T>(&sample, required);
    let value: T = read(&with(&sample, "newer", json!({"more": [1, 2]}))).expect("a newer answer");
    assert_eq!(serde_json::to_value(&value).unwrap(), sample);
}
