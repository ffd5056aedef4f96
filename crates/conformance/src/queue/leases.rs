//! Leases: how they hide, end, move and go stale.

use super::under_test::{QueueUnderTest, RECEIVES_MAX, take_from};
use crate::suite::{Outcome, ensure};
use std::time::Duration;
use walkaround_ports::{AckOutcome, Delivery, LeaseOutcome};

pub(super) async fn lease_hides_until_it_ends(t: QueueUnderTest) -> Outcome {
    t.send(&["one"]).await?;
    t.take_one(t.time.unit() * 3).await?;
    t.expect_nothing("at once").await?;
    t.time.pass(t.time.unit()).await;
    t.expect_nothing("within the lease").await?;
    t.time.pass(t.time.unit() * 3).await;
    let again = t.take_one(t.lease()).await?;
    ensure!(again.body == "one", "another message: {}", again.body);
    Ok(())
}

pub(super) async fn extend_keeps_a_message_hidden(t: QueueUnderTest) -> Outcome {
    t.send(&["one"]).await?;
    let held = t.take_one(t.time.unit() * 2).await?;
    t.time.pass(t.time.unit()).await;
    let outcome = t.queue.extend(&held.receipt, t.time.unit() * 5).await?;
    ensure!(outcome == LeaseOutcome::Held, "extend: {outcome:?}");
    t.time.pass(t.time.unit() * 2).await;
    t.expect_nothing("after the first deadline").await?;
    let gone = t.queue.ack(&[held.receipt]).await?.remove(0)?;
    ensure!(gone == AckOutcome::Gone, "ack: {gone:?}");
    t.time.pass(t.time.unit() * 4).await;
    t.expect_nothing("after the acknowledgement").await
}

pub(super) async fn extend_can_end_a_lease_early(t: QueueUnderTest) -> Outcome {
    t.send(&["one"]).await?;
    let held = t.take_one(t.lease()).await?;
    let outcome = t.queue.extend(&held.receipt, t.time.unit()).await?;
    ensure!(outcome == LeaseOutcome::Held, "extend: {outcome:?}");
    t.expect_nothing("within the shorter lease").await?;
    t.time.pass(t.time.unit() * 2).await;
    t.take_one(t.lease()).await?;
    Ok(())
}

pub(super) async fn release_gives_back_at_once(t: QueueUnderTest) -> Outcome {
    t.send(&["one"]).await?;
    let held = t.take_one(t.lease()).await?;
    let outcome = t.queue.release(&held.receipt, Duration::ZERO).await?;
    ensure!(outcome == LeaseOutcome::Held, "release: {outcome:?}");
    let again = t.take_one(t.lease()).await?;
    ensure!(
        again.message_id == held.message_id,
        "another message: {}",
        again.message_id
    );
    Ok(())
}

pub(super) async fn release_gives_back_after_its_delay(t: QueueUnderTest) -> Outcome {
    t.send(&["one"]).await?;
    let held = t.take_one(t.lease()).await?;
    t.queue.release(&held.receipt, t.time.unit() * 2).await?;
    t.expect_nothing("before the delay").await?;
    t.time.pass(t.time.unit() * 3).await;
    t.take_one(t.lease()).await?;
    Ok(())
}

pub(super) async fn deliveries_are_counted_and_have_new_receipts(t: QueueUnderTest) -> Outcome {
    t.send(&["one"]).await?;
    let mut seen: Vec<Delivery> = Vec::new();
    for count in 1..=RECEIVES_MAX {
        let delivery = t.take_one(t.lease()).await?;
        ensure!(
            delivery.receive_count == count,
            "count {} at delivery {count}",
            delivery.receive_count
        );
        for earlier in &seen {
            ensure!(
                earlier.message_id == delivery.message_id,
                "the message id changed"
            );
            ensure!(earlier.receipt != delivery.receipt, "a receipt was used again");
            ensure!(earlier.sent_at == delivery.sent_at, "the time of sending changed");
        }
        t.queue.release(&delivery.receipt, Duration::ZERO).await?;
        seen.push(delivery);
    }
    Ok(())
}

pub(super) async fn too_many_deliveries_park(t: QueueUnderTest) -> Outcome {
    t.send(&["poison"]).await?;
    for _ in 0..RECEIVES_MAX {
        // Every other one crashes: its lease just ends.
        t.take_one(t.time.unit()).await?;
        t.time.pass(t.time.unit() * 2).await;
    }
    t.expect_nothing("after the last delivery").await?;
    let parked = take_from(&t.dead_letters, t.time.as_ref(), 1, t.lease()).await?;
    ensure!(parked[0].body == "poison", "parked: {}", parked[0].body);
    t.expect_nothing("once parked").await
}

pub(super) async fn ack_twice_is_harmless(t: QueueUnderTest) -> Outcome {
    t.send(&["one"]).await?;
    let held = t.take_one(t.time.unit()).await?;
    let first = t
        .queue
        .ack(std::slice::from_ref(&held.receipt))
        .await?
        .remove(0)?;
    ensure!(first == AckOutcome::Gone, "first: {first:?}");
    // Either answer is true; an error would not be.
    t.queue.ack(&[held.receipt]).await?.remove(0)?;
    t.time.pass(t.time.unit() * 2).await;
    t.expect_nothing("after the acknowledgements").await
}

/// A first delivery whose lease ended, and the second delivery that took the message over.
async fn taken_over(t: &QueueUnderTest) -> Result<(Delivery, Delivery), crate::suite::Broken> {
    t.send(&["one"]).await?;
    let first = t.take_one(t.time.unit()).await?;
    t.time.pass(t.time.unit() * 2).await;
    let second = t.take_one(t.time.unit() * 4).await?;
    Ok((first, second))
}

pub(super) async fn ack_of_a_stale_receipt_deletes_nothing(t: QueueUnderTest) -> Outcome {
    let (first, second) = taken_over(&t).await?;
    // The answer is not checked: some services cannot tell.
    t.queue.ack(&[first.receipt]).await?.remove(0)?;
    t.time.pass(t.time.unit() * 5).await;
    let third = t.take_one(t.lease()).await?;
    ensure!(third.message_id == second.message_id, "another message came");
    Ok(())
}

pub(super) async fn ack_of_a_stale_receipt_is_reported(t: QueueUnderTest) -> Outcome {
    let (first, second) = taken_over(&t).await?;
    let stale = t.queue.ack(&[first.receipt]).await?.remove(0)?;
    ensure!(stale == AckOutcome::Stale, "ack: {stale:?}");
    let gone = t.queue.ack(&[second.receipt]).await?.remove(0)?;
    ensure!(gone == AckOutcome::Gone, "ack of the new receipt: {gone:?}");
    Ok(())
}

pub(super) async fn extend_of_a_stale_receipt_is_lost(t: QueueUnderTest) -> Outcome {
    let (first, second) = taken_over(&t).await?;
    let outcome = t.queue.extend(&first.receipt, t.lease()).await?;
    ensure!(outcome == LeaseOutcome::Lost, "extend: {outcome:?}");
    let outcome = t.queue.extend(&second.receipt, t.lease()).await?;
    ensure!(
        outcome == LeaseOutcome::Held,
        "extend of the new receipt: {outcome:?}"
    );
    Ok(())
}

pub(super) async fn release_of_a_stale_receipt_is_lost(t: QueueUnderTest) -> Outcome {
    let (first, _second) = taken_over(&t).await?;
    let outcome = t.queue.release(&first.receipt, Duration::ZERO).await?;
    ensure!(outcome == LeaseOutcome::Lost, "release: {outcome:?}");
    t.expect_nothing("while the second holds it").await
}
