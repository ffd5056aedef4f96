//! One attempt at a delivered photo: its stage, and its exclusive use of the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use walkaround_ports::Delivery;

/// The stage of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Waits for its permit, or for the records.
    Waiting,
    /// Fetches the photo.
    Fetching,
    /// Decodes it, runs networks, renders.
    Looking,
    /// Stores the result.
    Storing,
}

impl Stage {
    const ALL: [Self; 4] = [Self::Waiting, Self::Fetching, Self::Looking, Self::Storing];
}

/// An attempt at one delivered photo.
pub struct Attempt<'a> {
    /// Its message.
    pub delivery: &'a Delivery,
    /// When the work began, on the clock's ticks.
    pub begin: Duration,
    stage: AtomicU8,
    announced: AtomicBool,
}

impl<'a> Attempt<'a> {
    /// An attempt that begins at `begin`.
    pub fn new(delivery: &'a Delivery, begin: Duration) -> Self {
        Self {
            delivery,
            begin,
            stage: AtomicU8::new(Stage::Waiting as u8),
            announced: AtomicBool::new(false),
        }
    }

    /// Its stage.
    pub fn stage(&self) -> Stage {
        Stage::ALL[usize::from(self.stage.load(Ordering::Relaxed)) % Stage::ALL.len()]
    }

    /// Enters a stage.
    pub fn reached(&self, stage: Stage) {
        self.stage.store(stage as u8, Ordering::Relaxed);
    }

    /// Whether its start is on the record, or may be.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.load(Ordering::Relaxed)
    }

    /// Its start may be on the record from now on.
    pub(super) fn set_announced(&self) {
        self.announced.store(true, Ordering::Relaxed);
    }
}

/// Runs photos that may crash the process with nothing else in flight.
#[derive(Debug, Clone, Default)]
pub struct Isolation(Arc<RwLock<()>>);

/// The right to process a photo, until it is dropped.
pub enum Permit {
    /// With other photos in flight.
    Shared(OwnedRwLockReadGuard<()>),
    /// With nothing else in flight.
    Alone(OwnedRwLockWriteGuard<()>),
}

impl Isolation {
    pub(super) async fn shared(&self) -> Permit {
        Permit::Shared(Arc::clone(&self.0).read_owned().await)
    }

    pub(super) async fn alone(&self) -> Permit {
        Permit::Alone(Arc::clone(&self.0).write_owned().await)
    }
}
