//! The first windows under a bundle: what later ones are compared with.

use super::distance::{RECENT_PHOTOS_MIN, distance};
use super::figures::{Figure, Figures};
use std::collections::BTreeMap;

/// Hours that a reference spans at least: a day has light and dark hours.
pub const REFERENCE_HOURS_MIN: u64 = 24;
/// Hours of a day.
const HOURS: usize = 24;
/// Photos that the hours around one of the day have at least, so that a window of that hour is compared with them alone.
const AROUND_MIN: u64 = 2 * RECENT_PHOTOS_MIN;
/// Fewest blocks that a dispersion is taken from.
const BLOCKS_MIN: usize = 5;
/// By how many of its own standard deviations a dispersion is raised: it is an estimate.
const CAUTION: f64 = 3.0;

/// A window of a reference.
#[derive(Debug, Clone, PartialEq)]
pub struct ReferenceWindow {
    /// Hours since 1970.
    pub hour: u64,
    /// What was finished in it.
    pub figures: Figures,
}

/// The first windows under a bundle.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Reference {
    /// The first hour, since 1970.
    pub from: u64,
    /// The last hour.
    pub to: u64,
    /// What was finished, by hour of the day (UTC).
    pub by_hour: BTreeMap<u8, Figures>,
    /// How much more than independent photos would its windows differ from each other, at least 1; 1 where it is not here.
    pub dispersion: BTreeMap<Figure, f64>,
}

impl Reference {
    /// The reference of a bundle from its windows, first ones first; none while they are of fewer than `photos_min` photos or
    /// span less than [`REFERENCE_HOURS_MIN`]. Windows beyond that are not taken.
    pub fn of(windows: &[ReferenceWindow], photos_min: u64) -> Option<Self> {
        let first = windows.iter().find(|w| w.figures.photos > 0)?.hour;
        let (mut photos, mut taken) = (0, Vec::new());
        for window in windows.iter().filter(|w| w.hour >= first) {
            photos += window.figures.photos;
            taken.push(window);
            if photos >= photos_min && window.hour + 1 - first >= REFERENCE_HOURS_MIN {
                return Some(Self::from_windows(&taken));
            }
        }
        None
    }

    fn from_windows(windows: &[&ReferenceWindow]) -> Self {
        let mut reference = Self {
            from: windows.first().map_or(0, |w| w.hour),
            to: windows.last().map_or(0, |w| w.hour),
            ..Self::default()
        };
        for window in windows {
            let slot = reference.by_hour.entry(of_day(window.hour)).or_default();
            slot.merge(&window.figures);
        }
        for figure in Figure::ALL {
            if let Some(dispersion) = reference.measured(figure, windows) {
                reference.dispersion.insert(figure, dispersion);
            }
        }
        reference
    }

    /// All of it.
    pub fn whole(&self) -> Figures {
        let mut whole = Figures::default();
        for figures in self.by_hour.values() {
            whole.merge(figures);
        }
        whole
    }

    /// The same without hours of the day, for a store that takes no larger document.
    #[must_use]
    pub fn without_hours(self) -> Self {
        Self {
            by_hour: BTreeMap::from([(0, self.whole())]),
            ..self
        }
    }

    /// How much more than by chance the windows of the reference differ, at least 1.
    pub fn dispersion(&self, figure: Figure) -> f64 {
        self.dispersion.get(&figure).copied().unwrap_or(1.0)
    }

    /// What a window is compared with: the hours around its own, where it is of one hour and they have enough photos; else all.
    pub fn baseline(&self, hour: Option<u64>) -> Figures {
        let around = hour.map(|hour| self.around(of_day(hour)));
        let around = around.filter(|figures| figures.photos >= AROUND_MIN);
        around.unwrap_or_else(|| self.whole())
    }

    fn around(&self, hour: u8) -> Figures {
        let mut around = Figures::default();
        for step in [HOURS - 1, 0, 1] {
            let near = (usize::from(hour) + step) % HOURS;
            let slot = u8::try_from(near).ok().and_then(|near| self.by_hour.get(&near));
            if let Some(figures) = slot {
                around.merge(figures);
            }
        }
        around
    }

    /// The mean distance of its blocks from what they would be compared with, themselves left out, in units of chance.
    fn measured(&self, figure: Figure, windows: &[&ReferenceWindow]) -> Option<f64> {
        let (mut found, mut freedom) = (Vec::new(), 0.0);
        for (hour, block) in blocks(windows) {
            let mut rest = self.baseline(hour);
            rest.remove(&block);
            if rest.photos < RECENT_PHOTOS_MIN {
                rest = self.whole();
                rest.remove(&block);
            }
            if let Some(distance) = distance(figure, &rest, &block) {
                found.push(distance.dispersion());
                freedom += distance.freedom;
            }
        }
        if found.len() < BLOCKS_MIN {
            return None;
        }
        let mean = found.iter().sum::<f64>() / found.len() as f64;
        Some((mean * (1.0 + CAUTION * (2.0 / freedom).sqrt())).max(1.0))
    }
}

fn of_day(hour: u64) -> u8 {
    // Below 24.
    u8::try_from(hour % HOURS as u64).unwrap_or(0)
}

/// Windows joined until each has as many photos as one that is compared; with its hour, where it is of one.
fn blocks(windows: &[&ReferenceWindow]) -> Vec<(Option<u64>, Figures)> {
    let mut blocks = Vec::new();
    let (mut joined, mut hours) = (Figures::default(), Vec::new());
    for window in windows.iter().filter(|w| w.figures.photos > 0) {
        joined.merge(&window.figures);
        hours.push(window.hour);
        if joined.photos >= RECENT_PHOTOS_MIN {
            let hour = hours.first().copied().filter(|_| hours.len() == 1);
            blocks.push((hour, std::mem::take(&mut joined)));
            hours.clear();
        }
    }
    blocks
}
