//! `walkaround evaluate`: a bundle scored on photos whose damage is known.
//!
//! The arguments become [`options`]; every photo is inspected as `inspect` does it, with all classes and without the gate
//! stopping it: what the gate would have stopped is known all the same. Scores and document are made by
//! `walkaround_evaluation`; here they become the table ([`print`]) and, with the best and worst photos ([`pictures`]),
//! the [`page`].

mod options;
mod page;
mod pictures;
mod print;

use crate::args::{EvaluateArgs, ReportFormat};
use crate::client::table::{print_document, print_notice};
use crate::failure::{Failure, with_causes};
use crate::inspect::progress;
use crate::inspect::work::{WorkOptions, each_photo};
use crate::library::Engines;
use anyhow::Context;
use options::failure;
use pictures::Pictures;
use std::process::ExitCode;
use walkaround_client::whole_file::{WholeFile, write_whole};
use walkaround_domain::Overlays;
use walkaround_evaluation::{EvaluatedBundle, Evaluation, InspectedPhoto, PhotoScore, PhotoSet, ScoredPhoto};
use walkaround_inference::VerifiedBundle;
use walkaround_inference::manifest::Head;
use walkaround_messages::BundleDocument;

pub(crate) fn run(args: &EvaluateArgs) -> Result<ExitCode, Failure> {
    let engines = crate::library::open(&args.engine)?;
    let bundle = evaluated(&engines.bundle);
    let mut photos = options::collect(args, bundle.classes)?;
    std::fs::create_dir_all(&args.out)
        .with_context(|| format!("cannot create folder {}", args.out.display()))?;
    let results = score_photos(args, &engines, &mut photos)?;
    let evaluation = Evaluation::new(&bundle, &photos, &results.scores).map_err(failure)?;
    let json = evaluation.to_json().map_err(failure)?;
    write_whole(&args.out.join("report.json"), json.as_bytes())?;
    let shown = results.pictures.write(&args.out)?;
    results.reports.commit()?;
    let page = page::html(&evaluation, &shown);
    write_whole(&args.out.join("index.html"), page.as_bytes())?;
    match args.format {
        ReportFormat::Json => json.lines().try_for_each(print_document)?,
        ReportFormat::Table => print::tables(&evaluation, &args.out.join("index.html"))?,
    }
    Ok(if results.failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Name of the file with a line for each photo that was scored, as `inspect` reports it.
const REPORTS: &str = "photos.jsonl";

/// Results of the photos inspected so far.
struct Results {
    scores: Vec<PhotoScore>,
    reports: WholeFile,
    pictures: Pictures,
    /// A photo failed.
    failed: bool,
}

/// Inspects and scores every photo; those that cannot be scored are added to the skipped ones.
fn score_photos(args: &EvaluateArgs, engines: &Engines, photos: &mut PhotoSet) -> Result<Results, Failure> {
    let options = WorkOptions {
        jobs: args.jobs.map(usize::from),
        overlays: Overlays::Never,
        all_classes: true,
        gate_stops: false,
    };
    let mut results = Results {
        scores: Vec::new(),
        reports: WholeFile::create(&args.out.join(REPORTS))?,
        pictures: Pictures::default(),
        failed: false,
    };
    let classes = &engines.bundle.manifest().classes;
    let bar = progress(photos.paths.len() as u64, "evaluating");
    let PhotoSet {
        paths,
        labels,
        skipped,
        ..
    } = photos;
    let mut labels = labels.iter();
    each_photo(engines, paths, &options, &mut |outcome| {
        bar.inc(1);
        let label = labels.next().expect("outcomes come in the order of the photos");
        let report = match &outcome.result {
            Ok(report) => report,
            Err(error) => {
                results.failed = true;
                let line = format!("walkaround: {}: {}", outcome.photo.display(), with_causes(error));
                bar.suspend(|| print_notice(&line))?;
                skipped.add("could not be inspected", &outcome.photo);
                return Ok(());
            }
        };
        let inspected = InspectedPhoto {
            report,
            suspect: outcome.suspect,
        };
        match ScoredPhoto::new(inspected, label, classes) {
            Ok(scored) => results.add(scored)?,
            Err(reason) => {
                skipped.add_with(reason.to_string(), &outcome.photo, reason.annotation());
            }
        }
        Ok(())
    })?;
    bar.finish_and_clear();
    Ok(results)
}

impl Results {
    /// Adds a photo, and writes its report.
    fn add(&mut self, photo: ScoredPhoto<'_>) -> anyhow::Result<()> {
        self.pictures.offer(&photo);
        let mut line = serde_json::to_vec(&photo.default_report())?;
        line.push(b'\n');
        self.reports.write(&line)?;
        self.scores.push(photo.score);
        Ok(())
    }
}

fn evaluated(bundle: &VerifiedBundle) -> EvaluatedBundle<'_> {
    let manifest = bundle.manifest();
    let thresholds = manifest
        .networks
        .iter()
        .filter_map(|network| match &network.head {
            Head::Gate { threshold, .. } => Some(*threshold),
            _ => None,
        });
    EvaluatedBundle {
        label: BundleDocument {
            name: manifest.name.clone(),
            version: manifest.version.clone(),
        },
        description: manifest.description.clone(),
        classes: &manifest.classes,
        gate_thresholds: thresholds.collect(),
    }
}
