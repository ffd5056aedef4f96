//! Whether a window is further from the reference than chance makes it: how far is in [`distance`](super::distance).
//!
//! **Photos are not independent**: those of one vehicle share light and camera, and hours differ. How much more than
//! independent photos the windows of the reference differ from each other is its [dispersion](super::Reference), by which
//! the chance is multiplied (as in quasi-likelihood: McCullagh and Nelder, "Generalized Linear Models", 1989, 4.5).
//!
//! **Decision.** A figure has drifted when its distance is beyond what chance reaches once in [`1/ALPHA`](ALPHA) comparisons,
//! *and* the PSI beyond what chance gives is at least [`EFFECT_MIN`]: with 80,000 photos a day a difference of no importance is
//! beyond chance, too. All figures of all passes of 30 days are that many comparisons that a false alarm is expected in
//! one such time of twenty (Bonferroni: it holds whatever depends on what).

use super::distance::{COUNT_MIN, critical, distance};
use super::figures::{Figure, Figures};
use super::reference::{Recent, Reference};

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

/// How far each figure of the latest hours is from the reference.
pub fn judge(reference: &Reference, recent: &Recent) -> Vec<Shift> {
    let (base, now) = (reference.baseline(&recent.hours), &recent.figures);
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
            let state = if enough {
                FigureState::Steady
            } else {
                FigureState::TooFew
            };
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

#[cfg(test)]
mod tests {
    use super::*;

    /// The share of a normal variable's values beyond `z`, from above (Abramowitz and Stegun, 26.2.12).
    fn beyond(z: f64) -> f64 {
        let density = (-z * z / 2.0).exp() / std::f64::consts::TAU.sqrt();
        density / z * (1.0 - 1.0 / z.powi(2) + 3.0 / z.powi(4))
    }

    #[test]
    fn chance_decides_no_more_often_than_it_may() {
        assert!(beyond(Z_ALPHA) <= ALPHA, "{} {ALPHA}", beyond(Z_ALPHA));
        assert!(beyond(Z_ALPHA - 0.05) > ALPHA, "it need not be larger");
    }
}
