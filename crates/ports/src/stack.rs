//! The ports of one stack together: what every program of it is given.

use crate::{Blobs, Publisher, Queue, Records};
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

/// All ports but capacity, which only a scaler and triage have, and the clock.
#[derive(Clone)]
pub struct StackPorts {
    /// Photos to be looked at first.
    pub intake: QueuePair,
    /// Photos of the GPU lane.
    pub segmentation: QueuePair,
    /// Records and heartbeats.
    pub records: Arc<dyn Records>,
    /// Photos and results.
    pub blobs: Arc<dyn Blobs>,
    /// Who is told.
    pub publisher: Arc<dyn Publisher>,
}
