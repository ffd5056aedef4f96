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
use crate::client::table::{print_document, print_notice};
use crate::failure::{Failure, with_causes};
use crate::inspect::progress;
use crate::inspect::work::{Outcome, WorkOptions, each_photo};
use crate::whole_file::{WholeFile, write_whole};
use anyhow::Context;
use document::Evaluation;
pub(crate) use mapping::MAP_FILE;
use pictures::{InspectedPhoto, Pictures};
use score::PhotoScore;
pub(crate) use sets::ANNOTATIONS_FILE;
use sets::Photos;
use std::collections::BTreeMap;
use std::process::ExitCode;
use truth::Truth;
use walkaround_domain::{Evidence, Reason, ReasonCode, Size, judge};
use walkaround_inference::VerifiedBundle;
use walkaround_messages::{FindingDocument, PhotoReport};
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
    write_whole(&args.out.join("report.json"), json.as_bytes())?;
    let shown = scores.pictures.write(&args.out)?;
    scores.reports.commit()?;
    let page = page::html(&evaluation, &shown);
    write_whole(&args.out.join("index.html"), page.as_bytes())?;
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

/// Name of the file with a line for each photo that was scored, as `inspect` reports it.
const REPORTS: &str = "photos.jsonl";

/// What the photos looked at so far gave.
struct Scores {
    photos: Vec<PhotoScore>,
    reports: WholeFile,
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
        reports: WholeFile::create(&args.out.join(REPORTS))?,
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
            let line = format!("walkaround: {}: {}", outcome.photo.display(), with_causes(error));
            bar.suspend(|| print_notice(&line))?;
            skipped.add("could not be looked at", &outcome.photo);
        } else if let Err(reason) = scores.add(&outcome, known, classes(&engines.bundle))? {
            skipped.add(reason, &outcome.photo);
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok((scores, failed))
}

impl Scores {
    /// Scores one photo and writes its report. The inner error says why it cannot be scored.
    fn add(
        &mut self,
        outcome: &Outcome,
        known: &sets::Known,
        classes: &[ClassSpec],
    ) -> anyhow::Result<Result<(), String>> {
        let Some(report) = outcome.report() else {
            return Ok(Err("could not be looked at".to_owned()));
        };
        let scored = self.score((report, outcome.suspect), known, classes);
        if let (Ok(()), Some(score)) = (&scored, self.photos.last()) {
            let report = as_inspected(report, outcome.suspect, &score.shown);
            let mut line = serde_json::to_vec(&report)?;
            line.push(b'\n');
            self.reports.write(&line)?;
        }
        Ok(scored)
    }

    fn score(
        &mut self,
        (report, suspect): (&PhotoReport, Option<bool>),
        known: &sets::Known,
        classes: &[ClassSpec],
    ) -> Result<(), String> {
        let Some((width, height)) = report.width.zip(report.height) else {
            let why: Vec<&str> = report.reasons.iter().map(|r| r.code.as_str()).collect();
            return Err(format!("cannot be decoded: {}", why.join(", ")));
        };
        let size = Size::new(width, height);
        let truth = Truth::of(known, size, classes.len())?;
        let score = PhotoScore::of((report, suspect), &truth, (classes, size))
            .map_err(|e| format!("its findings do not fit it: {e}"))?;
        self.unusable += usize::from(!report.reasons.is_empty());
        self.pictures
            .offer(&score, &InspectedPhoto { report, truth, size });
        self.photos.push(score);
        Ok(())
    }
}

/// The report that `inspect` gives: with the findings that are reported by default (`shown`), and with none where the
/// gate stops. An evaluation asks for more.
fn as_inspected(report: &PhotoReport, suspect: Option<bool>, shown: &[usize]) -> PhotoReport {
    let findings: Vec<FindingDocument> = match suspect {
        Some(true) => shown.iter().map(|at| report.findings[*at].clone()).collect(),
        _ => Vec::new(),
    };
    let reasons = report.reasons.iter().filter_map(|reason| {
        let code = ReasonCode::parse(&reason.code)?;
        // Depends on the findings that are left.
        (code != ReasonCode::DamageNotLocated).then(|| Reason::new(code, reason.detail.clone()))
    });
    let mut reasons: Vec<Reason> = reasons.collect();
    let evidence = Evidence {
        gate: report.gate,
        segmented: suspect == Some(true),
        findings: findings.len(),
    };
    PhotoReport {
        verdict: judge(&mut reasons, evidence).to_string(),
        reasons: reasons.iter().map(Into::into).collect(),
        findings,
        timings_ms: BTreeMap::new(),
        ..report.clone()
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
