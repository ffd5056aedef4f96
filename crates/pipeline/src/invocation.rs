//! One invocation of a function with a batch of messages: every message is handled independently, and what cannot be
//! finished before the invocation ends is returned to the queue.
//!
//! The caller (Lambda's event source) acknowledges what is not in the response, so nothing is acknowledged here. The delay
//! of a returned message is set through its visibility time-out; otherwise SQS would redeliver it at once or only after
//! the whole visibility time-out of the queue.

use crate::consumer::{Disposition, Handler};
use crate::shutdown::{ShutdownSignal, shutdown_signal};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinSet};
use tracing::{Instrument, error, warn};
use walkaround_ports::{Clock, Delivery, Queue, Receipt};

/// A process without invocations has this much time for each photo.
const UNLIMITED: Duration = Duration::from_secs(3600);

/// Returning a refused batch takes at most this long.
const REFUSE_MAX: Duration = Duration::from_secs(5);

/// Releases are awaited until this long before the end.
const RELEASE_MARGIN: Duration = Duration::from_millis(200);

/// A photo that is not finished this long before the end is interrupted, to store that on its record. Longer than
/// [`InvocationSettings::answer_margin`].
const ACCOUNT_MARGIN: Duration = Duration::from_secs(3);

/// When the present invocation ends, on the clock's ticks. A process that is invoked for one batch at a time
/// shares one of these between [`Invocation`] and triage.
#[derive(Debug, Default)]
pub struct InvocationDeadline(Mutex<Option<Span>>);

#[derive(Debug, Clone, Copy)]
struct Span {
    begins_at: Duration,
    ends_at: Duration,
}

impl InvocationDeadline {
    /// The end of a process without invocations: never.
    pub fn never() -> Arc<Self> {
        Arc::default()
    }

    fn set(&self, begins_at: Duration, ends_at: Duration) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Span { begins_at, ends_at });
    }

    fn span(&self) -> Option<Span> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Time left, seen from `now` on the same clock.
    pub fn left(&self, now: Duration) -> Duration {
        self.span()
            .map_or(UNLIMITED, |span| span.ends_at.saturating_sub(now))
    }

    /// Time that a photo may be processed from `now`, so that an interruption can still be stored; none without
    /// invocations.
    pub fn time_for_work(&self, now: Duration) -> Option<Duration> {
        let span = self.span()?;
        Some(span.ends_at.saturating_sub(now).saturating_sub(ACCOUNT_MARGIN))
    }

    /// Whether an attempt that began then had at least half of the invocation: less says nothing about a photo.
    pub fn had_fair_time(&self, begin: Duration) -> bool {
        self.span().is_none_or(|span| {
            let whole = span.ends_at.saturating_sub(span.begins_at);
            span.ends_at.saturating_sub(begin) * 2 >= whole
        })
    }
}

/// Bounds of an invocation.
#[derive(Debug, Clone, Copy)]
pub struct InvocationSettings {
    /// Messages handled at once.
    pub at_once_max: usize,
    /// No message is begun later than this before the end.
    pub begin_margin: Duration,
    /// What still runs this long before the end is dropped and returned.
    pub answer_margin: Duration,
}

impl Default for InvocationSettings {
    fn default() -> Self {
        Self {
            at_once_max: 4,
            begin_margin: Duration::from_secs(5),
            answer_margin: Duration::from_secs(1),
        }
    }
}

/// Handles batches.
pub struct Invocation {
    /// The queue that the messages came from, for their visibility.
    pub queue: Arc<dyn Queue>,
    /// Handles the messages.
    pub handler: Arc<dyn Handler>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// The deadline, shared with triage.
    pub end: Arc<InvocationDeadline>,
    /// Bounds.
    pub settings: InvocationSettings,
}

/// A message in flight.
struct Held {
    message_id: String,
    receipt: Receipt,
}

