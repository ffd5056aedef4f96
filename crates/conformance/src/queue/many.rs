//! Batches, waiting, and many receivers at once.

use super::under_test::{EMPTY_LOOKS_MAX, QueueUnderTest, message};
use crate::suite::{Broken, Outcome, ensure};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use walkaround_ports::{AckOutcome, Depth, OutMessage, PortErrorKind, Receipt};

pub(super) async fn ack_answers_each_receipt(t: QueueUnderTest) -> Outcome {
    let bodies: Vec<String> = (0..9).map(|i| format!("m{i}")).collect();
    t.send(&bodies.iter().map(String::as_str).collect::<Vec<_>>())
        .await?;
    let taken = t.take(9, t.time.unit() * 2).await?;
    let mut receipts: Vec<Receipt> = taken.into_iter().map(|d| d.receipt).collect();
    receipts.insert(4, Receipt("no receipt of anything".to_owned()));
    let answers = t.queue.ack(&receipts).await?;
    ensure!(answers.len() == 10, "{} answers", answers.len());
    for (place, answer) in answers.iter().enumerate() {
        match (place, answer) {
            (4, Err(error)) if error.kind == PortErrorKind::Invalid => {}
            (4, _) => return Err(Broken(format!("the broken receipt: {answer:?}"))),
            (_, Ok(AckOutcome::Gone)) => {}
            _ => return Err(Broken(format!("receipt {place}: {answer:?}"))),
        }
    }
    t.time.pass(t.time.unit() * 3).await;
    t.expect_nothing("after all were acknowledged").await
}

pub(super) async fn twenty_five_in_one_send(t: QueueUnderTest) -> Outcome {
    let sent: BTreeSet<String> = (0..25).map(|i| format!("m{i}")).collect();
    let answers = t.queue.send(sent.iter().map(|b| message(b)).collect()).await?;
    ensure!(
        answers.len() == 25 && answers.iter().all(Result::is_ok),
        "answers: {answers:?}"
    );
    let came: BTreeSet<String> = t.take(25, t.lease()).await?.into_iter().map(|d| d.body).collect();
    ensure!(came == sent, "came: {came:?}");
    Ok(())
}

pub(super) async fn receive_returns_at_most_max(t: QueueUnderTest) -> Outcome {
    t.send(&["a", "b", "c", "d", "e"]).await?;
    let mut came = 0;
    for _ in 0..EMPTY_LOOKS_MAX {
        let some = t.queue.receive(2, t.lease(), t.time.patience()).await?;
        ensure!(some.len() <= 2, "{} messages at once", some.len());
        came += some.len();
    }
    ensure!(came == 5, "{came} of 5 messages came");
    Ok(())
}

/// Looks at a task before a case gives it up.
const LOOKS_MAX: usize = 1500;

pub(super) async fn receive_waits_and_returns_empty_handed(t: QueueUnderTest) -> Outcome {
    let (queue, unit) = (t.queue.clone(), t.time.unit().min(Duration::from_secs(20)));
    let waiting = tokio::spawn(async move { queue.receive(10, unit, unit).await });
    for _ in 0..LOOKS_MAX {
        if waiting.is_finished() {
            break;
        }
        t.time.pass(unit / 4).await;
    }
    ensure!(waiting.is_finished(), "it waits for ever");
    let came = waiting.await??;
    ensure!(came.is_empty(), "{} messages from nowhere", came.len());
    Ok(())
}

pub(super) async fn receive_wakes_for_a_new_message(t: QueueUnderTest) -> Outcome {
    let (queue, lease) = (t.queue.clone(), t.lease());
    let waiting = tokio::spawn(async move { queue.receive(10, lease, Duration::from_secs(20)).await });
    for _ in 0..5 {
        t.time.pause().await;
    }
    ensure!(!waiting.is_finished(), "it did not wait");
    t.send(&["news"]).await?;
    for _ in 0..LOOKS_MAX {
        if waiting.is_finished() {
            break;
        }
        t.time.pause().await;
    }
    ensure!(waiting.is_finished(), "it sleeps on");
    let came = waiting.await??;
    ensure!(came.len() == 1 && came[0].body == "news", "came: {came:?}");
    Ok(())
}

const SHARED: usize = 200;
const RECEIVERS: usize = 8;

pub(super) async fn eight_receivers_share_nothing(t: QueueUnderTest) -> Outcome {
    let sent: BTreeSet<String> = (0..SHARED).map(|i| format!("m{i}")).collect();
    for answer in t.queue.send(sent.iter().map(|b| message(b)).collect()).await? {
        answer?;
    }
    // Every one of them looks while the others still hold what they took: a lease that hides nothing shows.
    let lease = t.lease() * 10;
    let first_looks: Vec<_> = (0..RECEIVERS)
        .map(|_| {
            let (queue, time) = (t.queue.clone(), t.time.clone());
            tokio::spawn(async move { queue.receive(10, lease, time.patience()).await })
        })
        .collect();
    let mut held = Vec::new();
    for look in first_looks {
        held.push(look.await??);
    }
    let taken = Arc::new(AtomicUsize::new(held.iter().map(Vec::len).sum()));
    let receivers: Vec<_> = held
        .into_iter()
        .map(|mut some| {
            let (queue, time, taken) = (t.queue.clone(), t.time.clone(), taken.clone());
            tokio::spawn(async move {
                let mut mine = Vec::new();
                let mut empty = 0;
                loop {
                    let receipts: Vec<Receipt> = some.iter().map(|d| d.receipt.clone()).collect();
                    mine.extend(some.into_iter().map(|d| d.body));
                    if !receipts.is_empty() {
                        queue.ack(&receipts).await?;
                    }
                    if taken.load(Ordering::SeqCst) >= SHARED || empty >= EMPTY_LOOKS_MAX {
                        return Ok::<_, Broken>(mine);
                    }
                    some = queue.receive(10, lease, time.patience()).await?;
                    empty = if some.is_empty() { empty + 1 } else { 0 };
                    taken.fetch_add(some.len(), Ordering::SeqCst);
                }
            })
        })
        .collect();
    let mut came = Vec::new();
    for receiver in receivers {
        came.extend(receiver.await??);
    }
    let distinct: BTreeSet<String> = came.iter().cloned().collect();
    ensure!(
        distinct == sent,
        "{} of {} messages came",
        distinct.len(),
        sent.len()
    );
    ensure!(
        came.len() == sent.len(),
        "{} leases on {} messages",
        came.len(),
        sent.len()
    );
    Ok(())
}

pub(super) async fn depth_counts_what_is_where(t: QueueUnderTest) -> Outcome {
    let empty = t.queue.depth().await?;
    ensure!(empty == Depth::default(), "when empty: {empty:?}");
    t.send(&["a", "b", "c"]).await?;
    let late = OutMessage {
        delay: t.time.unit() * 50,
        ..message("late")
    };
    t.queue.send(vec![late]).await?.remove(0)?;
    t.time.pass(t.time.unit() * 2).await;
    t.take_one(t.lease()).await?;
    let depth = t.queue.depth().await?;
    let counts = (depth.ready, depth.leased, depth.delayed);
    ensure!(counts == (2, 1, 1), "ready, leased, delayed: {counts:?}");
    if let Some(age) = depth.oldest_age {
        ensure!(age >= t.time.unit(), "the oldest is {age:?} old");
    }
    Ok(())
}
