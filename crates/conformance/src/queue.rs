//! Cases of a queue.

mod leases;
mod many;
mod messages;

use crate::suite::{Broken, Capabilities, Case, Keep, Report, cases, run};
use crate::time::TimeDriver;
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
use std::sync::Arc;
use std::time::Duration;
use walkaround_ports::{Delivery, OutMessage, Queue};

/// Deliveries after which the queue under test parks a message.
pub const RECEIVES_MAX: u32 = 3;

/// A fresh, empty queue.
pub struct QueueUnderTest {
    /// It parks a message after [`RECEIVES_MAX`] deliveries.
    pub queue: Arc<dyn Queue>,
    /// Where it parks them.
    pub dead_letters: Arc<dyn Queue>,
    /// Its time.
    pub time: Arc<dyn TimeDriver>,
    /// Whatever has to stay.
    pub keep: Keep,
}

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

/// Looks that find nothing before a case stops waiting for a message.
const EMPTY_LOOKS_MAX: usize = 10;

impl QueueUnderTest {
    /// A lease that no case outlasts unless it means to.
    fn lease(&self) -> Duration {
        self.time.unit() * 10
    }

    async fn send(&self, bodies: &[&str]) -> Result<(), Broken> {
        let messages = bodies.iter().map(|body| message(body)).collect();
        for answer in self.queue.send(messages).await? {
            answer?;
        }
        Ok(())
    }

    /// Receives until `count` messages have come; an error when they do not.
    async fn take(&self, count: usize, lease: Duration) -> Result<Vec<Delivery>, Broken> {
        take_from(&self.queue, self.time.as_ref(), count, lease).await
    }

    async fn take_one(&self, lease: Duration) -> Result<Delivery, Broken> {
        let mut taken = self.take(1, lease).await?;
        taken.pop().ok_or_else(|| Broken("no message".to_owned()))
    }

    async fn expect_nothing(&self, when: &str) -> Result<(), Broken> {
        let taken = self.queue.receive(10, self.lease(), self.time.patience()).await?;
        match taken.first() {
            None => Ok(()),
            Some(delivery) => Err(Broken(format!("{when}: `{}` was delivered", delivery.body))),
        }
    }
}

async fn take_from(
    queue: &Arc<dyn Queue>,
    time: &dyn TimeDriver,
    count: usize,
    lease: Duration,
) -> Result<Vec<Delivery>, Broken> {
    let mut taken = Vec::new();
    for _ in 0..EMPTY_LOOKS_MAX + count {
        let wanted = (count - taken.len()).min(10);
        taken.extend(queue.receive(wanted, lease, time.patience()).await?);
        if taken.len() >= count {
            return Ok(taken);
        }
    }
    Err(Broken(format!("{} of {count} messages came", taken.len())))
}

fn message(body: &str) -> OutMessage {
    OutMessage {
        body: body.to_owned(),
        ..OutMessage::default()
    }
}
