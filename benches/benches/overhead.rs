//! Everything but the networks, on one core: digest, decode, quality, tensor, findings, overlay, JPEG, JSON. CPU time, not
//! wall time: the machine may be busy. Beside it, in turn, what `djpeg -scale 1/8` does of the same file, through the same
//! libjpeg-turbo: header, memory and decode; and the overlay of a picture that is already decoded.
//!
//! The networks are replaced by an engine that prepares the same tensor and answers with fixed maps.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use sha2::{Digest, Sha256};
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Duration;
use turbojpeg::{Decompressor, PixelFormat, ScalingFactor};
use walkaround_benches::no_networks::{Answer, NoNetworks};
use walkaround_benches::{demo_bundle, median_ms, phone_photo, thread_cpu};
use walkaround_domain::{BundleId, UnitRect};
use walkaround_inference::{Engine, Manifest, VerifiedBundle};
use walkaround_pipeline::inspection::{
    InspectionSettings, Preparation, Rendering, Sides, Timings, inspect, render,
};
use walkaround_pipeline::memory::MemoryBudget;
use walkaround_pipeline::report::photo_report;
use walkaround_samples::Kind;
use walkaround_vision::decode::{Limits, decode};
use walkaround_vision::findings::findings;
use walkaround_vision::overlay::{Marks, OverlayStyle, encode_jpeg, render as render_overlay};

const ROUNDS: usize = 30;
/// Where real photos lie beside the checkout.
const SHARED: &str = "../../shared/data/photos";
/// Fewest bytes of a photo of a phone: the others there are small.
const PHONE_BYTES_MIN: u64 = 3_000_000;
/// Long side, in pixels, of the pictures of which overlays are timed.
const OVERLAY_SIDE: u32 = 1600;
/// Wanted: CPU time relative to `djpeg -scale 1/8`; milliseconds of findings, overlay and encoding.
const CLEAN_MAX: f64 = 1.35;
const DAMAGED_MAX: f64 = 1.9;
const ONE_FINDING_MS_MAX: f64 = 15.0;
const MANY_FINDINGS_MS_MAX: f64 = 40.0;

/// What one photo cost.
struct Spent {
    cpu: Duration,
    timings: Timings,
    findings: usize,
    report_bytes: usize,
}

fn main() -> anyhow::Result<()> {
    let bundle = VerifiedBundle::load(&demo_bundle())?;
    let mut photos = vec![
        ("drawn, 12 megapixels".to_owned(), phone_photo(3, Kind::Scratch)?),
        (
            "drawn, 12 megapixels, another".to_owned(),
            phone_photo(4, Kind::Dent)?,
        ),
    ];
    let real = real_photos()?;
    if real.is_empty() {
        println!("real photos: skipped, none of a phone in {SHARED} or WALKAROUND_PHOTOS");
    }
    photos.extend(real);
    println!(
        "everything but the networks, one core, CPU ms: least of {ROUNDS} rounds in turn (median); ratios are of the least"
    );
    for (name, photo) in &photos {
        compare(name, photo, bundle.manifest())?;
    }
    overlays(bundle.manifest(), &photos)
}

/// Photos of phones among the real ones, by name.
fn real_photos() -> anyhow::Result<Vec<(String, Vec<u8>)>> {
    let folder = std::env::var_os("WALKAROUND_PHOTOS").map_or_else(|| PathBuf::from(SHARED), PathBuf::from);
    let mut found = Vec::new();
    for part in ["damaged", "undamaged", "other"] {
        let Ok(entries) = folder.join(part).read_dir() else {
            continue;
        };
        for entry in entries {
            let path = entry?.path();
            let is_jpeg = path.extension().is_some_and(|e| e == "jpg");
            if is_jpeg && path.metadata()?.len() >= PHONE_BYTES_MIN {
                let name = path.file_stem().unwrap_or_default().to_string_lossy();
                found.push((name.into_owned(), std::fs::read(&path)?));
            }
        }
    }
    found.sort();
    Ok(found)
}

/// What `djpeg -scale 1/8` does, without writing the pixels.
fn djpeg(photo: &[u8]) -> anyhow::Result<Duration> {
    let begin = thread_cpu();
    let mut decompressor = Decompressor::new()?;
    let scale = ScalingFactor::new(1, 8);
    decompressor.set_scaling_factor(scale)?;
    let header = decompressor.read_header(photo)?.scaled(scale);
    let mut image = turbojpeg::Image {
        pixels: vec![0; 3 * header.width * header.height],
        width: header.width,
        pitch: 3 * header.width,
        height: header.height,
        format: PixelFormat::RGB,
    };
    decompressor.decompress(photo, image.as_deref_mut())?;
    black_box(&image.pixels);
    Ok(thread_cpu() - begin)
}

