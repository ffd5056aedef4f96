//! Working off a queue: leases taken, kept alive and given back; acknowledgements gathered in tens; orderly
//! stop, idle exit and stall exit.
//!
//! Every message has a task of its own, at most `in_flight_max` at once; what a task does is the handler's
//! matter. Dropping the consumer at any point drops its leases: redelivery is the default outcome.

mod leases;

use async_trait::async_trait;
use leases::{Acker, Leases};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use walkaround_ports::{Clock, Delivery, Queue};

use crate::shutdown::ShutdownSignal;

/// What the handler made of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It is settled: acknowledge it.
    Ack,
    /// It has to come back after this delay.
    Retry(Duration),
}

/// Does the work that a message asks for.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles one delivery. When `stop` is set, work that has not reached the device is to be given back
    /// (`Again(ZERO)`).
    async fn handle(&self, delivery: &Delivery, stop: &ShutdownSignal) -> Disposition;
}

/// Bounds of a consumer.
#[derive(Debug, Clone, Copy)]
pub struct ConsumerSettings {
    /// Messages in flight at once.
    pub in_flight_max: usize,
    /// Length of a lease; it is extended every third of it.
    pub lease: Duration,
    /// How long one receive waits for a message, at most 20 s.
    pub receive_wait: Duration,
    /// Without a message for this long: exit.
    pub idle_exit: Option<Duration>,
    /// With messages in flight and nothing finished for this long: exit as stalled.
    pub stall_exit: Duration,
    /// Time from a stop to the end, at most: a receive under way, the work in flight, acknowledgements.
    pub drain_budget: Duration,
}

impl Default for ConsumerSettings {
    fn default() -> Self {
        Self {
            in_flight_max: 32,
            lease: Duration::from_secs(60),
            receive_wait: Duration::from_secs(1),
            idle_exit: None,
            stall_exit: Duration::from_secs(300),
            drain_budget: Duration::from_secs(25),
        }
    }
}

/// Why a consumer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// It was told to, and everything in flight is settled or given back.
    Stopped,
    /// It was told to, and the budget ended before the work in flight did.
    BudgetSpent,
    /// Nothing to do for `idle_exit`.
    Idle,
    /// Nothing finished for `stall_exit`.
    Stalled,
}

/// Counts of one consumer, for heartbeats.
#[derive(Debug, Default)]
pub struct Progress {
    /// Messages settled.
    pub settled: AtomicU64,
    /// Messages given back.
    pub returned: AtomicU64,
    /// Photos that failed for good; counted by the handler.
    pub failed: AtomicU64,
    /// Messages in flight.
    pub in_flight: AtomicU64,
    /// When progress was seen last, in milliseconds of the clock's ticks.
    progress_ms: AtomicU64,
    /// When a message was finished last, or none was in flight, in milliseconds of the clock's ticks.
    finish_ms: AtomicU64,
}

impl Progress {
    /// When progress was seen last, in ticks of the consumer's clock: a message was settled, or the queue was empty with
    /// nothing in flight. A message that was given back is none. Only who saw progress lately may be called healthy.
    pub fn last_progress(&self) -> Duration {
        Duration::from_millis(self.progress_ms.load(Ordering::Relaxed))
    }

    /// When a message was finished last, given back or settled, or none was in flight, in ticks of the consumer's clock.
    /// A consumer for which this is longer ago than its `stall_exit` has stalled.
    pub fn last_finish(&self) -> Duration {
        Duration::from_millis(self.finish_ms.load(Ordering::Relaxed))
    }

    /// Notes progress.
    pub fn progressed(&self, now: Duration) {
        stamp(&self.progress_ms, now);
        stamp(&self.finish_ms, now);
    }

    /// Notes that a message was finished, or that none is in flight.
    fn finished(&self, now: Duration) {
        stamp(&self.finish_ms, now);
    }
}

fn stamp(cell: &AtomicU64, now: Duration) {
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    cell.fetch_max(now, Ordering::Relaxed);
}

/// Works off one queue.
pub struct Consumer {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// What is done with a message.
    pub handler: Arc<dyn Handler>,
    /// Bounds.
    pub settings: ConsumerSettings,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts, shared with whoever tells about them.
    pub progress: Arc<Progress>,
}

