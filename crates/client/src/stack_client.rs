//! A stack as its clients see it.

use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use walkaround_bootstrap::Failure;
use walkaround_domain::BundleId;
use walkaround_pipeline::review::ReviewService;
use walkaround_ports::{Blobs, Clock, Operations, Publisher, Queue, QueueName, Records, StateStore};
use walkaround_settings::Settings;

/// How often a stack may be asked, and how far.
#[derive(Debug, Clone, Copy)]
pub struct PollIntervals {
    /// Between two checks for results that found nothing new.
    pub results: Duration,
    /// Between two checks of parked messages.
    pub parked: Duration,
    /// Between two checks of `status --watch`.
    pub status: Duration,
    /// Most records that one listing reads.
    pub records_max: usize,
    /// How far the stack's clock may be behind this machine's.
    pub clock_slack: Duration,
}

/// A stack. What a command does not need is not asked for: a name that is not set is only missed where it is used.
#[async_trait]
pub trait StackClient: Send + Sync {
    /// `local` or `aws`.
    fn name(&self) -> &'static str;

    /// What it runs with.
    fn settings(&self) -> &Settings;

    /// Its clock.
    fn clock(&self) -> Arc<dyn Clock>;

    /// How often it may be asked.
    fn poll_intervals(&self) -> PollIntervals;

    /// A queue of messages.
    fn queue(&self, queue: QueueName) -> Result<Arc<dyn Queue>, Failure>;

    /// Records of inspections.
    fn records(&self) -> Result<Arc<dyn Records>, Failure>;

    /// Where events go.
    fn publisher(&self) -> Result<Arc<dyn Publisher>, Failure>;

    /// What people do about inspections. Where there is no topic, only what has to publish fails (`Invalid`, port `settings`).
    fn reviews(&self) -> Result<ReviewService, Failure>;

    /// Small documents, the state of the GPU lane among them.
    fn state(&self) -> Result<Arc<dyn StateStore>, Failure>;

    /// The active version in the registry of bundles; none on a stack whose bundles are folders.
    async fn active_bundle(&self) -> Result<Option<BundleId>, Failure>;

    /// Makes a version of the registry the active one, where there is a registry.
    async fn activate_bundle(&self, bundle: &BundleId) -> Result<(), Failure>;

    /// Photos, reports and overlays.
    fn blobs(&self) -> Arc<dyn Blobs>;

    /// Parked messages, counts, jobs, addresses.
    fn operations(&self) -> Arc<dyn Operations>;

    /// Why nothing takes photos from the intake queue, as a clause; none where something does, or where it cannot be known.
    async fn consumer_problem(&self) -> Option<String>;

    /// What those who read the intake queue cannot get at, a line each (a drop folder, photo hosts), as far as the stack knows.
    async fn concerns(&self) -> Vec<String>;
}
