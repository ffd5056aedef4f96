//! `walkaround evaluate`: a bundle scored on photos whose damage is known.
//!
//! Annotations ([`coco`], with their categories as the [`mapping`] has them) and folders become photos with
//! something known about each ([`sets`]). Every photo goes the way of `inspect`, with all classes and without
//! the gate stopping it: what the gate would have stopped is known all the same. Its findings are compared
//! with its [`truth`] ([`score`]); [`figures`] over all photos make the [`document`], the table ([`print`])
//! and, with the best and worst photos ([`pictures`]), the [`page`].

mod coco;
mod document;
mod figures;
mod mapping;
mod page;
mod pictures;
mod print;
mod score;
mod sets;
mod truth;

use crate::args::{EvaluateArgs, ReportFormat};
use crate::client::rows::{print_document, print_notice};
use crate::failure::Failure;
use crate::inspect::progress;
use crate::inspect::work::{Outcome, WorkOptions, each_photo};
use anyhow::Context;
use document::Evaluation;
use pictures::{Looked, Pictures};
use score::PhotoScore;
use sets::Photos;
use std::path::Path;
use std::process::ExitCode;
use truth::Truth;
use walkaround_domain::Size;
use walkaround_inference::VerifiedBundle;
use walkaround_vision::mask::ClassSpec;

pub(crate) fn run(args: &EvaluateArgs) -> Result<ExitCode, Failure> {
    let engines = crate::library::open(&args.engine)?;
    let mut photos = sets::collect(args, classes(&engines.bundle))?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create folder {}", args.out.display()))?;
    let (scores, failed) = look(args, &engines, &mut photos)?;
    if scores.photos.is_empty() {
        return Err(Failure::usage(nothing_scored(&photos)));
    }
    let evaluation = Evaluation::new(&engines, &photos, (&scores.photos, scores.unusable));
    let json = serde_json::to_string_pretty(&evaluation)?;
    put(&args.out.join("report.json"), json.as_bytes())?;
    let shown = scores.pictures.write(&args.out)?;
    let page = page::html(&evaluation, &shown);
    put(&args.out.join("index.html"), page.as_bytes())?;
    match args.format {
        ReportFormat::Json => json.lines().try_for_each(print_document)?,
        ReportFormat::Table => print::tables(&evaluation, &args.out.join("index.html"))?,
    }
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// What the photos looked at so far gave.
struct Scores {
    photos: Vec<PhotoScore>,
    unusable: usize,
    pictures: Pictures,
}

/// Looks at every photo and scores it; the second is whether one failed.
fn look(
    args: &EvaluateArgs,
    engines: &crate::library::Engines,
    photos: &mut Photos,
) -> Result<(Scores, bool), Failure> {
    let options = WorkOptions {
        jobs: args.jobs.map(usize::from),
        overlays: false,
        all_classes: true,
        gate_stops: false,
    };
    let mut scores = Scores {
        photos: Vec::new(),
        unusable: 0,
        pictures: Pictures::default(),
    };
    let bar = progress(photos.paths.len() as u64, "evaluating");
    let Photos {
        paths,
        known,
        skipped,
        ..
    } = photos;
    let (mut known, mut failed) = (known.iter(), false);
    each_photo(engines, paths, &options, &mut |outcome| {
        bar.inc(1);
        let known = known.next().expect("outcomes come in the order of the photos");
        if let Err(error) = &outcome.result {
            failed = true;
            let line = format!("walkaround: {}: {error:#}", outcome.photo.display());
            bar.suspend(|| print_notice(&line))?;
            skipped.add("could not be looked at", &outcome.photo);
        } else if let Err(reason) = scores.add(&outcome, known, classes(&engines.bundle)) {
            skipped.add(reason, &outcome.photo);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok((scores, failed))
}

impl Scores {
    /// Scores one photo, or says why it cannot be.
    fn add(&mut self, outcome: &Outcome, known: &sets::Known, classes: &[ClassSpec]) -> Result<(), String> {
        let Some(report) = outcome.report() else {
            return Err("could not be looked at".to_owned());
        };
        let Some((width, height)) = report.width.zip(report.height) else {
            let why: Vec<&str> = report.reasons.iter().map(|r| r.code.as_str()).collect();
            return Err(format!("cannot be decoded: {}", why.join(", ")));
        };
        let size = Size::new(width, height);
        let truth = Truth::of(known, size, classes.len())?;
        let score = PhotoScore::of((report, outcome.suspect), &truth, (classes, size))
            .map_err(|e| format!("its findings do not fit it: {e}"))?;
        self.unusable += usize::from(!report.reasons.is_empty());
        self.pictures.offer(&score, &Looked { report, truth, size });
        self.photos.push(score);
        Ok(())
    }
}

fn classes(bundle: &VerifiedBundle) -> &[ClassSpec] {
    &bundle.manifest().classes
}

fn nothing_scored(photos: &Photos) -> String {
    let reasons: Vec<String> = photos
        .skipped
        .iter()
        .map(|(reason, n, _)| format!("{n} {reason}"))
        .collect();
    format!("no photo could be scored: {}", reasons.join("; "))
}

fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    std::fs::write(path, bytes).with_context(|| format!("cannot write {}", path.display()))
}
