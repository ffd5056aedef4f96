//! Items of the table: their attributes read and written, and tokens that identify a write.

use aws_sdk_dynamodb::types::AttributeValue;
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;
use walkaround_domain::Timestamp;

/// An item of the table.
pub(crate) type Item = HashMap<String, AttributeValue>;

/// A text attribute.
pub(crate) fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

/// A number attribute.
pub(crate) fn number(value: u64) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

/// The text that an attribute holds.
pub(crate) fn text_of<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name)?.as_s().ok().map(String::as_str)
}

/// The number that an attribute holds.
pub(crate) fn number_of(item: &Item, name: &str) -> Option<u64> {
    item.get(name)?.as_n().ok()?.parse().ok()
}

/// The primary key of an item.
pub(crate) fn key(pk: impl Into<String>, sk: impl Into<String>) -> Item {
    HashMap::from([("pk".to_owned(), text(pk)), ("sk".to_owned(), text(sk))])
}

/// The value of the TTL attribute: whole seconds since 1970, rounded up, so that an item never goes early.
pub(crate) fn expiry(from: Timestamp, after: Duration) -> AttributeValue {
    number((from + after).0.div_ceil(1000))
}

/// A text that no other call gets, in any process.
///
/// The SDK sends a call again that timed out after it was carried out; a conditional write then meets its own
/// item, and only such a token distinguishes it from the item of somebody else with the same content. The standard
/// library's hash seeds come from the system's random source; nothing that is decided here depends on them.
pub(crate) fn nonce() -> String {
    let half = || RandomState::new().hash_one(std::process::id());
    format!("{:016x}{:016x}", half(), half())
}