/// Pause after a receive that failed, so that a broken queue is not hammered.
const RECEIVE_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause, whatever the queue asks for: stalls and stops are looked at in between.
const RECEIVE_PAUSE_MAX: Duration = Duration::from_secs(20);
/// How often a full consumer looks whether it stalls.
const STALL_LOOK: Duration = Duration::from_secs(1);
/// Most messages of one receive (SQS).
const RECEIVE_MAX: usize = 10;
/// How long aborted tasks are waited for: one that blocks its thread does not notice.
const ABORT_MAX: Duration = Duration::from_secs(1);

impl Consumer {
    /// Works until told to stop, idle or stalled.
    pub async fn run(&self, stop: ShutdownSignal) -> Exit {
        self.progress.progressed(self.clock.ticks());
        let leases = Arc::new(Leases::default());
        let mut background = JoinSet::new();
        let (acker, acks) = Acker::new();
        let done = background.spawn(acks.run(Arc::clone(&self.queue)));
        background.spawn(Arc::clone(&leases).keep(
            Arc::clone(&self.queue),
            Arc::clone(&self.clock),
            self.settings.lease,
        ));
        let mut tasks = JoinSet::new();
        // The budget runs from the signal, whatever is waited for then: a receive, the work in flight, the
        // acknowledgements.
        let budget = self.budget(stop.clone());
        tokio::pin!(budget);
        let exit = tokio::select! {
            biased;
            exit = self.receive_all(&mut tasks, (&leases, &acker), stop.clone()) => exit,
            () = &mut budget => Exit::BudgetSpent,
        };
        if exit == Exit::Stalled {
            self.abort(&mut tasks).await;
        }
        drop(acker);
        let exit = match exit {
            Exit::BudgetSpent => exit,
            Exit::Stopped => tokio::select! {
                biased;
                () = rest(&mut tasks, &mut background, &done) => exit,
                () = &mut budget => Exit::BudgetSpent,
            },
            Exit::Idle | Exit::Stalled => tokio::select! {
                biased;
                () = rest(&mut tasks, &mut background, &done) => exit,
                () = self.clock.sleep(self.settings.drain_budget) => exit,
            },
        };
        info!(
            ?exit,
            in_flight = tasks.len(),
            "the consumer ends; leases in flight are dropped"
        );
        self.abort(&mut tasks).await;
        self.abort(&mut background).await;
        exit
    }

    /// Aborts tasks and waits for their end, but not for ever.
    async fn abort(&self, tasks: &mut JoinSet<()>) {
        tokio::select! {
            biased;
            () = tasks.shutdown() => {}
            () = self.clock.sleep(ABORT_MAX) => warn!("tasks do not end, the process goes without them"),
        }
    }

    async fn receive_all(
        &self,
        tasks: &mut JoinSet<()>,
        (leases, acker): (&Arc<Leases>, &Acker),
        mut stop: ShutdownSignal,
    ) -> Exit {
        let mut watch = Watch::new(self);
        while !stop.is_set() {
            reap(tasks);
            if let Some(exit) = watch.look(self, tasks.len()) {
                return exit;
            }
            let free = self.settings.in_flight_max.saturating_sub(tasks.len());
            if free == 0 {
                tokio::select! {
                    biased;
                    () = stop.wait() => {}
                    Some(ended) = tasks.join_next() => tell(ended),
                    () = self.clock.sleep(STALL_LOOK) => {}
                }
                continue;
            }
            // Not cancelled by a stop, only when its budget is spent: what an abandoned receive had leased
            // would be hidden until its lease ends. One that never returns is a stall like any other.
            let wait = self.settings.receive_wait;
            let received = tokio::select! {
                biased;
                received = self.queue.receive(free.min(RECEIVE_MAX), self.settings.lease, wait) => received,
                () = self.clock.sleep(wait + self.settings.stall_exit) => return Exit::Stalled,
            };
            match received {
                Ok(deliveries) => {
                    if deliveries.is_empty() && self.progress.in_flight.load(Ordering::Relaxed) == 0 {
                        self.progress.progressed(self.clock.ticks());
                    }
                    for delivery in deliveries {
                        watch.message(self);
                        self.spawn((delivery, stop.clone()), tasks, (leases, acker));
                    }
                }
                Err(error) => {
                    warn!(%error, "receive failed");
                    tokio::select! {
                        biased;
                        () = stop.wait() => {}
                        () = self.clock.sleep(error.retry_after.unwrap_or(RECEIVE_PAUSE).min(RECEIVE_PAUSE_MAX)) => {}
                    }
                }
            }
        }
        Exit::Stopped
    }

