//! Stopping in an orderly way: one signal that everyone can look at and wait for.
//!
//! Those who wait wake in the order in which they began to (tokio's `watch` wakes them in a random one, and a
//! simulation must be able to repeat itself).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

#[derive(Debug, Default)]
struct Signal {
    given: AtomicBool,
    told: Notify,
}

/// Tells that work should stop. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ShutdownSignal(Arc<Signal>);

/// Gives the signal.
#[derive(Debug)]
pub struct ShutdownTrigger(Arc<Signal>);

/// A signal and those who wait for it.
pub fn shutdown_signal() -> (ShutdownTrigger, ShutdownSignal) {
    let signal = Arc::new(Signal::default());
    (ShutdownTrigger(Arc::clone(&signal)), ShutdownSignal(signal))
}

impl ShutdownTrigger {
    /// Gives the signal; a second time changes nothing.
    pub fn stop(&self) {
        self.0.given.store(true, Ordering::SeqCst);
        self.0.told.notify_waiters();
    }
}

impl ShutdownSignal {
    /// A signal that is given when either is: this one, or the other. Needs a runtime: a task waits for both.
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

    /// Whether the signal was given.
    pub fn is_set(&self) -> bool {
        self.0.given.load(Ordering::SeqCst)
    }

    /// Returns once the signal was given. Never returns when the [`ShutdownTrigger`] is gone without giving it.
    pub async fn wait(&mut self) {
        // In this order: a signal given in between is not missed, as `notified` counts from its creation.
        let told = self.0.told.notified();
        if !self.is_set() {
            told.await;
        }
    }
}
