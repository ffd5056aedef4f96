//! Inspecting a photo: bytes in; verdict, findings and a marked picture out.
//!
//! Four steps, so that a worker can run each where it belongs (CPU pool, device thread) and batch the two
//! in the middle: [`prepare`] → [`Engine::screen`] → [`Engine::segment`] → [`conclude`], then
//! [`render`]. [`inspect`] runs them in sequence for one photo.
//!
//! Where segmenters use more pixels than locator and gates, [`prepare`] decodes for these alone, and [`enlarge`] decodes a
//! suspect photo again: see [`Sides`].

mod sides;

use crate::memory::MemoryBudget;
use image::RgbImage;
use sides::KEPT_FILE_BYTES_MAX;
pub use sides::Sides;
use std::sync::Arc;
use std::time::Duration;
use tracing::debug;
use walkaround_domain::{Evidence, Finding, Overlays, Reason, ReasonCode, Size, UnitRect, Verdict, judge};
use walkaround_inference::{Engine, EngineError, Screening, Vehicle};
use walkaround_vision::decode::{Aim, Coded, Colours, Decoded, Limits, decode_again, inspect_header};
use walkaround_vision::findings::{Segmentation, findings};
use walkaround_vision::mask::ClassSpec;
use walkaround_vision::overlay::{self, OverlayStyle};
use walkaround_vision::quality::{Quality, QualityPolicy, measure};

/// How photos are inspected.
#[derive(Debug, Clone)]
pub struct InspectionSettings {
    /// Bounds on what is decoded.
    pub limits: Limits,
    /// Which photos get an overlay. It never changes the input of the networks.
    pub overlays: Overlays,
    /// How overlays look.
    pub overlay_style: OverlayStyle,
    /// Also report the classes that a bundle reports only on request.
    pub all_classes: bool,
    /// Whether photos that the gate finds clean skip the segmenters. Off only to measure the gate; a photo without a
    /// vehicle is never segmented.
    pub gate_stops: bool,
}

impl Default for InspectionSettings {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            overlays: Overlays::default(),
            overlay_style: OverlayStyle::default(),
            all_classes: false,
            gate_stops: true,
        }
    }
}

/// A monotonic clock: time since any fixed moment. Passed in: nothing below the binaries reads a clock.
pub type Ticks<'a> = &'a dyn Fn() -> Duration;

/// Time spent on one photo.
#[derive(Debug, Clone, Copy, Default)]
pub struct Timings {
    /// Header, decoding and orientation.
    pub decode: Duration,
    /// Quality.
    pub quality: Duration,
    /// Locator and gates.
    pub screening: Duration,
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
    /// Upright, perhaps scaled down: what the next networks see.
    pub pixels: Arc<RgbImage>,
    /// The long side at which it has to be decoded again before the segmenters see it: see [`enlarge`].
    pub larger: Option<u32>,
    /// What a larger decode need not find out again; none where no larger one will be wanted.
    pub coded: Option<Arc<Coded>>,
    /// Size of the upright original.
    pub original: Size,
    /// Measured quality.
    pub quality: Quality,
    /// Why it is unusable; empty when it is usable.
    pub reasons: Vec<Reason>,
    /// Time spent so far.
    pub timings: Timings,
}

/// The result of inspecting one photo.
#[derive(Debug, Clone)]
pub struct PhotoResult {
    /// The verdict.
    pub verdict: Verdict,
    /// Why, when unusable.
    pub reasons: Vec<Reason>,
    /// The decoded photo; none when it could not be decoded.
    pub photo: Option<Prepared>,
    /// Output of locator and gates; none when they did not run.
    pub screening: Option<Screening>,
    /// Damaged regions.
    pub findings: Vec<Finding>,
    /// Time spent.
    pub timings: Timings,
}

impl PhotoResult {
    /// The result of a photo that cannot be decoded.
    pub fn refused(reason: Reason) -> Self {
        Self {
            verdict: Verdict::Unusable,
            reasons: vec![reason],
            photo: None,
            screening: None,
            findings: Vec::new(),
            timings: Timings::default(),
        }
    }
}

