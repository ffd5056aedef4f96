//! How many GPU workers there should be, and how many may be started now.
//!
//! By level, not by event: backlog, age and measured rate give a need; the caller starts the difference to what
//! lives. Workers end by themselves when they are idle, so nothing here keeps or ends any. Workers that die at their
//! start are not started again at once: see [`back_off`].

mod back_off;
mod rate;

pub use back_off::{BackOff, BackOffPolicy, EndedWorker, ReadyWorker, WorkerEnd, back_off, starts_allowed};
pub use rate::{RATE_PHOTOS_MIN, RATE_WINDOW, RateWindow, believed_rate};

use crate::time::Timestamp;
use std::time::Duration;

/// What waits for the workers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Backlog {
    /// Photos ready or delayed.
    pub waiting: u64,
    /// Photos leased by workers.
    pub in_flight: u64,
    /// Age of the oldest waiting photo, where known.
    pub oldest_age: Option<Duration>,
}

/// The workers there are.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Fleet {
    /// Workers that run or were asked for.
    pub live: u32,
    /// Photos a second of one worker, where measured.
    pub rate_per_worker: Option<f64>,
}

/// Bounds of the fleet.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScalingPolicy {
    /// Fewest workers, also without work.
    pub workers_min: u32,
    /// Most workers.
    pub workers_max: u32,
    /// A backlog should be gone within this time.
    pub drain_target: Duration,
    /// An oldest photo above this age asks for one worker more than there are.
    pub age_max: Duration,
    /// Assumed photos a second of one worker until it is measured.
    pub rate_guess: f64,
}

impl Default for ScalingPolicy {
    fn default() -> Self {
        Self {
            workers_min: 0,
            workers_max: 14,
            drain_target: Duration::from_secs(600),
            age_max: Duration::from_secs(900),
            rate_guess: 10.0,
        }
    }
}

/// Workers that the backlog asks for, within the policy's bounds.
pub fn desired_workers(backlog: &Backlog, fleet: &Fleet, policy: &ScalingPolicy) -> u32 {
    let photos = backlog.waiting.saturating_add(backlog.in_flight);
    if photos == 0 {
        return policy.workers_min.min(policy.workers_max);
    }
    let rate = fleet
        .rate_per_worker
        .filter(|r| *r > 0.0)
        .unwrap_or(policy.rate_guess)
        .max(0.01);
    let drained_by_one = rate * policy.drain_target.as_secs_f64().max(1.0);
    // A float beyond u32 saturates, which is what the clamp below wants.
    let by_backlog = (photos as f64 / drained_by_one).ceil().max(1.0) as u32;
    let late = backlog.waiting > 0 && backlog.oldest_age.is_some_and(|age| age > policy.age_max);
    let by_age = if late { fleet.live.saturating_add(1) } else { 0 };
    // More workers than photos would idle.
    let useful = u32::try_from(photos).unwrap_or(u32::MAX);
    by_backlog
        .max(by_age)
        .min(useful)
        .max(policy.workers_min)
        .min(policy.workers_max)
}

/// A running worker. Workers are ordered by their start, then by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RunningWorker<'a> {
    /// When it started.
    pub started_at: Timestamp,
    /// Its name.
    pub name: &'a str,
}

/// Whether an idle worker keeps running: the `workers_min` workers that started first do. Every worker computes the same
/// answer from the same list, so that two that are idle at once do not both exit. `running` may or may not include `me`.
pub fn stays(me: RunningWorker<'_>, running: &[RunningWorker<'_>], workers_min: u32) -> bool {
    let before = running
        .iter()
        .filter(|other| other.name != me.name && **other < me);
    u32::try_from(before.count()).unwrap_or(u32::MAX) < workers_min
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exactly_the_fewest_workers_stay_whoever_asks() {
        let worker = |at, name| RunningWorker {
            started_at: Timestamp(at),
            name,
        };
        let there = [worker(7, "d"), worker(3, "b"), worker(3, "a"), worker(9, "c")];
        for min in 0..6u32 {
            let staying: Vec<&str> = there
                .iter()
                .filter(|me| stays(**me, &there, min))
                .map(|worker| worker.name)
                .collect();
            assert_eq!(
                staying.len(),
                usize::try_from(min.min(4)).unwrap(),
                "{min}: {staying:?}"
            );
        }
        assert!(stays(worker(3, "a"), &there, 1), "the first that started");
        // One that others do not see yet counts itself.
        assert!(stays(worker(1, "e"), &there, 1) && !stays(worker(8, "e"), &there, 3));
        assert!(stays(worker(8, "e"), &[], 1) && !stays(worker(8, "e"), &[], 0));
    }

    fn policy() -> ScalingPolicy {
        ScalingPolicy {
            drain_target: Duration::from_secs(100),
            rate_guess: 10.0,
            ..ScalingPolicy::default()
        }
    }

    fn ask(waiting: u64, in_flight: u64, age: u64, fleet: Fleet) -> u32 {
        let backlog = Backlog {
            waiting,
            in_flight,
            oldest_age: Some(Duration::from_secs(age)),
        };
        desired_workers(&backlog, &fleet, &policy())
    }

    #[test]
    #[allow(clippy::too_many_lines, reason = "a table, one case a line or two")]
    fn table_of_cases() {
        let none = Fleet::default();
        let live = |live| Fleet { live, ..none };
        let cases: &[(&str, u32, u32)] = &[
            ("nothing to do", ask(0, 0, 0, none), 0),
            ("one photo", ask(1, 0, 0, none), 1),
            ("in flight counts", ask(0, 1, 0, live(1)), 1),
            ("1,000 photos at 10/s drain in 100 s", ask(1000, 0, 0, none), 1),
            ("one more photo, one more worker", ask(1001, 0, 0, none), 2),
            ("never past the maximum", ask(1_000_000, 0, 0, none), 14),
            (
                "a slow measured rate asks for more",
                ask(
                    1000,
                    0,
                    0,
                    Fleet {
                        rate_per_worker: Some(2.0),
                        ..none
                    },
                ),
                5,
            ),
            (
                "old photos ask for one more than there are",
                ask(500, 0, 901, live(3)),
                4,
            ),
            ("but not past the maximum", ask(500, 0, 901, live(14)), 14),
            ("nor past the photos", ask(2, 0, 901, live(5)), 2),
            ("without work nothing is asked for", ask(0, 0, 0, live(5)), 0),
            (
                "a broken rate is not believed",
                ask(
                    1000,
                    0,
                    0,
                    Fleet {
                        rate_per_worker: Some(0.0),
                        ..none
                    },
                ),
                1,
            ),
        ];
        for (what, got, wanted) in cases {
            assert_eq!(got, wanted, "{what}");
        }
    }

    #[test]
    fn bounds_hold_for_any_load() {
        for waiting in [0, 1, 10, 1000, u64::MAX] {
            for live in [0, 1, 14, 200] {
                for (min, max) in [(0, 14), (2, 5), (3, 3), (0, 0), (9, 4)] {
                    let policy = ScalingPolicy {
                        workers_min: min,
                        workers_max: max,
                        ..policy()
                    };
                    let fleet = Fleet {
                        live,
                        rate_per_worker: None,
                    };
                    let backlog = Backlog {
                        waiting,
                        in_flight: 3,
                        oldest_age: None,
                    };
                    let n = desired_workers(&backlog, &fleet, &policy);
                    assert!(n <= max && n >= min.min(max), "{n} outside {min}..={max}");
                }
            }
        }
    }
}
