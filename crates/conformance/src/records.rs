//! Cases of records and heartbeats.

mod listing;
mod writing;

use crate::suite::{Broken, Capabilities, Case, Keep, Report, cases, run};
use listing::{
    a_page_has_its_bounds, day_index_lists_all, failed_of_a_day_lists_all, heartbeats_are_replaced,
    heartbeats_since_a_moment, index_follows_a_change, pages_stay_complete_while_records_change,
    reservation_index_lists_all, unknown_key_lists_nothing, vehicle_index_lists_all, verdict_index_lists_all,
};
use std::sync::Arc;
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_ports::{IndexKeys, Records, StoredRecord};
use writing::{
    a_later_result_replaces_the_first, a_result_is_found_by_its_bytes_and_bundle,
    absent_write_conflicts_with_the_first, record_reads_back_whole, twenty_first_writers_have_one_winner,
    twenty_writers_lose_no_change, version_of_nothing_conflicts, wrong_version_conflicts,
};

/// Fresh, empty records.
pub struct RecordsUnderTest {
    /// The port.
    pub records: Arc<dyn Records>,
    /// Whatever has to stay.
    pub keep: Keep,
}

const CASES: &[Case<RecordsUnderTest>] = cases![
    record_reads_back_whole,
    absent_write_conflicts_with_the_first,
    wrong_version_conflicts,
    version_of_nothing_conflicts,
    twenty_first_writers_have_one_winner,
    twenty_writers_lose_no_change,
    vehicle_index_lists_all,
    reservation_index_lists_all,
    verdict_index_lists_all,
    day_index_lists_all,
    failed_of_a_day_lists_all,
    unknown_key_lists_nothing,
    index_follows_a_change,
    pages_stay_complete_while_records_change,
    a_page_has_its_bounds,
    heartbeats_are_replaced,
    heartbeats_since_a_moment,
    a_result_is_found_by_its_bytes_and_bundle,
    a_later_result_replaces_the_first,
];

/// Runs every case of records.
pub async fn records_suite<F: Future<Output = RecordsUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("records", CASES, make, capabilities).await
}

const DAY: &str = "2026-11-22";

fn id(text: &str) -> Result<InspectionId, Broken> {
    InspectionId::new(text).map_err(|e| Broken(e.to_string()))
}

/// An accepted record that nothing but its day is known of.
fn record(name: &str) -> Result<StoredRecord, Broken> {
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
