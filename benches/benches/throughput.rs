//! Throughput of `walkaround inspect` over the bare ONNX Runtime loop: the same networks, cores and photos.
//!
//! The bare loop is what one writes first: a thread a core, each with its sessions; read the file, decode
//! it whole, shrink it, run the gate, and the segmenter where the gate is at 0.5 or more. It makes no
//! findings, no marked pictures, no documents. Beside it stands the stricter figure: the networks alone on
//! tensors that are already there.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use anyhow::{Context, ensure};
use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::RgbImage;
use ort::session::Session;
use ort::value::TensorRef;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use walkaround_benches::{demo_bundle, onnxruntime, phone_photo};
use walkaround_samples::Kind;

const PHONE_PHOTOS: usize = 6;
/// Each photo stands this often in the list, so that starting up weighs little.
const REPEATS: usize = 20;
/// Real photos taken, where they are present.
const REAL_MAX: usize = 300;
const SIDE: u32 = 256;
const ROUNDS: usize = 3;

fn main() -> anyhow::Result<()> {
    let program = PathBuf::from(
        std::env::var_os("WALKAROUND_BIN").context("WALKAROUND_BIN is not set: run `make bench`")?,
    );
    let environment = ort::init_from(onnxruntime()?)?.build()?;
    let folder = tempfile::tempdir()?;
    let kinds = [
        Kind::Clean,
        Kind::Scratch,
        Kind::Dent,
        Kind::Mixed,
        Kind::Clean,
        Kind::Scratch,
    ];
    let mut photos = Vec::new();
    for (i, kind) in kinds.into_iter().enumerate().take(PHONE_PHOTOS) {
        let path = folder.path().join(format!("phone{i}.jpg"));
        std::fs::write(&path, phone_photo(i as u64, kind)?)?;
        photos.push(path);
    }
    let list: Vec<PathBuf> = std::iter::repeat_n(photos, REPEATS).flatten().collect();
    compare("drawn 12-megapixel photos", &list, &program, &environment)?;
    match std::env::var_os("WALKAROUND_PHOTOS") {
        Some(shared) => compare(
            "real 640-pixel photos",
            &real(Path::new(&shared))?,
            &program,
            &environment,
        )?,
        None => println!("real photos: skipped, WALKAROUND_PHOTOS is not set"),
    }
    Ok(())
}

fn real(shared: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut list = Vec::new();
    for folder in ["damaged", "undamaged"] {
        let entries = std::fs::read_dir(shared.join(folder))?.collect::<Result<Vec<_>, _>>()?;
        let photos = entries
            .iter()
            .map(std::fs::DirEntry::path)
            .filter(|p| p.extension().is_some_and(|e| e == "jpg"));
        // Phone photos of 16 megapixels lie among them; they belong to the other comparison.
        list.extend(
            photos
                .filter(|p| p.metadata().is_ok_and(|m| m.len() < 400_000))
                .take(REAL_MAX),
        );
    }
    list.sort();
    Ok(list)
}

fn compare(
    what: &str,
    photos: &[PathBuf],
    program: &Path,
    environment: &ort::environment::Environment,
) -> anyhow::Result<()> {
    let (mut ours, mut bare, mut pure) = (Duration::MAX, Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        // In turn, so that a change in the machine's mood meets all of them.
        ours = ours.min(inspect(program, photos)?);
        let (looped, networks) = bare_loop(environment, photos)?;
        bare = bare.min(looped);
        pure = pure.min(networks);
    }
    let rate = |d: Duration| photos.len() as f64 / d.as_secs_f64();
    println!("{what} ({} photos, best of {ROUNDS}):", photos.len());
    println!(
        "  walkaround inspect, all outputs written: {:6.1} photos/s",
        rate(ours)
    );
    println!(
        "  bare ONNX Runtime loop:                  {:6.1} photos/s, ratio {:.2} (wanted: 0.90)",
        rate(bare),
        rate(ours) / rate(bare)
    );
    println!(
        "  networks alone on ready tensors:         {:6.1} photos/s, ratio {:.2}",
        rate(pure),
        rate(ours) / rate(pure)
    );
    Ok(())
}

fn inspect(program: &Path, photos: &[PathBuf]) -> anyhow::Result<Duration> {
    let out = tempfile::tempdir()?;
    let start = Instant::now();
    let output = Command::new(program)
        .arg("inspect")
        .args(photos)
        .args(["--format", "json", "--bundle"])
        .arg(demo_bundle())
        .arg("--out")
        .arg(out.path())
        .output()?;
    let spent = start.elapsed();
    ensure!(
        output.status.success(),
        "inspect failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let lines = output.stdout.iter().filter(|b| **b == b'\n').count();
    ensure!(lines == photos.len(), "{lines} of {} photos", photos.len());
    Ok(spent)
}

/// Time of the whole loop, and the part of it (per thread, mean) that the networks took.
fn bare_loop(
    environment: &ort::environment::Environment,
    photos: &[PathBuf],
) -> anyhow::Result<(Duration, Duration)> {
    let threads = std::thread::available_parallelism()?.get();
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    let inside = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| bare_thread(environment, photos, &next)))
            .collect();
        workers
            .into_iter()
            .map(|w| w.join().map_err(|_| anyhow::anyhow!("a thread panicked"))?)
            .collect::<anyhow::Result<Vec<Duration>>>()
    })?;
    let networks = inside.iter().sum::<Duration>() / u32::try_from(threads)?;
    Ok((start.elapsed(), networks))
}

fn bare_thread(
    environment: &ort::environment::Environment,
    photos: &[PathBuf],
    next: &AtomicUsize,
) -> anyhow::Result<Duration> {
    let session = |file: &str| -> anyhow::Result<Session> {
        let builder = Session::builder(environment)?;
        let builder = builder
            .with_intra_threads(1)
            .map_err(|e| anyhow::anyhow!("{e}"))?;
        let mut builder = builder
            .with_intra_op_spinning(false)
            .map_err(|e| anyhow::anyhow!("{e}"))?;
        Ok(builder.commit_from_file(demo_bundle().join(file))?)
    };
    let (mut gate, mut segmenter) = (session("gate.onnx")?, session("segmenter.onnx")?);
    let mut resizer = Resizer::new();
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Box));
    let mut inside = Duration::ZERO;
    while let Some(path) = photos.get(next.fetch_add(1, Ordering::Relaxed)) {
        let picture: RgbImage = turbojpeg::decompress_image(&std::fs::read(path)?)?;
        let mut small = RgbImage::new(SIDE, SIDE);
        resizer.resize(&picture, &mut small, &options)?;
        let area = (SIDE * SIDE) as usize;
        let mut tensor = vec![0f32; 3 * area];
        for (i, pixel) in small.pixels().enumerate() {
            for c in 0..3 {
                tensor[c * area + i] = f32::from(pixel[c]);
            }
        }
        let begin = Instant::now();
        let input = || TensorRef::from_array_view(([1i64, 3, i64::from(SIDE), i64::from(SIDE)], &tensor[..]));
        let outputs = gate.run(ort::inputs!["image" => input()?])?;
        let suspect = outputs["gate"].try_extract_tensor::<f32>()?.1[0] >= 0.5;
        if suspect {
            segmenter.run(ort::inputs!["image" => input()?])?;
        }
        inside += begin.elapsed();
    }
    Ok(inside)
}
