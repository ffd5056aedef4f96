//! How far two windows are from each other.
//!
//! **Measure.** The population stability index of two histograms with shares p and q, `Σ (q-p) ln(q/p)`: Siddiqi, "Credit Risk
//! Scorecards", 2006, where 0.1 is a small and 0.25 a great change. Half a count is added to each bin, so that an empty one
//! has a logarithm.
//!
//! **Its error.** Two samples of one population have a PSI above 0. With n and m counts in B bins, `PSI / (1/n + 1/m)` then
//! is near the chi-square distribution with B-1 degrees of freedom (Yurdakul and Naranjo, "Statistical properties of the
//! population stability index", J. Risk Model Validation 14(4), 2020): its expectation is `(B-1)(1/n + 1/m)`, 0.03 for 300
//! photos in 10 bins beside a large reference.

use super::bins::joined;
use super::figures::{Figure, Figures};

/// Fewest counts of a figure that are compared.
pub const COUNT_MIN: u64 = 100;
/// Fewest photos of a window that is compared: the latest hours together, until they have so many.
pub const RECENT_PHOTOS_MIN: u64 = 500;

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_shares_have_no_distance_and_others_have() {
        assert!(psi(&[700.0, 300.0], &[70.0, 30.0]).abs() < 1e-3);
        // By hand: (0.5 - 0.7) ln(0.5 / 0.7) + (0.5 - 0.3) ln(0.5 / 0.3).
        let by_hand = 0.2 * (0.7_f64 / 0.5).ln() + 0.2 * (0.5_f64 / 0.3).ln();
        assert!((psi(&[70_000.0, 30_000.0], &[50_000.0, 50_000.0]) - by_hand).abs() < 1e-4);
        assert!(psi(&[100.0, 0.0], &[0.0, 100.0]).is_finite());
    }

    #[test]
    fn critical_values_are_those_of_tables_or_on_the_safe_side() {
        // Chi-square, beyond which 5 % and 0.001 % are.
        for (freedom, usual, rare) in [(1.0, 3.841, 19.51), (5.0, 11.07, 30.86), (10.0, 18.31, 41.30)] {
            let found = [critical(freedom, 1.645), critical(freedom, 4.265)];
            assert!((found[0] / usual - 1.0).abs() < 0.04, "{freedom}: {found:?}");
            assert!((1.0..1.15).contains(&(found[1] / rare)), "{freedom}: {found:?}");
        }
    }
}