    fn spawn(
        &self,
        (delivery, stop): (Delivery, ShutdownSignal),
        tasks: &mut JoinSet<()>,
        (leases, acker): (&Arc<Leases>, &Acker),
    ) {
        let lease = leases.hold(delivery.receipt.clone(), self.clock.ticks());
        let (queue, handler) = (Arc::clone(&self.queue), Arc::clone(&self.handler));
        let (progress, acker) = (Arc::clone(&self.progress), acker.clone());
        let clock = Arc::clone(&self.clock);
        progress.in_flight.fetch_add(1, Ordering::Relaxed);
        tasks.spawn(async move {
            let _counted = Counted(&progress.in_flight);
            let handled = if stop.is_set() {
                Disposition::Retry(Duration::ZERO)
            } else {
                handler.handle(&delivery, &stop).await
            };
            match handled {
                Disposition::Ack => {
                    progress.settled.fetch_add(1, Ordering::Relaxed);
                    progress.progressed(clock.ticks());
                    acker.ack(lease).await;
                }
                Disposition::Retry(delay) => {
                    progress.returned.fetch_add(1, Ordering::Relaxed);
                    progress.finished(clock.ticks());
                    // Failing to release is no loss: the lease runs out and the message comes back.
                    if let Err(error) = queue.release(lease.receipt(), delay).await {
                        warn!(%error, message = delivery.message_id, "release failed");
                    }
                }
            }
        });
    }

    /// Returns when the budget that begins with the signal is spent.
    async fn budget(&self, mut stop: ShutdownSignal) {
        stop.wait().await;
        self.clock.sleep(self.settings.drain_budget).await;
    }
}

/// Waits for the work in flight and its acknowledgements.
async fn rest(tasks: &mut JoinSet<()>, background: &mut JoinSet<()>, acks: &tokio::task::AbortHandle) {
    while let Some(ended) = tasks.join_next().await {
        tell(ended);
    }
    // The acker ends when all receipts are acknowledged; the lease keeper never does.
    while !acks.is_finished() && background.join_next().await.is_some() {}
}

/// Decrements on every way out of a task, also when it is aborted.
struct Counted<'a>(&'a AtomicU64);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn reap(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.try_join_next() {
        tell(ended);
    }
}

/// A panic in one task must not take the others down; its message comes back when the lease ends.
fn tell(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "a message's task panicked");
    }
}

/// Notices idleness and stalls.
struct Watch {
    last_message: Duration,
    last_progress: Duration,
    finished: u64,
}

impl Watch {
    fn new(consumer: &Consumer) -> Self {
        let now = consumer.clock.ticks();
        Self {
            last_message: now,
            last_progress: now,
            finished: finished(&consumer.progress),
        }
    }

    fn message(&mut self, consumer: &Consumer) {
        self.last_message = consumer.clock.ticks();
        if consumer.progress.in_flight.load(Ordering::Relaxed) == 0 {
            self.last_progress = self.last_message;
        }
    }

    fn look(&mut self, consumer: &Consumer, in_flight: usize) -> Option<Exit> {
        let now = consumer.clock.ticks();
        let finished = finished(&consumer.progress);
        if finished != self.finished || in_flight == 0 {
            (self.finished, self.last_progress) = (finished, now);
            consumer.progress.finished(now);
        }
        if in_flight > 0 {
            self.last_message = now;
            return (now - self.last_progress > consumer.settings.stall_exit).then_some(Exit::Stalled);
        }
        let idle = consumer.settings.idle_exit?;
        (now - self.last_message > idle).then_some(Exit::Idle)
    }
}

fn finished(progress: &Progress) -> u64 {
    progress.settled.load(Ordering::Relaxed) + progress.returned.load(Ordering::Relaxed)
}
