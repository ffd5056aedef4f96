//! Counts over finished inspections.

use crate::inspection::Phase;
use crate::record::{Inspection, Outcome};
use std::collections::BTreeMap;

/// Most words of one histogram; further ones count as [`OTHER`].
pub const WORDS_MAX: usize = 16;
/// Longest word of a histogram, in bytes; a longer one counts as [`OTHER`].
const WORD_BYTES_MAX: usize = 32;
/// Where words end up that have no place of their own.
pub const OTHER: &str = "(other)";
/// Photos without the label that names their source.
const NO_SOURCE: &str = "(none)";
/// Findings of one photo from which on they are not told apart.
const FINDINGS_TOP: usize = 10;

/// What is counted of photos.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Figure {
    /// Verdict.
    Verdict,
    /// Highest P(damage) of the gates.
    Gate,
    /// Findings of a photo.
    Findings,
    /// Class of a finding.
    Class,
    /// Mean luma.
    Luma,
    /// Variance of the Laplacian.
    Sharpness,
    /// Sides in pixels: another camera has others.
    Size,
    /// Where a photo came from, by one of its labels.
    Source,
}

impl Figure {
    /// Every figure.
    pub const ALL: [Self; 8] = [
        Self::Verdict,
        Self::Gate,
        Self::Findings,
        Self::Class,
        Self::Luma,
        Self::Sharpness,
        Self::Size,
        Self::Source,
    ];

    /// The figure that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|f| f.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Verdict => "verdict",
            Self::Gate => "gate",
            Self::Findings => "findings",
            Self::Class => "class",
            Self::Luma => "luma",
            Self::Sharpness => "sharpness",
            Self::Size => "size",
            Self::Source => "source",
        }
    }

    /// Whether its bins are ranges of a number, in order, and not words.
    pub const fn is_ordered(self) -> bool {
        matches!(self, Self::Gate | Self::Findings | Self::Luma | Self::Sharpness)
    }

    /// What a bin holds, for people: the range of an ordered figure, the word of another.
    pub fn bin_label(self, bin: &str) -> String {
        let Ok(number) = bin.parse::<u32>() else {
            return bin.to_owned();
        };
        let from = f64::from(number);
        match self {
            Self::Gate => format!("{:.2} to {:.2}", from / GATE_BINS, (from + 1.0) / GATE_BINS),
            Self::Luma => format!("{} to {}", number * LUMA_STEP, (number + 1) * LUMA_STEP),
            Self::Sharpness => format!("{:.0} to {:.0}", sharpness_at(from), sharpness_at(from + 1.0)),
            Self::Findings if number as usize == FINDINGS_TOP => format!("{number} or more"),
            Self::Findings => number.to_string(),
            Self::Verdict | Self::Class | Self::Size | Self::Source => bin.to_owned(),
        }
    }
}

const GATE_BINS: f64 = 20.0;
const LUMA_STEP: u32 = 8;
/// Steps of half an octave: sharpness of photos spans several powers of ten.
const SHARPNESS_STEPS: f64 = 2.0;
const SHARPNESS_TOP: f64 = 40.0;

fn sharpness_at(step: f64) -> f64 {
    (step / SHARPNESS_STEPS).exp2() - 1.0
}

/// The bin of a number; two digits, so that bins sort as their numbers do.
fn bin(number: f64, top: f64) -> String {
    // A cast keeps within range, and NaN becomes 0.
    format!("{:02}", number.clamp(0.0, top) as u32)
}

/// Counts by bin.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Histogram(BTreeMap<String, u64>);

impl Histogram {
    /// From bins and their counts; where there are more than [`WORDS_MAX`] and one more for the others, the last ones
    /// count as others.
    pub fn new(counts: impl IntoIterator<Item = (String, u64)>) -> Self {
        let mut all = Self::default();
        for (bin, count) in counts {
            all.add(&bin, count);
        }
        all
    }

