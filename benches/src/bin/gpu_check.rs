//! `make gpu-check`: two bundles on the GPU, beside the processor; writes the report to docs/gpu-check.md.
//!
//! Where no GPU answers it says so and ends with 0. `GPU_CHECK_REHEARSE=1` puts the processor in the place of the GPU, to try
//! the check itself; nothing is written then.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "it prints its figures")]

use anyhow::Context;
use std::path::PathBuf;
use std::process::ExitCode;
use walkaround_benches::device::{Gpu, Plan, check};
use walkaround_benches::{demo_bundle, onnxruntime};
use walkaround_inference::{ActiveDevice, Device, Runtime};

/// Photos of the long run, and of the one of a rehearsal.
const PHOTOS: usize = 10_000;
const PHOTOS_REHEARSED: usize = 40;

fn main() -> anyhow::Result<ExitCode> {
    let rehearsed = std::env::var_os("GPU_CHECK_REHEARSE").is_some();
    let gpu = match Gpu::ask() {
        Ok(gpu) => Some(gpu),
        Err(why) if rehearsed => {
            println!("gpu-check: a rehearsal on the processor ({why:#})");
            None
        }
        Err(why) => {
            println!("gpu-check: not run: no NVIDIA GPU answers here ({why:#})");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let runtime = Runtime::load(&onnxruntime()?)?;
    let gpu = gpu.filter(|_| !rehearsed);
    let plan = match gpu {
        Some(_) => Plan {
            device: runtime.resolve(Device::Cuda)?,
            photos: PHOTOS,
            progress: &|done| eprintln!("  {done} of {PHOTOS} photos"),
        },
        None => Plan {
            device: ActiveDevice::Cpu,
            photos: PHOTOS_REHEARSED,
            progress: &|_| {},
        },
    };
    let mut document = heading(gpu.as_ref());
    let mut failures = Vec::new();
    let seven = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/bundles/seven");
    for folder in [seven, demo_bundle()] {
        println!("gpu-check: {}", folder.display());
        let report = check(&runtime, &folder, plan)?;
        document.push_str(&report.markdown()?);
        document.push('\n');
        failures.extend(report.failures());
    }
    println!("{document}");
    for line in &failures {
        eprintln!("gpu-check: {line}");
    }
    if gpu.is_some() {
        let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/gpu-check.md");
        std::fs::write(&place, document.trim_end().to_owned() + "\n")
            .with_context(|| place.display().to_string())?;
        println!("gpu-check: written to docs/gpu-check.md");
    }
    Ok(ExitCode::from(u8::from(!failures.is_empty())))
}

fn heading(gpu: Option<&Gpu>) -> String {
    let device = gpu.map_or_else(
        || "the processor, in a rehearsal".to_owned(),
        |gpu| format!("{}, {} MiB", gpu.name, gpu.total_mib),
    );
    format!(
        "# Check on a GPU\n\nWritten by `make gpu-check` on {device}. Masks are those of {} drawn photos and the picture of \
         the self-test, whatever the gates say; a rate is of all networks of the bundle, without decoding.\n\n",
        walkaround_benches::device::DRAWN
    )
}
