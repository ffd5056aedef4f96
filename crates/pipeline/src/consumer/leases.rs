//! Leases of the messages in hand, and their acknowledgement.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::mpsc;
use tracing::{debug, warn};
use walkaround_ports::{AckOutcome, Clock, LeaseOutcome, Queue, Receipt};

/// Receipts of messages in hand, with when their lease was last extended.
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

    /// Extends every lease when a third of it has passed. Runs until aborted.
    pub(super) async fn keep(self: Arc<Self>, queue: Arc<dyn Queue>, clock: Arc<dyn Clock>, lease: Duration) {
        let third = lease / 3;
        loop {
            // Looking four times in a third keeps every extension well before the end.
            clock.sleep(third / 4).await;
            let now = clock.ticks();
            let due: Vec<Receipt> = self
                .lock()
                .iter()
                .filter(|(_, at)| now.saturating_sub(**at) >= third)
                .map(|(r, _)| r.clone())
                .collect();
            for receipt in due {
                match queue.extend(&receipt, lease).await {
                    Ok(LeaseOutcome::Held) => {
                        if let Some(at) = self.lock().get_mut(&receipt) {
                            *at = clock.ticks();
                        }
                    }
                    // The work goes on: settling twice is harmless, and nobody else may have taken it yet.
                    Ok(LeaseOutcome::Lost) => debug!("a lease ended before its work"),
                    Err(error) => warn!(%error, "extending a lease failed"),
                }
            }
        }
    }
}

/// Messages whose receipts may wait to be acknowledged.
const ACKS_WAITING_MAX: usize = 100;
/// Most receipts of one call (SQS).
const ACKS_MAX: usize = 10;

/// Takes settled messages.
#[derive(Clone)]
pub(super) struct Acker(mpsc::Sender<Lease>);

/// Acknowledges them.
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
    /// Acknowledges until all senders are gone. While one call runs, the next receipts gather behind it.
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
                            Err(error) => warn!(%error, "acknowledging failed: the message comes back"),
                        }
                    }
                }
                // Not tried again: a redelivered message finds its record final and is acknowledged then.
                Err(error) => warn!(%error, "acknowledging failed: the messages come back"),
            }
            batch.clear();
        }
    }
}
