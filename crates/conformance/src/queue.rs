//! Cases of a queue.

mod leases;
mod many;
mod messages;
mod under_test;

use crate::suite::{Capabilities, Case, Report, cases, run};
use leases::{
    ack_of_a_stale_receipt_deletes_nothing, ack_of_a_stale_receipt_is_reported, ack_twice_is_harmless,
    deliveries_are_counted_and_have_new_receipts, extend_can_end_a_lease_early,
    extend_keeps_a_message_hidden, extend_of_a_stale_receipt_is_lost, lease_hides_until_it_ends,
    release_gives_back_after_its_delay, release_gives_back_at_once, release_of_a_stale_receipt_is_lost,
    too_many_deliveries_park,
};
use many::{
    ack_answers_each_receipt, depth_counts_what_is_where, eight_receivers_share_nothing,
    receive_returns_at_most_max, receive_waits_and_returns_empty_handed, receive_wakes_for_a_new_message,
    twenty_five_in_one_send,
};
use messages::{
    delayed_message_comes_late, message_arrives_whole, odd_bodies_arrive_whole, too_large_is_refused_alone,
    too_many_attributes_are_refused, wrong_arguments_are_invalid,
};
pub use under_test::{QueueUnderTest, RECEIVES_MAX};

const CASES: &[Case<QueueUnderTest>] = cases![
    message_arrives_whole,
    odd_bodies_arrive_whole,
    delayed_message_comes_late,
    too_large_is_refused_alone,
    too_many_attributes_are_refused,
    wrong_arguments_are_invalid,
    lease_hides_until_it_ends,
    extend_keeps_a_message_hidden,
    extend_can_end_a_lease_early,
    release_gives_back_at_once,
    release_gives_back_after_its_delay,
    deliveries_are_counted_and_have_new_receipts,
    too_many_deliveries_park,
    ack_twice_is_harmless,
    ack_of_a_stale_receipt_deletes_nothing,
    ack_of_a_stale_receipt_is_reported,
    extend_of_a_stale_receipt_is_lost,
    release_of_a_stale_receipt_is_lost,
    ack_answers_each_receipt,
    twenty_five_in_one_send,
    receive_returns_at_most_max,
    receive_waits_and_returns_empty_handed,
    receive_wakes_for_a_new_message,
    eight_receivers_share_nothing,
    depth_counts_what_is_where,
];

/// Runs every case of a queue.
pub async fn queue_suite<F: Future<Output = QueueUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("queue", CASES, make, capabilities).await
}
