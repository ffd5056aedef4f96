//! What a simulated day comes to.

use crate::assumptions::Assumptions;
use crate::bill::Bill;
use crate::counts::{Counts, Minute};
use crate::scenario::{HOURS, Scenario};
use crate::usage::Usage;

const HOUR_MS: u32 = 3_600_000;

/// Times of one photo, in milliseconds from midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PhotoTimes {
    pub(crate) arrived: u32,
    pub(crate) verdict: Option<u32>,
}

/// What the simulation leaves.
#[derive(Debug)]
pub(crate) struct Simulated {
    pub(crate) photos: Vec<PhotoTimes>,
    pub(crate) counts: Counts,
    pub(crate) minutes: Vec<Minute>,
}

/// Times to verdict in seconds, nearest rank. A photo without a verdict counts as longer than all others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Percentiles {
    /// Half of the photos took at most this long; none where the photo of that rank has no verdict.
    pub p50: Option<f64>,
    /// 95 of 100.
    pub p95: Option<f64>,
    /// 99 of 100.
    pub p99: Option<f64>,
}

/// The photos that arrived in one hour.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Hour {
    /// Photos.
    pub photos: u64,
    /// Their times to verdict.
    pub times: Percentiles,
    /// Photos whose verdict came after the deadline, or not at all.
    pub missed: u64,
}

/// A simulated day.
#[derive(Debug, Clone, PartialEq)]
pub struct Day {
    /// Photos that arrived.
    pub photos: u64,
    /// Photos without a verdict a day after the day's end.
    pub without_verdict: u64,
    /// Photos whose verdict came after the deadline, or not at all.
    pub missed: u64,
    /// Times to verdict over the day.
    pub times: Percentiles,
    /// By hour of arrival.
    pub hours: Vec<Hour>,
    /// Minute by minute, until the last verdict and the end of the last instance.
    pub minutes: Vec<Minute>,
    /// What happened.
    pub counts: Counts,
    /// What AWS bills.
    pub usage: Usage,
    /// What that costs.
    pub bill: Bill,
}

impl Day {
    pub(crate) fn of(simulated: &Simulated, scenario: &Scenario, assumptions: &Assumptions) -> Self {
        let deadline_ms = scenario.deadline_ms();
        let waits = |hour: Option<u32>| {
            let photos = simulated.photos.iter();
            let photos = photos.filter(move |photo| hour.is_none_or(|hour| photo.arrived / HOUR_MS == hour));
            Waits::of(photos)
        };
        let whole = waits(None);
        let hours = (0..HOURS)
            .map(|hour| waits(Some(hour)).hour(deadline_ms))
            .collect();
        let usage = Usage::of(simulated.photos.len() as u64, &simulated.counts, assumptions);
        Self {
            photos: simulated.photos.len() as u64,
            without_verdict: whole.never,
            missed: whole.missed(deadline_ms),
            times: whole.percentiles(),
            hours,
            minutes: simulated.minutes.clone(),
            counts: simulated.counts,
            usage,
            bill: Bill::of(&usage, assumptions),
        }
    }

    /// Most workers that were ready at the end of any minute.
    pub fn workers_most(&self) -> u32 {
        self.minutes
            .iter()
            .map(|minute| minute.workers)
            .max()
            .unwrap_or_default()
    }

    /// Most photos that waited in the intake queue at the end of any minute.
    pub fn intake_most(&self) -> u64 {
        self.minutes
            .iter()
            .map(|minute| minute.intake)
            .max()
            .unwrap_or_default()
    }

    /// Instance hours.
    pub fn gpu_hours(&self) -> f64 {
        self.usage.spot_hours + self.usage.ondemand_hours
    }
}

/// Times to verdict, sorted, and the photos without one.
struct Waits {
    sorted: Vec<u32>,
    never: u64,
}

impl Waits {
    fn of<'a>(photos: impl Iterator<Item = &'a PhotoTimes>) -> Self {
        let (mut sorted, mut never) = (Vec::new(), 0);
        for photo in photos {
            match photo.verdict {
                Some(at) => sorted.push(at - photo.arrived),
                None => never += 1,
            }
        }
        sorted.sort_unstable();
        Self { sorted, never }
    }

    fn photos(&self) -> u64 {
        self.sorted.len() as u64 + self.never
    }

    fn at(&self, percent: u64) -> Option<f64> {
        let rank = (self.photos() * percent).div_ceil(100).max(1) - 1;
        let wait = self.sorted.get(usize::try_from(rank).ok()?)?;
        Some(f64::from(*wait) / 1000.0)
    }

    fn percentiles(&self) -> Percentiles {
        Percentiles {
            p50: self.at(50),
            p95: self.at(95),
            p99: self.at(99),
        }
    }

    fn missed(&self, deadline_ms: u32) -> u64 {
        let met = self.sorted.partition_point(|wait| *wait <= deadline_ms);
        self.photos() - met as u64
    }

    fn hour(&self, deadline_ms: u32) -> Hour {
        Hour {
            photos: self.photos(),
            times: self.percentiles(),
            missed: self.missed(deadline_ms),
        }
    }
}
