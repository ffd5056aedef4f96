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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_minute_and_is_believed_after_some_photos() {
        let mut window = RateWindow::default();
        let rates: Vec<f64> = (0..8)
            .map(|beat| window.heartbeat(Duration::from_secs(15 * beat), 30 * beat.min(4)))
            .collect();
        assert_eq!(rates[..5], [0.0, 2.0, 2.0, 2.0, 2.0]);
        assert_eq!(rates[7], 0.5, "30 photos in the last 60 s");
        assert_eq!(believed_rate(9, 2.0), None);
        assert_eq!(believed_rate(10, 2.0), Some(2.0));
        assert_eq!(believed_rate(10, 0.0), None);
    }
}
