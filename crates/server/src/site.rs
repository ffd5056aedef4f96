//! What the server answers from.

use super::people::People;
use super::sign_in::SignIn;
use std::sync::Arc;
use std::time::Duration;
use walkaround_ports::{Blobs, Clock, Operations, Queue, QueueName, Records, StateStore};

/// For how long the work of this process has made no progress; none while it does.
pub type StalledFor = dyn Fn() -> Option<Duration> + Send + Sync;

/// What the work of this process cannot get at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Concerns {
    /// Why photos are not taken from the drop folder; none while they are, or where there is none.
    pub drop_folder: Option<String>,
    /// Photo hosts that have stopped answering.
    pub unresponsive_hosts: Vec<String>,
}

/// What the work of this process cannot get at now.
pub type ReadConcerns = dyn Fn() -> Concerns + Send + Sync;

/// How browsers get photos and overlays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Pictures {
    /// From this server.
    #[default]
    Bytes,
    /// From the blob store, under addresses that this server signs for a while: those of one of these origins.
    Links(Vec<String>),
}

/// What the server answers from.
#[derive(Clone)]
pub struct Site {
    /// Inspections and heartbeats.
    pub records: Arc<dyn Records>,
    /// Results.
    pub blobs: Arc<dyn Blobs>,
    /// The bucket that results are written to.
    pub results_bucket: String,
    /// The state of the GPU lane.
    pub state: Arc<dyn StateStore>,
    /// The queues, each once.
    pub queues: Vec<(QueueName, Arc<dyn Queue>)>,
    /// Counts, jobs, parked messages.
    pub operations: Arc<dyn Operations>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// A worker whose last heartbeat is older is not counted.
    pub heartbeat_age_max: Duration,
    /// Version of the program.
    pub version: &'static str,
    /// Resident memory of this process, in bytes.
    pub resident_bytes: fn() -> u64,
    /// Health of the work that this process does beside answering, where it does any.
    pub stalled_for: Option<Arc<StalledFor>>,
    /// What that work cannot get at.
    pub concerns: Option<Arc<ReadConcerns>>,
    /// What only people need: photos, who reviews. None where the console is not offered.
    pub people: Option<People>,
    /// How people sign in; without it, whoever reaches the server on loopback may do everything, and nobody may beyond.
    pub sign_in: Option<Arc<SignIn>>,
    /// How browsers get pictures.
    pub pictures: Pictures,
    /// Whether it listens on loopback only. Without sign-in only loopback names are answered to then.
    pub loopback_only: bool,
}
