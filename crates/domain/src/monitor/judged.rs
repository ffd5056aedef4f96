//! What reviews say of a bundle: sums from which precision and recall are estimated for all photos.
//!
//! Only photos that the policy drew count, with the probability that is on their record: what somebody asked for was chosen
//! for what it shows. Each draw is a stratum by probability and reason, since people review urgent reasons first.

use crate::estimate::{Estimate, RatioSums, Stratum, ratio};
use crate::record::Drawn;
use crate::review::{Correction, FindingsDecision, Judgement, TaskReason};
use crate::verdict::Verdict;
use std::collections::{BTreeMap, BTreeSet};

/// A figure that reviews give.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Measure {
    /// Of the photos with the verdict damaged: those with damage.
    VerdictPrecision,
    /// Of the photos with damage: those with the verdict damaged.
    VerdictRecall,
    /// Of the findings of a class: those that are damage of that class.
    Precision(String),
    /// Of the damage of a class that people see: what was found, as that class.
    Recall(String),
}

impl Measure {
    /// `precision` or `recall`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::VerdictPrecision | Self::Precision(_) => "precision",
            Self::VerdictRecall | Self::Recall(_) => "recall",
        }
    }

    /// The class; none for the verdict.
    pub fn class(&self) -> Option<&str> {
        match self {
            Self::VerdictPrecision | Self::VerdictRecall => None,
            Self::Precision(class) | Self::Recall(class) => Some(class),
        }
    }

    /// From what documents hold.
    pub fn parse(kind: &str, class: Option<&str>) -> Option<Self> {
        match (kind, class) {
            ("precision", None) => Some(Self::VerdictPrecision),
            ("recall", None) => Some(Self::VerdictRecall),
            ("precision", Some(class)) => Some(Self::Precision(class.to_owned())),
            ("recall", Some(class)) => Some(Self::Recall(class.to_owned())),
            _ => None,
        }
    }
}

/// Photos that were drawn alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct StratumKey {
    /// Probability of inclusion, in millionths, at least 1.
    pub inclusion_ppm: u32,
    /// The most pressing reason.
    pub reason: TaskReason,
}

impl From<&Drawn> for StratumKey {
    fn from(drawn: &Drawn) -> Self {
        Self {
            // A cast keeps within range.
            inclusion_ppm: ((drawn.inclusion * 1e6).round() as u32).clamp(1, 1_000_000),
            reason: drawn.reason,
        }
    }
}

/// A stratum of a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JudgedStratum {
    /// Photos that were drawn.
    pub drawn: u64,
    /// Those with a review that counts.
    pub observed: u64,
    /// Sums over those.
    pub sums: BTreeMap<Measure, RatioSums>,
}

/// What reviews say of the photos of a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Judged {
    /// By how they were drawn.
    pub strata: BTreeMap<StratumKey, JudgedStratum>,
}

/// A photo with what people say of it.
#[derive(Debug, Clone, Copy)]
pub struct ReviewedPhoto<'a> {
    /// The verdict of the machine.
    pub verdict: Verdict,
    /// Class of each finding, in the order of the report.
    pub classes: &'a [String],
    /// What its reviews come to.
    pub judgement: &'a Judgement,
}

/// Findings of one class in one photo.
#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    right: f64,
    wrong: f64,
    missed: f64,
}

