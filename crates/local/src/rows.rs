//! What columns hold: moments, counts and attributes.

use crate::error::Fault;
use rusqlite::Row;
use std::collections::BTreeMap;
use walkaround_domain::Timestamp;

pub(crate) fn write_attributes(attributes: &BTreeMap<String, String>) -> Result<String, Fault> {
    serde_json::to_string(attributes).map_err(|e| Fault::invalid(e.to_string()))
}

pub(crate) fn read_attributes(text: &str) -> Result<BTreeMap<String, String>, Fault> {
    serde_json::from_str(text).map_err(|e| Fault::corrupt(format!("stored attributes: {e}")))
}

/// A moment as the database keeps it.
pub(crate) fn ms(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}

/// A moment as it came out of the database.
pub(crate) fn timestamp(ms: i64) -> Timestamp {
    Timestamp(u64::try_from(ms).unwrap_or_default())
}

/// A column that counts something.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}