impl Invocation {
    /// Handles a batch within `time`; the ids of the messages that have to be redelivered, in no order.
    pub async fn run(&self, deliveries: Vec<Delivery>, time: Duration) -> Vec<String> {
        let begins_at = self.clock.ticks();
        let ends_at = begins_at + time;
        self.end.set(begins_at, ends_at);
        let (stopper, waiter) = shutdown_signal();
        let permits = Arc::new(Semaphore::new(self.settings.at_once_max.max(1)));
        let mut tasks = JoinSet::new();
        let mut held = BTreeMap::new();
        for delivery in deliveries {
            let in_flight = Held {
                message_id: delivery.message_id.clone(),
                receipt: delivery.receipt.clone(),
            };
            let task = one(
                Arc::clone(&self.handler),
                Arc::clone(&permits),
                waiter.clone(),
                delivery,
            );
            // Logs of a message are in the span of its invocation.
            held.insert(tasks.spawn(task.in_current_span()).id(), in_flight);
        }
        let mut back = Vec::new();
        let last_begin = self.sleep_until(ends_at, self.settings.begin_margin);
        let last_answer = self.sleep_until(ends_at, self.settings.answer_margin);
        tokio::pin!(last_begin, last_answer);
        let mut begun = true;
        while !held.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = tasks.join_next_with_id() => {
                    if let Some(again) = outcome(ended, &mut held) {
                        back.push(again);
                    }
                }
                () = &mut last_answer => break,
                () = &mut last_begin, if begun => {
                    begun = false;
                    stopper.stop();
                }
            }
        }
        tasks.shutdown().await;
        if !held.is_empty() {
            warn!(
                messages = held.len(),
                "the invocation ends: unfinished messages are returned"
            );
        }
        back.extend(held.into_values().map(|h| (h, Duration::ZERO)));
        self.give_back(back, ends_at).await
    }

    /// Returns a whole batch unhandled, for another process.
    pub async fn refuse(&self, deliveries: Vec<Delivery>) {
        let held = |delivery: Delivery| Held {
            message_id: delivery.message_id,
            receipt: delivery.receipt,
        };
        let back = deliveries
            .into_iter()
            .map(|d| (held(d), Duration::ZERO))
            .collect();
        self.give_back(back, self.clock.ticks() + REFUSE_MAX).await;
    }

    async fn sleep_until(&self, ends_at: Duration, margin: Duration) {
        let until = ends_at.saturating_sub(margin);
        self.clock.sleep(until.saturating_sub(self.clock.ticks())).await;
    }

    /// Releases all concurrently, not past the end: the response names the messages even if a release failed.
    async fn give_back(&self, back: Vec<(Held, Duration)>, ends_at: Duration) -> Vec<String> {
        let ids = back.iter().map(|(held, _)| held.message_id.clone()).collect();
        let mut releases = JoinSet::new();
        for (held, delay) in back {
            let queue = Arc::clone(&self.queue);
            let release = async move {
                // A failure is harmless: the message is redelivered when its visibility time-out ends.
                if let Err(error) = queue.release(&held.receipt, delay).await {
                    warn!(%error, message = held.message_id, "release failed");
                }
            };
            releases.spawn(release.in_current_span());
        }
        let end = self.sleep_until(ends_at, RELEASE_MARGIN);
        tokio::pin!(end);
        while !releases.is_empty() {
            tokio::select! {
                biased;
                _ = releases.join_next() => {}
                () = &mut end => {
                    warn!(messages = releases.len(), "not all delays could be set in time");
                    break;
                }
            }
        }
        ids
    }
}

async fn one(
    handler: Arc<dyn Handler>,
    permits: Arc<Semaphore>,
    stop: ShutdownSignal,
    delivery: Delivery,
) -> Disposition {
    // The semaphore is never closed: the error cannot happen.
    let _permit = permits.acquire_owned().await;
    if stop.is_set() {
        return Disposition::Retry(Duration::ZERO);
    }
    handler.handle(&delivery, &stop).await
}

/// What to return after a task ended: nothing when its message is settled.
fn outcome(
    ended: Result<(Id, Disposition), tokio::task::JoinError>,
    held: &mut BTreeMap<Id, Held>,
) -> Option<(Held, Duration)> {
    match ended {
        Ok((id, Disposition::Ack)) => {
            held.remove(&id);
            None
        }
        Ok((id, Disposition::Retry(delay))) => held.remove(&id).map(|h| (h, delay)),
        // A panic affects its own message, not the batch.
        Err(error) => {
            error!(%error, "a message's task panicked");
            held.remove(&error.id()).map(|h| (h, Duration::ZERO))
        }
    }
}
