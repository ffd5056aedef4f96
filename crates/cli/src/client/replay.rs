//! `walkaround replay`: photos of the past through another bundle, or with other thresholds.

use super::open;
use super::table::{print_document, print_line, print_notice};
use crate::args::{Printed, ReplayArgs};
use crate::failure::Failure;
use crate::inspect::progress;
use crate::library::Engines;
use anyhow::Context;
use indicatif::ProgressBar;
use serde_json::json;
use std::collections::BTreeMap;
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use walkaround_bootstrap::process::{cores, runtime};
use walkaround_bootstrap::{photo_source, second_inspector};
use walkaround_client::format::counted;
use walkaround_client::replay::{Replay, ReplayFile, ReplayProgress, ReplayReader, read_header};
use walkaround_client::{IfMissing, StackClient};
use walkaround_domain::Timestamp;
use walkaround_evaluation::comparison::{AskedTime, REPLAY_SCHEMA, ReplayHeader, ReplayLine};
use walkaround_inference::bundle::hex_sha256;
use walkaround_inference::manifest::MANIFEST_FILE;
use walkaround_messages::{BundleDocument, parse_rfc3339, rfc3339};
use walkaround_pipeline::past::{PastQuery, Window};
use walkaround_pipeline::replay::Replayer;

/// Photos in flight for each engine: one is decoded while the other is in the networks.
const IN_FLIGHT_EACH: usize = 2;
/// Most photos that are named on standard error; the file names all.
const NAMED_MAX: u64 = 20;

pub(crate) fn run(args: &ReplayArgs) -> Result<ExitCode, Failure> {
    let thresholds: BTreeMap<String, f32> = args.threshold.iter().cloned().collect();
    let engines = crate::library::open(&args.engine)?.with_thresholds(&thresholds)?;
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let header = header(args, &engines, &thresholds, stack.clock().now())?;
        let mut file = ReplayFile::open(&args.out, &header)?;
        let before = file.done();
        if before > 0 {
            let before = counted(usize::try_from(before).unwrap_or(usize::MAX), "photo");
            print_notice(format!("walkaround: {} has {before} already", args.out.display()))?;
        }
        let jobs = args.jobs.map_or_else(cores, usize::from);
        let replay = replay(&*stack, &engines, &header, jobs)?;
        let shown = Shown::new();
        let ended = replay.run(&mut file, &shown).await;
        shown.bar.finish_and_clear();
        shown.notices()?;
        ended?;
        drop(file);
        summary(args, &header)
    })
}

/// What is asked; what the command line leaves open is as in the file, where there is one.
fn header(
    args: &ReplayArgs,
    engines: &Engines,
    thresholds: &BTreeMap<String, f32>,
    now: Timestamp,
) -> Result<ReplayHeader, Failure> {
    let asked = AskedTime {
        since: args.window.since.clone(),
        until: args.window.until.clone(),
    };
    // The same words go on with the moments that they meant when the replay began, and so does saying nothing.
    let (window, asked) = match read_header(&args.out)? {
        Some(before) if asked == before.asked || asked == AskedTime::default() => {
            (window(&before)?, before.asked)
        }
        _ => (args.window.window(now).map_err(Failure::usage)?, asked),
    };
    let manifest = engines.bundle.manifest();
    let path = engines.bundle.folder().join(MANIFEST_FILE);
    let text = std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut classes = args.class.clone();
    classes.sort();
    classes.dedup();
    Ok(ReplayHeader {
        schema: REPLAY_SCHEMA.to_owned(),
        bundle: BundleDocument {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
        },
        manifest_sha256: hex_sha256(&text),
        thresholds: thresholds.clone(),
        since: rfc3339(window.since),
        until: rfc3339(window.until),
        asked,
        classes,
        max: u64::from(args.max),
    })
}

