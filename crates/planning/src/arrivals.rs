//! How many photos arrive in each minute of a day.

use crate::error::PlanError;
use fastrand::Rng;

/// Minutes of a day.
pub const MINUTES: usize = 1_440;
/// Milliseconds of a minute.
pub(crate) const MINUTE_MS: u32 = 60_000;
/// Most photos of a day: five times the largest fleet that was planned for.
pub const PHOTOS_MAX: u64 = 4_000_000;
/// Longest text of arrivals, in bytes: a line a minute takes a hundredth of it.
pub const CSV_BYTES_MAX: usize = 1 << 20;

/// Photos by minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrivals {
    minutes: Vec<u32>,
    total: u64,
    /// When each photo arrived, where that is known; in order.
    times: Option<Vec<u32>>,
}

impl Arrivals {
    /// Photos of each minute from midnight; minutes that are left out have none.
    ///
    /// # Errors
    /// [`PlanError::Photos`].
    pub fn by_minute(mut minutes: Vec<u32>) -> Result<Self, PlanError> {
        minutes.resize(MINUTES, 0);
        let total = minutes.iter().map(|n| u64::from(*n)).sum();
        if total == 0 || total > PHOTOS_MAX {
            return Err(PlanError::Photos {
                photos: total,
                most: PHOTOS_MAX,
            });
        }
        Ok(Self {
            minutes,
            total,
            times: None,
        })
    }

    /// Reads CSV: a minute (`HH:MM`, or its number from 0) and its photos on each line, under a header or none. A minute
    /// that is not named has none.
    ///
    /// # Errors
    /// [`PlanError::Arrivals`] names the line, [`PlanError::Photos`].
    pub fn from_csv(text: &str) -> Result<Self, PlanError> {
        let mut minutes = vec![None; MINUTES];
        let lines = text.strip_prefix('\u{feff}').unwrap_or(text).lines();
        for (at, line) in lines.enumerate() {
            let fault = |fault: String| PlanError::Arrivals { line: at + 1, fault };
            let line = line.trim();
            if line.is_empty() || (at == 0 && line.starts_with(|c: char| c.is_ascii_alphabetic())) {
                continue;
            }
            let Some((minute, photos)) = line.split_once([',', ';', '\t']) else {
                return Err(fault(format!(
                    "{:.40}, expected MINUTE,PHOTOS",
                    line.escape_debug().to_string()
                )));
            };
            let (minute, photos) = (minute.trim().trim_matches('"'), photos.trim().trim_matches('"'));
            let index = minute_of(minute).ok_or_else(|| {
                fault(format!(
                    "minute {:.20}, expected 00:00 to 23:59, or 0 to 1439",
                    shown(minute)
                ))
            })?;
            let photos: u32 = photos
                .parse()
                .ok()
                .filter(|photos| u64::from(*photos) <= PHOTOS_MAX)
                .ok_or_else(|| {
                    fault(format!(
                        "{:.20} photos, expected 0 to {PHOTOS_MAX}",
                        shown(photos)
                    ))
                })?;
            if minutes[index].replace(photos).is_some() {
                return Err(fault(format!("minute {minute} for the second time")));
            }
        }
        Self::by_minute(minutes.into_iter().map(Option::unwrap_or_default).collect())
    }

    /// Photos at these times, in milliseconds from midnight, in any order. Those of another day are left out.
    ///
    /// # Errors
    /// [`PlanError::Photos`].
    pub fn at(mut times: Vec<u32>) -> Result<Self, PlanError> {
        times.retain(|at| ((*at / MINUTE_MS) as usize) < MINUTES);
        times.sort_unstable();
        let mut minutes = vec![0; MINUTES];
        for at in &times {
            minutes[(at / MINUTE_MS) as usize] += 1;
        }
        Ok(Self {
            times: Some(times),
            ..Self::by_minute(minutes)?
        })
    }

    /// Photos of the day.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Photos of each minute.
    pub fn minutes(&self) -> &[u32] {
        &self.minutes
    }