    /// Bins and counts, in the order of bins.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().map(|(bin, count)| (bin.as_str(), *count))
    }

    /// The count of a bin.
    pub fn count(&self, bin: &str) -> u64 {
        self.0.get(bin).copied().unwrap_or_default()
    }

    /// All counts together.
    pub fn total(&self) -> u64 {
        self.0.values().sum()
    }

    /// Counts in a bin. There are at most [`WORDS_MAX`] and the others.
    pub fn add(&mut self, bin: &str, count: u64) {
        if count == 0 {
            return;
        }
        let known = self.0.contains_key(bin);
        let others = usize::from(self.0.contains_key(OTHER));
        let fits = known || (bin.len() <= WORD_BYTES_MAX && self.0.len() - others < BINS_MAX);
        let bin = if fits { bin } else { OTHER };
        *self.0.entry(bin.to_owned()).or_default() += count;
    }

    fn merge(&mut self, other: &Self) {
        for (bin, count) in &other.0 {
            self.add(bin, *count);
        }
    }

    fn remove(&mut self, other: &Self) {
        for (bin, count) in &other.0 {
            if let Some(mine) = self.0.get_mut(bin) {
                *mine = mine.saturating_sub(*count);
            }
        }
        self.0.retain(|_, count| *count > 0);
    }
}

/// Bins of numbers are at most 42; words are fewer.
const BINS_MAX: usize = 48;

/// Counts over finished inspections.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Figures {
    /// Photos with a verdict.
    pub photos: u64,
    /// Photos that failed for good.
    pub failed: u64,
    /// Counts of each figure; one without counts is left out.
    pub histograms: BTreeMap<Figure, Histogram>,
}

impl Figures {
    /// Takes a finished inspection in; one that is not finished counts nowhere. `source` is the name of the label that
    /// says where a photo comes from.
    pub fn add(&mut self, inspection: &Inspection, source: &str) {
        match (&inspection.phase, &inspection.outcome) {
            (Phase::Done { verdict }, Some(outcome)) => {
                self.photos += 1;
                self.count(Figure::Verdict, verdict.as_str());
                self.add_outcome(outcome);
                let label = inspection.request.labels.get(source);
                self.word(Figure::Source, label.map_or(NO_SOURCE, String::as_str));
            }
            (Phase::Failed { .. }, _) => self.failed += 1,
            _ => {}
        }
    }

    fn add_outcome(&mut self, outcome: &Outcome) {
        if let Some(gate) = outcome.gate {
            let step = f64::from(gate) * GATE_BINS;
            self.count(Figure::Gate, &bin(step, GATE_BINS - 1.0));
        }
        let found = outcome.findings.len().min(FINDINGS_TOP);
        self.count(Figure::Findings, &bin(found as f64, FINDINGS_TOP as f64));
        for finding in &outcome.findings {
            self.word(Figure::Class, &finding.class);
        }
        if let Some(quality) = outcome.quality {
            let luma = f64::from(quality.luma_mean) / f64::from(LUMA_STEP);
            self.count(Figure::Luma, &bin(luma, 31.0));
            let octaves = (f64::from(quality.sharpness).max(0.0) + 1.0).log2();
            let step = octaves * SHARPNESS_STEPS;
            self.count(Figure::Sharpness, &bin(step, SHARPNESS_TOP));
        }
        if let Some(size) = outcome.size {
            // A camera that is turned is the same one.
            let (long, short) = (size.width.max(size.height), size.width.min(size.height));
            self.word(Figure::Size, &format!("{long} x {short}"));
        }
    }

    /// Words come from outside: there may be any number of them.
    fn word(&mut self, figure: Figure, word: &str) {
        let histogram = self.histograms.entry(figure).or_default();
        let full = histogram.0.len() >= WORDS_MAX && !histogram.0.contains_key(word);
        histogram.add(if full || word.is_empty() { OTHER } else { word }, 1);
    }

    fn count(&mut self, figure: Figure, bin: &str) {
        self.histograms.entry(figure).or_default().add(bin, 1);
    }

    /// Takes the inspections of another window in: the sum of two windows is the window of both, but for words beyond
    /// [`WORDS_MAX`].
    pub fn merge(&mut self, other: &Self) {
        self.photos += other.photos;
        self.failed += other.failed;
        for (figure, histogram) in &other.histograms {
            self.histograms.entry(*figure).or_default().merge(histogram);
        }
    }

    /// Takes the inspections of a window out that are in.
    pub(super) fn remove(&mut self, other: &Self) {
        self.photos = self.photos.saturating_sub(other.photos);
        self.failed = self.failed.saturating_sub(other.failed);
        for (figure, histogram) in &other.histograms {
            if let Some(mine) = self.histograms.get_mut(figure) {
                mine.remove(histogram);
            }
        }
    }

    /// The counts of a figure; none where nothing was counted.
    pub fn histogram(&self, figure: Figure) -> Option<&Histogram> {
        self.histograms.get(&figure)
    }
}
