//! `walkaround inspect`: photos in, verdicts, findings and marked pictures out.
//!
//! Paths are expanded first ([`inputs`]); threads with an engine each take photos in turn ([`work`]); results
//! come back in the order of the photos and go to the output folder ([`output`]), to standard output
//! ([`print`]) and to the gallery ([`gallery`]).

mod coco;
mod gallery;
mod output;
mod print;
pub(crate) mod work;

use crate::args::InspectArgs;
use crate::client::table::notice;
use crate::failure::Failure;
pub(crate) use gallery::{text as html_text, url as html_url};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::process::ExitCode;
use walkaround_client::inputs::expand;
use walkaround_domain::Overlays;
use work::{WorkOptions, each_photo};

pub(crate) fn run(args: &InspectArgs) -> Result<ExitCode, Failure> {
    let photos = expand(&args.paths, &notice)?;
    let engines = crate::library::open(&args.engine)?;
    let out = args
        .out
        .as_deref()
        .map(|out| output::Folder::create(out, &photos))
        .transpose()?;
    let bar = progress(photos.len() as u64, "inspecting");
    let options = WorkOptions {
        jobs: args.jobs.map(usize::from),
        overlays: if out.is_some() {
            args.overlay
        } else {
            Overlays::Never
        },
        all_classes: args.all_classes,
        gate_stops: true,
    };
    let mut printer = print::Printer::new(args.format, &engines);
    let mut gallery = gallery::Gallery::new(&engines);
    each_photo(&engines, &photos, &options, &mut |outcome| {
        bar.inc(1);
        if let (Some(folder), Some(report)) = (&out, outcome.report()) {
            let names = folder.write(&outcome.photo, report, outcome.overlay.as_deref())?;
            gallery.add(report, &outcome.photo, &names);
        }
        bar.suspend(|| printer.photo(&outcome))
    })?;
    bar.finish_and_clear();
    if let Some(folder) = &out {
        let path = folder.write_gallery(&gallery.html())?;
        printer.gallery(&path);
    }
    Ok(printer.finish()?)
}

/// A progress bar on standard error: shown on a terminal only.
pub(crate) fn progress(total: u64, what: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr());
    if !std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    if let Ok(style) = ProgressStyle::with_template("{msg} {wide_bar} {pos}/{len} {per_sec} eta {eta}") {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    bar
}
