//! What happens on a simulated day, counted, and its state minute by minute.

/// What happened, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Photos that got their verdict.
    pub settled: u64,
    /// Photos segmented inline, or on their way there at the end.
    pub inline: u64,
    /// Photos of the GPU lane, by their last route.
    pub gpu: u64,
    /// Photos that workers segmented.
    pub on_gpu: u64,
    /// Photos screened by triage; one that was taken back counts again.
    pub screenings: u64,
    /// Messages sent to the GPU lane.
    pub sent_to_lane: u64,
    /// Messages returned from the GPU lane to the intake queue.
    pub taken_back: u64,
    /// Invocations of triage.
    pub invocations: u64,
    /// Their billed time in milliseconds.
    pub billed_ms: u64,
    /// Readings of the lane by triage.
    pub lane_reads: u64,
    /// Runs of the scaler.
    pub ticks: u64,
    /// Heartbeats of workers.
    pub heartbeats: u64,
    /// Workers asked for.
    pub starts: u64,
    /// Spot instances reclaimed.
    pub reclaimed: u64,
    /// Milliseconds of Spot instances, from launch to end.
    pub spot_ms: u64,
    /// Milliseconds of instances on demand.
    pub ondemand_ms: u64,
}

/// The state at the end of a minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Minute {
    /// Photos in the intake queue.
    pub intake: u64,
    /// Photos that wait in the GPU lane.
    pub lane: u64,
    /// Workers that are ready.
    pub workers: u32,
    /// Workers that were asked for and are not ready.
    pub starting: u32,
    /// Instances that are paid for.
    pub instances: u32,
    /// Invocations of triage that run.
    pub invocations: u32,
}