/// The time that a replay is of.
fn window(header: &ReplayHeader) -> Result<Window, Failure> {
    let at = |text: &str| parse_rfc3339(text).map_err(|why| Failure::usage(why.to_string()));
    Ok(Window {
        since: at(&header.since)?,
        until: at(&header.until)?,
    })
}

fn replay(
    stack: &dyn StackClient,
    engines: &Engines,
    header: &ReplayHeader,
    jobs: usize,
) -> Result<Replay, Failure> {
    let settings = stack.settings();
    Ok(Replay {
        replayer: Replayer {
            source: photo_source(settings, stack.blobs())?,
            blobs: stack.blobs(),
            inspector: Arc::new(second_inspector(settings, engines, jobs, stack.clock())?),
            photo_bytes_max: settings.photo_bytes_max,
        },
        records: stack.records()?,
        query: PastQuery {
            window: window(header)?,
            classes: header.classes.iter().cloned().collect(),
        },
        max: header.max,
        at_once: jobs * IN_FLIGHT_EACH,
    })
}

/// The progress on a terminal, and the photos that were left out.
struct Shown {
    bar: ProgressBar,
    left_out: AtomicU64,
    named: Mutex<Vec<String>>,
}

impl Shown {
    fn new() -> Self {
        Self {
            bar: progress(0, "replaying"),
            left_out: AtomicU64::new(0),
            named: Mutex::default(),
        }
    }

    fn notices(&self) -> Result<(), Failure> {
        let named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        for line in &*named {
            print_notice(line)?;
        }
        let more = self.left_out.load(Ordering::Relaxed).saturating_sub(NAMED_MAX);
        if more > 0 {
            print_notice(format!(
                "walkaround: {more} more were left out: the file names them"
            ))?;
        }
        Ok(())
    }
}

impl ReplayProgress for Shown {
    fn listed(&self, photos: u64) {
        self.bar.inc_length(photos);
    }

    fn done(&self, line: &ReplayLine) {
        self.bar.inc(1);
        let Some((word, out)) = line.left_out() else {
            return;
        };
        if self.left_out.fetch_add(1, Ordering::Relaxed) < NAMED_MAX {
            let line = format!(
                "walkaround: {} ({}): {word}: {}",
                out.inspection_id, out.photo, out.why
            );
            self.named
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(line);
        }
    }
}

/// What the file has now; 1 where photos failed.
fn summary(args: &ReplayArgs, header: &ReplayHeader) -> Result<ExitCode, Failure> {
    let mut file = ReplayReader::open(&args.out)?;
    let (mut compared, mut flips) = (0_u64, 0_u64);
    let mut left_out: BTreeMap<&str, u64> = ["gone", "changed", "unreadable", "failed"]
        .map(|word| (word, 0))
        .into();
    while let Some(line) = file.next_photo()? {
        match (&line, line.left_out()) {
            (ReplayLine::Compared(photo), _) => {
                compared += 1;
                flips += u64::from(photo.flips());
            }
            (_, Some((word, _))) => *left_out.entry(word).or_default() += 1,
            (_, None) => {}
        }
    }
    let failed = left_out["failed"];
    match args.stack.format {
        Printed::Json => print_document(json!({
            "bundle": header.bundle,
            "photos": compared,
            "flips": flips,
            "left_out": left_out,
        }))?,
        Printed::Table => {
            print_line(format!(
                "{} replayed with {} {}: {flips} with another verdict",
                counted(usize::try_from(compared).unwrap_or(usize::MAX), "photo"),
                header.bundle.name,
                header.bundle.version
            ))?;
            let words: Vec<String> = left_out
                .iter()
                .filter(|(_, n)| **n > 0)
                .map(|(word, n)| format!("{n} {word}"))
                .collect();
            if !words.is_empty() {
                print_line(format!("left out: {}", words.join(", ")))?;
            }
            print_line(format!(
                "`walkaround bundle compare --replay {}` compares them",
                args.out.display()
            ))?;
        }
    }
    Ok(if failed > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}
