//! The GPU lane as the scaler saw it last, and whether photos can count on it.
//!
//! The scaler writes a [`LaneState`] at each of its ticks; triage reads it and nothing else. The state holds moments,
//! [`GpuLane`] the time that has passed since them, so that routing stays free of clocks.

use crate::scaling::BackOff;
use crate::time::Timestamp;
use std::time::Duration;

/// A state older than this many ticks of the scaler says nothing any more: the scaler may be dead.
pub const TICKS_MISSED_MAX: u32 = 4;
/// Most photos that one tick of the scaler returns from the lane to the intake queue.
pub const TAKE_BACK_MAX: usize = 1000;
/// A photo that triage sent to the lane again is not returned before this has passed.
pub const TAKE_BACK_AGAIN_AFTER: Duration = Duration::from_secs(15 * 60);
/// Never younger than this: a tick on a busy machine takes its time.
const AGE_MIN: Duration = Duration::from_secs(30);
/// A lane whose first worker takes longer than this many cold starts is not counted on.
const COLD_STARTS_MAX: u32 = 2;
/// Never earlier than this: on one machine a cold start takes seconds, more when it is busy.
const LATE_MIN: Duration = Duration::from_secs(60);

/// A longer cold start was measured by a clock that jumped.
const COLD_START_MAX: Duration = Duration::from_secs(3600);
/// Weight of one start in the running mean.
const COLD_START_WEIGHT: f64 = 0.3;

/// What the scaler saw at a tick.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LaneState {
    /// When, by the scaler's clock.
    pub at: Timestamp,
    /// Most workers that it may start; 0 when the lane is closed.
    pub workers_max: u32,
    /// Running workers with a recent heartbeat.
    pub live: u32,
    /// Workers that were asked for and have no heartbeat yet.
    pub starting: u32,
    /// Since when a worker is wanted and none is live: the oldest start that has not come.
    pub awaited_since: Option<Timestamp>,
    /// Photos that wait for the lane or are in flight in it.
    pub backlog: u64,
    /// Photos a second of one worker, once measured.
    pub rate_per_worker: Option<f64>,
    /// From asking for a worker to its first heartbeat, once measured; a running mean.
    pub cold_start: Option<Duration>,
    /// Workers die at their start.
    pub back_off: Option<BackOff>,
    /// The scaler's own memory: starts that have not had a heartbeat yet, and workers without one for too long.
    pub memory: ScalerMemory,
}

/// What the scaler remembers from tick to tick, as each may run in another process.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScalerMemory {
    /// Workers that were asked for, and when.
    pub asked_for: Vec<(String, Timestamp)>,
    /// Workers that are to be ended unless a heartbeat comes, and since when.
    pub unresponsive: Vec<(String, Timestamp)>,
}

/// The GPU lane as routing sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct GpuLane {
    /// Most workers that may run; 0 when the lane is closed.
    pub workers_max: u32,
    /// Workers that are running.
    pub live: u32,
    /// Workers that were asked for and do not run yet.
    pub starting: u32,
    /// For how long a worker has been wanted while none runs.
    pub awaited_for: Option<Duration>,
    /// Photos that wait for the lane or are being inspected in it.
    pub backlog: u64,
    /// Photos a second of one worker; measured, or the policy's guess until it is.
    pub rate_per_worker: f64,
    /// From asking for a worker to its first heartbeat, once measured.
    pub cold_start: Option<Duration>,
    /// Starts that failed in a row and time until the next try, while starts are held back.
    pub back_off: Option<(u32, Duration)>,
}

/// Why photos cannot count on the lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneOutage {
    /// No worker may run.
    Closed,
    /// Workers die at their start.
    StartsFail {
        /// In a row.
        failures: u32,
        /// Until the next try.
        next_try: Duration,
    },
    /// A worker was asked for this long ago, and none runs.
    DoesNotCome {
        /// Since the start was asked for.
        waited: Duration,
    },
}

impl LaneState {
    /// The lane at `now`. `rate_guess` stands until a rate is measured.
    pub fn seen(&self, now: Timestamp, rate_guess: f64) -> GpuLane {
        GpuLane {
            workers_max: self.workers_max,
            live: self.live,
            starting: self.starting,
            awaited_for: self.awaited_since.map(|since| now.since(since)),
            backlog: self.backlog,
            rate_per_worker: self.rate_per_worker.unwrap_or(rate_guess),
            cold_start: self.cold_start,
            back_off: self.back_off.map(|b| (b.failures, b.until.since(now))),
        }
    }

    /// Since when a worker is wanted and none is live, at the tick after this state; none unless it is `awaited` then.
    pub fn awaited_from(&self, now: Timestamp, awaited: bool) -> Option<Timestamp> {
        awaited.then(|| self.awaited_since.map_or(now, |since| since.min(now)))
    }

    /// Whether it still says something at `now`, where the scaler ticks every `tick`. A state from far ahead says
    /// nothing either: a clock was wrong.
    pub fn is_fresh(&self, now: Timestamp, tick: Duration) -> bool {
        let age_max = (tick * TICKS_MISSED_MAX).max(AGE_MIN);
        now.since(self.at) <= age_max && self.at.since(now) <= age_max
    }
}

