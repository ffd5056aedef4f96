//! How far a window is from the reference, and whether that is more than chance.
//!
//! **Measure.** The population stability index of two histograms with shares p and q, `Σ (q-p) ln(q/p)`: Siddiqi, "Credit Risk
//! Scorecards", 2006, where 0.1 is a small and 0.25 a great change. Half a count is added to each bin, so that an empty one
//! has a logarithm.
//!
//! **Its error.** Two samples of one population have a PSI above 0. With n and m counts in B bins, `PSI / (1/n + 1/m)` then
//! is near the chi-square distribution with B-1 degrees of freedom (Yurdakul and Naranjo, "Statistical properties of the
//! population stability index", J. Risk Model Validation 14(4), 2020): its expectation is `(B-1)(1/n + 1/m)`, 0.03 for 300
//! photos in 10 bins beside a large reference.
//!
//! **Photos are not independent**: those of one vehicle share light and camera, and hours differ. How much more than
//! independent photos the windows of the reference differ from each other is its [dispersion](super::Reference), by which
//! the chance is multiplied (as in quasi-likelihood: McCullagh and Nelder, "Generalized Linear Models", 1989, 4.5).
//!
//! **Decision.** A figure has drifted when its distance is beyond what chance reaches once in [`1/ALPHA`](ALPHA) comparisons,
//! *and* the PSI beyond what chance gives is at least [`EFFECT_MIN`]: with 80,000 photos a day a difference of no importance is
//! beyond chance, too. All figures of all passes of 30 days are that many comparisons that a false alarm is expected in
//! one such time of twenty (Bonferroni: it holds whatever depends on what).

use super::bins::joined;
use super::figures::{Figure, Figures};
use super::reference::Reference;

/// Passes of 30 days, one an hour.
pub const PASSES_OF_30_DAYS: u32 = 30 * 24;
/// False alarms that 30 days of passes may be expected to raise, all figures together.
pub const FALSE_ALARMS_MAX: f64 = 0.05;
/// The share of comparisons that chance alone may bring to a decision.
pub const ALPHA: f64 = FALSE_ALARMS_MAX / (PASSES_OF_30_DAYS as f64 * Figure::ALL.len() as f64);
/// The value of a normal variable that [`ALPHA`] of its values are beyond, at most.
const Z_ALPHA: f64 = 4.3;
/// Upper 95 % of a normal variable, one-sided.
const Z_USUAL: f64 = 1.645;
/// Least PSI beyond what chance gives that counts as drift.
pub const EFFECT_MIN: f64 = 0.1;
/// Fewest counts of a figure that are compared.
pub const COUNT_MIN: u64 = 100;
/// Fewest photos of a window that is compared: the latest hours together, until they have so many.
pub const RECENT_PHOTOS_MIN: u64 = 500;

/// What a comparison comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FigureState {
    /// Too little was counted to say.
    TooFew,
    /// As the reference, as far as can be seen.
    Steady,
    /// It has changed.
    Drift,
}

impl FigureState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::TooFew, Self::Steady, Self::Drift];

    /// The state that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooFew => "too_few",
            Self::Steady => "steady",
            Self::Drift => "drift",
        }
    }
}

/// How far one figure is from the reference.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shift {
    /// Which.
    pub figure: Figure,
    /// Counts in the reference.
    pub reference: u64,
    /// Counts in the window.
    pub now: u64,
    /// Population stability index.
    pub psi: f64,
    /// What it is by chance, in the mean.
    pub chance: f64,
    /// What it is by chance at most in 95 of 100 windows.
    pub chance_95: f64,
    /// What it has to exceed to be drift.
    pub limit: f64,
    /// The decision.
    pub state: FigureState,
}

/// PSI of two histograms, its degrees of freedom, and `1/n + 1/m`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Distance {
    pub(super) psi: f64,
    pub(super) freedom: f64,
    pub(super) unit: f64,
}

impl Distance {
    /// What chance makes of it is 1 in the mean, for independent photos.
    pub(super) fn dispersion(&self) -> f64 {
        self.psi / (self.unit * self.freedom)
    }
}

/// Population stability index of two histograms of the same bins, as counts.
pub fn psi(reference: &[f64], now: &[f64]) -> f64 {
    let bins = reference.len() as f64;
    let total = |counts: &[f64]| counts.iter().sum::<f64>() + bins / 2.0;
    let (of_reference, of_now) = (total(reference), total(now));
    let terms = reference.iter().zip(now).map(|(r, n)| {
        let (p, q) = ((r + 0.5) / of_reference, (n + 0.5) / of_now);
        (q - p) * (q / p).ln()
    });
    terms.sum()
}

/// The value that a chi-square variable of these degrees of freedom is beyond about as often as a normal one is beyond `z`
/// (Wilson and Hilferty, PNAS 17, 1931; above 3 it is on the safe side).
pub fn critical(freedom: f64, z: f64) -> f64 {
    let spread = 2.0 / (9.0 * freedom);
    freedom * (1.0 - spread + z * spread.sqrt()).powi(3)
}

/// The distance of two windows in one figure; none where either has too few counts, or there is one bin only.
pub(super) fn distance(figure: Figure, reference: &Figures, now: &Figures) -> Option<Distance> {
    let (reference, now) = (reference.histogram(figure)?, now.histogram(figure)?);
    let (n, m) = (reference.total(), now.total());
    if n < COUNT_MIN || m < COUNT_MIN {
        return None;
    }
    let pair = joined(figure, reference, now);
    // One bin is the same in both, whatever is in it.
    (pair.reference.len() > 1).then(|| Distance {
        psi: psi(&pair.reference, &pair.now),
        freedom: (pair.reference.len() - 1) as f64,
        unit: 1.0 / n as f64 + 1.0 / m as f64,
    })
}

/// How far each figure of a window is from the reference. `hour` is the hour (since 1970) that the window is of; none where
/// it is of several.
pub fn judge(reference: &Reference, now: &Figures, hour: Option<u64>) -> Vec<Shift> {
    let base = reference.baseline(hour);
    let counted = |figures: &Figures, figure| figures.histogram(figure).map_or(0, |h| h.total());
    let shift = |figure| {
        let (of_reference, of_now) = (counted(&base, figure), counted(now, figure));
        let plain = Shift {
            figure,
            reference: of_reference,
            now: of_now,
            psi: 0.0,
            chance: 0.0,
            chance_95: 0.0,
            limit: 0.0,
            state: FigureState::TooFew,
        };
        let Some(found) = distance(figure, &base, now) else {
            let enough = of_reference >= COUNT_MIN && of_now >= COUNT_MIN;
            let state = if enough { FigureState::Steady } else { FigureState::TooFew };
            return Shift { state, ..plain };
        };
        let scale = reference.dispersion(figure) * found.unit;
        let chance = scale * found.freedom;
        let limit = (scale * critical(found.freedom, Z_ALPHA)).max(chance + EFFECT_MIN);
        Shift {
            psi: found.psi,
            chance,
            chance_95: scale * critical(found.freedom, Z_USUAL),
            limit,
            state: if found.psi > limit {
                FigureState::Drift
            } else {
                FigureState::Steady
            },
            ..plain
        }
    };
    Figure::ALL.into_iter().map(shift).collect()
}
