//! What a pass came to, as a document: for people, the console and metrics.

use crate::Unreadable;
use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::report::BundleDocument;
use serde::{Deserialize, Serialize};
use walkaround_domain::estimate::Estimate;
use walkaround_domain::monitor::{FigureState, Measure, Shift};

/// Where the monitor stands with a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ModelState {
    /// Nothing was finished yet.
    #[default]
    Empty,
    /// The first photos under the bundle are gathered.
    Learning,
    /// There are too few photos since to compare.
    Waiting,
    /// As in the reference.
    Steady,
    /// Something has changed.
    Drift,
}

impl ModelState {
    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Empty => "empty",
            Self::Learning => "learning",
            Self::Waiting => "waiting",
            Self::Steady => "steady",
            Self::Drift => "drift",
        }
    }
}

/// What a pass came to.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ModelDocument {
    /// Version of this document: 1.
    pub version: u32,
    /// When the pass was made, RFC 3339; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The bundle in use; none before its first photo.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bundle: Option<BundleDocument>,
    /// Where it stands.
    pub state: ModelState,
    /// Photos that a reference needs.
    pub reference_photos: u64,
    /// The reference, or what is gathered of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<SpanDocument>,
    /// The latest hours, which are compared with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub now: Option<SpanDocument>,
    /// Each figure, in a fixed order.
    #[serde(default)]
    pub figures: Vec<ShiftDocument>,
    /// What reviews say.
    #[serde(default)]
    pub reviews: ReviewsDocument,
    /// The windows that were asked for, the first one first; not kept with the pass.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<WindowSummary>,
}

/// Hours with their photos.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SpanDocument {
    /// First hour, `2026-11-22T17`.
    pub from: String,
    /// Last hour.
    pub to: String,
    /// Photos with a verdict.
    pub photos: u64,
}

/// One figure beside its reference.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ShiftDocument {
    /// Which: `verdict`, `gate`, `findings`, `class`, `luma`, `sharpness`, `size`, `source`.
    pub figure: String,
    /// `too_few`, `steady` or `drift`.
    pub state: String,
    /// Since when it drifts, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<String>,
    /// Population stability index.
    pub psi: f64,
    /// What it is by chance, in the mean.
    pub chance: f64,
    /// What it is by chance at most in 95 of 100 windows.
    pub chance_95: f64,
    /// What it has to exceed to be drift.
    pub limit: f64,
    /// Counts in the reference.
    pub reference: u64,
    /// Counts now.
    pub now: u64,
    /// Shares, bin by bin.
    #[serde(default)]
    pub bins: Vec<BinDocument>,
}

/// One bin of a figure.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BinDocument {
    /// What it holds, for people.
    pub label: String,
    /// Its share in the reference, 0 to 1.
    pub reference: f64,
    /// Its share now.
    pub now: f64,
}

/// What reviews say of the photos of some hours.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct ReviewsDocument {
    /// The hours.
    #[serde(default)]
    pub span: SpanDocument,
    /// Photos that the policy drew.
    pub drawn: u64,
    /// Those of them that people have decided on.
    pub reviewed: u64,
    /// Precision and recall, those of the verdict first.
    #[serde(default)]
    pub measures: Vec<MeasureDocument>,
}

/// Precision or recall of all photos, estimated.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct MeasureDocument {
    /// `precision` or `recall`.
    pub kind: String,
    /// Class; none for the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<String>,
    /// The estimate; none where too few photos were reviewed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Lower end of its 95 % interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Reviewed photos that it rests on.
    pub photos: u64,
}

/// One window in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WindowSummary {
    /// The hour, `2026-11-22T17`.
    pub hour: String,
    /// The bundle that was used.
    pub bundle: Option<BundleDocument>,
    /// Photos with a verdict.
    pub photos: u64,
    /// Photos that failed for good.
    pub failed: u64,
    /// Clean ones.
    pub clean: u64,
    /// Damaged ones.
    pub damaged: u64,
    /// Unusable ones.
    pub unusable: u64,
}

/// The document of a pass.
pub fn model_body(model: &ModelDocument) -> String {
    to_text(model)
}

/// Reads the document of a pass.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_model(body: &str) -> Result<ModelDocument, Unreadable> {
    let model: ModelDocument = from_text(body)?;
    check_version(u64::from(model.version))?;
    Ok(model)
}

impl ModelDocument {
    /// A document of this version that says nothing yet.
    pub fn empty(reference_photos: u64) -> Self {
        Self {
            version: VERSION,
            reference_photos,
            ..Self::default()
        }
    }

    /// The figures that drift.
    pub fn drifting(&self) -> impl Iterator<Item = &ShiftDocument> {
        self.figures.iter().filter(|figure| figure.is_drift())
    }
}

impl ShiftDocument {
    /// A comparison with the shares of its bins.
    pub fn new(shift: &Shift, bins: Vec<BinDocument>) -> Self {
        Self {
            figure: shift.figure.as_str().to_owned(),
            state: shift.state.as_str().to_owned(),
            since: None,
            psi: rounded(shift.psi),
            chance: rounded(shift.chance),
            chance_95: rounded(shift.chance_95),
            limit: rounded(shift.limit),
            reference: shift.reference,
            now: shift.now,
            bins,
        }
    }

    /// Whether it has changed.
    pub fn is_drift(&self) -> bool {
        self.state == FigureState::Drift.as_str()
    }
}

impl MeasureDocument {
    /// A measure with its estimate.
    pub fn new(measure: &Measure, estimate: &Estimate) -> Self {
        let (known, photos) = match estimate {
            Estimate::TooFew { units } => (None, *units),
            Estimate::Known(interval) => (Some(interval), interval.units),
        };
        Self {
            kind: measure.kind().to_owned(),
            class: measure.class().map(str::to_owned),
            value: known.map(|interval| rounded(interval.value)),
            low: known.map(|interval| rounded(interval.low)),
            high: known.map(|interval| rounded(interval.high)),
            photos,
        }
    }
}

/// Five decimals: shorter documents.
fn rounded(value: f64) -> f64 {
    (finite(value) * 1e5).round() / 1e5
}

impl BinDocument {
    /// A bin with its shares.
    pub fn new(label: String, reference: f64, now: f64) -> Self {
        Self {
            label,
            reference: rounded(reference),
            now: rounded(now),
        }
    }
}
