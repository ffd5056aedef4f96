//! The first windows under a bundle: what later ones are compared with.

use super::distance::{COUNT_MIN, RECENT_PHOTOS_MIN, distance};
use super::figures::{Figure, Figures};
use std::collections::{BTreeMap, BTreeSet};

/// Hours that a reference spans at least: a day has light and dark hours.
pub const REFERENCE_HOURS_MIN: u64 = 24;
/// Hours of a day.
const HOURS: u64 = 24;
/// Most hours of a window that is compared with those around it.
pub const HOURS_AROUND_MAX: usize = 6;
/// Photos that the hours around one of the day have at least, so that a window of that hour is compared with them alone.
const AROUND_MIN: u64 = 2 * RECENT_PHOTOS_MIN;
/// Fewest blocks that a dispersion is taken from.
const BLOCKS_MIN: usize = 5;
/// Blocks that a dispersion is taken from, where each would have many photos less than a window.
const BLOCKS_WANTED: u64 = 10;
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

    /// What a window of these hours is compared with: the hours of the day around them, where they are few and the reference
    /// has enough photos of them; else all of it.
    pub fn baseline(&self, hours: &[u64]) -> Figures {
        let around = (hours.len() <= HOURS_AROUND_MAX).then(|| self.around(hours));
        let around = around.filter(|figures| figures.photos >= AROUND_MIN);
        around.unwrap_or_else(|| self.whole())
    }

    fn around(&self, hours: &[u64]) -> Figures {
        let steps = hours.iter().flat_map(|hour| [hour + HOURS - 1, *hour, hour + 1]);
        let slots: BTreeSet<u8> = steps.map(of_day).collect();
        let mut around = Figures::default();
        for figures in slots.iter().filter_map(|slot| self.by_hour.get(slot)) {
            around.merge(figures);
        }
        around
    }

    /// The mean distance of its blocks from what they would be compared with, themselves left out, in units of chance.
    fn measured(&self, figure: Figure, windows: &[&ReferenceWindow]) -> Option<f64> {
        let (mut found, mut freedom) = (Vec::new(), 0.0);
        for block in blocks(windows) {
            let mut rest = self.baseline(&block.hours);
            rest.remove(&block.figures);
            if rest.photos < RECENT_PHOTOS_MIN {
                rest = self.whole();
                rest.remove(&block.figures);
            }
            if let Some(distance) = distance(figure, &rest, &block.figures) {
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

/// Some hours together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Recent {
    /// What was finished.
    pub figures: Figures,
    /// The hours, since 1970.
    pub hours: Vec<u64>,
}

impl Recent {
    /// The latest hours of these windows (the last one last) that have [`RECENT_PHOTOS_MIN`] photos together. Where that
    /// takes more than [`HOURS_AROUND_MAX`] of them, a whole day: part of one is lighter or darker than a day is.
    pub fn of(windows: &[ReferenceWindow]) -> Self {
        let mut recent = Self::default();
        let Some(last) = windows.last().map(|w| w.hour) else {
            return recent;
        };
        for window in windows.iter().rev() {
            let few_hours = last - window.hour < HOURS_AROUND_MAX as u64;
            let part_of_day = !few_hours && last - window.hour < HOURS;
            if recent.figures.photos >= RECENT_PHOTOS_MIN && !(part_of_day && recent.is_long(last)) {
                break;
            }
            recent.figures.merge(&window.figures);
            recent.hours.push(window.hour);
        }
        recent
    }

    /// Whether it spans more hours than are compared with those around them.
    fn is_long(&self, last: u64) -> bool {
        let first = self.hours.last().copied().unwrap_or(last);
        last - first >= HOURS_AROUND_MAX as u64
    }
}

fn of_day(hour: u64) -> u8 {
    // Below 24.
    u8::try_from(hour % HOURS).unwrap_or(0)
}

/// Windows joined until each has as many photos as one that is compared, or a tenth of all where these are few.
fn blocks(windows: &[&ReferenceWindow]) -> Vec<Recent> {
    let photos: u64 = windows.iter().map(|w| w.figures.photos).sum();
    let enough = (photos / BLOCKS_WANTED).clamp(COUNT_MIN, RECENT_PHOTOS_MIN);
    let (mut blocks, mut joined) = (Vec::new(), Recent::default());
    for window in windows.iter().filter(|w| w.figures.photos > 0) {
        joined.figures.merge(&window.figures);
        joined.hours.push(window.hour);
        if joined.figures.photos >= enough {
            blocks.push(std::mem::take(&mut joined));
        }
    }
    blocks
}
