//! Collects photos into batches for the networks.
//!
//! A batch closes when it is full, when no photo is queued, or when its first photo has waited `batch_wait`. One bad photo
//! never fails its batch: when a batch fails, its photos are run one by one. When a photo fails alone, the engine runs on
//! the self-test image: that decides whether photo or engine is at fault.

use super::engines::{Compute, EngineSet};
use super::monitor::{EngineMonitor, RunError};
use image::{Rgb, RgbImage};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use walkaround_domain::UnitRect;
use walkaround_inference::{Engine, EngineError, Screening};
use walkaround_ports::Clock;
use walkaround_vision::findings::Segmentation;

/// How photos are batched.
#[derive(Debug, Clone, Copy)]
pub struct BatchingPolicy {
    /// Most photos of a batch.
    pub photos_max: usize,
    /// How long the first photo of a batch waits for others while the queue before the device is empty.
    pub batch_wait: Duration,
}

impl Default for BatchingPolicy {
    /// For a CPU: batches are no faster there, so nothing waits.
    fn default() -> Self {
        Self {
            photos_max: 4,
            batch_wait: Duration::ZERO,
        }
    }
}

type Reply<T> = oneshot::Sender<Result<T, RunError>>;

/// One photo for the networks, and where its output goes.
pub(crate) enum Job {
    Screen(Arc<RgbImage>, Reply<Screening>),
    Segment(Arc<RgbImage>, UnitRect, Reply<Segmentation>),
    Probe(Reply<()>),
}

/// Most jobs that wait for the device; further senders wait.
const WAITING_MAX: usize = 64;

pub(super) enum Batcher {
    Thread(mpsc::Sender<Job>),
    Inline(Mutex<Box<dyn Engine>>, Arc<EngineMonitor>),
}

/// How a batcher works.
pub(super) struct Batching {
    pub(super) compute: Compute,
    pub(super) settings: BatchingPolicy,
    pub(super) monitor: Arc<EngineMonitor>,
}

impl Batcher {
    pub(super) fn start(engines: EngineSet, with: Batching, clock: Arc<dyn Clock>) -> Self {
        if with.compute == Compute::Inline {
            return Self::Inline(Mutex::new(engines.first), with.monitor);
        }
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let (batches, device) = std::sync::mpsc::sync_channel::<Vec<Job>>(0);
        let device = Arc::new(Mutex::new(device));
        for engine in std::iter::once(engines.first).chain(engines.others) {
            let (device, monitor) = (Arc::clone(&device), Arc::clone(&with.monitor));
            // A thread of its own: sessions belong to one thread, and a batch blocks it.
            std::thread::Builder::new()
                .name("device".into())
                .spawn(move || device_thread(engine, &device, &monitor))
                .expect("the system can start a few threads at start-up");
        }
        tokio::spawn(gather(receiver, batches, with.settings, clock));
        Self::Thread(sender)
    }

    pub(super) async fn screen(&self, pixels: Arc<RgbImage>) -> Result<Screening, RunError> {
        self.run(|reply| Job::Screen(pixels, reply)).await
    }

    pub(super) async fn segment(
        &self,
        pixels: Arc<RgbImage>,
        region: UnitRect,
    ) -> Result<Segmentation, RunError> {
        self.run(|reply| Job::Segment(pixels, region, reply)).await
    }

    /// Runs locator and gates on the self-test image.
    pub(super) async fn probe(&self) -> Result<(), RunError> {
        self.run(Job::Probe).await
    }

    async fn run<T>(&self, job: impl FnOnce(Reply<T>) -> Job) -> Result<T, RunError> {
        let (reply, answer) = oneshot::channel();
        self.put(job(reply)).await;
        answer.await.unwrap_or_else(|_| Err(RunError::Engine(gone())))
    }

    async fn put(&self, job: Job) {
        match self {
            // When the device thread has ended, the job and its reply are dropped: the caller gets `gone`.
            Self::Thread(sender) => drop(sender.send(job).await),
            Self::Inline(engine, monitor) => {
                let mut engine = engine.lock().unwrap_or_else(PoisonError::into_inner);
                Watched::new(engine.as_mut(), monitor).run(vec![job]);
            }
        }
    }
}

/// Runs batches until all senders are gone.
fn device_thread(
    mut engine: Box<dyn Engine>,
    batches: &Mutex<std::sync::mpsc::Receiver<Vec<Job>>>,
    monitor: &EngineMonitor,
) {
    loop {
        // The lock is held while waiting: the next idle thread waits behind it.
        let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match batch {
            Ok(batch) => Watched::new(engine.as_mut(), monitor).run(batch),
            Err(_) => return,
        }
    }
}

fn gone() -> EngineError {
    failed("the device thread has ended".to_owned())
}

/// Collects jobs into batches and hands each over when the device is ready for it.
async fn gather(
    mut jobs: mpsc::Receiver<Job>,
    device: std::sync::mpsc::SyncSender<Vec<Job>>,
    settings: BatchingPolicy,
    clock: Arc<dyn Clock>,
) {
    while let Some(first) = jobs.recv().await {
        let mut batch = vec![first];
        let closes = clock.sleep(settings.batch_wait);
        tokio::pin!(closes);
        while batch.len() < settings.photos_max.max(1) {
            match jobs.try_recv() {
                Ok(job) => batch.push(job),
                Err(_) if settings.batch_wait.is_zero() => break,
                Err(_) => tokio::select! {
                    biased;
                    job = jobs.recv() => match job {
                        Some(job) => batch.push(job),
                        None => break,
                    },
                    () = &mut closes => break,
                },
            }
        }
        // The rendezvous waits for the device; meanwhile the next photos queue up behind.
        let device = device.clone();
        let handed = tokio::task::spawn_blocking(move || device.send(batch)).await;
        if !matches!(handed, Ok(Ok(()))) {
            return;
        }
    }
}