    /// When each photo arrives, in milliseconds from midnight, in order. Within its minute it may arrive at any time.
    pub(crate) fn times(&self, seed: u64) -> Vec<u32> {
        if let Some(times) = &self.times {
            return times.clone();
        }
        let mut random = Rng::with_seed(seed);
        let mut times = Vec::with_capacity(usize::try_from(self.total).unwrap_or_default());
        let mut from = 0;
        for photos in &self.minutes {
            let first = times.len();
            for _ in 0..*photos {
                times.push(from + random.u32(0..MINUTE_MS));
            }
            times[first..].sort_unstable();
            from += MINUTE_MS;
        }
        times
    }
}

fn shown(text: &str) -> String {
    text.escape_debug().to_string()
}

fn minute_of(text: &str) -> Option<usize> {
    let digits = |text: &str| -> Option<usize> {
        let plain = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| text.parse().ok()).flatten()
    };
    let minute = match text.split_once(':') {
        Some((hour, minute)) => {
            let minute = digits(minute).filter(|minute| *minute < 60)?;
            digits(hour)?.checked_mul(60)?.checked_add(minute)?
        }
        None => digits(text)?,
    };
    (minute < MINUTES).then_some(minute)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn csv_is_read_with_header_or_none_and_any_usual_delimiter() {
        let counted = |text: &str| {
            let arrivals = Arrivals::from_csv(text).unwrap();
            (arrivals.minutes()[61], arrivals.total())
        };
        assert_eq!(counted("minute,photos\n01:01,3\n"), (3, 3));
        assert_eq!(counted("61;3\r\n1439;4\r\n"), (3, 7));
        assert_eq!(counted("\u{feff}\"01:01\"\t\"3\"\n\n"), (3, 3));
    }

    #[test]
    fn faults_of_a_csv_name_the_line() {
        for (text, expected) in [
            ("minute,photos\n", "0 photos, expected 1 to 4000000"),
            ("", "0 photos, expected 1 to 4000000"),
            (
                "0,1\n24:00,1",
                "line 2: minute 24:00, expected 00:00 to 23:59, or 0 to 1439",
            ),
            (
                "1440,1",
                "line 1: minute 1440, expected 00:00 to 23:59, or 0 to 1439",
            ),
            (
                "00:60,1",
                "line 1: minute 00:60, expected 00:00 to 23:59, or 0 to 1439",
            ),
            ("0,-1", "line 1: -1 photos, expected 0 to 4000000"),
            ("0,1.5", "line 1: 1.5 photos, expected 0 to 4000000"),
            ("0,1\n0,2", "line 2: minute 0 for the second time"),
            ("0,1\n00:00,2", "line 2: minute 00:00 for the second time"),
            ("12", "line 1: 12, expected MINUTE,PHOTOS"),
            (
                "0,1\nminute,photos",
                "line 2: minute minute, expected 00:00 to 23:59, or 0 to 1439",
            ),
            ("0,4000000\n1,1", "4000001 photos, expected 1 to 4000000"),
            (
                "0,99999999999",
                "line 1: 99999999999 photos, expected 0 to 4000000",
            ),
            (
                "1\u{1b}[2J,1",
                "line 1: minute 1\\u{1b}[2J, expected 00:00 to 23:59, or 0 to 1439",
            ),
        ] {
            assert_eq!(
                Arrivals::from_csv(text).unwrap_err().to_string(),
                expected,
                "{text:?}"
            );
        }
    }

    #[test]
    fn every_photo_arrives_once_within_its_minute_and_in_order() {
        let arrivals = Arrivals::from_csv("3,50\n1439,2").unwrap();
        let times = arrivals.times(7);
        assert_eq!(times.len(), 52);
        assert!(times.is_sorted());
        assert!(times[..50].iter().all(|at| (180_000..240_000).contains(at)));
        assert_eq!(times, arrivals.times(7));
        assert_ne!(times, arrivals.times(8));
    }
}
