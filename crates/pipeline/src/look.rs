//! Looking at a photo: bytes in; verdict, findings and a marked picture out.
//!
//! Four steps, so that a worker can run each where it belongs (CPU pool, device thread) and batch the two
//! in the middle: [`prepare`] → [`Engine::first_look`] → [`Engine::segment`] → [`conclude`], then
//! [`render`]. [`inspect`] runs them in a row for one photo.

use crate::memory::MemoryBudget;
use image::RgbImage;
use std::time::Duration;
use walkaround_domain::{Finding, Reason, ReasonCode, Size, UnitRect, Verdict};
use walkaround_inference::{Engine, EngineError, FirstLook, Vehicle};
use walkaround_vision::decode::{Decoded, Limits, decode, inspect_header};
use walkaround_vision::findings::{Segmentation, findings};
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::overlay::{self, OverlayStyle};
use walkaround_vision::quality::{Quality, QualityPolicy, measure};

/// How photos are looked at.
#[derive(Debug, Clone)]
pub struct LookSettings {
    /// Bounds on what is decoded.
    pub limits: Limits,
    /// Look of the marked picture; none when no picture is wanted (photos are then decoded smaller).
    pub overlay: Option<OverlayStyle>,
    /// Also report the classes that a bundle reports only on request.
    pub all_classes: bool,
    /// Whether a gate that says clean stops before the segmenters. Off only to measure what the gate does;
    /// a photo without a vehicle is never segmented.
    pub gate_stops: bool,
}

impl Default for LookSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            overlay: Some(OverlayStyle::default()),
            all_classes: false,
            gate_stops: true,
        }
    }
}

/// Least long side that quality is measured on, in pixels.
const QUALITY_LONG_SIDE: u32 = 512;

/// A monotonic clock: time since any fixed moment. Handed in: nothing below the binaries reads a clock.
pub type Ticks<'a> = &'a dyn Fn() -> Duration;

/// Time spent on one photo.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Header, decoding and orientation.
    pub decode: Duration,
    /// Quality.
    pub quality: Duration,
    /// Locator and gates.
    pub first_look: Duration,
    /// Segmenters.
    pub segment: Duration,
    /// Masks to findings.
    pub findings: Duration,
    /// Overlay and its encoding.
    pub overlay: Duration,
}

/// A decoded photo whose quality has been measured.
#[derive(Debug, Clone)]
pub struct Prepared {
    /// Upright, perhaps scaled down.
    pub pixels: RgbImage,
    /// Size of the upright original.
    pub original: Size,
    /// Measured quality.
    pub quality: Quality,
    /// Why it is unusable; empty when it can be looked at.
    pub reasons: Vec<Reason>,
    /// Time spent so far.
    pub timings: Timings,
}

/// What came of looking at one photo.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, when unusable.
    pub reasons: Vec<Reason>,
    /// The decoded photo; none when it could not be decoded.
    pub photo: Option<Prepared>,
    /// What locator and gates said; none when they were not asked.
    pub first_look: Option<FirstLook>,
    /// Damaged regions.
    pub findings: Vec<Finding>,
    /// Time spent.
    pub timings: Timings,
}

impl Looked {
    /// The outcome for a photo that cannot even be decoded.
    pub fn refused(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Unusable,
            reasons: vec![reason],
            photo: None,
            first_look: None,
            findings: Vec::new(),
            timings: Timings::default(),
        }
    }
}

/// What [`prepare`] needs besides the bytes.
pub struct Preparation<'a> {
    /// How photos are looked at.
    pub settings: &'a LookSettings,
    /// The bundle's bounds on quality.
    pub quality: &'a QualityPolicy,
    /// Longest side that the networks can use, in pixels.
    pub long_side: u32,
    /// Bound on decoding memory.
    pub memory: &'a MemoryBudget,
    /// Clock for the timings.
    pub ticks: Ticks<'a>,
}

/// Decodes a photo within its limits and measures its quality.
///
/// # Errors
/// The reason why the bytes cannot be decoded: a value for the record.
pub fn prepare(bytes: &[u8], with: &Preparation<'_>) -> Result<Prepared, Reason> {
    let start = (with.ticks)();
    let shown = with
        .settings
        .overlay
        .as_ref()
        .map_or(0, |style| style.long_side_max);
    let long_side = with.long_side.max(shown).max(QUALITY_LONG_SIDE);
    let header = inspect_header(bytes, &with.settings.limits, long_side)?;
    let decoded = {
        let _share = with.memory.take(header.decode_bytes);
        guarded(|| decode(bytes, &with.settings.limits, long_side))?
    };
    let decode_end = (with.ticks)();
    let quality = measure(&decoded.pixels);
    let reasons = with.quality.judge(&quality);
    let timings = Timings {
        decode: decode_end - start,
        quality: (with.ticks)() - decode_end,
        ..Timings::default()
    };
    Ok(Prepared {
        pixels: decoded.pixels,
        original: decoded.original,
        quality,
        reasons,
        timings,
    })
}

