//! Gathering photos into batches for the networks.
//!
//! A batch closes when it is full, when nothing more is on its way, or when its first photo has waited
//! `batch_wait`. One bad photo never fails its batch: when a batch fails, its photos are tried one by one.

use super::Compute;
use image::RgbImage;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use walkaround_domain::UnitRect;
use walkaround_inference::{Engine, EngineError, FirstLook};
use walkaround_ports::Clock;
use walkaround_vision::findings::Segmentation;

/// How photos are gathered.
#[derive(Debug, Clone, Copy)]
pub struct BatchSettings {
    /// Most photos of a batch.
    pub photos_max: usize,
    /// How long the first photo of a batch waits for others while the queue before the device is empty.
    pub batch_wait: Duration,
}

impl Default for BatchSettings {
    /// For a CPU: batches bring nothing there, so nothing waits.
    fn default() -> Self {
        Self {
            photos_max: 4,
            batch_wait: Duration::ZERO,
        }
    }
}

type FirstLookAnswer = (RgbImage, Result<FirstLook, EngineError>);
type SegmentAnswer = (RgbImage, Result<Segmentation, EngineError>);

/// One photo for the networks, with where its answer goes.
pub(crate) enum Job {
    First(RgbImage, oneshot::Sender<FirstLookAnswer>),
    Segment(RgbImage, UnitRect, oneshot::Sender<SegmentAnswer>),
}

/// Jobs that may wait for the device; senders beyond it are held back.
const WAITING_MAX: usize = 64;

pub(super) enum Batcher {
    Thread(mpsc::Sender<Job>),
    Inline(Arc<Mutex<Box<dyn Engine>>>),
}

impl Batcher {
    pub(super) fn start(
        (engine, more): (Box<dyn Engine>, Vec<Box<dyn Engine>>),
        compute: Compute,
        settings: BatchSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        if compute == Compute::Inline {
            return Self::Inline(Arc::new(Mutex::new(engine)));
        }
        let (sender, receiver) = mpsc::channel(WAITING_MAX);
        let (batches, device) = std::sync::mpsc::sync_channel::<Vec<Job>>(0);
        let device = Arc::new(Mutex::new(device));
        for engine in std::iter::once(engine).chain(more) {
            let device = Arc::clone(&device);
            // A thread of its own: sessions belong to one thread, and a batch blocks it.
            std::thread::Builder::new()
                .name("device".into())
                .spawn(move || device_thread(engine, &device))
                .expect("the system can start a few threads at start-up");
        }
        tokio::spawn(gather(receiver, batches, settings, clock));
        Self::Thread(sender)
    }

    pub(super) async fn first_look(&self, pixels: RgbImage) -> FirstLookAnswer {
        let (sender, answer) = oneshot::channel();
        self.put(Job::First(pixels, sender)).await;
        answer
            .await
            .unwrap_or_else(|_| (RgbImage::default(), Err(gone())))
    }

    pub(super) async fn segment(&self, pixels: RgbImage, region: UnitRect) -> SegmentAnswer {
        let (sender, answer) = oneshot::channel();
        self.put(Job::Segment(pixels, region, sender)).await;
        answer
            .await
            .unwrap_or_else(|_| (RgbImage::default(), Err(gone())))
    }

    async fn put(&self, job: Job) {
        match self {
            // A device thread that is gone drops the job, and with it the answer: the caller sees `gone`.
            Self::Thread(sender) => drop(sender.send(job).await),
            Self::Inline(engine) => {
                run(
                    engine.lock().unwrap_or_else(PoisonError::into_inner).as_mut(),
                    vec![job],
                );
            }
        }
    }
}

/// Runs batches until nobody can send any more.
fn device_thread(mut engine: Box<dyn Engine>, batches: &Mutex<std::sync::mpsc::Receiver<Vec<Job>>>) {
    loop {
        // The lock is held while waiting: the next idle thread waits behind it.
        let batch = batches.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match batch {
            Ok(batch) => run(engine.as_mut(), batch),
            Err(_) => return,
        }
    }
}

fn gone() -> EngineError {
    EngineError::Run {
        network: "all".into(),
        cause: "the device thread has ended".into(),
    }
}

/// Collects jobs into batches and hands each over when the device is ready for it.
async fn gather(
    mut jobs: mpsc::Receiver<Job>,
    device: std::sync::mpsc::SyncSender<Vec<Job>>,
    settings: BatchSettings,
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

/// Runs one batch: locator and gates for some of its photos, segmenters for the others.
fn run(engine: &mut dyn Engine, batch: Vec<Job>) {
    let (mut firsts, mut segments) = (Vec::new(), Vec::new());
    for job in batch {
        match job {
            Job::First(pixels, answer) => firsts.push((pixels, answer)),
            Job::Segment(pixels, region, answer) => segments.push((pixels, region, answer)),
        }
    }
    if !firsts.is_empty() {
        let photos: Vec<&RgbImage> = firsts.iter().map(|(pixels, _)| pixels).collect();
        let answers = each(engine, &photos, |engine, photos| engine.first_look(photos));
        for ((pixels, to), answer) in firsts.into_iter().zip(answers) {
            // Nobody waits any more when its task was dropped: the lease runs out, the photo comes back.
            let _ = to.send((pixels, answer));
        }
    }
    if !segments.is_empty() {
        let photos: Vec<(&RgbImage, UnitRect)> = segments.iter().map(|(p, region, _)| (p, *region)).collect();
        let answers = each(engine, &photos, |engine, photos| engine.segment(photos));
        for ((pixels, _, to), answer) in segments.into_iter().zip(answers) {
            let _ = to.send((pixels, answer));
        }
    }
}

/// All at once; when that fails, one by one, so that only the photo at fault fails.
fn each<P: Copy, A>(
    engine: &mut dyn Engine,
    photos: &[P],
    look: impl Fn(&mut dyn Engine, &[P]) -> Result<Vec<A>, EngineError>,
) -> Vec<Result<A, EngineError>> {
    match look(engine, photos) {
        Ok(answers) => answers.into_iter().map(Ok).collect(),
        Err(error) if photos.len() == 1 => vec![Err(error)],
        Err(_) => photos
            .iter()
            .map(|photo| look(engine, std::slice::from_ref(photo)).and_then(|mut a| a.pop().ok_or_else(gone)))
            .collect(),
    }
}
