//! The pipeline on the local stack beside the bare look: CPU it adds to a photo, throughput, memory over
//! 50,000 photos, and how much faster two workers drain a backlog than one.
//!
//! The bundle is `tests/bundles/trivial` (networks that cost nearly nothing) and, for the workers,
//! `tests/bundles/slow` (a costly, single-threaded segmenter). `WALKAROUND_BENCH_PHOTOS` shortens the long run.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

#[path = "pipeline/drain.rs"]
mod drain;

use anyhow::{Context, ensure};
use rustix::time::{ClockId, clock_gettime};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use walkaround_benches::{onnxruntime, resident_bytes, thread_cpu};
use walkaround_domain::BundleId;
use walkaround_domain::routing::RoutingPolicy;
use walkaround_fetch::{FetchSettings, Fetcher};
use walkaround_inference::{ActiveDevice, Engine, EngineOptions, OnnxEngine, Runtime, VerifiedBundle};
use walkaround_local::{INTAKE, INTAKE_DEAD, LocalStack, Options, SEGMENTATION, SystemClock};
use walkaround_pipeline::consumer::{Consumer, ConsumerSettings, Progress};
use walkaround_pipeline::inspection::{InspectionSettings, Preparation, Rendering, Sides, inspect, render};
use walkaround_pipeline::inspector::{ActiveInspector, Compute, EngineSet, Inspector, InspectorSettings};
use walkaround_pipeline::invocation::InvocationDeadline;
use walkaround_pipeline::lane_monitor::{LaneMonitor, LaneMonitorSettings, Lanes};
use walkaround_pipeline::memory::MemoryBudget;
use walkaround_pipeline::processor::{Isolation, RequestProcessor};
use walkaround_pipeline::report::photo_report;
use walkaround_pipeline::retry::{Jitter, RetryPolicy};
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_pipeline::store::InspectionStore;
use walkaround_pipeline::telemetry::NoopTelemetry;
use walkaround_pipeline::triage::{InlineSegmentationCost, Triage};
use walkaround_ports::{BlobAddress, Clock, OutMessage, Queue};
use walkaround_samples::{Kind, SampleSpec, draw};
use walkaround_vision::overlay::encode_jpeg;

const SHORT_RUN: u64 = 2_000;
const LONG_RUN: u64 = 50_000;
const PHOTO_SIDE: u32 = 200;
/// Only the drain: to look at it alone.
const DRAIN_ONLY: &str = "WALKAROUND_BENCH_DRAIN_ONLY";

fn bundle(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../tests/bundles")
        .join(name)
}

fn main() -> anyhow::Result<()> {
    let sample = draw(&SampleSpec {
        seed: 5,
        width: PHOTO_SIDE,
        height: PHOTO_SIDE,
        kind: Kind::Scratch,
    });
    let photo = encode_jpeg(&sample.picture, 90)?;
    let runtime = Runtime::load(&onnxruntime()?)?;
    let bare = bare_look(&runtime, &photo)?;
    let long: u64 = match std::env::var("WALKAROUND_BENCH_PHOTOS") {
        Ok(text) => text.parse().context("WALKAROUND_BENCH_PHOTOS is no number")?,
        Err(_) => LONG_RUN,
    };
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            if std::env::var_os(DRAIN_ONLY).is_none() {
                overhead(&runtime, &photo, bare).await?;
                memory(&runtime, &photo, long).await?;
            }
            drain::drain(&runtime, &photo).await
        })
}

fn engine(runtime: &Runtime, name: &str) -> anyhow::Result<OnnxEngine> {
    engine_of(runtime, &bundle(name))
}

fn engine_of(runtime: &Runtime, folder: &Path) -> anyhow::Result<OnnxEngine> {
    let bundle = VerifiedBundle::load(folder)?;
    Ok(OnnxEngine::new(
        runtime,
        &bundle,
        EngineOptions {
            device: ActiveDevice::Cpu,
            threads: 1,
        },
    )?)
}

