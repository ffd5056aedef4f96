//! Bins wide enough for a comparison: fine ones are joined by what the reference has in them, never by what is compared
//! with it, so that the choice of bins does not depend on the change that is looked for.

use super::figures::{Figure, Histogram};
use std::collections::BTreeSet;

/// Least share of a bin in the reference.
const SHARE_MIN: f64 = 0.02;
/// Least count that a bin is expected to have in either histogram: fewer, and the statistic is not near its
/// distribution.
const EXPECTED_MIN: f64 = 5.0;

/// Counts of the same bins in two histograms.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Pair {
    pub(super) reference: Vec<f64>,
    pub(super) now: Vec<f64>,
}

impl Pair {
    fn push(&mut self, reference: u64, now: u64) {
        self.reference.push(reference as f64);
        self.now.push(now as f64);
    }

    fn add_to_last(&mut self, reference: u64, now: u64) {
        if let (Some(r), Some(n)) = (self.reference.last_mut(), self.now.last_mut()) {
            *r += reference as f64;
            *n += now as f64;
        } else {
            self.push(reference, now);
        }
    }
}

/// The counts of two histograms of one figure in bins that are wide enough.
pub(super) fn joined(figure: Figure, reference: &Histogram, now: &Histogram) -> Pair {
    let all = reference.total().max(1) as f64;
    let fewest = (reference.total().min(now.total()).max(1)) as f64;
    let share_min = SHARE_MIN.max(EXPECTED_MIN / fewest);
    let bins: BTreeSet<&str> = reference
        .counts()
        .chain(now.counts())
        .map(|(bin, _)| bin)
        .collect();
    let is_wide = |count: u64| count as f64 / all >= share_min;
    if figure.is_ordered() {
        ranges(&bins, reference, now, &is_wide)
    } else {
        words(&bins, reference, now, &is_wide)
    }
}

/// Neighbours are joined until they are wide enough; what is left at the end joins the last one.
fn ranges(
    bins: &BTreeSet<&str>,
    reference: &Histogram,
    now: &Histogram,
    is_wide: &dyn Fn(u64) -> bool,
) -> Pair {
    let mut pair = Pair::default();
    let (mut r, mut n) = (0, 0);
    for bin in bins {
        r += reference.count(bin);
        n += now.count(bin);
        if is_wide(r) {
            pair.push(r, n);
            (r, n) = (0, 0);
        }
    }
    if r > 0 || n > 0 {
        pair.add_to_last(r, n);
    }
    pair
}

/// Rare words share a bin, and so do those that the reference has not.
fn words(
    bins: &BTreeSet<&str>,
    reference: &Histogram,
    now: &Histogram,
    is_wide: &dyn Fn(u64) -> bool,
) -> Pair {
    let mut pair = Pair::default();
    let (mut r, mut n) = (0, 0);
    for bin in bins {
        let (of_reference, of_now) = (reference.count(bin), now.count(bin));
        if is_wide(of_reference) {
            pair.push(of_reference, of_now);
        } else {
            r += of_reference;
            n += of_now;
        }
    }
    if r > 0 || n > 0 {
        pair.push(r, n);
    }
    pair
}
