//! Consumes a queue: receives messages, extends their leases, acknowledges in batches of ten; graceful shutdown, idle exit
//! and stall exit.
//!
//! Every message has a task of its own, at most `in_flight_max` at once; a handler does the work. Dropping the consumer at
//! any point drops its leases: redelivery is the default outcome.

mod leases;

use async_trait::async_trait;
use leases::{Acker, Lease, LeaseKeeper, Leases};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;
use tracing::{error, info, warn};
use walkaround_ports::{Clock, Delivery, Queue};

use crate::shutdown::ShutdownSignal;

/// What to do with a handled message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It is settled: acknowledge it.
    Ack,
    /// Return it to the queue, to be delivered again after this delay.
    Retry(Duration),
}

/// Does the work that a message asks for.
#[async_trait]
pub trait Handler: Send + Sync {
    /// Handles one delivery. When `stop` is set, work that has not reached the device should be returned to the queue
    /// (`Retry(ZERO)`).
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
    /// Longest time from the shutdown signal to the end: for a pending receive, the work in flight and acknowledgements.
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
    /// Shutdown: everything in flight is settled or returned to the queue.
    Stopped,
    /// Shutdown: the drain budget ended before the work in flight did.
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
    /// Messages returned to the queue.
    pub returned: AtomicU64,
    /// Photos that failed for good; counted by the handler.
    pub failed: AtomicU64,
    /// Messages in flight.
    pub in_flight: AtomicU64,
    /// Last progress, in milliseconds of the clock's ticks.
    progress_ms: AtomicU64,
    /// When a message was finished last, or none was in flight, in milliseconds of the clock's ticks.
    finish_ms: AtomicU64,
}

impl Progress {
    /// The last progress, in ticks of the consumer's clock: a message was settled, or the queue was empty with nothing in
    /// flight. A returned message is no progress. A consumer is healthy only with recent progress.
    pub fn last_progress(&self) -> Duration {
        Duration::from_millis(self.progress_ms.load(Ordering::Relaxed))
    }

    /// When a message was last settled or returned, or none was in flight, in ticks of the consumer's clock. A consumer
    /// for which this is longer ago than its `stall_exit` has stalled.
    pub fn last_finish(&self) -> Duration {
        Duration::from_millis(self.finish_ms.load(Ordering::Relaxed))
    }

    /// Records progress.
    pub fn progressed(&self, now: Duration) {
        stamp(&self.progress_ms, now);
        stamp(&self.finish_ms, now);
    }

    /// Records that a message was finished, or that none is in flight.
    fn finished(&self, now: Duration) {
        stamp(&self.finish_ms, now);
    }
}

fn stamp(cell: &AtomicU64, now: Duration) {
    let now = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
    cell.fetch_max(now, Ordering::Relaxed);
}

/// Consumes one queue.
pub struct Consumer {
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Handles the messages.
    pub handler: Arc<dyn Handler>,
    /// Bounds.
    pub settings: ConsumerSettings,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Counts, shared with the heartbeats.
    pub progress: Arc<Progress>,
}

/// Pause after a failed receive.
const RECEIVE_PAUSE: Duration = Duration::from_secs(1);
/// Longest such pause, whatever the queue asks for: stalls are checked in between.
const RECEIVE_PAUSE_MAX: Duration = Duration::from_secs(20);
/// How often a full consumer checks for a stall.
const STALL_CHECK: Duration = Duration::from_secs(1);
/// Most messages of one receive (SQS).
const RECEIVE_MAX: usize = 10;
/// Longest wait for aborted tasks: one that blocks its thread does not end.
const ABORT_MAX: Duration = Duration::from_secs(1);

