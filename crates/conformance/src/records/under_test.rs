//! Records under test, and what their cases share.

use crate::suite::{Broken, Keep};
use std::sync::Arc;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{IndexKeys, Records, StoredRecord};

pub(super) const DAY: &str = "2026-11-22";

/// Fresh, empty records.
pub struct RecordsUnderTest {
    /// The port.
    pub records: Arc<dyn Records>,
    /// Whatever has to stay.
    pub keep: Keep,
}

pub(super) fn id(text: &str) -> Result<InspectionId, Broken> {
    InspectionId::new(text).map_err(|e| Broken(e.to_string()))
}

/// An accepted record that nothing but its day is known of.
pub(super) fn record(name: &str) -> Result<StoredRecord, Broken> {
    Ok(StoredRecord {
        id: id(name)?,
        version: 0,
        updated_at: Timestamp(1_795_305_600_123),
        keys: IndexKeys {
            phase: "accepted".to_owned(),
            day: DAY.to_owned(),
            ..IndexKeys::default()
        },
        body: format!("{{\"id\":\"{name}\"}}"),
    })
}
