//! Events of the pipeline, for metrics.

use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::{BundleId, FailureCode, Lane, ReasonCode, Verdict};
use walkaround_messages::NoPhoto;

/// Something that happened to one message or photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PipelineEvent<'a> {
    /// A result was stored and published.
    Settled(&'a Settled),
    /// A photo was recorded as failed.
    Failed(FailureCode),
    /// A photo was sent to the GPU lane.
    SentToGpu,
    /// A message was returned to its queue, to be redelivered.
    Returned,
    /// A message was parked.
    Parked,
    /// A message, or a record of one, names no photo: it is acknowledged.
    NoPhoto(NoPhoto),
    /// A person's decision was stored.
    Reviewed {
        /// Its kind.
        decision: &'static str,
        /// How long its task had been open, where there was one.
        waited: Option<Duration>,
    },
}

/// A settled photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is unusable; empty when it is not.
    pub reasons: Vec<ReasonCode>,
    /// The lane of the segmentation; none when none was needed.
    pub lane: Option<Lane>,
    /// The bundle whose networks ran.
    pub bundle: BundleId,
    /// Milliseconds by stage, as on the record.
    pub timings_ms: BTreeMap<String, f64>,
    /// Size of the photo's file.
    pub photo_bytes: u64,
}

/// Receives the events.
pub trait Telemetry: Send + Sync {
    /// Records an event; does not block.
    fn record(&self, event: PipelineEvent<'_>);
}

/// Ignores all events.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopTelemetry;

impl Telemetry for NoopTelemetry {
    fn record(&self, _: PipelineEvent<'_>) {}
}
