//! What a process has in flight, whether any of it ends, and a device that never answers again.

use crate::context::Context;
use crate::trace::CoverageEvent;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The work of one life of one process.
#[derive(Default)]
pub(crate) struct Work {
    device_hung: AtomicBool,
    counts: Mutex<Counts>,
}

#[derive(Default)]
struct Counts {
    in_flight: usize,
    last_end: Duration,
}

impl Work {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the device hangs, by now or since before.
    pub(crate) fn device_hangs(&self, context: &Context) -> bool {
        let hung = self.device_hung.load(Ordering::Relaxed);
        if !hung && context.chance(context.plan.rates.device_hangs) {
            context.count(CoverageEvent::DeviceHung);
            self.device_hung.store(true, Ordering::Relaxed);
            return true;
        }
        hung
    }

    /// Notes that work on a message begins.
    pub(crate) fn begins(&self, now: Duration) {
        let mut counts = self.counts();
        if counts.in_flight == 0 {
            counts.last_end = now;
        }
        counts.in_flight += 1;
    }

    /// Notes that work on a message has ended, or was cut off.
    pub(crate) fn ends(&self, now: Duration) {
        let mut counts = self.counts();
        counts.in_flight -= 1;
        counts.last_end = now;
    }

    /// For how long there has been work, and none of it ended.
    pub(crate) fn without_progress(&self, now: Duration) -> Duration {
        let counts = self.counts();
        match counts.in_flight {
            0 => Duration::ZERO,
            _ => now - counts.last_end,
        }
    }
}
