//! A worker's heartbeat as a document.

use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::request::moment;
use crate::{Unreadable, v1};
use walkaround_domain::{BundleId, Timestamp};

/// What a worker is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum WorkerState {
    /// Fetching the bundle, building sessions, testing itself.
    Starting,
    /// Waiting for photos.
    Idle,
    /// Looking at photos.
    Working,
    /// Asked to end: finishing what it has.
    Draining,
}

impl WorkerState {
    /// Every state.
    pub const ALL: [Self; 4] = [Self::Starting, Self::Idle, Self::Working, Self::Draining];

    /// The state that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Working => "working",
            Self::Draining => "draining",
        }
    }
}

/// A worker's heartbeat.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatDocument {
    /// Name of the worker: the Batch job id, or a name of its own.
    pub worker: String,
    /// When it was sent, by the worker's clock.
    pub at: Timestamp,
    /// When the worker started.
    pub started_at: Timestamp,
    /// What it is at.
    pub state: WorkerState,
    /// Where the networks run: cpu, cuda, ...
    pub device: String,
    /// The machine.
    pub host: String,
    /// The bundle that is loaded; empty before.
    pub bundle: BundleId,
    /// Photos settled since the start.
    pub photos_done: u32,
    /// Photos that failed for good since the start.
    pub photos_failed: u32,
    /// Photos settled per second, over the last minute.
    pub photos_per_second: f64,
    /// Resident memory.
    pub memory_bytes: u64,
    /// Photos received and not yet settled.
    pub in_flight: u32,
    /// When a photo was settled last, or the queue was empty with nothing in flight; unknown for a worker of an older
    /// version.
    pub progressed_at: Option<Timestamp>,
}

/// The document of a heartbeat.
pub fn heartbeat_body(beat: &HeartbeatDocument) -> String {
    to_text(&v1::Heartbeat::from(beat))
}

/// Reads the document of a heartbeat.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_heartbeat(body: &str) -> Result<HeartbeatDocument, Unreadable> {
    from_text::<v1::Heartbeat>(body)?.try_into()
}

impl From<&HeartbeatDocument> for v1::Heartbeat {
    fn from(beat: &HeartbeatDocument) -> Self {
        Self {
            version: VERSION,
            worker: beat.worker.clone(),
            at: Some(beat.at.into()),
            started_at: Some(beat.started_at.into()),
            state: beat.state.as_str().to_owned(),
            device: beat.device.clone(),
            host: beat.host.clone(),
            bundle: Some((&beat.bundle).into()),
            photos_done: beat.photos_done,
            photos_failed: beat.photos_failed,
            photos_per_second: finite(beat.photos_per_second),
            memory_bytes: beat.memory_bytes as f64,
            in_flight: beat.in_flight,
            progressed_at: beat.progressed_at.map(Into::into),
        }
    }
}

impl TryFrom<v1::Heartbeat> for HeartbeatDocument {
    type Error = Unreadable;

    fn try_from(wire: v1::Heartbeat) -> Result<Self, Unreadable> {
        check_version(u64::from(wire.version))?;
        let state = WorkerState::parse(&wire.state)
            .ok_or_else(|| Unreadable::new("state: expected starting, idle, working or draining"))?;
        let at = moment("at", wire.at)?.ok_or_else(|| Unreadable::new("at: missing"))?;
        Ok(Self {
            worker: wire.worker,
            at,
            started_at: moment("started_at", wire.started_at)?.unwrap_or(at),
            state,
            device: wire.device,
            host: wire.host,
            bundle: wire.bundle.unwrap_or_default().into(),
            photos_done: wire.photos_done,
            photos_failed: wire.photos_failed,
            photos_per_second: wire.photos_per_second,
            // A cast keeps within range: below zero and NaN become 0.
            memory_bytes: wire.memory_bytes as u64,
            in_flight: wire.in_flight,
            progressed_at: moment("progressed_at", wire.progressed_at)?,
        })
    }
}
