//! What the benchmarks share: photos of a phone's size, CPU time, and summaries.
//!
//! `benches/stages.rs` times single steps (criterion); `benches/overhead.rs` and `benches/throughput.rs` are
//! the side-by-side harness: they print ratios of two things measured in the same run.

pub mod device;
pub mod no_networks;

use anyhow::Context;
use rustix::time::{ClockId, clock_gettime};
use std::path::PathBuf;
use std::time::Duration;
use walkaround_samples::{Kind, SampleSpec, draw};
use walkaround_vision::overlay::encode_jpeg;

/// A drawn 12-megapixel photo as JPEG.
///
/// # Errors
/// When it cannot be encoded.
pub fn phone_photo(seed: u64, kind: Kind) -> anyhow::Result<Vec<u8>> {
    let sample = draw(&SampleSpec {
        seed,
        width: 4000,
        height: 3000,
        kind,
    });
    encode_jpeg(&sample.picture, 92).context("the drawn photo cannot be encoded")
}

/// CPU time of the calling thread.
pub fn thread_cpu() -> Duration {
    let at = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(at.tv_sec.unsigned_abs(), u32::try_from(at.tv_nsec).unwrap_or(0))
}

/// Median of durations, in milliseconds.
pub fn median_ms(mut values: Vec<Duration>) -> f64 {
    values.sort();
    values
        .get(values.len() / 2)
        .map_or(0.0, |d| d.as_secs_f64() * 1e3)
}

/// The demonstration bundle of this checkout.
pub fn demo_bundle() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../bundles/demo")
}

/// The ONNX Runtime library, as `make bench` names it.
///
/// # Errors
/// When it is not named.
pub fn onnxruntime() -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("WALKAROUND_ONNXRUNTIME");
    path.map(PathBuf::from)
        .context("WALKAROUND_ONNXRUNTIME is not set: run `make bench`")
}

/// Resident memory of this process in bytes; 0 where the system does not report it.
pub fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:"));
    line.and_then(|l| l.split_whitespace().next())
        .and_then(|kib| kib.parse::<u64>().ok())
        .map_or(0, |kib| kib << 10)
}