/// What [`prepare`] needs besides the bytes.
pub struct Preparation<'a> {
    /// How photos are inspected.
    pub settings: &'a InspectionSettings,
    /// The bundle's bounds on quality.
    pub quality: &'a QualityPolicy,
    /// At which sizes photos are decoded.
    pub sides: Sides,
    /// Bound on decoding memory.
    pub memory: &'a MemoryBudget,
    /// Clock for the timings.
    pub ticks: Ticks<'a>,
}

/// Decodes a photo within its limits for locator and gates, and measures its quality.
///
/// # Errors
/// The reason why the bytes cannot be decoded: a value for the record.
pub fn prepare(bytes: &[u8], with: &Preparation<'_>) -> Result<Prepared, Reason> {
    let start = (with.ticks)();
    // The larger decode has to be within the limits, too: no photo is refused after its screening for what its header says.
    let segmentation = with.sides.segmentation;
    let header = inspect_header(bytes, &with.settings.limits, segmentation)?;
    let side = with.sides.of_photo(header.format, bytes.len()).screening;
    let decoded = bounded(bytes, None, Aim::Networks(side), with.settings, with.memory)?;
    if decoded.colours == Colours::ProfileIgnored {
        debug!(
            format = decoded.format.as_str(),
            "colour profile ignored, it is broken or of another kind than RGB"
        );
    }
    let decode_end = (with.ticks)();
    let quality = measure(&decoded.pixels);
    let reasons = with.quality.judge(&quality);
    let timings = Timings {
        decode: decode_end - start,
        quality: (with.ticks)() - decode_end,
        ..Timings::default()
    };
    let usable = segmentation.min(decoded.original.long_side());
    let mut photo = Prepared {
        larger: (long_side(&decoded.pixels) < usable).then_some(segmentation),
        coded: None,
        pixels: Arc::new(decoded.pixels),
        original: decoded.original,
        quality,
        reasons,
        timings,
    };
    if keeps_file(with.settings, &photo, bytes.len()) {
        photo.coded = decoded.coded.map(Arc::new);
    }
    Ok(photo)
}

/// Decodes a photo again for the segmenters, where they use more pixels than those that were screened. What cannot be
/// decoded is unusable.
pub fn enlarge(photo: &mut Prepared, bytes: &[u8], with: &Preparation<'_>) {
    let Some(side) = photo.larger.take() else { return };
    let start = (with.ticks)();
    let coded = photo.coded.clone();
    match bounded(
        bytes,
        coded.as_deref(),
        Aim::Networks(side),
        with.settings,
        with.memory,
    ) {
        Ok(decoded) => photo.pixels = Arc::new(decoded.pixels),
        Err(reason) => photo.reasons.push(reason),
    }
    photo.timings.decode += (with.ticks)() - start;
}

fn long_side(pixels: &RgbImage) -> u32 {
    pixels.width().max(pixels.height())
}

/// Decodes once there is memory for it. Decoders read untrusted input: a panic in one fails the photo, not the process.
fn bounded(
    bytes: &[u8],
    coded: Option<&Coded>,
    aim: Aim,
    settings: &InspectionSettings,
    memory: &MemoryBudget,
) -> Result<Decoded, Reason> {
    let limits = &settings.limits;
    let header = inspect_header(bytes, limits, aim)?;
    let _share = memory.take(header.decode_bytes);
    let guarded = std::panic::AssertUnwindSafe(|| decode_again(bytes, coded, limits, aim));
    std::panic::catch_unwind(guarded).unwrap_or_else(|_| {
        Err(Reason::new(
            ReasonCode::Unreadable,
            "the decoder panicked on this file",
        ))
    })
}

