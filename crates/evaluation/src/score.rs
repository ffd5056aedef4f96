//! Findings against truth on one photo: pixel counts by row of the table of scores.

use crate::error::Unscorable;
use crate::ground_truth::{Damage, GroundTruth};
use crate::inspected_photo::InspectedPhoto;
use crate::mapping::ANY_DAMAGE;
use walkaround_domain::{Rle, Size};
use walkaround_messages::PhotoReport;
use walkaround_vision::mask::{ClassSpec, Report};
use walkaround_vision::rle::{self, RleError};

/// A row of the table of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Row {
    /// Everything that `inspect` reports, against all truth.
    Shown,
    /// Everything that `inspect --all-classes` reports, against all truth.
    AllClasses,
    /// The same when the gate stops nothing.
    GateIgnored,
    /// One class, as `inspect --all-classes` reports it.
    Class(usize),
}

impl Row {
    /// The rows of a bundle, in the order of the table.
    pub fn all(classes: &[ClassSpec]) -> Vec<Self> {
        let whole = [Self::Shown, Self::AllClasses, Self::GateIgnored];
        whole
            .into_iter()
            .chain((0..classes.len()).map(Self::Class))
            .collect()
    }
}

/// Pixels of the original, over one photo or many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Found and true.
    pub hit: u64,
    /// Found, not true.
    pub wrong: u64,
    /// True, not found.
    pub missed: u64,
}

impl Counts {
    /// Adds counts, `times` times.
    pub fn add(&mut self, other: Self, times: u64) {
        self.hit += other.hit * times;
        self.wrong += other.wrong * times;
        self.missed += other.missed * times;
    }

    /// Intersection over union; none when nothing is true and nothing found.
    pub fn iou(self) -> Option<f64> {
        share(self.hit, self.hit + self.wrong + self.missed)
    }

    /// Harmonic mean of precision and recall; none when nothing is true and nothing found.
    pub fn f1(self) -> Option<f64> {
        share(2 * self.hit, 2 * self.hit + self.wrong + self.missed)
    }

    /// None when nothing was found.
    pub fn precision(self) -> Option<f64> {
        share(self.hit, self.hit + self.wrong)
    }

    /// None when nothing is true.
    pub fn recall(self) -> Option<f64> {
        share(self.hit, self.hit + self.missed)
    }
}

/// None of nothing.
pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What one photo adds to the figures.
#[derive(Debug, Clone)]
pub struct PhotoScore {
    /// What it is to a gate.
    pub damage: Damage,
    /// P(damage); none when no gate was asked.
    pub gate: Option<f32>,
    /// Whether the gates let it through; none when they were not asked.
    pub suspect: Option<bool>,
    /// Its verdict is that it is unusable: it is scored as one without findings.
    pub unusable: bool,
    /// One for each row of [`Row::all`].
    pub counts: Vec<Counts>,
    /// Indices of the document's findings that `inspect` reports without `--all-classes`.
    pub shown: Vec<usize>,
}

impl PhotoScore {
    /// Scores a photo against its truth.
    ///
    /// # Errors
    /// When a finding does not fit the size of the truth, or is of none of the classes.
    pub fn of(
        inspected: InspectedPhoto<'_>,
        truth: &GroundTruth,
        classes: &[ClassSpec],
    ) -> Result<Self, Unscorable> {
        let report = inspected.report;
        let found = Found::of(report, classes, truth.any.size)?;
        let passes = inspected.suspect != Some(false);
        let shown = found.shown(classes).map_err(Unscorable::FindingMask)?;
        let counts = Row::all(classes)
            .into_iter()
            .map(|row| {
                found.counts(
                    row,
                    &RowInput {
                        truth,
                        classes,
                        shown: &shown,
                        passes,
                    },
                )
            })
            .collect::<Result<Vec<_>, _>>()
            .map_err(Unscorable::FindingMask)?;
        Ok(Self {
            damage: truth.damage,
            gate: report.gate,
            suspect: inspected.suspect,
            unusable: !report.reasons.is_empty(),
            counts,
            shown,
        })
    }
}

/// What the rows of one photo are counted from, beside its findings.
struct RowInput<'a> {
    truth: &'a GroundTruth,
    classes: &'a [ClassSpec],
    /// Indices of the findings that are reported by default.
    shown: &'a [usize],
    /// The gates let the photo through. Without a gate, or where none was asked, nothing is held back.
    passes: bool,
}

/// The class "any damage" is true wherever there is any.
fn class_truth<'a>(truth: &'a GroundTruth, classes: &[ClassSpec], class: usize) -> &'a Rle {
    if classes[class].name == ANY_DAMAGE {
        &truth.any
    } else {
        &truth.classes[class]
    }
}