/// An engine, with the monitor of its health.
struct Watched<'a> {
    engine: &'a mut dyn Engine,
    monitor: &'a EngineMonitor,
}

impl<'a> Watched<'a> {
    fn new(engine: &'a mut dyn Engine, monitor: &'a EngineMonitor) -> Self {
        Self { engine, monitor }
    }

    /// Runs one batch: locator and gates for some of its photos, segmenters for the others.
    fn run(&mut self, batch: Vec<Job>) {
        let (mut screenings, mut segments) = (Vec::new(), Vec::new());
        for job in batch {
            match job {
                Job::Screen(pixels, reply) => screenings.push((pixels, reply)),
                Job::Segment(pixels, region, reply) => segments.push((pixels, region, reply)),
                // Sending fails when the waiting task was dropped: then its lease runs out and the photo is redelivered.
                Job::Probe(reply) => drop(reply.send(self.probe(&probe_screening).map_err(RunError::Engine))),
            }
        }
        if !screenings.is_empty() {
            let photos: Vec<&RgbImage> = screenings.iter().map(|(pixels, _)| &**pixels).collect();
            let answers = self.each(&photos, &screen, &probe_screening);
            for ((_, reply), answer) in screenings.into_iter().zip(answers) {
                drop(reply.send(answer));
            }
        }
        if !segments.is_empty() {
            let photos: Vec<(&RgbImage, UnitRect)> =
                segments.iter().map(|(p, region, _)| (&**p, *region)).collect();
            let answers = self.each(&photos, &segment, &probe_segmentation);
            for ((_, _, reply), answer) in segments.into_iter().zip(answers) {
                drop(reply.send(answer));
            }
        }
    }

    /// Runs all photos at once; when that fails, one by one, so that only the photo at fault fails. Once the engine is found
    /// to be at fault, no more photos are run.
    fn each<P: Copy, A>(
        &mut self,
        photos: &[P],
        run: Run<'_, P, A>,
        probe: Probe<'_>,
    ) -> Vec<Result<A, RunError>> {
        match guarded(|| run(self.engine, photos)) {
            Ok(answers) if answers.len() == photos.len() => {
                self.monitor.succeeded();
                return answers.into_iter().map(Ok).collect();
            }
            Ok(_) => {}
            Err(error) if photos.len() == 1 => return vec![Err(self.judge(error, probe))],
            Err(_) => {}
        }
        let mut sick: Option<String> = None;
        photos
            .iter()
            .map(|photo| {
                if let Some(cause) = &sick {
                    return Err(RunError::Engine(failed(cause.clone())));
                }
                let one = guarded(|| run(self.engine, std::slice::from_ref(photo)));
                let one = one.and_then(|mut answers| answers.pop().ok_or_else(gone));
                one.map_err(|error| {
                    let judged = self.judge(error, probe);
                    if let RunError::Engine(error) = &judged {
                        sick = Some(error.to_string());
                    }
                    judged
                })
            })
            .collect()
    }

    /// Whether photo or engine is at fault for a failure on a single photo.
    fn judge(&mut self, error: EngineError, probe: Probe<'_>) -> RunError {
        match self.probe(probe) {
            Ok(()) => RunError::Photo(error),
            Err(_) => RunError::Engine(error),
        }
    }

    fn probe(&mut self, probe: Probe<'_>) -> Result<(), EngineError> {
        let picture = self_test_image(self.engine.long_side());
        let outcome = guarded(|| probe(self.engine, &picture));
        match &outcome {
            Ok(()) => self.monitor.succeeded(),
            Err(error) => self.monitor.failed(error),
        }
        outcome
    }
}

type Run<'a, P, A> = &'a dyn Fn(&mut dyn Engine, &[P]) -> Result<Vec<A>, EngineError>;
type Probe<'a> = &'a dyn Fn(&mut dyn Engine, &RgbImage) -> Result<(), EngineError>;

fn screen(engine: &mut dyn Engine, photos: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
    engine.screen(photos)
}

fn segment(
    engine: &mut dyn Engine,
    photos: &[(&RgbImage, UnitRect)],
) -> Result<Vec<Segmentation>, EngineError> {
    engine.segment(photos)
}

fn probe_screening(engine: &mut dyn Engine, picture: &RgbImage) -> Result<(), EngineError> {
    engine.screen(&[picture]).map(drop)
}

fn probe_segmentation(engine: &mut dyn Engine, picture: &RgbImage) -> Result<(), EngineError> {
    engine.segment(&[(picture, UnitRect::WHOLE)]).map(drop)
}

/// The self-test image: uniform grey, of the size of the networks' input. A failure on it is the engine's.
pub(super) fn self_test_image(long_side: u32) -> RgbImage {
    let side = long_side.max(1);
    RgbImage::from_pixel(side, side, Rgb([128; 3]))
}

/// A panic in an engine counts as an error of its photo or engine; it does not end the thread.
fn guarded<T>(run: impl FnOnce() -> Result<T, EngineError>) -> Result<T, EngineError> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|_| Err(failed("the engine panicked".to_owned())))
}

fn failed(cause: String) -> EngineError {
    EngineError::Run {
        network: "all".into(),
        cause,
    }
}
