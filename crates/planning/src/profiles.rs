//! Days with names.

use crate::arrivals::{Arrivals, MINUTES, PHOTOS_MAX};
use crate::error::PlanError;
use crate::scenario::{DEADLINE, Drought, Scenario};
use fastrand::Rng;

/// A day with a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// 80,000 photos with evening peaks.
    Evening,
    /// The same day with 800,000.
    Evening800k,
    /// 200,000 photos at once in the morning, besides a day of 80,000.
    MondayBacklog,
    /// The backlog in the morning of a day without GPUs until noon.
    GpuDrought,
}

/// Photos of the fleet on a day.
const FLEET_PHOTOS: u64 = 80_000;
/// Photos of the backlog.
const BACKLOG_PHOTOS: u32 = 200_000;
/// When the backlog arrives: 06:00.
const BACKLOG_MINUTE: usize = 6 * 60;
/// Photos of one vehicle, which arrive in one minute.
const PHOTOS_OF_VEHICLE: u64 = 10;
/// How busy each hour is, relative to the others: pick-ups in the morning, returns with a peak from 17:00 to 20:00. A guess
/// until a fleet's own day replaces it.
const HOUR_WEIGHTS: [f64; 24] = [
    2.0, 1.0, 1.0, 1.0, 2.0, 6.0, 18.0, 34.0, 44.0, 46.0, 42.0, 40.0, 40.0, 40.0, 42.0, 50.0, 66.0, 92.0,
    100.0, 84.0, 54.0, 30.0, 14.0, 6.0,
];

impl Profile {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::Evening,
        Self::Evening800k,
        Self::MondayBacklog,
        Self::GpuDrought,
    ];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Evening => "evening",
            Self::Evening800k => "evening-800k",
            Self::MondayBacklog => "monday-backlog",
            Self::GpuDrought => "gpu-drought",
        }
    }

    /// What it is.
    pub fn about(self) -> &'static str {
        match self {
            Self::Evening => "80,000 photos with evening peaks",
            Self::Evening800k => "800,000 photos with evening peaks",
            Self::MondayBacklog => "200,000 photos at once at 06:00, besides 80,000 with evening peaks",
            Self::GpuDrought => "the Monday backlog, and no GPU capacity from 05:00 to 12:00",
        }
    }

    /// The profile of a name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.as_str() == name)
    }

    /// Its day; with `photos` where that is given, of the same shape.
    ///
    /// # Errors
    /// [`PlanError::Photos`].
    pub fn scenario(self, photos: Option<u64>, seed: u64) -> Result<Scenario, PlanError> {
        let (spread, backlog) = match self {
            Self::Evening => (FLEET_PHOTOS, 0),
            Self::Evening800k => (10 * FLEET_PHOTOS, 0),
            Self::MondayBacklog | Self::GpuDrought => (FLEET_PHOTOS, BACKLOG_PHOTOS),
        };
        let total = spread + u64::from(backlog);
        let wanted = photos.unwrap_or(total);
        if wanted > PHOTOS_MAX {
            return Err(PlanError::Photos {
                photos: wanted,
                most: PHOTOS_MAX,
            });
        }
        let backlog = u64::from(backlog) * wanted / total;
        let mut minutes = by_hour(wanted - backlog, seed);
        minutes[BACKLOG_MINUTE] += u32::try_from(backlog).unwrap_or(u32::MAX);
        let droughts = match self {
            Self::GpuDrought => vec![Drought::hours(5, 12)],
            _ => Vec::new(),
        };
        Ok(Scenario {
            name: self.as_str().to_owned(),
            about: self.about().to_owned(),
            arrivals: Arrivals::by_minute(minutes)?,
            droughts,
            deadline: DEADLINE,
            deadline_in_requests: false,
            seed,
        })
    }
}

/// Vehicles at random minutes, more in busy hours; each with its photos in one minute.
fn by_hour(photos: u64, seed: u64) -> Vec<u32> {
    let mut random = Rng::with_seed(seed);
    let all: f64 = HOUR_WEIGHTS.iter().sum();
    let mut minutes = vec![0; MINUTES];
    let mut left = photos;
    while left > 0 {
        let mut at = random.f64() * all;
        let hour = HOUR_WEIGHTS.iter().position(|weight| {
            at -= weight;
            at < 0.0
        });
        let minute = hour.unwrap_or(HOUR_WEIGHTS.len() - 1) * 60 + random.u32(0..60) as usize;
        let of_vehicle = left.min(PHOTOS_OF_VEHICLE);
        minutes[minute] += of_vehicle as u32;
        left -= of_vehicle;
    }
    minutes
}
