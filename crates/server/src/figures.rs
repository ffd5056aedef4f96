//! Figures of what people decided through this process: since its start, and of its last day.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use walkaround_domain::Timestamp;

/// Decisions whose times are remembered: more than a team makes in a day.
const REMEMBERED_MAX: usize = 20_000;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// What was decided.
#[derive(Debug, Default)]
pub(super) struct ReviewFigures(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    totals: BTreeMap<&'static str, u64>,
    /// When, and how long the task had waited, where there was one.
    recent: VecDeque<(Timestamp, Option<Duration>)>,
}

/// The figures at one moment.
#[derive(Debug, Default, PartialEq)]
pub(super) struct ReviewReading {
    /// Decisions since the start, by kind.
    pub(super) totals: BTreeMap<&'static str, u64>,
    /// Decisions of the last 24 hours.
    pub(super) last_day: usize,
    /// Median time that their tasks had waited; none where no task had.
    pub(super) wait_median: Option<Duration>,
}

impl ReviewFigures {
    /// Counts a decision of this kind.
    pub(super) fn count(&self, kind: &'static str, at: Timestamp, waited: Option<Duration>) {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *inner.totals.entry(kind).or_default() += 1;
        if inner.recent.len() >= REMEMBERED_MAX {
            inner.recent.pop_front();
        }
        inner.recent.push_back((at, waited));
    }

    pub(super) fn read(&self, now: Timestamp) -> ReviewReading {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.recent.retain(|(at, _)| now.since(*at) < DAY);
        let mut waits: Vec<Duration> = inner.recent.iter().filter_map(|(_, waited)| *waited).collect();
        waits.sort_unstable();
        ReviewReading {
            totals: inner.totals.clone(),
            last_day: inner.recent.len(),
            wait_median: waits.get(waits.len() / 2).copied(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{DAY, ReviewFigures, ReviewReading};
    use std::collections::BTreeMap;
    use std::time::Duration;
    use walkaround_domain::Timestamp;

    #[test]
    fn a_day_is_counted_and_forgotten() {
        let figures = ReviewFigures::default();
        let start = Timestamp(1_795_000_000_000);
        for (nth, waited) in [Some(30), None, Some(10), Some(20)].into_iter().enumerate() {
            let at = start + Duration::from_secs(nth as u64);
            figures.count("confirm", at, waited.map(Duration::from_secs));
        }
        let read = figures.read(start + Duration::from_secs(60));
        assert_eq!(read.totals, BTreeMap::from([("confirm", 4)]));
        assert_eq!(
            (read.last_day, read.wait_median),
            (4, Some(Duration::from_secs(20)))
        );
        let later = figures.read(start + DAY + Duration::from_secs(60));
        let expected = ReviewReading {
            totals: BTreeMap::from([("confirm", 4)]),
            ..ReviewReading::default()
        };
        assert_eq!(later, expected);
    }
}
