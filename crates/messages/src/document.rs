//! Reading and writing documents as JSON, with errors that name the field and quote nothing.

use crate::Unreadable;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// The version of every message of `walkaround.v1`.
pub const VERSION: u32 = 1;

/// Refuses versions that this build cannot know. 0 is a version left out.
pub(crate) fn check_version(version: u64) -> Result<(), Unreadable> {
    if version <= u64::from(VERSION) {
        return Ok(());
    }
    Err(Unreadable::new(format!(
        "version {version} is not known here, expected version {VERSION}"
    )))
}

/// Reads a message of the schema from JSON text.
pub(crate) fn from_text<T: DeserializeOwned>(text: &str) -> Result<T, Unreadable> {
    let value = serde_json::from_str(text).map_err(|e| not_json(&e))?;
    from_value(value)
}

/// The text in a field of a document.
pub(crate) fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str()
}

/// Says where text stops being JSON.
pub(crate) fn not_json(error: &serde_json::Error) -> Unreadable {
    Unreadable::new(format!(
        "not JSON: line {}, column {}",
        error.line(),
        error.column()
    ))
}

/// Reads a message of the schema from JSON. The version is checked first: a later one may mean
/// anything by its other fields.
pub(crate) fn from_value<T: DeserializeOwned>(mut value: Value) -> Result<T, Unreadable> {
    if let Some(version) = value.get("version") {
        check_version(json_version(version)?)?;
    }
    drop_nulls(&mut value);
    serde_path_to_error::deserialize(value).map_err(|error| {
        let path = error.path().to_string();
        describe(&path, &error.into_inner().to_string())
    })
}

/// proto3's JSON allows numbers as strings, and null for what is left out.
fn json_version(version: &Value) -> Result<u64, Unreadable> {
    let number = match version {
        Value::Null => Some(0),
        Value::String(text) => text.parse().ok(),
        other => other.as_u64(),
    };
    number.ok_or_else(|| Unreadable::new(format!("version: expected {VERSION}")))
}

/// proto3's JSON takes null for a field left out, but not as a value of a map or a list.
fn drop_nulls(value: &mut Value) {
    let Value::Object(fields) = value else {
        return;
    };
    fields.retain(|_, v| !v.is_null());
    for (name, field) in fields {
        if name != "labels" {
            drop_nulls(field);
        }
    }
}

/// Turns a reader's complaint into one that quotes nothing of the document: it keeps the path and what was
/// expected, which come from the schema.
fn describe(path: &str, complaint: &str) -> Unreadable {
    // The names below `labels` are the sender's.
    let path = if path.starts_with("labels") {
        "labels"
    } else {
        path
    };
    let said = if complaint.starts_with("duplicate field") {
        "a field given twice, or two that exclude each other".to_owned()
    } else if let Some((_, expected)) = complaint.rsplit_once(", expected ") {
        format!("expected {}", expected.trim_start_matches("struct "))
    } else {
        "it does not match the schema".to_owned()
    };
    if path == "." {
        Unreadable::new(said)
    } else {
        Unreadable::new(said).within(path)
    }
}

/// Writes a message of the schema as JSON.
pub(crate) fn to_text<T: Serialize>(message: &T) -> String {
    // Our own messages have text keys, finite numbers and moments within the calendar.
    serde_json::to_string(message).expect("a message of the schema can be written")
}

/// JSON has no way to write NaN or infinity as a number; a document must stay readable.
pub(crate) fn finite(x: f64) -> f64 {
    if x.is_finite() { x } else { 0.0 }
}
