//! Findings against truth on one photo: pixel counts by row of the table of scores.

use super::truth::{Damage, Truth};
use walkaround_domain::{Rle, Size};
use walkaround_messages::PhotoReport;
use walkaround_vision::mask::{ClassSpec, Report};
use walkaround_vision::rle::{self, RleError};

/// A row of the table of scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Row {
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
    pub(crate) fn all(classes: &[ClassSpec]) -> Vec<Self> {
        let whole = [Self::Shown, Self::AllClasses, Self::GateIgnored];
        whole
            .into_iter()
            .chain((0..classes.len()).map(Self::Class))
            .collect()
    }
}

/// Pixels of the original, over one photo or many.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Found and true.
    pub hit: u64,
    /// Found, not true.
    pub wrong: u64,
    /// True, not found.
    pub missed: u64,
}

impl Counts {
    pub(crate) fn add(&mut self, other: Self, times: u64) {
        self.hit += other.hit * times;
        self.wrong += other.wrong * times;
        self.missed += other.missed * times;
    }

    /// Intersection over union; none when nothing is true and nothing found.
    pub(crate) fn iou(self) -> Option<f64> {
        share(self.hit, self.hit + self.wrong + self.missed)
    }

    pub(crate) fn f1(self) -> Option<f64> {
        share(2 * self.hit, 2 * self.hit + self.wrong + self.missed)
    }

    /// None when nothing was found.
    pub(crate) fn precision(self) -> Option<f64> {
        share(self.hit, self.hit + self.wrong)
    }

    /// None when nothing is true.
    pub(crate) fn recall(self) -> Option<f64> {
        share(self.hit, self.hit + self.missed)
    }
}

pub(crate) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// What one photo adds to the figures.
#[derive(Debug, Clone)]
pub(crate) struct PhotoScore {
    pub damage: Damage,
    /// P(damage); none when no gate was asked.
    pub gate: Option<f32>,
    /// Whether the gates let it through; none when they were not asked.
    pub suspect: Option<bool>,
    /// One a row of [`Row::all`].
    pub counts: Vec<Counts>,
    /// Which of the document's findings `inspect` reports without `--all-classes`.
    pub shown: Vec<usize>,
}

impl PhotoScore {
    /// Scores the document of a photo that was looked at with all classes and with no gate stopping it.
    ///
    /// # Errors
    /// When a run-length code of the document does not fit the size.
    pub(crate) fn of(
        (report, suspect): (&PhotoReport, Option<bool>),
        truth: &Truth,
        (classes, size): (&[ClassSpec], Size),
    ) -> Result<Self, RleError> {
        let found = Found::of(report, classes, size)?;
        // Without a gate, or where none was asked, nothing is held back.
        let passes = suspect != Some(false);
        let nothing = rle::union(size, &[])?;
        let shown = found.shown(classes, size)?;
        let counts = Row::all(classes)
            .into_iter()
            .map(|row| {
                let (found, truth_of_row, held_back) = match row {
                    Row::Shown => (found.of_these(&shown, size)?, &truth.any, !passes),
                    Row::AllClasses => (found.all(size)?, &truth.any, !passes),
                    Row::GateIgnored => (found.all(size)?, &truth.any, false),
                    Row::Class(class) => {
                        let truth = class_truth(truth, classes, class);
                        (found.class(class, size)?, truth, !passes)
                    }
                };
                let found = if held_back { &nothing } else { &found };
                count(found, truth_of_row, truth)
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            damage: truth.damage,
            gate: report.gate,
            suspect,
            counts,
            shown,
        })
    }
}

/// The class "any damage" is true wherever there is any.
pub(crate) fn class_truth<'a>(truth: &'a Truth, classes: &[ClassSpec], class: usize) -> &'a Rle {
    if classes[class].name == super::mapping::ANY_DAMAGE {
        &truth.any
    } else {
        &truth.classes[class]
    }
}

/// Pixels of one photo; those to be left out count nowhere. `of_row` lies inside `truth.any`.
fn count(found: &Rle, of_row: &Rle, truth: &Truth) -> Result<Counts, RleError> {
    let hit = rle::intersection_area(found, of_row)?;
    let left_out =
        rle::intersection_area(found, &truth.any_or_ignored)? - rle::intersection_area(found, &truth.any)?;
    Ok(Counts {
        hit,
        wrong: found.area() - hit - left_out,
        missed: of_row.area() - hit,
    })
}

/// The findings of one photo, in the order of its document: class (by index) and region.
struct Found(Vec<(usize, Rle)>);

impl Found {
    fn of(report: &PhotoReport, classes: &[ClassSpec], size: Size) -> Result<Self, RleError> {
        let mut found = Vec::new();
        for finding in &report.findings {
            let class = classes.iter().position(|c| c.name == finding.class);
            let class = class.expect("findings are of the bundle's classes");
            found.push((class, rle::from_string(size, &finding.rle.counts)?));
        }
        Ok(Self(found))
    }

    fn all(&self, size: Size) -> Result<Rle, RleError> {
        self.union(size, |_, _| true)
    }

    fn class(&self, class: usize, size: Size) -> Result<Rle, RleError> {
        self.union(size, |_, of| of == class)
    }

    fn of_these(&self, these: &[usize], size: Size) -> Result<Rle, RleError> {
        self.union(size, |at, _| these.contains(&at))
    }

    /// What is left without `--all-classes`, as [`walkaround_vision::findings`] decides it.
    fn shown(&self, classes: &[ClassSpec], size: Size) -> Result<Vec<usize>, RleError> {
        let always = self.union(size, |_, class| classes[class].report == Report::Always)?;
        let mut shown = Vec::new();
        for (at, (class, region)) in self.0.iter().enumerate() {
            let is_shown = match classes[*class].report {
                Report::Always => true,
                Report::Uncovered => rle::intersection_area(region, &always)? == 0,
                Report::OnRequest => false,
            };
            if is_shown {
                shown.push(at);
            }
        }
        Ok(shown)
    }

    /// The regions that `keep` picks by place and class, as one.
    fn union(&self, size: Size, keep: impl Fn(usize, usize) -> bool) -> Result<Rle, RleError> {
        let all = self.0.iter().enumerate();
        let regions: Vec<&Rle> = all
            .filter(|(at, (class, _))| keep(*at, *class))
            .map(|(_, (_, region))| region)
            .collect();
        rle::union(size, &regions)
    }
}