/// Pixels of one photo; those to be left out count nowhere. `of_row` lies inside `truth.any`.
fn count(found: &Rle, of_row: &Rle, truth: &GroundTruth) -> Result<Counts, RleError> {
    let hit = rle::intersection_area(found, of_row)?;
    let left_out =
        rle::intersection_area(found, &truth.any_or_ignored)? - rle::intersection_area(found, &truth.any)?;
    Ok(Counts {
        hit,
        wrong: found.area() - hit - left_out,
        missed: of_row.area() - hit,
    })
}

/// One finding.
struct FoundRegion {
    /// Index of its class.
    class: usize,
    region: Rle,
}

/// The findings of one photo, in the order of its document.
struct Found {
    size: Size,
    regions: Vec<FoundRegion>,
}

impl Found {
    fn of(report: &PhotoReport, classes: &[ClassSpec], size: Size) -> Result<Self, Unscorable> {
        let mut regions = Vec::new();
        for finding in &report.findings {
            let class = classes
                .iter()
                .position(|c| c.name == finding.class)
                .ok_or_else(|| Unscorable::FindingClass(finding.class.clone()))?;
            let region = rle::from_string(size, &finding.rle.counts).map_err(Unscorable::FindingMask)?;
            regions.push(FoundRegion { class, region });
        }
        Ok(Self { size, regions })
    }

    /// The pixels of one row.
    fn counts(&self, row: Row, input: &RowInput<'_>) -> Result<Counts, RleError> {
        let truth = input.truth;
        let of_row = match row {
            Row::Shown | Row::AllClasses | Row::GateIgnored => &truth.any,
            Row::Class(class) => class_truth(truth, input.classes, class),
        };
        let found = self.union(|at, class| match row {
            Row::GateIgnored => true,
            Row::Shown => input.passes && input.shown.contains(&at),
            Row::AllClasses => input.passes,
            Row::Class(of_row) => input.passes && class == of_row,
        })?;
        count(&found, of_row, truth)
    }

    /// What is left without `--all-classes`, as [`walkaround_vision::findings`] decides it.
    fn shown(&self, classes: &[ClassSpec]) -> Result<Vec<usize>, RleError> {
        let always = self.union(|_, class| classes[class].report == Report::Always)?;
        let mut shown = Vec::new();
        for (at, found) in self.regions.iter().enumerate() {
            let is_shown = match classes[found.class].report {
                Report::Always => true,
                Report::Uncovered => rle::intersection_area(&found.region, &always)? == 0,
                Report::OnRequest => false,
            };
            if is_shown {
                shown.push(at);
            }
        }
        Ok(shown)
    }

    /// The regions that `keep` picks by index and class, as one.
    fn union(&self, keep: impl Fn(usize, usize) -> bool) -> Result<Rle, RleError> {
        let all = self.regions.iter().enumerate();
        let regions: Vec<&Rle> = all
            .filter(|(at, found)| keep(*at, found.class))
            .map(|(_, found)| &found.region)
            .collect();
        rle::union(self.size, &regions)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{SIZE, classes, finding, mask, report};
    use crate::ground_truth::AnnotatedMasks;

    /// A dent on the first two pixels; the last one is left out.
    fn truth() -> GroundTruth {
        let masks = AnnotatedMasks {
            by_class: vec![vec![mask([1, 1, 0, 0])], vec![]],
            any_damage: vec![],
            ignored: vec![mask([0, 0, 0, 1])],
        };
        GroundTruth::from_masks(SIZE, &masks).unwrap()
    }

    fn counts(hit: u64, wrong: u64, missed: u64) -> Counts {
        Counts { hit, wrong, missed }
    }

    #[test]
    fn each_row_counts_what_it_says() {
        let report = report(&[finding("dent", [1, 0, 0, 1]), finding("wear", [0, 1, 1, 0])]);
        let score = |suspect| {
            let inspected = InspectedPhoto {
                report: &report,
                suspect,
            };
            PhotoScore::of(inspected, &truth(), &classes()).unwrap()
        };
        let passed = score(Some(true));
        assert_eq!(passed.shown, [0]);
        assert_eq!(
            passed.counts,
            [
                counts(1, 0, 1),
                counts(2, 1, 0),
                counts(2, 1, 0),
                counts(1, 0, 1),
                counts(0, 2, 0)
            ]
        );
        let stopped = score(Some(false));
        assert_eq!(
            stopped.counts,
            [
                counts(0, 0, 2),
                counts(0, 0, 2),
                counts(2, 1, 0),
                counts(0, 0, 2),
                counts(0, 0, 0)
            ]
        );
    }
}