/// Decoders read what strangers send: a panic in one costs the photo, not the process.
fn guarded(decode: impl FnOnce() -> Result<Decoded, Reason>) -> Result<Decoded, Reason> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        Err(Reason::new(
            ReasonCode::Unreadable,
            "the decoder gave up on this file",
        ))
    })
}

/// The verdict on a prepared photo, from what the networks said about it.
///
/// `first_look` is none when the photo's quality stopped it; `segmentation` is empty when a gate did.
pub fn conclude(
    photo: Prepared,
    first_look: Option<FirstLook>,
    segmentation: &Segmentation,
    (classes, all_classes): (&[ClassSpec], bool),
) -> Looked {
    let mut reasons = photo.reasons.clone();
    if first_look.is_some_and(|look| look.vehicle == Vehicle::Absent) {
        reasons.push(Reason::new(ReasonCode::NoVehicle, "no vehicle in the photo"));
    }
    let found = if reasons.is_empty() {
        findings(segmentation, classes, photo.original, all_classes)
    } else {
        Vec::new()
    };
    let verdict = match (reasons.is_empty(), found.is_empty()) {
        (false, _) => Verdict::Unusable,
        (true, true) => Verdict::Clean,
        (true, false) => Verdict::Damaged,
    };
    let timings = photo.timings;
    Looked {
        verdict,
        reasons,
        photo: Some(photo),
        first_look,
        findings: found,
        timings,
    }
}

/// Looks at one photo from start to end, on the calling thread, without rendering it.
///
/// # Errors
/// [`EngineError`] when a network fails; whatever is wrong with the photo is a verdict, not an error.
pub fn inspect(bytes: &[u8], engine: &mut dyn Engine, with: &Preparation<'_>) -> Result<Looked, EngineError> {
    let photo = match prepare(bytes, with) {
        Ok(photo) => photo,
        Err(reason) => return Ok(Looked::refused(reason)),
    };
    let (mut first, mut segmentation) = (None, Segmentation::default());
    let begin = (with.ticks)();
    let (mut looked_at, mut segmented, mut passed) = (begin, begin, false);
    if photo.reasons.is_empty() {
        let (look, found) = engine.look(&photo.pixels, &mut |look| {
            looked_at = (with.ticks)();
            let suspect = look.suspect || !with.settings.gate_stops;
            passed = suspect && look.vehicle != Vehicle::Absent;
            passed
        })?;
        segmented = if passed { (with.ticks)() } else { looked_at };
        (first, segmentation) = (Some(look), found);
    }
    let mut looked = conclude(photo, first, &segmentation, (engine.classes(), with.settings.all_classes));
    looked.timings.first_look = looked_at - begin;
    looked.timings.segment = segmented - looked_at;
    looked.timings.findings = (with.ticks)() - segmented;
    Ok(looked)
}

/// The marked picture of a photo as JPEG bytes; none when the photo could not be decoded or no overlay is
/// wanted.
///
/// # Errors
/// When the encoder fails, in its words.
pub fn render(
    looked: &mut Looked,
    settings: &LookSettings,
    (classes, bundle): (&[ClassSpec], &str),
    ticks: Ticks<'_>,
) -> Result<Option<Vec<u8>>, overlay::EncodeError> {
    let (Some(photo), Some(style)) = (&looked.photo, &settings.overlay) else {
        return Ok(None);
    };
    let start = ticks();
    let headline = headline(looked, bundle);
    let picture = overlay::render(
        &photo.pixels,
        overlay::Marks {
            original: photo.original,
            findings: &looked.findings,
            classes,
            headline: &headline,
        },
        style,
    );
    let jpeg = overlay::encode_jpeg(&picture, style.jpeg_quality)?;
    looked.timings.overlay = ticks() - start;
    Ok(Some(jpeg))
}

fn headline(looked: &Looked, bundle: &str) -> String {
    let what = match looked.verdict {
        Verdict::Unusable => looked
            .reasons
            .iter()
            .map(|r| r.code.as_str().replace('_', " "))
            .collect::<Vec<_>>()
            .join(", "),
        _ => match looked.findings.len() {
            1 => "1 finding".to_owned(),
            n => format!("{n} findings"),
        },
    };
    format!("{} · {what} · {bundle}", looked.verdict)
}

/// Where the vehicle is, for documents: its box in pixels of the original.
pub fn vehicle_box(region: UnitRect, original: Size) -> [u32; 4] {
    let (w, h) = (original.width as f32, original.height as f32);
    let (x0, y0) = ((region.x0 * w).round() as u32, (region.y0 * h).round() as u32);
    let (x1, y1) = ((region.x1 * w).round() as u32, (region.y1 * h).round() as u32);
    [x0, y0, x1.saturating_sub(x0), y1.saturating_sub(y0)]
}
