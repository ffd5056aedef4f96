//! What is seen of a canary: one [`Observation`] a photo, and their sums.

use super::group::CanaryGroup;
use crate::estimate::{Estimate, RatioSums, Stratum, ratio};
use crate::inspection::Lane;
use crate::verdict::Verdict;
use std::collections::BTreeMap;

/// A step whose time is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TimedStep {
    /// Locator and gates.
    Screening,
    /// Segmenters.
    Segmentation,
}

impl TimedStep {
    /// Every one.
    pub const ALL: [Self; 2] = [Self::Screening, Self::Segmentation];

    /// The word used for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Screening => "screening",
            Self::Segmentation => "segmentation",
        }
    }
}

/// What was seen of one photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Observed {
    /// The bundle of its group answered.
    Answered {
        /// With this verdict.
        verdict: Verdict,
        /// In this lane; none where no segmenter was needed.
        lane: Option<Lane>,
        /// Microseconds by step; 0 where it did not run here.
        micros: [u64; 2],
    },
    /// The canary gave no answer, and the bundle before did.
    Failed,
    /// What the bundle before says of a photo that the canary answered for.
    Before(Verdict),
}

/// What was seen of one photo, and in which group it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Observation {
    /// Its group.
    pub group: CanaryGroup,
    /// What was seen.
    pub observed: Observed,
}

/// Times as the sum of their logarithms: one slow photo does not outweigh all others.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LogMean {
    /// How many.
    pub count: u64,
    /// Σ ln of each, in microseconds.
    pub sum: f64,
}

impl LogMean {
    /// The geometric mean, in microseconds; none of nothing.
    pub fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| (self.sum / self.count as f64).exp())
    }
}

/// What one group comes to.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Group {
    /// Photos that were answered for, by verdict.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Photos that the canary failed on.
    pub failed: u64,
    /// Times by lane and step.
    pub times: BTreeMap<(Option<Lane>, TimedStep), LogMean>,
}

impl Group {
    /// Photos that the group's bundle answered for.
    pub fn answered(&self) -> u64 {
        self.verdicts.values().sum()
    }

    /// All its photos.
    pub fn photos(&self) -> u64 {
        self.answered() + self.failed
    }

    /// Photos with a verdict.
    pub fn with(&self, verdict: Verdict) -> u64 {
        self.verdicts.get(&verdict).copied().unwrap_or_default()
    }
}

/// What is seen of a canary.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Evidence {
    /// Of the canary's photos.
    pub canary: Group,
    /// Of those that it is compared with.
    pub control: Group,
    /// Photos of which both bundles have said something, by the verdict of the bundle before and the canary's.
    pub beside: BTreeMap<(Verdict, Verdict), u64>,
    /// Of the photos that the canary called damaged, those that were drawn for review, by the probability of the draw.
    pub drawn: Vec<Stratum>,
}

impl Evidence {
    /// Takes in all that was seen of one photo, in any order, as often as it was noted.
    pub fn add(&mut self, seen: &[Observation]) {
        let answered = seen.iter().find_map(|one| match one.observed {
            Observed::Answered {
                verdict,
                lane,
                micros,
            } => Some((one.group, verdict, lane, micros)),
            _ => None,
        });
        let failed = seen.iter().any(|one| one.observed == Observed::Failed);
        if failed {
            // Whatever answered in the end: it was not the canary.
            self.canary.failed += 1;
            return;
        }
        let Some((group, verdict, lane, micros)) = answered else {
            return;
        };
        let of = match group {
            CanaryGroup::Canary => &mut self.canary,
            CanaryGroup::Control => &mut self.control,
        };
        *of.verdicts.entry(verdict).or_default() += 1;
        for (step, micros) in TimedStep::ALL.into_iter().zip(micros) {
            if micros > 0 {
                let time = of.times.entry((lane, step)).or_default();
                time.count += 1;
                time.sum += (micros as f64).ln();
            }
        }
        let before = seen.iter().find_map(|one| match one.observed {
            Observed::Before(verdict) => Some(verdict),
            _ => None,
        });
        if let (CanaryGroup::Canary, Some(before)) = (group, before) {
            *self.beside.entry((before, verdict)).or_default() += 1;
        }
    }

    /// Photos of which both bundles have said something.
    pub fn pairs(&self) -> u64 {
        self.beside_where(|_, _| true)
    }

    /// Those of them on which their verdicts differ.
    pub fn flips(&self) -> u64 {
        self.beside_where(|before, now| before != now)
    }

    /// Photos of which both bundles have said something like this: the bundle before, and the canary.
    pub fn beside_where(&self, fits: impl Fn(Verdict, Verdict) -> bool) -> u64 {
        let fits = self
            .beside
            .iter()
            .filter(|((before, now), _)| fits(*before, *now));
        fits.map(|(_, count)| count).sum()
    }

    /// Takes in a photo that the canary called damaged and that was drawn for review with this probability; `is_damaged` is what
    /// people say of it, none as long as nobody has.
    pub fn add_review(&mut self, inclusion: f64, is_damaged: Option<bool>) {
        let same = |stratum: &&mut Stratum| stratum.inclusion.to_bits() == inclusion.to_bits();
        let at = match self.drawn.iter_mut().find(same) {
            Some(stratum) => stratum,
            None => {
                self.drawn.push(Stratum {
                    inclusion,
                    drawn: 0,
                    observed: 0,
                    sums: RatioSums::default(),
                });
                let last = self.drawn.len() - 1;
                &mut self.drawn[last]
            }
        };
        at.drawn += 1;
        if let Some(is_damaged) = is_damaged {
            at.observed += 1;
            at.sums.add(f64::from(u8::from(is_damaged)), 1.0);
        }
    }

    /// The share of the photos that the canary called damaged that are, by what people say of those that were drawn.
    pub fn precision(&self) -> Estimate {
        ratio(&self.drawn, self.canary.with(Verdict::Damaged))
    }
}