/// All that is done for a photo, its outputs made in memory.
fn one(photo: &[u8], engine: &mut NoNetworks) -> anyhow::Result<Spent> {
    let (settings, memory) = (InspectionSettings::default(), MemoryBudget::new(1 << 30));
    let quality = *engine.quality();
    let classes = engine.classes().to_vec();
    let begin = thread_cpu();
    let with = Preparation {
        settings: &settings,
        quality: &quality,
        sides: Sides::of(engine),
        memory: &memory,
        ticks: &thread_cpu,
    };
    let sha256: [u8; 32] = Sha256::digest(photo).into();
    let mut result = inspect(photo, engine, &with)?;
    let with = Rendering {
        file: Some(photo),
        settings: &settings,
        classes: &classes,
        bundle: "none 0",
        memory: &memory,
        ticks: &thread_cpu,
    };
    let jpeg = render(&mut result, &with)?;
    let report = photo_report("photo.jpg", Some(&sha256), &result, &BundleId::new("none", "0"));
    let report = serde_json::to_vec(&report)?;
    black_box(&jpeg);
    Ok(Spent {
        cpu: thread_cpu() - begin,
        timings: result.timings,
        findings: result.findings.len(),
        report_bytes: report.len(),
    })
}

fn compare(name: &str, photo: &[u8], manifest: &Manifest) -> anyhow::Result<()> {
    let mut clean = NoNetworks::new(manifest, Answer::Clean);
    let mut damaged = NoNetworks::new(manifest, Answer::OneFinding);
    let (mut base, mut cleans, mut damageds) = (vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        base.push(djpeg(photo)?);
        cleans.push(one(photo, &mut clean)?);
        damageds.push(one(photo, &mut damaged)?);
    }
    let base_ms = least_ms(base.iter().copied());
    println!("{name}, {} KiB:", photo.len() >> 10);
    println!(
        "  djpeg -scale 1/8, in this process: {base_ms:.1} ({:.1})",
        median_ms(base)
    );
    for (what, spent, most) in [("clean", cleans, CLEAN_MAX), ("damaged", damageds, DAMAGED_MAX)] {
        let least = least_ms(spent.iter().map(|s| s.cpu));
        let median = median_ms(spent.iter().map(|s| s.cpu).collect());
        let part = |of: fn(&Timings) -> Duration| least_ms(spent.iter().map(|s| of(&s.timings)));
        println!(
            "  {what}, {} findings: {least:.1} ({median:.1}), ratio {:.2} (wanted: at most {most}); decode {:.1}, \
             quality {:.1}, findings {:.1}, overlay {:.1}; report {} bytes",
            spent[0].findings,
            least / base_ms,
            part(|t| t.decode),
            part(|t| t.quality),
            part(|t| t.findings),
            part(|t| t.overlay),
            spent[0].report_bytes,
        );
    }
    Ok(())
}

fn least_ms(values: impl Iterator<Item = Duration>) -> f64 {
    values.min().unwrap_or_default().as_secs_f64() * 1e3
}

/// Findings, overlay and encoding of a photo that is decoded at the size at which it is shown.
fn overlays(manifest: &Manifest, photos: &[(String, Vec<u8>)]) -> anyhow::Result<()> {
    println!("findings, overlay and encoding at {OVERLAY_SIDE} pixels, one core, CPU ms, least of {ROUNDS}:");
    for (name, photo) in photos {
        let decoded =
            decode(photo, &Limits::default(), OVERLAY_SIDE).map_err(|e| anyhow::anyhow!(e.detail))?;
        let height = OVERLAY_SIDE * decoded.original.height / decoded.original.width;
        let pixels = image::imageops::thumbnail(&decoded.pixels, OVERLAY_SIDE, height);
        for (answer, most) in [
            (Answer::OneFinding, ONE_FINDING_MS_MAX),
            (Answer::ManyFindings, MANY_FINDINGS_MS_MAX),
        ] {
            let mut engine = NoNetworks::new(manifest, answer);
            let segmentation = engine.segment(&[(&pixels, UnitRect::WHOLE)])?.remove(0);
            let mut spent = vec![];
            let mut count = 0;
            for _ in 0..ROUNDS {
                let begin = thread_cpu();
                let found = findings(&segmentation, engine.classes(), decoded.original, false);
                let marks = Marks {
                    original: decoded.original,
                    findings: &found,
                    classes: engine.classes(),
                    headline: "damaged",
                };
                let style = OverlayStyle::default();
                black_box(encode_jpeg(
                    &render_overlay(&pixels, marks, &style),
                    style.jpeg_quality,
                )?);
                spent.push(thread_cpu() - begin);
                count = found.len();
            }
            let least = least_ms(spent.into_iter());
            println!("  {name}, {count} findings: {least:.1} (wanted: at most {most})");
        }
    }
    Ok(())
}
