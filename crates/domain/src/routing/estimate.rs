//! The load as one process estimates it: its last reading of queue and lane, and what it did since.

use super::Load;
use crate::lane::{GpuLane, LaneState};
use crate::time::Timestamp;
use std::time::Duration;

/// Weight of one photo in the running share of suspects.
const SUSPECT_WEIGHT: f64 = 0.02;
/// Half until something is known: the first burst of a fleet should not be underestimated.
const SUSPECTS_UNKNOWN: f64 = 0.5;

/// What an estimate is judged by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EstimateBounds {
    /// Most workers of the GPU lane, where that is less than in the scaler's state: 0 closes it.
    pub workers_max: u32,
    /// Photos a second of one worker until the scaler has measured it.
    pub rate_guess: f64,
    /// Time between two ticks of the scaler. A lane whose state is older than a few of them is unknown.
    pub scale_every: Duration,
}

/// What one process knows of the load.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LoadEstimate {
    /// Photos in the intake queue at the last reading.
    intake: u64,
    /// The scaler's state at the last reading.
    lane: Option<LaneState>,
    /// Photos sent to the lane since its state was written, as far as this process knows.
    sent: u64,
    /// Share of photos that the gate suspects, as a running mean.
    suspects: Option<f64>,
}

impl LoadEstimate {
    /// Takes over a reading.
    pub fn read(&mut self, intake: u64, lane: Option<LaneState>) {
        self.intake = intake;
        // Photos sent before the state was written are in its backlog.
        if lane.as_ref().map(|l| l.at) != self.lane.as_ref().map(|l| l.at) {
            self.sent = 0;
        }
        self.lane = lane;
    }

    /// Records the output of a gate, for the share of suspects.
    pub fn saw(&mut self, suspect: bool) {
        let now = if suspect { 1.0 } else { 0.0 };
        let mean = self.suspects.unwrap_or(SUSPECTS_UNKNOWN);
        self.suspects = Some(mean + SUSPECT_WEIGHT * (now - mean));
    }

    /// Records that a photo was sent to the GPU lane.
    pub fn sent(&mut self) {
        self.sent += 1;
    }

    /// The load at `now`.
    pub fn load(&self, now: Timestamp, bounds: &EstimateBounds) -> Load {
        let burst = (self.intake as f64 * self.suspects.unwrap_or(SUSPECTS_UNKNOWN)) as u64;
        let fresh = |lane: &&LaneState| lane.is_fresh(now, bounds.scale_every);
        let closed = LaneState::default();
        let lane = match bounds.workers_max {
            0 => Some(&closed),
            _ => self.lane.as_ref().filter(fresh),
        };
        let gpu = lane.map(|lane| lane.seen(now, bounds.rate_guess));
        Load {
            burst: burst + 1,
            gpu: gpu.map(|gpu| GpuLane {
                workers_max: gpu.workers_max.min(bounds.workers_max),
                backlog: gpu.backlog + self.sent,
                ..gpu
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(10_000_000);
    const BOUNDS: EstimateBounds = EstimateBounds {
        workers_max: 3,
        rate_guess: 5.0,
        scale_every: Duration::from_secs(60),
    };

    fn state(at: Timestamp, backlog: u64) -> LaneState {
        LaneState {
            at,
            workers_max: 14,
            backlog,
            ..LaneState::default()
        }
    }

    #[test]
    fn a_burst_is_the_queue_times_the_share_of_suspects() {
        let mut estimate = LoadEstimate::default();
        estimate.read(100, None);
        assert_eq!(
            estimate.load(NOW, &BOUNDS).burst,
            51,
            "half until something is known"
        );
        (0..1_000).for_each(|_| estimate.saw(false));
        assert_eq!(estimate.load(NOW, &BOUNDS).burst, 1);
        assert_eq!(estimate.load(NOW, &BOUNDS).gpu, None);
    }

    #[test]
    fn photos_that_were_sent_count_until_a_newer_state_has_them() {
        let mut estimate = LoadEstimate::default();
        estimate.read(0, Some(state(NOW, 7)));
        estimate.sent();
        estimate.sent();
        let gpu = |estimate: &LoadEstimate, now| estimate.load(now, &BOUNDS).gpu;
        let seen = gpu(&estimate, NOW).expect("a fresh state");
        assert_eq!((seen.backlog, seen.workers_max), (9, 3));
        estimate.read(0, Some(state(NOW, 7)));
        assert_eq!(
            gpu(&estimate, NOW).map(|gpu| gpu.backlog),
            Some(9),
            "the same state"
        );
        let later = NOW + Duration::from_secs(60);
        estimate.read(0, Some(state(later, 8)));
        assert_eq!(gpu(&estimate, later).map(|gpu| gpu.backlog), Some(8));
        assert_eq!(
            gpu(&estimate, later + Duration::from_secs(241)),
            None,
            "an old state"
        );
        let closed = EstimateBounds {
            workers_max: 0,
            ..BOUNDS
        };
        let gpu = estimate.load(later, &closed).gpu;
        assert_eq!(gpu.map(|gpu| gpu.workers_max), Some(0));
    }
}