/// The verdict on a prepared photo, from the output of the networks.
///
/// `screening` is none when the photo's quality stopped it; `segmentation` is empty when a gate did.
pub fn conclude(
    photo: Prepared,
    screening: Option<Screening>,
    segmentation: &Segmentation,
    classes: &[ClassSpec],
    all_classes: bool,
) -> PhotoResult {
    let mut reasons = photo.reasons.clone();
    if screening.is_some_and(|screened| screened.vehicle == Vehicle::Absent) {
        reasons.push(Reason::new(ReasonCode::NoVehicle, "no vehicle in the photo"));
    }
    let found = if reasons.is_empty() {
        findings(segmentation, classes, photo.original, all_classes)
    } else {
        Vec::new()
    };
    let evidence = Evidence {
        gate: screening.and_then(|screened| screened.gate),
        segmented: screening.is_some_and(|screened| screened.suspect),
        findings: found.len(),
    };
    let verdict = judge(&mut reasons, evidence);
    let timings = photo.timings;
    PhotoResult {
        verdict,
        reasons,
        photo: Some(photo),
        screening,
        findings: found,
        timings,
    }
}

/// Inspects one photo on the calling thread, without rendering it.
///
/// # Errors
/// [`EngineError`] when a network fails; whatever is wrong with the photo is a verdict, not an error.
pub fn inspect(
    bytes: &[u8],
    engine: &mut dyn Engine,
    with: &Preparation<'_>,
) -> Result<PhotoResult, EngineError> {
    let mut photo = match prepare(bytes, with) {
        Ok(photo) => photo,
        Err(reason) => return Ok(PhotoResult::refused(reason)),
    };
    let ran = if photo.reasons.is_empty() {
        run_networks(&mut photo, bytes, engine, with)?
    } else {
        Ran::default()
    };
    let begin = (with.ticks)();
    let mut result = conclude(
        photo,
        ran.screening,
        &ran.segmentation,
        engine.classes(),
        with.settings.all_classes,
    );
    result.timings.screening = ran.screening_time;
    result.timings.segment = ran.segmentation_time;
    result.timings.findings = (with.ticks)() - begin;
    Ok(result)
}

/// What the networks say of one photo, and the time they took.
#[derive(Default)]
struct Ran {
    screening: Option<Screening>,
    segmentation: Segmentation,
    screening_time: Duration,
    segmentation_time: Duration,
}

/// Screens a photo and, if it has to be segmented, does that.
fn run_networks(
    photo: &mut Prepared,
    bytes: &[u8],
    engine: &mut dyn Engine,
    with: &Preparation<'_>,
) -> Result<Ran, EngineError> {
    let goes_on = |screening: &Screening| {
        let suspect = screening.suspect || !with.settings.gate_stops;
        suspect && screening.vehicle != Vehicle::Absent
    };
    let begin = (with.ticks)();
    if photo.larger.is_none() {
        let (mut screened, mut passed) = (begin, false);
        let (screening, segmentation) = engine.screen_and_segment(&photo.pixels, &mut |screening| {
            screened = (with.ticks)();
            passed = goes_on(screening);
            passed
        })?;
        let end = if passed { (with.ticks)() } else { screened };
        return Ok(Ran {
            screening: Some(screening),
            segmentation,
            screening_time: screened - begin,
            segmentation_time: end - screened,
        });
    }
    let screening = engine.screen(&[&photo.pixels])?.remove(0);
    let mut ran = Ran {
        screening: Some(screening),
        screening_time: (with.ticks)() - begin,
        ..Ran::default()
    };
    if goes_on(&screening) {
        enlarge(photo, bytes, with);
        let begin = (with.ticks)();
        if photo.reasons.is_empty() {
            ran.segmentation = engine
                .segment(&[(&photo.pixels, screening.vehicle.region())])?
                .remove(0);
        }
        ran.segmentation_time = (with.ticks)() - begin;
    }
    Ok(ran)
}

/// What [`render`] needs besides the result.
pub struct Rendering<'a> {
    /// The photo's file, if it was kept: see [`keeps_file`].
    pub file: Option<&'a [u8]>,
    /// How photos are inspected.
    pub settings: &'a InspectionSettings,
    /// The bundle's classes.
    pub classes: &'a [ClassSpec],
    /// Name and version of the bundle, for the headline.
    pub bundle: &'a str,
    /// Bound on decoding memory.
    pub memory: &'a MemoryBudget,
    /// Clock for the timings.
    pub ticks: Ticks<'a>,
}

