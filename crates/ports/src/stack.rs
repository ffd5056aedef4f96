//! The ports of one stack together: what every program of it is given.

use crate::{Blobs, Publisher, Queue, Records, Reviews, StateStore};
use std::sync::Arc;

/// A queue and the queue that its parked messages are in.
#[derive(Clone)]
pub struct QueuePair {
    /// `intake` or `segmentation`.
    pub name: &'static str,
    /// The queue.
    pub queue: Arc<dyn Queue>,
    /// Its dead-letter queue.
    pub dead: Arc<dyn Queue>,
}

/// All ports but capacity, which only a scaler has, and the clock.
#[derive(Clone)]
pub struct StackPorts {
    /// Photos that wait for triage.
    pub intake: QueuePair,
    /// Photos of the GPU lane.
    pub segmentation: QueuePair,
    /// Records and heartbeats.
    pub records: Arc<dyn Records>,
    /// What people decide, and what waits for them.
    pub reviews: Arc<dyn Reviews>,
    /// Photos and results.
    pub blobs: Arc<dyn Blobs>,
    /// Small documents that programs leave for each other, the state of the GPU lane among them.
    pub state: Arc<dyn StateStore>,
    /// Where events go.
    pub publisher: Arc<dyn Publisher>,
}