/// CPU time of one look by `inspect`'s own steps, all outputs made in memory.
fn bare_look(runtime: &Runtime, photo: &[u8]) -> anyhow::Result<Duration> {
    let mut engine = engine(runtime, "trivial")?;
    let (settings, memory) = (InspectionSettings::default(), MemoryBudget::new(1 << 30));
    let (start, quality) = (Instant::now(), *engine.quality());
    let ticks = || start.elapsed();
    let begin = thread_cpu();
    for _ in 0..SHORT_RUN {
        let with = Preparation {
            settings: &settings,
            quality: &quality,
            sides: Sides::of(&engine),
            memory: &memory,
            ticks: &ticks,
        };
        let mut looked = inspect(photo, &mut engine, &with)?;
        let with = Rendering {
            file: Some(photo),
            settings: &settings,
            classes: engine.classes(),
            bundle: "trivial",
            memory: &memory,
            ticks: &ticks,
        };
        let jpeg = render(&mut looked, &with)?;
        let report = serde_json::to_vec(&photo_report("p", None, &looked, &BundleId::new("trivial", "1")))?;
        std::hint::black_box((jpeg, report));
    }
    Ok((thread_cpu() - begin) / u32::try_from(SHORT_RUN)?)
}

fn process_cpu() -> Duration {
    let at = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(at.tv_sec.unsigned_abs(), u32::try_from(at.tv_nsec).unwrap_or(0))
}

async fn overhead(runtime: &Runtime, photo: &[u8], bare: Duration) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::new(folder.path(), photo).await?;
    world.submit(INTAKE, 0..SHORT_RUN).await?;
    let (begin, start) = (process_cpu(), Instant::now());
    world.triage(runtime, SHORT_RUN, &mut |_| {}).await?;
    let each = (process_cpu() - begin) / u32::try_from(SHORT_RUN)?;
    let ms = |d: Duration| d.as_secs_f64() * 1e3;
    println!("local pipeline, trivial bundle, {PHOTO_SIDE}-pixel photos, {SHORT_RUN} photos:");
    println!(
        "  {:.2} ms of CPU a photo, {:.2} ms of it the look itself: the pipeline adds {:.2} ms (allowed: 8)",
        ms(each),
        ms(bare),
        ms(each.saturating_sub(bare))
    );
    println!(
        "  {:.0} photos/s (wanted: 100)",
        SHORT_RUN as f64 / start.elapsed().as_secs_f64()
    );
    Ok(())
}

async fn memory(runtime: &Runtime, photo: &[u8], photos: u64) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let world = World::new(folder.path(), photo).await?;
    world.submit(INTAKE, 0..photos).await?;
    let mut seen: Vec<u64> = Vec::new();
    let tenth = (photos / 10).max(1);
    world
        .triage(runtime, photos, &mut |done| {
            if done / tenth > seen.len() as u64 {
                seen.push(resident_bytes() >> 20);
            }
        })
        .await?;
    let settled = seen.get(1..).unwrap_or_default();
    let (least, most) = (
        settled.iter().min().copied().unwrap_or(0),
        settled.iter().max().copied().unwrap_or(0),
    );
    println!("memory over {photos} photos, MiB at each tenth: {seen:?}");
    println!(
        "  from the second tenth on {least} to {most} MiB: {:+.1} % (allowed: ±10 %)",
        100.0 * (most - least) as f64 / least.max(1) as f64
    );
    Ok(())
}

/// A closed GPU lane: everything is segmented inline.
fn closed_lane() -> LaneMonitorSettings {
    LaneMonitorSettings {
        workers_max: 0,
        ..LaneMonitorSettings::default()
    }
}

struct World {
    local: LocalStack,
    photo: Vec<u8>,
    clock: Arc<dyn Clock>,
}

