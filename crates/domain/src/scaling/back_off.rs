//! Workers that die at their start: how long to wait before the next one is tried.
//!
//! A worker costs a machine's start and resets the time after which idle machines go, so a bundle that cannot be used
//! or a missing driver must not start one after the other. After such ends one worker at a time is tried, and each try
//! that fails doubles the wait, up to a bound. A worker that gets ready ends the back-off.

use crate::time::Timestamp;
use std::time::Duration;

/// What the end of a worker says of the next one's chances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerEnd {
    /// Idle, drained, asked to end, its machine reclaimed, or at its time limit.
    Expected,
    /// Its exit code says that no worker can run like this: usage, no device, configuration.
    CannotStart,
    /// It ended itself because its engine failed every run.
    SickEngine,
    /// It was not ready once, and no exit code says why: killed, crashed, never started.
    NeverReady,
    /// Any other end of a worker that had been ready: nothing follows from one.
    Other,
}

/// A worker that ended lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EndedWorker {
    /// When.
    pub at: Timestamp,
    /// How.
    pub end: WorkerEnd,
}

/// A running worker with a recent heartbeat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadyWorker {
    /// When it became ready.
    pub ready_at: Timestamp,
    /// Whether it has settled a photo.
    pub has_worked: bool,
}

/// Starts are held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOff {
    /// Tries in a row that failed; 1 or more.
    pub failures: u32,
    /// The latest end that counted.
    pub last_end: Timestamp,
    /// The next worker is started then, one only.
    pub until: Timestamp,
}

/// Bounds of the back-off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackOffPolicy {
    /// Wait after the first failure; doubled after each further one.
    pub first: Duration,
    /// Longest wait.
    pub most: Duration,
    /// Ends longer ago say nothing.
    pub window: Duration,
    /// Workers that were never ready, within the window, before starts are held back for them alone. One may be a
    /// machine that was lost.
    pub never_ready_min: u32,
    /// Sick engines, within the window, before starts are held back for them, if they are most of the workers.
    pub sick_min: u32,
    /// A back-off after which nothing ended badly for so long is over.
    pub forget_after: Duration,
}

impl Default for BackOffPolicy {
    fn default() -> Self {
        Self {
            first: Duration::from_secs(2 * 60),
            most: Duration::from_secs(15 * 60),
            window: Duration::from_secs(10 * 60),
            never_ready_min: 3,
            sick_min: 2,
            forget_after: Duration::from_secs(3600),
        }
    }
}

/// The back-off from now on. `ended` may hold ends that were counted before, `ready` the workers that run well.
pub fn back_off(
    before: Option<&BackOff>,
    ended: &[EndedWorker],
    ready: &[ReadyWorker],
    now: Timestamp,
    policy: &BackOffPolicy,
) -> Option<BackOff> {
    let recent: Vec<&EndedWorker> = ended
        .iter()
        .filter(|e| now.since(e.at) <= policy.window && e.at.since(now) <= policy.window)
        .collect();
    // A clock that was ahead must not hide the ends that follow.
    let before = before.map(|b| match b.last_end.since(now) > policy.window {
        true => BackOff { last_end: now, ..*b },
        false => *b,
    });
    let sick = recent.iter().filter(|e| e.end == WorkerEnd::SickEngine).count();
    let worked = ready.iter().filter(|w| w.has_worked).count();
    // A faulty engine may be one card of many: it counts when most workers end so.
    let most_sick = sick >= policy.sick_min as usize && 2 * sick > recent.len() + worked;
    let mut bad: Vec<Timestamp> = recent
        .iter()
        .filter(|e| match e.end {
            WorkerEnd::CannotStart | WorkerEnd::NeverReady => true,
            WorkerEnd::SickEngine => most_sick,
            WorkerEnd::Expected | WorkerEnd::Other => false,
        })
        .filter(|e| before.is_none_or(|b| e.at > b.last_end))
        // What became ready after it shows that workers start again.
        .filter(|e| !recovered(e.at, most_sick, ready))
        .map(|e| e.at)
        .collect();
    bad.sort();
    match before {
        None => {
            let certain = recent
                .iter()
                .any(|e| e.end == WorkerEnd::CannotStart && !recovered(e.at, most_sick, ready));
            let enough = certain || most_sick || bad.len() >= policy.never_ready_min as usize;
            bad.last()
                .filter(|_| enough)
                .map(|last| failed(1, *last, now, policy))
        }
        Some(before) if recovered(before.last_end, most_sick, ready) && bad.is_empty() => None,
        Some(before) => match bad.last() {
            // Ends of workers that were started together are one failure; a try that fails is the next one.
            Some(last) => {
                let next = u32::from(*last >= before.until);
                Some(failed(before.failures.saturating_add(next), *last, now, policy))
            }
            None if now.since(before.until) > policy.forget_after => None,
            // Nor hold starts back for longer than the bound.
            None => Some(BackOff {
                until: before.until.min(now + policy.most),
                ..before
            }),
        },
    }
}

fn recovered(end: Timestamp, most_sick: bool, ready: &[ReadyWorker]) -> bool {
    ready
        .iter()
        .any(|w| w.ready_at > end && (w.has_worked || !most_sick))
}

fn failed(failures: u32, last_end: Timestamp, now: Timestamp, policy: &BackOffPolicy) -> BackOff {
    let doubled = 2u32.saturating_pow(failures.saturating_sub(1).min(16));
    let wait = policy.first.saturating_mul(doubled).min(policy.most);
    BackOff {
        failures,
        last_end,
        until: (last_end + wait).min(now + policy.most),
    }
}

/// How many of the `missing` workers may be started now, where `not_ready` were started and are not ready yet.
pub fn starts_allowed(back_off: Option<&BackOff>, missing: u32, not_ready: u32, now: Timestamp) -> u32 {
    match back_off {
        None => missing,
        Some(b) if now < b.until || not_ready > 0 => 0,
        Some(_) => missing.min(1),
    }
}

#[cfg(test)]
mod tests;
