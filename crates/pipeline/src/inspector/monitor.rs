//! The health of the engines of one process, and the end of a process whose engine is sick.

use crate::shutdown::{ShutdownSignal, ShutdownTrigger, shutdown_signal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::error;
use walkaround_domain::EngineHealth;
use walkaround_inference::EngineError;

/// Why networks gave no answer for a photo.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The photo is at fault: right after it the same engine worked on a picture of its own.
    #[error("{0}")]
    Photo(EngineError),
    /// The engine is at fault: it failed on its own picture as well.
    #[error("{0}")]
    Engine(EngineError),
}

/// Shared by all engines of a process, over changes of the bundle.
#[derive(Debug)]
pub struct EngineMonitor {
    health: Mutex<EngineHealth>,
    stopper: ShutdownTrigger,
    signal: ShutdownSignal,
}

impl EngineMonitor {
    /// Of engines that have not run yet.
    pub fn new() -> Arc<Self> {
        let (stopper, signal) = shutdown_signal();
        Arc::new(Self {
            health: Mutex::default(),
            stopper,
            signal,
        })
    }

    /// A network ran.
    pub fn succeeded(&self) {
        self.lock().succeeded();
    }

    /// A network failed on a known-good picture.
    pub fn failed(&self, error: &EngineError) {
        let sick = {
            let mut health = self.lock();
            health.failed();
            health.is_sick()
        };
        error!(%error, sick, "the engine fails on its own picture: its photos go back, no attempt is counted");
        if sick {
            self.stopper.stop();
        }
    }

    /// Whether the process should end.
    pub fn is_sick(&self) -> bool {
        self.lock().is_sick()
    }

    /// Given once the process should end.
    pub fn signal(&self) -> ShutdownSignal {
        self.signal.clone()
    }

    fn lock(&self) -> MutexGuard<'_, EngineHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
