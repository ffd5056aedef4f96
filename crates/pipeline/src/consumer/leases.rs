//! The leases of messages in flight, and their acknowledgement.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tracing::{debug, warn};
use walkaround_ports::{AckOutcome, Clock, LeaseOutcome, Queue, Receipt};

/// Receipts of messages in flight, with when their lease was last extended.
#[derive(Default)]
pub(super) struct Leases(Mutex<BTreeMap<Receipt, Duration>>);

/// One lease; no longer extended once this is dropped.
pub(super) struct Lease {
    leases: Arc<Leases>,
    receipt: Receipt,
}

impl Lease {
    pub(super) fn receipt(&self) -> &Receipt {
        &self.receipt
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.leases.lock().remove(&self.receipt);
    }
}

impl Leases {
    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<Receipt, Duration>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hold(self: &Arc<Self>, receipt: Receipt, now: Duration) -> Lease {
        self.lock().insert(receipt.clone(), now);
        Lease {
            leases: Arc::clone(self),
            receipt,
        }
    }

    /// Receipts whose lease was extended longer than `age` ago.
    fn due(&self, now: Duration, age: Duration) -> Vec<Receipt> {
        let held = self.lock();
        let due = held.iter().filter(|(_, at)| now.saturating_sub(**at) >= age);
        due.map(|(receipt, _)| receipt.clone()).collect()
    }
}

/// Extends the leases of the messages in flight.
#[derive(Clone)]
pub(super) struct LeaseKeeper {
    pub(super) leases: Arc<Leases>,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) clock: Arc<dyn Clock>,
    /// Length of a lease.
    pub(super) lease: Duration,
}

impl LeaseKeeper {
    /// Extends every lease when a third of it has passed. Runs until aborted.
    ///
    /// Extensions run concurrently, each for at most a sixth of a lease: one that hangs delays no other, and is tried
    /// again before its lease ends.
    pub(super) async fn run(self) {
        let third = self.lease / 3;
        let mut extensions = JoinSet::new();
        let mut under_way: BTreeSet<Receipt> = BTreeSet::new();
        loop {
            // Four checks in a third of a lease: every extension is well before its end.
            self.clock.sleep(third / 4).await;
            while let Some(extended) = extensions.try_join_next() {
                if let Ok(receipt) = extended {
                    under_way.remove(&receipt);
                }
            }
            for receipt in self.leases.due(self.clock.ticks(), third) {
                if extensions.len() < EXTENSIONS_MAX && under_way.insert(receipt.clone()) {
                    extensions.spawn(self.clone().extend(receipt));
                }
            }
        }
    }

    /// Extends one lease; returns its receipt.
    async fn extend(self, receipt: Receipt) -> Receipt {
        let begin = self.clock.ticks();
        let outcome = tokio::select! {
            biased;
            outcome = self.queue.extend(&receipt, self.lease) => outcome,
            () = self.clock.sleep(self.lease / 6) => {
                warn!("extending a lease takes too long, trying again");
                return receipt;
            }
        };
        match outcome {
            Ok(LeaseOutcome::Held) => {
                // The lease counts from the call: the answer may have taken a while.
                if let Some(at) = self.leases.lock().get_mut(&receipt) {
                    *at = begin;
                }
            }
            // The work continues: settling twice is harmless, and the message may not have been redelivered yet.
            Ok(LeaseOutcome::Lost) => debug!("a lease ended before its work"),
            Err(error) => warn!(%error, "extending a lease failed"),
        }
        receipt
    }
}

/// Most concurrent extensions.
const EXTENSIONS_MAX: usize = 64;
/// Most receipts that wait to be acknowledged.
const ACKS_WAITING_MAX: usize = 100;
/// Most receipts of one call (SQS).
const ACKS_MAX: usize = 10;

/// Takes leases of settled messages, to acknowledge them.
#[derive(Clone)]
pub(super) struct Acker(mpsc::Sender<Lease>);

/// Acknowledges settled messages in batches.
pub(super) struct Acks(mpsc::Receiver<Lease>);

impl Acker {
    pub(super) fn new() -> (Self, Acks) {
        let (sender, receiver) = mpsc::channel(ACKS_WAITING_MAX);
        (Self(sender), Acks(receiver))
    }

    pub(super) async fn ack(&self, lease: Lease) {
        // The receiver outlives all senders unless everything is being dropped.
        drop(self.0.send(lease).await);
    }
}

impl Acks {
    /// Acknowledges until all senders are gone. Receipts that arrive during a call form the next batch.
    pub(super) async fn run(mut self, queue: Arc<dyn Queue>) {
        let mut batch = Vec::with_capacity(ACKS_MAX);
        while self.0.recv_many(&mut batch, ACKS_MAX).await > 0 {
            let receipts: Vec<Receipt> = batch.iter().map(|l: &Lease| l.receipt.clone()).collect();
            match queue.ack(&receipts).await {
                Ok(answers) => {
                    for answer in answers {
                        match answer {
                            Ok(AckOutcome::Gone) => {}
                            Ok(AckOutcome::Stale) => debug!("a settled message may be delivered again"),
                            Err(error) => {
                                warn!(%error, "acknowledging failed: the message will be delivered again");
                            }
                        }
                    }
                }
                // Not retried: a redelivered message finds its record final and is acknowledged then.
                Err(error) => warn!(%error, "acknowledging failed: the messages will be delivered again"),
            }
            batch.clear();
        }
    }
}