impl Consumer {
    /// Runs until shutdown, idle exit or stall.
    pub async fn run(&self, stop: ShutdownSignal) -> Exit {
        self.progress.progressed(self.clock.ticks());
        let mut background = JoinSet::new();
        let (acker, acks) = Acker::new();
        let acks_done = background.spawn(acks.run(Arc::clone(&self.queue)));
        let keeper = LeaseKeeper {
            leases: Arc::new(Leases::default()),
            queue: Arc::clone(&self.queue),
            clock: Arc::clone(&self.clock),
            lease: self.settings.lease,
        };
        let messages = MessageTasks {
            leases: Arc::clone(&keeper.leases),
            acker,
            queue: Arc::clone(&self.queue),
            handler: Arc::clone(&self.handler),
            clock: Arc::clone(&self.clock),
            progress: Arc::clone(&self.progress),
        };
        background.spawn(keeper.run());
        let mut tasks = JoinSet::new();
        // The budget runs from the signal, through the pending receive, the work in flight and the acknowledgements.
        let budget = self.budget(stop.clone());
        tokio::pin!(budget);
        let exit = tokio::select! {
            biased;
            exit = self.receive_all(&mut tasks, &messages, stop.clone()) => exit,
            () = &mut budget => Exit::BudgetSpent,
        };
        if exit == Exit::Stalled {
            self.abort(&mut tasks).await;
        }
        drop(messages);
        let exit = match exit {
            Exit::BudgetSpent => exit,
            Exit::Stopped => tokio::select! {
                biased;
                () = rest(&mut tasks, &mut background, &acks_done) => exit,
                () = &mut budget => Exit::BudgetSpent,
            },
            Exit::Idle | Exit::Stalled => tokio::select! {
                biased;
                () = rest(&mut tasks, &mut background, &acks_done) => exit,
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
            () = self.clock.sleep(ABORT_MAX) => warn!("aborted tasks do not end, the process exits without them"),
        }
    }

    async fn receive_all(
        &self,
        tasks: &mut JoinSet<()>,
        messages: &MessageTasks,
        mut stop: ShutdownSignal,
    ) -> Exit {
        let mut watch = Watch::new(self);
        while !stop.is_set() {
            reap(tasks);
            if let Some(exit) = watch.check(self, tasks.len()) {
                return exit;
            }
            let free = self.settings.in_flight_max.saturating_sub(tasks.len());
            if free == 0 {
                tokio::select! {
                    biased;
                    () = stop.wait() => {}
                    Some(ended) = tasks.join_next() => log_panic(ended),
                    () = self.clock.sleep(STALL_CHECK) => {}
                }
                continue;
            }
            // Not cancelled by the signal, only at the end of the budget: messages that an abandoned receive had leased
            // would be hidden until their lease ends. A receive that never returns is a stall.
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
                        tasks.spawn(messages.start(delivery, stop.clone()));
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

    /// Returns when the budget that begins with the signal is spent.
    async fn budget(&self, mut stop: ShutdownSignal) {
        stop.wait().await;
        self.clock.sleep(self.settings.drain_budget).await;
    }
}

/// What the task of a message needs.
#[derive(Clone)]
struct MessageTasks {
    leases: Arc<Leases>,
    acker: Acker,
    queue: Arc<dyn Queue>,
    handler: Arc<dyn Handler>,
    clock: Arc<dyn Clock>,
    progress: Arc<Progress>,
}

impl MessageTasks {
    /// The task of one message. Its lease is held, and it counts as in flight, from this call on.
    fn start(&self, delivery: Delivery, stop: ShutdownSignal) -> impl Future<Output = ()> + Send + 'static {
        let lease = self.leases.hold(delivery.receipt.clone(), self.clock.ticks());
        let in_flight = InFlight::new(&self.progress);
        let tasks = self.clone();
        async move {
            let _in_flight = in_flight;
            let disposition = if stop.is_set() {
                Disposition::Retry(Duration::ZERO)
            } else {
                tasks.handler.handle(&delivery, &stop).await
            };
            tasks.end(&delivery, lease, disposition).await;
        }
    }

    /// Acknowledges a message or returns it to the queue.
    async fn end(&self, delivery: &Delivery, lease: Lease, disposition: Disposition) {
        match disposition {
            Disposition::Ack => {
                self.progress.settled.fetch_add(1, Ordering::Relaxed);
                self.progress.progressed(self.clock.ticks());
                self.acker.ack(lease).await;
            }
            Disposition::Retry(delay) => {
                self.progress.returned.fetch_add(1, Ordering::Relaxed);
                self.progress.finished(self.clock.ticks());
                // A failure is harmless: the message is redelivered when its lease ends.
                if let Err(error) = self.queue.release(lease.receipt(), delay).await {
                    warn!(%error, message = delivery.message_id, "release failed");
                }
            }
        }
    }
}

/// Waits for the work in flight and its acknowledgements.
async fn rest(tasks: &mut JoinSet<()>, background: &mut JoinSet<()>, acks: &tokio::task::AbortHandle) {
    while let Some(ended) = tasks.join_next().await {
        log_panic(ended);
    }
    // The task that acknowledges ends when all receipts are acknowledged; the lease keeper never ends.
    while !acks.is_finished() && background.join_next().await.is_some() {}
}

/// Counts a message as in flight until its task ends in any way, also when it is aborted.
struct InFlight(Arc<Progress>);

impl InFlight {
    fn new(progress: &Arc<Progress>) -> Self {
        progress.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(progress))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

fn reap(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.try_join_next() {
        log_panic(ended);
    }
}

/// A panic in one task does not affect the others; its message is redelivered when the lease ends.
fn log_panic(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        error!(%error, "a message's task panicked");
    }
}

/// Detects idleness and stalls.
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

    fn check(&mut self, consumer: &Consumer, in_flight: usize) -> Option<Exit> {
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
