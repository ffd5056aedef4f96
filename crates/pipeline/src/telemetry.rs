//! What the pipeline tells of its work as it happens, for metrics. Nothing depends on who listens.

use std::collections::BTreeMap;
use walkaround_domain::{BundleId, FailureCode, Lane, ReasonCode, Verdict};
use walkaround_messages::NoPhoto;

/// Something that happened to one message or photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum PipelineEvent<'a> {
    /// A photo was looked at, stored and published.
    Settled(&'a Settled),
    /// A photo was recorded as failed.
    Failed(FailureCode),
    /// A photo was sent to the GPU lane.
    SentToGpu,
    /// A message went back to its queue, to be tried again.
    Returned,
    /// A message was parked.
    Parked,
    /// A message, or a record of one, asks for no photo: it is acknowledged.
    NoPhoto(NoPhoto),
}

/// A settled photo.
#[derive(Debug, Clone, PartialEq)]
pub struct Settled {
    /// What was found.
    pub verdict: Verdict,
    /// Why it is unusable; empty when it is not.
    pub reasons: Vec<ReasonCode>,
    /// Where the segmentation happened; none when none was needed.
    pub lane: Option<Lane>,
    /// The bundle whose networks ran.
    pub bundle: BundleId,
    /// Milliseconds by stage, as on the record.
    pub timings_ms: BTreeMap<String, f64>,
    /// Size of the photo's file.
    pub photo_bytes: u64,
}

/// Listens.
pub trait Telemetry: Send + Sync {
    /// Takes note; returns at once.
    fn record(&self, happened: PipelineEvent<'_>);
}

/// Listens to nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoopTelemetry;

impl Telemetry for NoopTelemetry {
    fn record(&self, _: PipelineEvent<'_>) {}
}
