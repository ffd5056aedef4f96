//! What a plan is made for: a day's arrivals, and hours without GPUs.

use crate::arrivals::{Arrivals, MINUTE_MS};
use crate::error::PlanError;
use std::time::Duration;

/// Hours of a day.
pub const HOURS: u32 = 24;
const HOUR_MS: u32 = 60 * MINUTE_MS;

/// A period in which no instance with a GPU can be had, on Spot or on demand; it begins with the loss of all Spot instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Drought {
    /// Milliseconds from midnight.
    pub from_ms: u32,
    /// Milliseconds from midnight.
    pub to_ms: u32,
}

impl Drought {
    /// From one hour of the day to another.
    pub const fn hours(from: u32, to: u32) -> Self {
        Self {
            from_ms: from * HOUR_MS,
            to_ms: to * HOUR_MS,
        }
    }

    /// Reads `16-20`.
    ///
    /// # Errors
    /// Usage: anything else.
    pub fn parse(text: &str) -> Result<Self, PlanError> {
        let hour = |text: &str| text.trim().parse::<u32>().ok().filter(|hour| *hour <= HOURS);
        text.split_once('-')
            .and_then(|(from, to)| Some((hour(from)?, hour(to)?)))
            .filter(|(from, to)| from < to)
            .map(|(from, to)| Self::hours(from, to))
            .ok_or_else(|| PlanError::Drought(text.to_owned()))
    }
}

/// When a verdict is late, unless a plan says otherwise.
pub const DEADLINE: Duration = Duration::from_secs(15 * 60);

/// A day to simulate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scenario {
    /// Its name, for titles.
    pub name: String,
    /// What it is, in a sentence.
    pub about: String,
    /// Photos by minute.
    pub arrivals: Arrivals,
    /// Periods without GPUs.
    pub droughts: Vec<Drought>,
    /// A verdict that comes later after its photo's arrival is late.
    pub deadline: Duration,
    /// Whether requests name this deadline, so that routing knows it.
    pub deadline_in_requests: bool,
    /// Decides when in its minute a photo arrives, which photos are suspects, and which instances are reclaimed.
    pub seed: u64,
}

impl Scenario {
    /// The deadline that routing knows.
    pub(crate) fn requested_deadline(&self) -> Option<Duration> {
        self.deadline_in_requests.then_some(self.deadline)
    }

    pub(crate) fn deadline_ms(&self) -> u32 {
        u32::try_from(self.deadline.as_millis()).unwrap_or(u32::MAX)
    }
}
