//! The health of the engines of one process, and the shutdown of a process whose engine is unhealthy.

use crate::shutdown::{ShutdownSignal, ShutdownTrigger, shutdown_signal};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tracing::error;
use walkaround_domain::EngineHealth;
use walkaround_inference::EngineError;

/// Why networks gave no output for a photo.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The photo is at fault: right after it the same engine passed its self-test.
    #[error("{0}")]
    Photo(EngineError),
    /// The engine is at fault: it failed its self-test as well.
    #[error("{0}")]
    Engine(EngineError),
}

/// Shared by all engines of a process, also when the bundle changes.
#[derive(Debug)]
pub struct EngineMonitor {
    health: Mutex<EngineHealth>,
    stopper: ShutdownTrigger,
    signal: ShutdownSignal,
}

impl EngineMonitor {
    /// A monitor of engines that have not run yet.
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

    /// A network failed on the self-test image.
    pub fn failed(&self, error: &EngineError) {
        let sick = {
            let mut health = self.lock();
            health.failed();
            health.is_sick()
        };
        error!(%error, sick, "the engine fails its self-test: its photos are returned, no attempt is counted");
        if sick {
            self.stopper.stop();
        }
    }

    /// Whether the process should end.
    pub fn is_sick(&self) -> bool {
        self.lock().is_sick()
    }

    /// Set once the process should end.
    pub fn signal(&self) -> ShutdownSignal {
        self.signal.clone()
    }

    fn lock(&self) -> MutexGuard<'_, EngineHealth> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
