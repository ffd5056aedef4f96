//! The rate of a worker: measured over a window, and believed once it has done enough.

use std::collections::VecDeque;
use std::time::Duration;

/// Throughput is measured over this long.
pub const RATE_WINDOW: Duration = Duration::from_secs(60);
/// Photos that a worker must have done before its rate counts.
pub const RATE_PHOTOS_MIN: u32 = 10;

/// Photos of one worker at its last heartbeats.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RateWindow {
    counts: VecDeque<Count>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Count {
    at: Duration,
    done: u64,
}

impl RateWindow {
    /// Photos a second over the window, at a heartbeat with `done` photos in all.
    pub fn heartbeat(&mut self, now: Duration, done: u64) -> f64 {
        self.counts.push_back(Count { at: now, done });
        let old = |count: &Count| now.saturating_sub(count.at) > RATE_WINDOW;
        while self.counts.len() > 2 && self.counts.front().is_some_and(old) {
            self.counts.pop_front();
        }
        let Some(first) = self.counts.front() else {
            return 0.0;
        };
        let span = now.saturating_sub(first.at).as_secs_f64();
        if span > 0.0 {
            done.saturating_sub(first.done) as f64 / span
        } else {
            0.0
        }
    }
}

/// The rate of a heartbeat, if its worker has done enough photos to believe it.
pub fn believed_rate(photos_done: u32, photos_per_second: f64) -> Option<f64> {
    (photos_done >= RATE_PHOTOS_MIN && photos_per_second > 0.0).then_some(photos_per_second)
}
