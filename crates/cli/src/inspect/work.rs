//! Looking at many photos: threads with an engine each; results in the order of the photos.

use crate::failure::Failure;
use crate::library::Engines;
use crate::photo_file::read_photo;
use anyhow::Context;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::sync_channel;
use std::sync::{Mutex, OnceLock};
use std::time::Instant;
use walkaround_domain::{BundleId, Overlays};
use walkaround_inference::{Engine, OnnxEngine};
use walkaround_messages::PhotoReport;
use walkaround_pipeline::inspection::{self, InspectionSettings, PhotoResult, Preparation, Rendering, Sides};
use walkaround_pipeline::memory::MemoryBudget;
use walkaround_pipeline::report::{photo_report, timings_ms};

/// Decoding memory of all threads together, in bytes.
const DECODE_BYTES_MAX: u64 = 384 << 20;

/// How photos are inspected.
pub(crate) struct WorkOptions {
    /// Threads; none for one a core.
    pub jobs: Option<usize>,
    /// Which photos get an overlay.
    pub overlays: Overlays,
    pub all_classes: bool,
    /// Whether a gate that says clean stops before the segmenters.
    pub gate_stops: bool,
}

/// What came of one photo.
pub(crate) struct Outcome {
    pub photo: PathBuf,
    pub result: anyhow::Result<PhotoReport>,
    pub overlay: Option<Vec<u8>>,
    /// Whether the gates let the photo through to the segmenters; none when they were not asked.
    pub suspect: Option<bool>,
}

impl Outcome {
    pub(crate) fn report(&self) -> Option<&PhotoReport> {
        self.result.as_ref().ok()
    }
}

/// Looks at every photo and hands each outcome to `sink`, in order, on the calling thread. A failing sink
/// stops the work.
pub(crate) fn each_photo(
    engines: &Engines,
    photos: &[PathBuf],
    options: &WorkOptions,
    sink: &mut dyn FnMut(Outcome) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let jobs = options.jobs.unwrap_or(cores).clamp(1, photos.len().max(1));
    let settings = InspectionSettings {
        overlays: options.overlays,
        all_classes: options.all_classes,
        gate_stops: options.gate_stops,
        ..InspectionSettings::default()
    };
    let shared = Shared {
        engines,
        photos,
        settings: &settings,
        memory: MemoryBudget::new(DECODE_BYTES_MAX),
        next: AtomicUsize::new(0),
        stop: AtomicBool::new(false),
        failed: Mutex::new(None),
        tested: OnceLock::new(),
    };
    // Two finished photos a thread may wait: a slow sink holds the threads back.
    let (sender, receiver) = sync_channel(jobs * 2);
    std::thread::scope(|scope| {
        for job in 0..jobs {
            let (shared, sender) = (&shared, sender.clone());
            scope.spawn(move || shared.thread(job == 0, |at, outcome| sender.send((at, outcome)).is_ok()));
        }
        drop(sender);
        let outcome = in_order(receiver.iter(), sink);
        shared.stop.store(true, Ordering::Relaxed);
        drop(receiver);
        outcome
    })?;
    let failed = shared
        .failed
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    failed.map_or(Ok(()), Err)
}

/// Holds results back until all earlier ones have been handed on.
fn in_order(
    results: impl Iterator<Item = (usize, Outcome)>,
    sink: &mut dyn FnMut(Outcome) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut waiting = BTreeMap::new();
    let mut next = 0;
    for (at, outcome) in results {
        waiting.insert(at, outcome);
        while let Some(outcome) = waiting.remove(&next) {
            next += 1;
            sink(outcome)?;
        }
    }
    Ok(())
}

struct Shared<'a> {
    engines: &'a Engines,
    photos: &'a [PathBuf],
    settings: &'a InspectionSettings,
    memory: MemoryBudget,
    next: AtomicUsize,
    stop: AtomicBool,
    failed: Mutex<Option<Failure>>,
    /// Whether the bundle has passed its self-test, once that is known.
    tested: OnceLock<bool>,
}