/// Whether the file of a photo, of this many bytes, is needed after it was prepared: the segmenters or its marked picture may
/// want more pixels.
pub fn keeps_file(settings: &InspectionSettings, photo: &Prepared, bytes: usize) -> bool {
    bytes <= KEPT_FILE_BYTES_MAX && (photo.larger.is_some() || is_too_small(settings, photo))
}

/// Whether a marked picture, where one is wanted, would have more pixels than those that are decoded.
fn is_too_small(settings: &InspectionSettings, photo: &Prepared) -> bool {
    let shown = match settings.overlays {
        Overlays::Never => 0,
        Overlays::Findings | Overlays::Always => view_side(settings.overlay_style.long_side_max),
    };
    long_side(&photo.pixels) < shown.min(photo.original.long_side())
}

/// Minimum long side of a decode for a marked picture of up to this long side, in pixels. A sixteenth less is not seen, and
/// lets photos of 12 megapixels be decoded at three eighths.
const fn view_side(long_side_max: u32) -> u32 {
    long_side_max - long_side_max / 16
}

/// The overlay of a photo as JPEG bytes; none when the photo could not be decoded, or where settings want none for its
/// verdict. Where the style wants more pixels than the networks, the file is decoded again, larger.
///
/// # Errors
/// When the encoder fails.
pub fn render(
    result: &mut PhotoResult,
    with: &Rendering<'_>,
) -> Result<Option<Vec<u8>>, overlay::EncodeError> {
    let wanted = with.settings.overlays.wants(result.verdict);
    let (Some(photo), true) = (&result.photo, wanted) else {
        return Ok(None);
    };
    let style = &with.settings.overlay_style;
    let start = (with.ticks)();
    let headline = headline(result, with.bundle);
    let larger = larger_picture(photo, with);
    let picture = overlay::render(
        larger.as_ref().unwrap_or(&photo.pixels),
        overlay::Marks {
            original: photo.original,
            findings: &result.findings,
            classes: with.classes,
            headline: &headline,
        },
        style,
    );
    let jpeg = overlay::encode_jpeg(&picture, style.jpeg_quality)?;
    result.timings.overlay = (with.ticks)() - start;
    Ok(Some(jpeg))
}

/// The photo decoded again, for the marked picture. None where the pixels for the networks are enough, or where more would
/// exceed the limits: a marked picture is no reason to refuse a photo.
fn larger_picture(photo: &Prepared, with: &Rendering<'_>) -> Option<RgbImage> {
    let wanted = |bytes: &&[u8]| bytes.len() <= KEPT_FILE_BYTES_MAX && is_too_small(with.settings, photo);
    let bytes = with.file.filter(wanted)?;
    let aim = Aim::View(view_side(with.settings.overlay_style.long_side_max));
    let decoded = bounded(bytes, photo.coded.as_deref(), aim, with.settings, with.memory).ok()?;
    Some(decoded.pixels)
}

fn headline(result: &PhotoResult, bundle: &str) -> String {
    let what = match result.verdict {
        Verdict::Unusable => result
            .reasons
            .iter()
            .map(|r| r.code.as_str().replace('_', " "))
            .collect::<Vec<_>>()
            .join(", "),
        _ => match result.findings.len() {
            1 => "1 finding".to_owned(),
            n => format!("{n} findings"),
        },
    };
    format!("{} · {what} · {bundle}", result.verdict)
}

/// Where the vehicle is, for documents: its box in pixels of the original.
pub fn vehicle_box(region: UnitRect, original: Size) -> [u32; 4] {
    let (w, h) = (original.width as f32, original.height as f32);
    let (x0, y0) = ((region.x0 * w).round() as u32, (region.y0 * h).round() as u32);
    let (x1, y1) = ((region.x1 * w).round() as u32, (region.y1 * h).round() as u32);
    [x0, y0, x1.saturating_sub(x0), y1.saturating_sub(y0)]
}