impl World {
    async fn new(root: &Path, photo: &[u8]) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let local = LocalStack::open(root, Options::default(), Arc::clone(&clock))?;
        Ok(Self {
            local,
            photo: photo.to_vec(),
            clock,
        })
    }

    async fn submit(&self, queue: &str, ids: std::ops::Range<u64>) -> anyhow::Result<()> {
        let queue = self.local.queue(queue)?;
        let ids: Vec<u64> = ids.collect();
        for some in ids.chunks(10) {
            for id in some {
                self.store(*id).await?;
            }
            let message = |id: &u64| OutMessage {
                body: format!(
                    r#"{{"version":1,"inspection_id":"bench-{id}","photo":{{"s3":{{"bucket":"photos","key":"{id}.jpg"}}}}}}"#
                ),
                ..OutMessage::default()
            };
            for answer in queue.send(some.iter().map(message).collect()).await? {
                answer?;
            }
        }
        Ok(())
    }

    /// Stores the photo with its number as a comment: results of the same bytes would be reused.
    async fn store(&self, id: u64) -> anyhow::Result<()> {
        let at = BlobAddress {
            bucket: "photos".into(),
            key: format!("{id}.jpg"),
        };
        let Some(rest) = self.photo.strip_prefix(&[0xff_u8, 0xd8]) else {
            anyhow::bail!("the photo is no JPEG");
        };
        // SOI, COM, a length of ten bytes with itself.
        let head = [&[0xff_u8, 0xd8, 0xff, 0xfe, 0, 10][..], &id.to_be_bytes()].concat();
        let bytes = [&head[..], rest].concat();
        self.local
            .blobs()
            .put_if_absent(&at, &bytes, "image/jpeg")
            .await?;
        Ok(())
    }

    /// Waits until this many inspections are done, and says how many are.
    async fn wait_done(&self, wanted: u64) -> anyhow::Result<u64> {
        loop {
            let counts = self.local.counts().await?;
            let done: u64 = counts
                .iter()
                .filter(|t| t.phase == "done")
                .map(|t| t.records)
                .sum();
            if done >= wanted {
                return Ok(done);
            }
            // Counting takes CPU from those who are measured.
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// Works off the intake queue until `photos` are settled.
    async fn triage(&self, runtime: &Runtime, photos: u64, tick: &mut dyn FnMut(u64)) -> anyhow::Result<()> {
        let progress = Arc::new(Progress::default());
        let consumer = self.consumer(runtime, Arc::clone(&progress)).await?;
        let (stopper, signal) = shutdown_signal();
        let running = tokio::spawn(async move { consumer.run(signal).await });
        loop {
            let done = progress.settled.load(Ordering::Relaxed);
            tick(done);
            if done >= photos {
                break;
            }
            ensure!(!running.is_finished(), "triage ended early");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        stopper.stop();
        running.await?;
        Ok(())
    }

    fn inspector(&self, runtime: &Runtime) -> anyhow::Result<Inspector> {
        let cores = std::thread::available_parallelism()?.get();
        let mut engines = EngineSet::of(Box::new(engine(runtime, "trivial")?));
        for _ in 1..cores {
            engines.push(Box::new(engine(runtime, "trivial")?));
        }
        let settings = InspectorSettings {
            compute: Compute::Pool(cores),
            ..InspectorSettings::default()
        };
        Ok(Inspector::with_engines(
            engines,
            settings,
            Arc::clone(&self.clock),
        ))
    }

    async fn consumer(&self, runtime: &Runtime, progress: Arc<Progress>) -> anyhow::Result<Consumer> {
        let inspector = self.inspector(runtime)?;
        let blobs = self.local.blobs();
        let source = FetchSettings {
            buckets: vec!["photos".into()],
            ..FetchSettings::default()
        };
        let (intake, segmentation): (Arc<dyn Queue>, Arc<dyn Queue>) =
            (self.local.queue(INTAKE)?, self.local.queue(SEGMENTATION)?);
        let lanes = Lanes {
            intake: Arc::clone(&intake),
            state: self.local.state(),
        };
        let processor = RequestProcessor {
            source: Arc::new(Fetcher::new(source, Arc::clone(&blobs))?),
            inspector: ActiveInspector::new(inspector),
            settler: Settler {
                store: InspectionStore::new(self.local.records()),
                blobs,
                reviews: self.local.reviews(),
                publisher: self.local.publisher(),
                clock: Arc::clone(&self.clock),
                bucket: "results".into(),
                worker: "bench".into(),
            },
            dead: self.local.queue(INTAKE_DEAD)?,
            retry: RetryPolicy::default(),
            jitter: Arc::new(Jitter::seeded(1)),
            photo_bytes_max: 64 << 20,
            progress: Arc::clone(&progress),
            telemetry: Arc::new(NoopTelemetry),
            drain_budget: ConsumerSettings::default().drain_budget,
            queue_name: INTAKE,
            shadow: None,
            isolation: Isolation::default(),
        };
        let handler = Triage {
            processor,
            segmentation,
            lane_monitor: Arc::new(LaneMonitor::new(lanes, Arc::clone(&self.clock), closed_lane())),
            routing: RoutingPolicy::default(),
            inline_segmentation: InlineSegmentationCost::Known(Duration::from_millis(1)),
            end: InvocationDeadline::never(),
        };
        let settings = ConsumerSettings {
            in_flight_max: 16,
            ..ConsumerSettings::default()
        };
        Ok(Consumer {
            queue: intake,
            handler: Arc::new(handler),
            settings,
            clock: Arc::clone(&self.clock),
            progress,
        })
    }
}
