//! Who was right, as far as people have looked.

use super::photo::ComparedPhoto;
use serde::Serialize;
use std::collections::BTreeMap;
use walkaround_domain::Verdict;
use walkaround_domain::estimate::{Estimate, RatioSums, Stratum, ratio};

/// A photo that people were to look at.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReviewedPhoto {
    /// Probability with which a photo like this one is looked at, above 0 and at most 1.
    pub inclusion: f64,
    /// The true verdict; none while nobody has decided.
    pub verdict: Option<Verdict>,
}

/// A share of photos, estimated from those that were reviewed, each weighted by the inverse of its inclusion.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct RightShare {
    /// The estimate; null when too few photos were reviewed for one.
    pub value: Option<f64>,
    /// Lower end of the interval of 95 %.
    pub low: Option<f64>,
    /// Upper end of the interval of 95 %.
    pub high: Option<f64>,
}

/// Who was right on the photos that people reviewed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct WhoWasRight {
    /// Photos with a review of the report that was compared.
    pub reviewed: u64,
    /// Those of them whose verdicts differ.
    pub flips: u64,
    /// Flips in which the first bundle was right.
    pub flips_old_right: u64,
    /// Flips in which the second bundle was right.
    pub flips_new_right: u64,
    /// Share of all photos like these on which the first bundle's verdict is right.
    pub old_right: RightShare,
    /// The same of the second bundle.
    pub new_right: RightShare,
}

/// Of photos that are no sample of some others, but of all photos like them.
const OF_ALL_LIKE_THEM: f64 = 1e-9;

impl RightShare {
    /// The share of `part` in `whole` photos, among all photos like these.
    pub(super) fn of_count(part: u64, whole: u64) -> Self {
        let (part_sum, whole_sum) = (part as f64, whole as f64);
        let sums = RatioSums {
            units: whole,
            y: part_sum,
            x: whole_sum,
            yy: part_sum,
            xy: part_sum,
            xx: whole_sum,
        };
        let all = Stratum {
            inclusion: OF_ALL_LIKE_THEM,
            drawn: whole,
            observed: whole,
            sums,
        };
        let mut share = Self::of(ratio(&[all], u64::MAX));
        if whole > 0 {
            share.value = Some(part_sum / whole_sum);
        }
        share
    }

    fn of(estimate: Estimate) -> Self {
        match estimate {
            Estimate::TooFew { .. } => Self {
                value: None,
                low: None,
                high: None,
            },
            Estimate::Known(interval) => Self {
                value: Some(interval.value),
                low: Some(interval.low),
                high: Some(interval.high),
            },
        }
    }
}

/// Takes reviewed photos in one by one.
#[derive(Debug, Default)]
pub(super) struct Reviewing {
    /// By the bits of the inclusion.
    strata: BTreeMap<u64, DrawnAlike>,
    reviewed: u64,
    flips: u64,
    right: [u64; 2],
}

#[derive(Debug, Default)]
struct DrawnAlike {
    drawn: u64,
    observed: u64,
    /// Of the first bundle, and of the second.
    right: [RatioSums; 2],
}

impl Reviewing {
    pub(super) fn add(&mut self, photo: &ComparedPhoto, review: &ReviewedPhoto) {
        let stratum = self.strata.entry(review.inclusion.to_bits()).or_default();
        stratum.drawn += 1;
        let Some(truth) = review.verdict else { return };
        stratum.observed += 1;
        self.reviewed += 1;
        self.flips += u64::from(photo.flips());
        for (side, result) in [&photo.old, &photo.new].into_iter().enumerate() {
            let right = result.verdict == truth.as_str();
            stratum.right[side].add(if right { 1.0 } else { 0.0 }, 1.0);
            self.right[side] += u64::from(right && photo.flips());
        }
    }

    /// `photos` is how many were compared, drawn or not.
    pub(super) fn finish(self, photos: u64) -> WhoWasRight {
        let share = |side: usize| {
            let strata: Vec<Stratum> = self
                .strata
                .iter()
                .map(|(inclusion, alike)| Stratum {
                    inclusion: f64::from_bits(*inclusion),
                    drawn: alike.drawn,
                    observed: alike.observed,
                    sums: alike.right[side],
                })
                .collect();
            RightShare::of(ratio(&strata, photos))
        };
        WhoWasRight {
            reviewed: self.reviewed,
            flips: self.flips,
            flips_old_right: self.right[0],
            flips_new_right: self.right[1],
            old_right: share(0),
            new_right: share(1),
        }
    }
}
