//! The figures of a comparison over many photos.

use super::photo::ComparedPhoto;
use super::reviewed::{ReviewedPhoto, Reviewing, RightShare, WhoWasRight};
use super::worst::{Shelf, Worst};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use walkaround_messages::BundleDocument;

const SCHEMA: &str = "walkaround.comparison/1";

/// Two bundles on many photos.
#[derive(Debug, Clone, Serialize)]
pub struct Comparison {
    schema: &'static str,
    /// The bundles on the records.
    pub old: Vec<BundleDocument>,
    /// The other bundle.
    pub new: Vec<BundleDocument>,
    /// Thresholds of the other bundle that are not those of its manifest, by class or gate.
    pub thresholds: BTreeMap<String, f32>,
    /// Photos that were compared.
    pub photos: u64,
    /// Photos whose verdict differs.
    pub flips: u64,
    /// Their share among photos of this kind.
    pub flip_share: RightShare,
    /// Photos by both verdicts; pairs without a photo are left out.
    pub verdicts: Vec<VerdictPair>,
    /// By class.
    pub classes: Vec<ClassComparison>,
    /// Mean IoU of everything that is found, over photos on which either finds something.
    pub mean_iou: Option<f64>,
    /// The gates.
    pub gate: GateComparison,
    /// The times.
    pub time: TimeComparison,
    /// Who was right, as far as people have looked.
    pub reviews: WhoWasRight,
    /// Photos that could not be compared, by reason.
    pub left_out: BTreeMap<String, u64>,
    /// The largest differences.
    pub worst: Vec<Worst>,
}

/// Photos with one verdict of the first bundle and one of the second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VerdictPair {
    /// By the first.
    pub old: String,
    /// By the second.
    pub new: String,
    /// How many.
    pub photos: u64,
}

/// One class.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct ClassComparison {
    /// Its name.
    pub class: String,
    /// Photos on which the first bundle finds it.
    pub photos_old: u64,
    /// Photos on which the second bundle finds it.
    pub photos_new: u64,
    /// Photos on which both do.
    pub photos_both: u64,
    /// Findings of the first bundle.
    pub findings_old: u64,
    /// Findings of the second bundle.
    pub findings_new: u64,
    /// Findings that both have: their masks overlap.
    pub findings_both: u64,
    /// Mean IoU of the masks of those.
    pub mean_iou: Option<f64>,
}

/// P(damage) of the gates, over photos on which both were asked.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct GateComparison {
    /// How many.
    pub photos: u64,
    /// Mean of the first.
    pub mean_old: Option<f64>,
    /// Mean of the second.
    pub mean_new: Option<f64>,
    /// Median of the absolute change.
    pub change_median: Option<f64>,
    /// 95th percentile of the absolute change.
    pub change_p95: Option<f64>,
}

/// Milliseconds that the networks took, over photos on which they ran; each on the machine that ran them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct TimeComparison {
    /// Median of the first.
    pub old_median_ms: Option<f64>,
    /// 95th percentile of the first.
    pub old_p95_ms: Option<f64>,
    /// Median of the second.
    pub new_median_ms: Option<f64>,
    /// 95th percentile of the second.
    pub new_p95_ms: Option<f64>,
}

/// Takes photos in one by one.
#[derive(Debug, Default)]
pub struct ComparisonBuilder {
    bundles: [BTreeSet<(String, String)>; 2],
    photos: u64,
    flips: u64,
    verdicts: BTreeMap<(String, String), u64>,
    classes: BTreeMap<String, ClassSums>,
    ious: Mean,
    gates: [Mean; 2],
    gate_changes: Vec<f64>,
    times: [Vec<f64>; 2],
    reviewing: Reviewing,
    thresholds: BTreeMap<String, f32>,
    left_out: BTreeMap<String, u64>,
    worst: Shelf,
}

#[derive(Debug, Default)]
struct ClassSums {
    /// On the first only, the second only, both.
    photos: [u64; 3],
    findings: [u64; 2],
    ious: Mean,
}

