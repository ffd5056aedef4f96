//! Windows, references and progress as documents.

use super::{hour_text, parse_hour};
use crate::Unreadable;
use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::moment::rfc3339;
use crate::report::BundleDocument;
use crate::review::fields::{at, one_of};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use walkaround_domain::estimate::RatioSums;
use walkaround_domain::monitor::{
    Figure, Figures, Histogram, Judged, JudgedStratum, Measure, Reference, StratumKey,
};
use walkaround_domain::{BundleId, TaskReason, Timestamp};

/// What was finished in one hour, by the day its photos were accepted on and by bundle. Each day's part is written anew
/// when that day is listed, so that nothing counts twice.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct MonitorWindow {
    /// Hours since 1970.
    pub hour: u64,
    /// The parts.
    pub cells: Vec<Cell>,
}

/// One part of a window.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cell {
    /// UTC day of acceptance.
    pub day: String,
    /// The bundle that was used.
    pub bundle: BundleId,
    /// Counts.
    pub figures: Figures,
    /// What reviews say.
    pub judged: Judged,
}

/// How far records were read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Progress {
    /// By UTC day of acceptance.
    pub days: BTreeMap<String, DayProgress>,
}

/// How far the records of one day were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayProgress {
    /// When they were listed last.
    pub listed_at: Timestamp,
    /// Inspections that were not finished then.
    pub open: u64,
    /// Hours of the windows that have a part of this day.
    pub hours: BTreeSet<u64>,
}

#[derive(Serialize, Deserialize)]
struct WindowDocument {
    version: u32,
    hour: String,
    cells: Vec<CellDocument>,
}

#[derive(Serialize, Deserialize)]
struct CellDocument {
    day: String,
    bundle: BundleDocument,
    figures: FiguresDocument,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    judged: Vec<StratumDocument>,
}

/// Counts over finished inspections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiguresDocument {
    /// Photos with a verdict.
    pub photos: u64,
    /// Photos that failed for good.
    #[serde(default)]
    pub failed: u64,
    /// Counts by figure and bin.
    #[serde(default)]
    pub histograms: BTreeMap<String, BTreeMap<String, u64>>,
}

#[derive(Serialize, Deserialize)]
struct StratumDocument {
    inclusion_ppm: u32,
    reason: String,
    drawn: u64,
    observed: u64,
    #[serde(default)]
    sums: Vec<SumsDocument>,
}

#[derive(Serialize, Deserialize)]
struct SumsDocument {
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    class: Option<String>,
    units: u64,
    y: f64,
    x: f64,
    yy: f64,
    xy: f64,
    xx: f64,
}

#[derive(Serialize, Deserialize)]
struct ReferenceDocument {
    version: u32,
    bundle: BundleDocument,
    from: String,
    to: String,
    by_hour: BTreeMap<u8, FiguresDocument>,
    dispersion: BTreeMap<String, f64>,
}

#[derive(Serialize, Deserialize)]
struct ProgressDocument {
    version: u32,
    days: BTreeMap<String, DayDocument>,
}

#[derive(Serialize, Deserialize)]
struct DayDocument {
    listed_at: String,
    open: u64,
    hours: Vec<String>,
}

/// The document of a window.
pub fn monitor_window_body(window: &MonitorWindow) -> String {
    let stratum = |(key, stratum): (&StratumKey, &JudgedStratum)| stratum_document(key, stratum);
    let cell = |cell: &Cell| CellDocument {
        day: cell.day.clone(),
        bundle: (&cell.bundle).into(),
        figures: (&cell.figures).into(),
        judged: cell.judged.strata.iter().map(stratum).collect(),
    };
    to_text(&WindowDocument {
        version: VERSION,
        hour: hour_text(window.hour),
        cells: window.cells.iter().map(cell).collect(),
    })
}

/// Reads the document of a window.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_monitor_window(body: &str) -> Result<MonitorWindow, Unreadable> {
    let wire: WindowDocument = from_text(body)?;
    check_version(u64::from(wire.version))?;
    let cell = |cell: CellDocument| {
        let strata = cell.judged.into_iter().map(stratum);
        Ok(Cell {
            day: cell.day,
            bundle: BundleId::new(cell.bundle.name, cell.bundle.version),
            figures: figures(cell.figures)?,
            judged: Judged {
                strata: strata.collect::<Result<_, Unreadable>>()?,
            },
        })
    };
    Ok(MonitorWindow {
        hour: parse_hour("hour", &wire.hour)?,
        cells: wire
            .cells
            .into_iter()
            .map(cell)
            .collect::<Result<_, Unreadable>>()?,
    })
}

/// The document of a bundle's reference.
pub fn reference_body(bundle: &BundleId, reference: &Reference) -> String {
    let by_hour = reference.by_hour.iter();
    let dispersion = reference.dispersion.iter();
    to_text(&ReferenceDocument {
        version: VERSION,
        bundle: bundle.into(),
        from: hour_text(reference.from),
        to: hour_text(reference.to),
        by_hour: by_hour.map(|(hour, figures)| (*hour, figures.into())).collect(),
        dispersion: dispersion
            .map(|(figure, value)| (figure.as_str().to_owned(), finite(*value)))
            .collect(),
    })
}

