//! What the engine adds to a run of YOLO11n-seg to give its objects (the input tensor, suppression, masks), relative to the
//! network's own run, and what the findings of these cost: CPU time on one core, in turn, on the photos beside the export.
//!
//! The export is not part of the project: name the folder of exports in `WALKAROUND_LAB`; without it nothing is measured.
//! Its input is 320 pixels wide; rows, prototypes and the network's work all grow fourfold to 640, and the ratio stays.

#![allow(clippy::print_stdout, reason = "a benchmark prints its figures")]

use anyhow::Context;
use ort::session::Session;
use ort::value::TensorRef;
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;
use walkaround_benches::{median_ms, onnxruntime, thread_cpu};
use walkaround_domain::UnitRect;
use walkaround_inference::{ActiveDevice, Engine, EngineOptions, OnnxEngine, Runtime, VerifiedBundle};
use walkaround_vision::decode::{Decoded, Limits, decode};
use walkaround_vision::findings::findings;

const ROUNDS: usize = 30;
const FAMILY: &str = "yolo11n_seg_raw";

fn main() -> anyhow::Result<()> {
    let lab =
        std::env::var_os("WALKAROUND_LAB").map_or_else(|| PathBuf::from("../../shared/lab"), PathBuf::from);
    let family = lab.join(FAMILY);
    if !family.is_dir() {
        println!("instances: not measured: no export {FAMILY}; name the folder of exports in WALKAROUND_LAB");
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    write_bundle(&family, folder.path())?;
    let runtime = Runtime::load(&onnxruntime()?)?;
    let bundle = VerifiedBundle::load(folder.path())?;
    let options = EngineOptions {
        device: ActiveDevice::Cpu,
        threads: 1,
    };
    let mut engine = OnnxEngine::new(&runtime, &bundle, options)?;
    let mut session = bare(runtime.environment(), &family.join("model.onnx"))?;
    println!(
        "photo | network ms | added by the engine ms | of the network | findings ms | of the network | objects"
    );
    let mut photos: Vec<PathBuf> = fs::read_dir(lab.join("photos"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    photos.sort();
    for path in photos {
        let photo =
            decode(&fs::read(&path)?, &Limits::default(), u32::MAX).map_err(|e| anyhow::anyhow!(e.detail))?;
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        compare(&name, &photo, &mut engine, &mut session)?;
    }
    Ok(())
}

/// The manifest of the family as it lies beside the export, as a whole bundle.
fn write_bundle(family: &Path, folder: &Path) -> anyhow::Result<()> {
    let networks = fs::read_to_string(family.join("proposal.toml"))?;
    let line = networks.lines().find(|line| line.starts_with("channels = "));
    let names = line.context("the export's manifest has no channels")?.split('"');
    let mut text = "format = 1\nname = \"bench\"\nversion = \"1\"\n".to_owned();
    for name in names.skip(1).step_by(2) {
        writeln!(
            text,
            "[[classes]]\nname = \"{name}\"\ncolour = \"#e69f00\"\nmask = {{ threshold = 0.5 }}"
        )?;
    }
    fs::write(folder.join("bundle.toml"), text + &networks)?;
    fs::copy(family.join("model.onnx"), folder.join("model.onnx"))?;
    Ok(())
}

fn bare(environment: &ort::environment::Environment, graph: &Path) -> anyhow::Result<Session> {
    let error = |e: &dyn std::fmt::Display| anyhow::anyhow!("{e}");
    let builder = Session::builder(environment)?;
    let builder = builder.with_intra_threads(1).map_err(|e| error(&e))?;
    let mut builder = builder.with_intra_op_spinning(false).map_err(|e| error(&e))?;
    Ok(builder.commit_from_file(graph)?)
}

/// CPU time of a call.
fn timed<T>(call: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<(T, Duration)> {
    let before = thread_cpu();
    let value = black_box(call()?);
    Ok((value, thread_cpu().saturating_sub(before)))
}

fn compare(
    name: &str,
    photo: &Decoded,
    engine: &mut OnnxEngine,
    session: &mut Session,
) -> anyhow::Result<()> {
    let (mut network, mut objects, mut made) = (vec![], vec![], vec![]);
    let mut count = 0;
    for _ in 0..ROUNDS {
        let inputs = engine.inputs(&photo.pixels)?;
        let input = inputs.first().context("no network")?;
        let shape = input.shape.map(|axis| axis as i64);
        let tensor = TensorRef::from_array_view((shape, &input.values[..]))?;
        let ((), run) = timed(|| {
            black_box(session.run(ort::inputs!["images" => tensor])?);
            Ok(())
        })?;
        // Another photo in between: the engine would keep the tensor of this one.
        let other = image::RgbImage::new(8, 8);
        engine.segment(&[(&other, UnitRect::WHOLE)])?;
        let (found, whole) = timed(|| Ok(engine.segment(&[(&photo.pixels, UnitRect::WHOLE)])?))?;
        let (results, finding) = timed(|| Ok(findings(&found[0], engine.classes(), photo.original, false)))?;
        count = results.len();
        network.push(run);
        objects.push(whole.saturating_sub(run));
        made.push(finding);
    }
    let (network, objects, made) = (median_ms(network), median_ms(objects), median_ms(made));
    let (share, finding_share) = (objects / network, made / network);
    println!("{name} | {network:.2} | {objects:.2} | {share:.3} | {made:.2} | {finding_share:.3} | {count}");
    Ok(())
}