impl ClassSums {
    fn named(self, class: String) -> ClassComparison {
        let [old, new, both] = self.photos;
        ClassComparison {
            class,
            photos_old: old + both,
            photos_new: new + both,
            photos_both: both,
            findings_old: self.findings[0],
            findings_new: self.findings[1],
            findings_both: self.ious.count,
            mean_iou: self.ious.value(),
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl ComparisonBuilder {
    /// Takes a photo in; `review` says whether people were to look at it, and what they found.
    pub fn add(&mut self, photo: &ComparedPhoto, review: Option<&ReviewedPhoto>) {
        self.photos += 1;
        self.flips += u64::from(photo.flips());
        for (bundles, side) in self.bundles.iter_mut().zip([&photo.old, &photo.new]) {
            bundles.insert((side.bundle.name.clone(), side.bundle.version.clone()));
        }
        let verdicts = (photo.old.verdict.clone(), photo.new.verdict.clone());
        *self.verdicts.entry(verdicts).or_default() += 1;
        self.add_findings(photo);
        if let (Some(old), Some(new)) = (photo.old.gate, photo.new.gate) {
            self.gates[0].add(f64::from(old));
            self.gates[1].add(f64::from(new));
            self.gate_changes.push(f64::from((old - new).abs()));
        }
        for (times, side) in self.times.iter_mut().zip([&photo.old, &photo.new]) {
            times.extend(side.networks_ms());
        }
        if let Some(review) = review {
            self.reviewing.add(photo, review);
        }
        self.worst.offer(photo);
    }

    fn add_findings(&mut self, photo: &ComparedPhoto) {
        if let Some(iou) = photo.iou {
            self.ious.add(iou);
        }
        let mut seen: BTreeMap<&str, [bool; 2]> = BTreeMap::new();
        for finding in &photo.findings {
            let sums = self.classes.entry(finding.class.clone()).or_default();
            let there = [finding.old.is_some(), finding.new.is_some()];
            let on_photo = seen.entry(&finding.class).or_default();
            for side in 0..2 {
                sums.findings[side] += u64::from(there[side]);
                on_photo[side] |= there[side];
            }
            if let Some(iou) = finding.iou {
                sums.ious.add(iou);
            }
        }
        for (class, sides) in seen {
            let sums = self.classes.entry(class.to_owned()).or_default();
            let at = match sides {
                [true, true] => 2,
                [false, _] => 1,
                [true, false] => 0,
            };
            sums.photos[at] += 1;
        }
    }

    /// The other bundle ran with other thresholds than those of its manifest.
    pub fn set_thresholds(&mut self, thresholds: BTreeMap<String, f32>) {
        self.thresholds = thresholds;
    }

    /// Counts a photo that could not be compared.
    pub fn leave_out(&mut self, reason: &str) {
        *self.left_out.entry(reason.to_owned()).or_default() += 1;
    }

    /// Photos that were taken in.
    pub const fn photos(&self) -> u64 {
        self.photos
    }

    /// All figures.
    pub fn finish(mut self) -> Comparison {
        let [old, new] = self.bundles.map(|bundles| {
            let document = |(name, version)| BundleDocument { name, version };
            bundles.into_iter().map(document).collect()
        });
        let pair = |((old, new), photos)| VerdictPair { old, new, photos };
        let [old_ms, new_ms] = &mut self.times;
        Comparison {
            schema: SCHEMA,
            old,
            new,
            thresholds: self.thresholds,
            photos: self.photos,
            flips: self.flips,
            flip_share: RightShare::of_count(self.flips, self.photos),
            verdicts: self.verdicts.into_iter().map(pair).collect(),
            classes: self
                .classes
                .into_iter()
                .map(|(name, sums)| sums.named(name))
                .collect(),
            mean_iou: self.ious.value(),
            gate: GateComparison {
                photos: self.gates[0].count,
                mean_old: self.gates[0].value(),
                mean_new: self.gates[1].value(),
                change_median: quantile(&mut self.gate_changes, 0.5),
                change_p95: quantile(&mut self.gate_changes, 0.95),
            },
            time: TimeComparison {
                old_median_ms: quantile(old_ms, 0.5),
                old_p95_ms: quantile(old_ms, 0.95),
                new_median_ms: quantile(new_ms, 0.5),
                new_p95_ms: quantile(new_ms, 0.95),
            },
            reviews: self.reviewing.finish(self.photos),
            left_out: self.left_out,
            worst: self.worst.into_vec(),
        }
    }
}

impl Comparison {
    /// The document as text.
    ///
    /// # Errors
    /// Never for what [`ComparisonBuilder::finish`] gives: it has numbers and text only.
    pub fn to_json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }
}

/// The value below which this share of the values lies, or the next one.
fn quantile(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let last = values.len().checked_sub(1)?;
    let at = (share * last as f64).round() as usize;
    values.get(at).copied()
}

#[cfg(test)]
mod tests;