/// Says that the self-test was not passed, unless it was by the time this goes: nobody waits for ever.
struct Untested<'a>(&'a OnceLock<bool>);

impl Drop for Untested<'_> {
    fn drop(&mut self) {
        // It may be known already.
        let _ = self.0.set(false);
    }
}

impl Shared<'_> {
    fn thread(&self, tests: bool, send: impl Fn(usize, Outcome) -> bool) {
        let mut engine = match self.ready(tests) {
            Ok(Some(engine)) => engine,
            Ok(None) => return,
            Err(failure) => {
                self.stop.store(true, Ordering::Relaxed);
                self.failed
                    .lock()
                    .unwrap_or_else(std::sync::PoisonError::into_inner)
                    .get_or_insert(failure);
                return;
            }
        };
        while !self.stop.load(Ordering::Relaxed) {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(photo) = self.photos.get(at) else { return };
            if !send(at, self.photo(&mut engine, photo)) {
                return;
            }
        }
    }

    /// An engine to serve with; none when the bundle did not pass its self-test.
    ///
    /// One thread runs the self-test, before anything is served; the others make their engines meanwhile.
    fn ready(&self, tests: bool) -> Result<Option<OnnxEngine>, Failure> {
        let untested = tests.then(|| Untested(&self.tested));
        let mut engine = self.engines.engine()?;
        if untested.is_some() {
            engine.require_self_test(&self.engines.bundle)?;
            let _ = self.tested.set(true);
        }
        Ok(self.tested.wait().then_some(engine))
    }

    fn photo(&self, engine: &mut OnnxEngine, photo: &Path) -> Outcome {
        self.inspect(engine, photo).unwrap_or_else(|error| Outcome {
            photo: photo.to_path_buf(),
            result: Err(error),
            overlay: None,
            suspect: None,
        })
    }

    /// # Errors
    /// The file cannot be read, a network fails, or the overlay cannot be encoded.
    fn inspect(&self, engine: &mut OnnxEngine, photo: &Path) -> anyhow::Result<Outcome> {
        let outcome = |report, overlay, suspect| Outcome {
            photo: photo.to_path_buf(),
            result: Ok(report),
            overlay,
            suspect,
        };
        let start = Instant::now();
        let ticks = || start.elapsed();
        let bytes = match read_photo(photo, self.settings.limits.bytes_max)? {
            Ok(bytes) => bytes,
            Err(reason) => {
                let result = PhotoResult::refused(reason);
                return Ok(outcome(report(engine, photo, &result, None, start), None, None));
            }
        };
        let quality = *engine.quality();
        let with = Preparation {
            settings: self.settings,
            quality: &quality,
            sides: Sides::of(engine),
            memory: &self.memory,
            ticks: &ticks,
        };
        let mut result = inspection::inspect(&bytes, engine, &with)?;
        let rendering = Rendering {
            file: Some(&bytes),
            settings: self.settings,
            classes: engine.classes(),
            bundle: &self.engines.label(),
            memory: &self.memory,
            ticks: &ticks,
        };
        let overlay = inspection::render(&mut result, &rendering).context("the overlay cannot be encoded")?;
        let report = report(engine, photo, &result, Some(&bytes), start);
        let suspect = result.screening.map(|screening| screening.suspect);
        Ok(outcome(report, overlay, suspect))
    }
}

fn report(
    engine: &OnnxEngine,
    photo: &Path,
    result: &PhotoResult,
    bytes: Option<&[u8]>,
    start: Instant,
) -> PhotoReport {
    let sha256 = bytes.map(|bytes| <[u8; 32]>::from(Sha256::digest(bytes)));
    let bundle = BundleId::new(engine.bundle_name(), engine.bundle_version());
    let name = photo.display().to_string();
    let mut report = photo_report(&name, sha256.as_ref(), result, &bundle);
    report.timings_ms = timings_ms(&result.timings, start.elapsed());
    report
}
