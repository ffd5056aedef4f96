//! What everything in a world shares: its chance, its time, its trace, and what has been found out.

use crate::facts::Facts;
use crate::injected_fault::InjectedFault;
use crate::invariant::{Invariant, Violation};
use crate::plan::{CALLS_MAX, Plan};
use crate::trace::{CoverageEvent, Trace};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use walkaround_domain::Timestamp;

/// Moment at which every world starts: 2026-11-22T08:00:00Z.
const EPOCH_MS: u64 = 1_795_334_400_000;

/// Shared by everything in a world.
pub(crate) struct Context {
    pub(crate) plan: Plan,
    pub(crate) plant: Option<InjectedFault>,
    /// Told when a promise is broken: the world ends there.
    pub(crate) broken: Notify,
    rng: Mutex<fastrand::Rng>,
    started: Instant,
    /// Milliseconds that the clocks of all processes are off by, and how often that changed.
    jump: Mutex<(i64, u32)>,
    trace: Mutex<Trace>,
    facts: Mutex<Facts>,
    violation: Mutex<Option<Violation>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Context {
    pub(crate) fn new(plan: Plan, rng: fastrand::Rng, plant: Option<InjectedFault>) -> Self {
        Self {
            plan,
            plant,
            broken: Notify::new(),
            rng: Mutex::new(rng),
            started: Instant::now(),
            jump: Mutex::default(),
            trace: Mutex::default(),
            facts: Mutex::default(),
            violation: Mutex::default(),
        }
    }

    pub(crate) fn ticks(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn now(&self) -> Timestamp {
        Timestamp(EPOCH_MS) + self.ticks()
    }

    /// Time as the clocks of processes have it.
    pub(crate) fn process_now(&self) -> Timestamp {
        Timestamp(self.now().0.saturating_add_signed(lock(&self.jump).0))
    }

    /// The clocks of all processes jump.
    pub(crate) fn jump(&self, off_by_ms: i64) {
        let mut jump = lock(&self.jump);
        *jump = (off_by_ms, jump.1 + 1);
        self.count(CoverageEvent::ClockJumpedFar);
        self.log("world", format_args!("all clocks are off by {off_by_ms} ms now"));
    }

    /// How often they jumped.
    pub(crate) fn jumps(&self) -> u32 {
        lock(&self.jump).1
    }

    pub(crate) fn facts(&self) -> MutexGuard<'_, Facts> {
        lock(&self.facts)
    }

    pub(crate) fn trace(&self) -> MutexGuard<'_, Trace> {
        lock(&self.trace)
    }

    pub(crate) fn rng(&self) -> MutexGuard<'_, fastrand::Rng> {
        lock(&self.rng)
    }

    /// Whether trouble may still happen.
    pub(crate) fn troubled(&self) -> bool {
        self.ticks() < self.plan.faults_until
    }

    /// Whether this port's store is unavailable.
    pub(crate) fn is_away(&self, port: &str) -> bool {
        let now = self.ticks();
        let away = |(from, long)| now >= from && now < from + long;
        let store =
            port == "blobs" || matches!(port, "records" | "publisher") && !self.plan.results_away_only;
        store && self.plan.store_away.is_some_and(away)
    }

    /// True with this probability while trouble may happen. Draws nothing for what cannot be.
    pub(crate) fn chance(&self, probability: f64) -> bool {
        probability > 0.0 && self.troubled() && self.rng().f64() < probability
    }

    /// A duration of whole milliseconds, from `least` up to, not including, `most`.
    pub(crate) fn between(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.rng().u64(least..most))
    }

    pub(crate) fn log(&self, who: &str, what: fmt::Arguments<'_>) {
        let at = self.ticks();
        self.trace().line(at, who, what);
    }

    pub(crate) fn count(&self, happening: CoverageEvent) {
        self.trace().count(happening);
    }

    /// Notes a call; a world that calls without end is a failure.
    pub(crate) fn call(&self) {
        let calls = self.trace().call();
        if calls > CALLS_MAX {
            self.violate(Invariant::L1, format!("more than {CALLS_MAX} port calls"));
        }
    }

    /// The first broken promise counts.
    pub(crate) fn violate(&self, invariant: Invariant, detail: String) {
        let mut violation = lock(&self.violation);
        if violation.is_none() {
            self.log("world", format_args!("{invariant:?} is broken: {detail}"));
            *violation = Some(Violation { invariant, detail });
            self.broken.notify_one();
        }
    }

    pub(crate) fn violation(&self) -> Option<Violation> {
        lock(&self.violation).clone()
    }
}
