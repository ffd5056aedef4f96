//! How much faster two workers drain a backlog than one.
//!
//! A worker needs more than the one core of its network thread: decoding, drawing and storing run beside it. So
//! two workers on two cores can be twice as fast as one only as far as the network is most of the work. The drain
//! is measured twice: with the one segmenter, as light as `inspect`'s own demonstration networks, and with six
//! of it, as many as a fleet with seven networks runs, one of them a gate. Beside each
//! stands what the machine allows: the networks alone, on one thread and on two, and the CPU that a worker
//! takes for a photo.

use crate::{World, bundle, engine_of};
use anyhow::{Context, ensure};
use image::RgbImage;
use std::path::Path;
use std::process::{Child, Command};
use std::time::{Duration, Instant};
use walkaround_inference::{Engine, OnnxEngine, Runtime};
use walkaround_local::SEGMENTATION;

const DRAIN_PHOTOS: u64 = 480;
/// How long the networks run alone.
const ALONE_FOR: Duration = Duration::from_secs(3);

/// How long the real worker processes take for the same backlog.
pub(crate) async fn drain(runtime: &Runtime, photo: &[u8]) -> anyhow::Result<()> {
    for (segmenters, photos) in [(1, DRAIN_PHOTOS), (6, DRAIN_PHOTOS / 3)] {
        let folder = tempfile::tempdir()?;
        slow_bundle(segmenters, folder.path())?;
        let limit = (
            alone(runtime, folder.path(), 1)?,
            alone(runtime, folder.path(), 2)?,
        );
        let backlog = Backlog {
            bundle: folder.path(),
            photo,
            photos,
        };
        let (one, two) = (backlog.drain(1).await?, backlog.drain(2).await?);
        println!("drain of {photos} photos, {segmenters} slow single-threaded segmenter(s):");
        println!(
            "  networks alone: 1 thread {:.1} photos/s, 2 threads {:.1} photos/s: {:.2} times",
            limit.0,
            limit.1,
            limit.1 / limit.0
        );
        println!(
            "  1 worker {:.1} photos/s, 2 workers {:.1} photos/s: {:.2} times (wanted: 1.8)",
            one.rate,
            two.rate,
            two.rate / one.rate
        );
        println!(
            "  CPU of the workers a photo: {:.1} ms with 1, {:.1} ms with 2; the networks take {:.1} ms",
            one.cpu_ms,
            two.cpu_ms,
            1e3 / limit.0
        );
    }
    Ok(())
}

/// `tests/bundles/slow` with so many copies of its segmenter.
fn slow_bundle(segmenters: usize, into: &Path) -> anyhow::Result<()> {
    let from = bundle("slow");
    for file in ["gate.onnx", "marks.onnx", "self_test.png"] {
        std::fs::copy(from.join(file), into.join(file))?;
    }
    let manifest = std::fs::read_to_string(from.join("bundle.toml"))?;
    let begin = manifest.rfind("[[networks]]").context("no network")?;
    let length = manifest[begin..].find("[self_test]").context("no self-test")?;
    let segmenter = &manifest[begin..begin + length];
    let copies: String = (1..segmenters)
        .map(|i| segmenter.replace("name = \"marks\"", &format!("name = \"marks{i}\"")))
        .collect();
    let end = begin + length;
    let manifest = format!("{}{copies}{}", &manifest[..end], &manifest[end..]);
    Ok(std::fs::write(into.join("bundle.toml"), manifest)?)
}

/// Photos a second of the networks alone, on so many threads with an engine each.
fn alone(runtime: &Runtime, bundle: &Path, threads: usize) -> anyhow::Result<f64> {
    let photo = RgbImage::new(64, 64);
    let mut engines = (0..threads)
        .map(|_| engine_of(runtime, bundle))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let run = |engine: &mut OnnxEngine| -> anyhow::Result<u32> {
        engine.screen_and_segment(&photo, &mut |_| true)?;
        let (begin, mut photos) = (Instant::now(), 0);
        while begin.elapsed() < ALONE_FOR {
            engine.screen_and_segment(&photo, &mut |_| true)?;
            photos += 1;
        }
        Ok(photos)
    };
    let photos = std::thread::scope(|scope| {
        let workers: Vec<_> = engines.iter_mut().map(|e| scope.spawn(|| run(e))).collect();
        workers
            .into_iter()
            .map(|w| w.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
            .sum::<anyhow::Result<u32>>()
    })?;
    Ok(f64::from(photos) / ALONE_FOR.as_secs_f64())
}

/// What is to be worked off.
struct Backlog<'a> {
    bundle: &'a Path,
    photo: &'a [u8],
    photos: u64,
}

/// How that went.
struct Drained {
    /// Photos a second.
    rate: f64,
    /// CPU time of all workers for a photo.
    cpu_ms: f64,
}

impl Backlog<'_> {
    async fn drain(&self, workers: usize) -> anyhow::Result<Drained> {
        let program =
            std::env::var_os("WALKAROUND_BIN").context("WALKAROUND_BIN is not set: run `make bench`")?;
        let folder = tempfile::tempdir()?;
        let world = World::new(folder.path(), self.photo).await?;
        // The first photos warm the workers up; the clock starts when some are done.
        let first = 2 * workers as u64;
        let all = self.photos + first;
        world.submit(SEGMENTATION, 0..all).await?;
        let mut children: Vec<Child> = (0..workers)
            .map(|_| {
                Command::new(&program)
                    .args(["worker", "--root"])
                    .arg(folder.path())
                    .env("WALKAROUND_BUNDLE", self.bundle)
                    .env("WALKAROUND_WORKER_IN_FLIGHT", "8")
                    .env("WALKAROUND_LOG", "warn")
                    .spawn()
            })
            .collect::<Result<_, _>>()?;
        let warm = world.wait_done(first).await?;
        let (begin, cpu) = (Instant::now(), cpu_of(&children)?);
        ensure!(all > warm, "the backlog was gone before it could be measured");
        world.wait_done(all).await?;
        let (spent, cpu) = (begin.elapsed(), cpu_of(&children)?.saturating_sub(cpu));
        for child in &mut children {
            child.kill()?;
            child.wait()?;
        }
        let photos = (all - warm) as f64;
        Ok(Drained {
            rate: photos / spent.as_secs_f64(),
            cpu_ms: cpu.as_secs_f64() * 1e3 / photos,
        })
    }
}

/// CPU time that processes have taken, where the system reports it (proc(5): fields 14 and 15 of `stat`).
fn cpu_of(children: &[Child]) -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for child in children {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", child.id()))?;
        // The name in brackets may hold spaces; after it comes field 3.
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let times = fields.skip(11).take(2);
        ticks += times.map(str::parse::<u64>).sum::<Result<u64, _>>()?;
    }
    Ok(Duration::from_millis(
        ticks * 1000 / rustix::param::clock_ticks_per_second(),
    ))
}
