//! `simulate SEEDS [FIRST]` runs that many worlds on all cores and sums up what happened in them;
//! `simulate --seed N` runs one and shows the end of its trace.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use walkaround_simulation::{Counts, CoverageEvent, Outcome, run};

/// Failures after which no further seed is begun.
const FAILURES_MAX: usize = 10;
const USAGE: &str = "usage: simulate SEEDS [FIRST] | simulate --seed N";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let number = |text: &String| text.parse::<u64>().ok();
    let done = match arguments.as_slice() {
        [flag, seed] if flag == "--seed" => number(seed).map(one),
        [seeds] => number(seeds).map(|seeds| many(0, seeds)),
        [seeds, first] => number(seeds)
            .zip(number(first))
            .map(|(seeds, first)| many(first, seeds)),
        _ => None,
    };
    match done {
        Some(Ok(true)) => ExitCode::SUCCESS,
        // An error means that nobody reads the output.
        Some(Ok(false) | Err(_)) => ExitCode::FAILURE,
        None => {
            let _ = writeln!(std::io::stderr(), "{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// Runs one seed. True when every promise held.
fn one(seed: u64) -> std::io::Result<bool> {
    let outcome = run(seed, None);
    let mut out = std::io::stdout().lock();
    tell(&mut out, &outcome)?;
    writeln!(
        out,
        "seed {seed}: {} calls, {:.0} s simulated, trace {:016x}",
        outcome.calls,
        outcome.time.as_secs_f64(),
        outcome.digest
    )?;
    Ok(outcome.violation.is_none())
}

fn tell(out: &mut impl Write, outcome: &Outcome) -> std::io::Result<()> {
    for line in &outcome.lines {
        writeln!(out, "  {line}")?;
    }
    if let Some(violation) = &outcome.violation {
        writeln!(
            out,
            "seed {} breaks {:?}: {} (again: make simulate SEED={})",
            outcome.seed, violation.invariant, violation.detail, outcome.seed
        )?;
    }
    Ok(())
}

#[derive(Default)]
struct Sum {
    counts: Counts,
    calls: u64,
    time: Duration,
    worlds: u64,
    /// Over all traces: the same seeds give the same.
    digest: u64,
    failures: Vec<Outcome>,
}

/// Runs a range of seeds on all cores. True when every promise held in all of them.
fn many(first: u64, seeds: u64) -> std::io::Result<bool> {
    let began = Instant::now();
    let (next, sum) = (AtomicU64::new(first), Mutex::new(Sum::default()));
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} worlds, {per_sec}, {eta} left");
    let bar = ProgressBar::new(seeds).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= first + seeds || !add(&sum, run(seed, None)) {
                        return;
                    }
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let sum = sum
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner);
    summary(&sum, began.elapsed())?;
    Ok(sum.failures.is_empty())
}

/// Adds an outcome; false when there are failures enough.
fn add(sum: &Mutex<Sum>, outcome: Outcome) -> bool {
    let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    sum.counts.add(&outcome.counts);
    sum.calls += outcome.calls;
    sum.time += outcome.time;
    sum.worlds += 1;
    sum.digest ^= outcome.digest;
    if outcome.violation.is_some() {
        sum.failures.push(outcome);
    }
    sum.failures.len() < FAILURES_MAX
}

fn summary(sum: &Sum, took: Duration) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for happening in CoverageEvent::ALL {
        writeln!(out, "{:>12}  {}", sum.counts.of(*happening), happening.words())?;
    }
    for outcome in &sum.failures {
        writeln!(out)?;
        tell(&mut out, outcome)?;
    }
    writeln!(
        out,
        "\n{} worlds, {} port calls, {:.0} h simulated in {:.1} s ({:.0} worlds a second), traces {:016x}: {} failed",
        sum.worlds,
        sum.calls,
        sum.time.as_secs_f64() / 3600.0,
        took.as_secs_f64(),
        sum.worlds as f64 / took.as_secs_f64().max(0.001),
        sum.digest,
        sum.failures.len()
    )
}
