//! Cases of records and heartbeats.

mod listing;
mod under_test;
mod writing;

use crate::suite::{Capabilities, Case, Report, cases, run};
use listing::{
    a_page_has_its_bounds, day_index_lists_all, failed_of_a_day_lists_all, heartbeats_are_replaced,
    heartbeats_since_a_moment, index_follows_a_change, pages_stay_complete_while_records_change,
    reservation_index_lists_all, unknown_key_lists_nothing, vehicle_index_lists_all, verdict_index_lists_all,
};
pub use under_test::RecordsUnderTest;
use writing::{
    a_later_result_replaces_the_first, a_result_is_found_by_its_bytes_and_bundle,
    absent_write_conflicts_with_the_first, record_reads_back_whole, twenty_first_writers_have_one_winner,
    twenty_writers_lose_no_change, version_of_nothing_conflicts, wrong_version_conflicts,
};

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
