//! Cases of reviews and review tasks.

mod listing;
mod memory;
mod tasks;
mod under_test;
mod writing;

use crate::suite::{Capabilities, Case, Report, cases, run};
use listing::{
    a_page_of_tasks_has_its_bounds, a_token_from_nowhere_is_invalid, open_tasks_come_by_priority_and_age,
    pages_stay_complete_while_tasks_change, tasks_are_counted_by_reason, tasks_of_one_reason_are_listed,
};
pub use memory::MemoryReviews;
use tasks::{
    a_claim_ends, a_done_task_opens_only_when_asked, a_task_put_again_is_unchanged, a_task_reads_back_whole,
    steps_without_a_task_are_missing, the_second_claimer_is_told_who_has_it, twenty_claimers_have_one_winner,
    twenty_puts_leave_one_task,
};
pub use under_test::ReviewsUnderTest;
use writing::{
    a_gap_conflicts, a_revision_is_written_once, a_revision_out_of_bounds_is_invalid, histories_are_apart,
    reviews_read_back_whole, twenty_reviewers_lose_no_decision,
    twenty_reviewers_of_one_revision_have_one_winner,
};

const CASES: &[Case<ReviewsUnderTest>] = cases![
    reviews_read_back_whole,
    a_revision_is_written_once,
    a_gap_conflicts,
    a_revision_out_of_bounds_is_invalid,
    histories_are_apart,
    twenty_reviewers_of_one_revision_have_one_winner,
    twenty_reviewers_lose_no_decision,
    a_task_reads_back_whole,
    a_task_put_again_is_unchanged,
    a_done_task_opens_only_when_asked,
    twenty_puts_leave_one_task,
    the_second_claimer_is_told_who_has_it,
    a_claim_ends,
    steps_without_a_task_are_missing,
    twenty_claimers_have_one_winner,
    open_tasks_come_by_priority_and_age,
    tasks_of_one_reason_are_listed,
    pages_stay_complete_while_tasks_change,
    a_page_of_tasks_has_its_bounds,
    a_token_from_nowhere_is_invalid,
    tasks_are_counted_by_reason,
];

/// Runs every case of reviews.
pub async fn reviews_suite<F: Future<Output = ReviewsUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("reviews", CASES, make, capabilities).await
}