impl Judged {
    /// Takes a drawn photo in; `reviewed` where people have decided.
    pub fn add(&mut self, drawn: &Drawn, reviewed: Option<&ReviewedPhoto<'_>>) {
        let stratum = self.strata.entry(drawn.into()).or_default();
        stratum.drawn += 1;
        let Some(photo) = reviewed.filter(|photo| *photo.judgement != Judgement::Unreviewed) else {
            return;
        };
        stratum.observed += 1;
        let mut add = |measure, y: f64, x: f64| {
            if x > 0.0 {
                stratum.sums.entry(measure).or_default().add(y, x);
            }
        };
        let Some(by_class) = photo.by_class() else {
            return;
        };
        for (class, counts) in &by_class {
            let found = counts.right + counts.wrong;
            add(Measure::Precision(class.clone()), counts.right, found);
            add(
                Measure::Recall(class.clone()),
                counts.right,
                counts.right + counts.missed,
            );
        }
        let damaged = by_class.values().any(|c| c.right + c.missed > 0.0);
        let said = photo.verdict == Verdict::Damaged;
        let both = f64::from(u8::from(damaged && said));
        add(Measure::VerdictPrecision, both, f64::from(u8::from(said)));
        add(Measure::VerdictRecall, both, f64::from(u8::from(damaged)));
    }

    /// Takes the photos of another window in.
    pub fn merge(&mut self, other: &Self) {
        for (key, stratum) in &other.strata {
            let mine = self.strata.entry(*key).or_default();
            mine.drawn += stratum.drawn;
            mine.observed += stratum.observed;
            for (measure, sums) in &stratum.sums {
                mine.sums.entry(measure.clone()).or_default().merge(sums);
            }
        }
    }

    /// Photos that were drawn, and those of them that people have decided on.
    pub fn drawn_and_observed(&self) -> [u64; 2] {
        let sum = |of: fn(&JudgedStratum) -> u64| self.strata.values().map(of).sum();
        [sum(|s| s.drawn), sum(|s| s.observed)]
    }

    /// The measures that something was counted of; those of the verdict first.
    pub fn measures(&self) -> BTreeSet<Measure> {
        let sums = self.strata.values().flat_map(|stratum| stratum.sums.keys());
        sums.cloned()
            .chain([Measure::VerdictPrecision, Measure::VerdictRecall])
            .collect()
    }

    /// A measure for all `photos` of the window, reviewed or not.
    pub fn estimate(&self, measure: &Measure, photos: u64) -> Estimate {
        let stratum = |(key, stratum): (&StratumKey, &JudgedStratum)| Stratum {
            inclusion: f64::from(key.inclusion_ppm) / 1e6,
            drawn: stratum.drawn,
            observed: stratum.observed,
            sums: stratum.sums.get(measure).copied().unwrap_or_default(),
        };
        let strata: Vec<Stratum> = self.strata.iter().map(stratum).collect();
        ratio(&strata, photos)
    }
}

impl ReviewedPhoto<'_> {
    /// What is right, wrong and missed of each class; none where nobody can judge the photo.
    fn by_class(&self) -> Option<BTreeMap<String, Counts>> {
        let nothing = FindingsDecision::default();
        let decision = match self.judgement {
            Judgement::Unreviewed | Judgement::Unusable(_) => return None,
            // That the machine could not judge it is right: nothing is said of damage.
            Judgement::Confirmed if self.verdict == Verdict::Unusable => return None,
            Judgement::Confirmed => &nothing,
            Judgement::Corrected(decision) => decision,
        };
        let mut counts = BTreeMap::<String, Counts>::new();
        for (place, class) in self.classes.iter().enumerate() {
            let place = u32::try_from(place).unwrap_or(u32::MAX);
            match decision.findings.get(&place) {
                None | Some(Correction::Accept | Correction::Reshape(_)) => {
                    counts.entry(class.clone()).or_default().right += 1.0;
                }
                Some(Correction::Reject(_)) => counts.entry(class.clone()).or_default().wrong += 1.0,
                Some(Correction::Reclassify(other)) if other == class => {
                    counts.entry(class.clone()).or_default().right += 1.0;
                }
                Some(Correction::Reclassify(other)) => {
                    counts.entry(class.clone()).or_default().wrong += 1.0;
                    counts.entry(other.clone()).or_default().missed += 1.0;
                }
            }
        }
        for added in &decision.added {
            counts.entry(added.class.clone()).or_default().missed += 1.0;
        }
        Some(counts)
    }
}