/// Reads the document of a bundle's reference.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_reference(body: &str) -> Result<Reference, Unreadable> {
    let wire: ReferenceDocument = from_text(body)?;
    check_version(u64::from(wire.version))?;
    let by_hour = wire.by_hour.into_iter();
    let dispersion = wire.dispersion.into_iter();
    Ok(Reference {
        from: parse_hour("from", &wire.from)?,
        to: parse_hour("to", &wire.to)?,
        by_hour: by_hour
            .map(|(hour, of_hour)| Ok((hour, figures(of_hour)?)))
            .collect::<Result<_, Unreadable>>()?,
        dispersion: dispersion
            .map(|(word, value)| Ok((figure(&word)?, value)))
            .collect::<Result<_, Unreadable>>()?,
    })
}

/// The document of progress.
pub fn progress_body(progress: &Progress) -> String {
    let day = |(day, progress): (&String, &DayProgress)| {
        let document = DayDocument {
            listed_at: rfc3339(progress.listed_at),
            open: progress.open,
            hours: progress.hours.iter().map(|hour| hour_text(*hour)).collect(),
        };
        (day.clone(), document)
    };
    to_text(&ProgressDocument {
        version: VERSION,
        days: progress.days.iter().map(day).collect(),
    })
}

/// Reads the document of progress.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_progress(body: &str) -> Result<Progress, Unreadable> {
    let wire: ProgressDocument = from_text(body)?;
    check_version(u64::from(wire.version))?;
    let day = |(day, wire): (String, DayDocument)| {
        let hours = wire.hours.iter().map(|hour| parse_hour("hours", hour));
        let progress = DayProgress {
            listed_at: at("listed_at", &wire.listed_at)?,
            open: wire.open,
            hours: hours.collect::<Result<_, _>>()?,
        };
        Ok((day, progress))
    };
    Ok(Progress {
        days: wire
            .days
            .into_iter()
            .map(day)
            .collect::<Result<_, Unreadable>>()?,
    })
}

fn figure(word: &str) -> Result<Figure, Unreadable> {
    Figure::parse(word).ok_or_else(|| one_of("figure", Figure::ALL.map(Figure::as_str)))
}

impl From<&Figures> for FiguresDocument {
    fn from(figures: &Figures) -> Self {
        let counts = |histogram: &Histogram| {
            let counts = histogram.counts();
            counts.map(|(bin, count)| (bin.to_owned(), count)).collect()
        };
        let histograms = figures.histograms.iter();
        Self {
            photos: figures.photos,
            failed: figures.failed,
            histograms: histograms
                .map(|(figure, histogram)| (figure.as_str().to_owned(), counts(histogram)))
                .collect(),
        }
    }
}

fn figures(wire: FiguresDocument) -> Result<Figures, Unreadable> {
    let histograms = wire.histograms.into_iter();
    Ok(Figures {
        photos: wire.photos,
        failed: wire.failed,
        histograms: histograms
            .map(|(word, counts)| Ok((figure(&word)?, Histogram::new(counts))))
            .collect::<Result<_, Unreadable>>()?,
    })
}

fn stratum_document(key: &StratumKey, stratum: &JudgedStratum) -> StratumDocument {
    let sums = |(measure, sums): (&Measure, &RatioSums)| SumsDocument {
        kind: measure.kind().to_owned(),
        class: measure.class().map(str::to_owned),
        units: sums.units,
        y: finite(sums.y),
        x: finite(sums.x),
        yy: finite(sums.yy),
        xy: finite(sums.xy),
        xx: finite(sums.xx),
    };
    StratumDocument {
        inclusion_ppm: key.inclusion_ppm,
        reason: key.reason.as_str().to_owned(),
        drawn: stratum.drawn,
        observed: stratum.observed,
        sums: stratum.sums.iter().map(sums).collect(),
    }
}

fn stratum(wire: StratumDocument) -> Result<(StratumKey, JudgedStratum), Unreadable> {
    let reason = TaskReason::parse(&wire.reason);
    let reason = reason.ok_or_else(|| one_of("reason", TaskReason::ALL.map(TaskReason::as_str)))?;
    let sums = |wire: SumsDocument| {
        let measure = Measure::parse(&wire.kind, wire.class.as_deref());
        let measure = measure.ok_or_else(|| one_of("kind", ["precision", "recall"]))?;
        let sums = RatioSums {
            units: wire.units,
            y: wire.y,
            x: wire.x,
            yy: wire.yy,
            xy: wire.xy,
            xx: wire.xx,
        };
        Ok((measure, sums))
    };
    let key = StratumKey {
        inclusion_ppm: wire.inclusion_ppm,
        reason,
    };
    let stratum = JudgedStratum {
        drawn: wire.drawn,
        observed: wire.observed,
        sums: wire
            .sums
            .into_iter()
            .map(sums)
            .collect::<Result<_, Unreadable>>()?,
    };
    Ok((key, stratum))
}
