//! Moments, handed in from outside: nothing in this crate reads a clock.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Time since `earlier`; zero when `earlier` is later (clocks of two machines may disagree).
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, more: Duration) -> Self {
        Self(
            self.0
                .saturating_add(u64::try_from(more.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, less: Duration) -> Self {
        Self(
            self.0
                .saturating_sub(u64::try_from(less.as_millis()).unwrap_or(u64::MAX)),
        )
    }
}