impl GpuLane {
    /// The longer of the cold start that was measured and the one that is assumed.
    pub fn cold_start_or(&self, assumed: Duration) -> Duration {
        self.cold_start.map_or(assumed, |measured| measured.max(assumed))
    }

    /// Time until the first worker runs, judged from how long it has been waited for: the rest of a cold start, and
    /// once that is over as long again as it has taken, as nobody knows why.
    pub fn until_first(&self, cold_start: Duration) -> Duration {
        let cold_start = self.cold_start_or(cold_start);
        let waited = self.awaited_for.unwrap_or_default();
        if waited < cold_start {
            cold_start - waited
        } else {
            waited
        }
    }

    /// Why no photo should wait for the lane; none while one may.
    pub fn outage(&self, cold_start: Duration) -> Option<LaneOutage> {
        if self.workers_max == 0 {
            return Some(LaneOutage::Closed);
        }
        if self.live > 0 {
            return None;
        }
        if let Some((failures, next_try)) = self.back_off {
            return Some(LaneOutage::StartsFail { failures, next_try });
        }
        let late = (self.cold_start_or(cold_start) * COLD_STARTS_MAX).max(LATE_MIN);
        self.awaited_for
            .filter(|waited| *waited > late)
            .map(|waited| LaneOutage::DoesNotCome { waited })
    }

    /// Whether photos that are in the lane already are better taken back: nobody works on them, and nobody will soon.
    pub fn strands_photos(&self, cold_start: Duration) -> bool {
        self.live == 0 && self.outage(cold_start).is_some()
    }
}

/// The running mean of cold starts with one start more.
pub fn cold_start_mean(before: Option<Duration>, start: Duration) -> Option<Duration> {
    if start > COLD_START_MAX {
        return before;
    }
    let mean = before.map_or(start, |mean| {
        mean.mul_f64(1.0 - COLD_START_WEIGHT) + start.mul_f64(COLD_START_WEIGHT)
    });
    Some(mean)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COLD: Duration = Duration::from_secs(240);

    fn waiting(seconds: u64) -> GpuLane {
        let state = LaneState {
            at: Timestamp(10_000_000),
            workers_max: 3,
            starting: 1,
            awaited_since: Some(Timestamp(10_000_000)),
            ..LaneState::default()
        };
        state.seen(Timestamp(10_000_000) + Duration::from_secs(seconds), 5.0)
    }

    #[test]
    fn the_time_to_the_first_worker_shrinks_within_a_cold_start_and_grows_after_it() {
        let until = |s| waiting(s).until_first(COLD).as_secs();
        assert_eq!((until(0), until(100), until(239)), (240, 140, 1));
        assert_eq!((until(240), until(1000)), (240, 1000));
        let slow = GpuLane {
            cold_start: Some(COLD * 2),
            ..waiting(300)
        };
        assert_eq!(
            slow.until_first(COLD),
            Duration::from_secs(180),
            "the measured one counts"
        );
    }

    #[test]
    fn a_lane_that_does_not_come_is_out_and_a_live_one_never_is() {
        assert_eq!(waiting(480).outage(COLD), None);
        let waited = Duration::from_secs(481);
        assert_eq!(
            waiting(481).outage(COLD),
            Some(LaneOutage::DoesNotCome { waited })
        );
        assert!(waiting(481).strands_photos(COLD));
        assert_eq!(
            GpuLane {
                live: 1,
                ..waiting(9999)
            }
            .outage(COLD),
            None
        );
        let short = Duration::from_secs(3);
        assert_eq!(waiting(59).outage(short), None, "a busy machine");
    }

    #[test]
    fn a_closed_lane_and_one_whose_workers_die_are_out_at_once() {
        let closed = GpuLane {
            workers_max: 0,
            ..waiting(0)
        };
        assert_eq!(closed.outage(COLD), Some(LaneOutage::Closed));
        let last = GpuLane { live: 1, ..closed };
        assert!(!last.strands_photos(COLD), "its last workers finish");
        let next_try = Duration::from_secs(90);
        let dying = GpuLane {
            back_off: Some((2, next_try)),
            ..waiting(0)
        };
        assert_eq!(
            dying.outage(COLD),
            Some(LaneOutage::StartsFail {
                failures: 2,
                next_try
            })
        );
    }

    #[test]
    fn a_state_says_nothing_when_its_scaler_is_silent_or_its_clock_was_wrong() {
        let state = LaneState {
            at: Timestamp(10_000_000),
            ..LaneState::default()
        };
        let tick = Duration::from_secs(60);
        assert!(state.is_fresh(Timestamp(10_000_000) + tick * 4, tick));
        assert!(!state.is_fresh(Timestamp(10_000_001) + tick * 4, tick));
        assert!(!state.is_fresh(Timestamp(10_000_000) - tick * 60, tick));
    }
}
