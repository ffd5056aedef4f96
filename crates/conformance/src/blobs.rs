//! Cases of a blob store.

mod keys;
mod under_test;
mod whole;

use crate::suite::{Capabilities, Case, Report, cases, run};
use keys::{
    buckets_are_apart, listing_has_order_prefix_and_pages, odd_keys_are_kept_apart, page_has_its_bounds,
    wrong_keys_are_invalid,
};
pub use under_test::BlobsUnderTest;
use whole::{
    absent_blob_is_not_found, blob_reads_back_whole, download_checks_the_digest, empty_blob_is_a_blob,
    get_is_bounded, large_blob_reads_back_whole, second_write_changes_nothing,
    twenty_writers_have_one_winner, twenty_writers_of_the_same_agree,
};

const CASES: &[Case<BlobsUnderTest>] = cases![
    blob_reads_back_whole,
    large_blob_reads_back_whole,
    empty_blob_is_a_blob,
    absent_blob_is_not_found,
    second_write_changes_nothing,
    twenty_writers_have_one_winner,
    twenty_writers_of_the_same_agree,
    get_is_bounded,
    download_checks_the_digest,
    odd_keys_are_kept_apart,
    wrong_keys_are_invalid,
    buckets_are_apart,
    listing_has_order_prefix_and_pages,
    page_has_its_bounds,
];

/// Runs every case of a blob store.
pub async fn blobs_suite<F: Future<Output = BlobsUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("blobs", CASES, make, capabilities).await
}
