//! Graceful shutdown: a signal that tasks can check and wait for.
//!
//! Waiting tasks wake in the order in which they began to wait (tokio's `watch` wakes them in random order, and a
//! simulation must be reproducible).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Signal {
    set: AtomicBool,
    changed: Notify,
}

/// The shutdown signal. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShutdownSignal(Arc<Signal>);

/// Sets the signal.
#[derive(Debug)]
pub struct ShutdownTrigger(Arc<Signal>);

/// A trigger and its signal.
pub fn shutdown_signal() -> (ShutdownTrigger, ShutdownSignal) {
    let signal = Arc::new(Signal::default());
    (ShutdownTrigger(Arc::clone(&signal)), ShutdownSignal(signal))
}

impl ShutdownTrigger {
    /// Sets the signal; a second call changes nothing.
    pub fn stop(&self) {
        self.0.set.store(true, Ordering::SeqCst);
        self.0.changed.notify_waiters();
    }
}

impl ShutdownSignal {
    /// A signal that is set when this one or the other is. Needs a runtime: a task waits for both.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        let (stopper, both) = shutdown_signal();
        let (mut one, mut two) = (self.clone(), other.clone());
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = one.wait() => {}
                () = two.wait() => {}
            }
            stopper.stop();
        });
        both
    }

    /// Whether the signal is set.
    pub fn is_set(&self) -> bool {
        self.0.set.load(Ordering::SeqCst)
    }

    /// Returns once the signal is set. Never returns when the [`ShutdownTrigger`] was dropped before that.
    pub async fn wait(&mut self) {
        // In this order: a signal set in between is not missed, as `notified` counts from its creation.
        let changed = self.0.changed.notified();
        if !self.is_set() {
            changed.await;
        }
    }
}
