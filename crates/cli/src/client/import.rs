//! `walkaround import`: corrections of other tools as reviews.

use super::open;
use super::table::{print_document, print_line};
use crate::args::{ImportArgs, Printed};
use crate::failure::Failure;
use crate::inspect::progress;
use indicatif::ProgressBar;
use serde_json::json;
use std::io;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::IfMissing;
use walkaround_client::dataset::{Fate, ImportOptions, ImportProgress, import};
use walkaround_domain::Reviewer;

/// Who imports, where nobody says it.
const IMPORT: &str = "import";

pub(crate) fn run(args: &ImportArgs) -> Result<ExitCode, Failure> {
    let by = match &args.by {
        Some(by) => by.clone(),
        None => Reviewer::new(IMPORT).map_err(Failure::usage)?,
    };
    let options = ImportOptions {
        file: args.file.clone(),
        format: args.format,
        manifest: args.manifest.clone(),
        by,
        dry_run: args.dry_run,
    };
    let shown = Shown {
        bar: progress(0, "photos"),
        printed: args.summary,
        dry_run: args.dry_run,
    };
    let counts = runtime()?.block_on(async {
        let stack = open(&args.which, IfMissing::Fail).await?;
        import(&*stack, &options, &shown).await
    })?;
    shown.bar.finish_and_clear();
    match args.summary {
        Printed::Json => print_document(json!({
            "unchanged": counts.unchanged,
            "reviewed": counts.reviewed,
            "already": counts.already,
            "refused": counts.refused,
            "dry_run": args.dry_run,
        }))?,
        Printed::Table => {
            let reviews = if args.dry_run {
                "would be reviews"
            } else {
                "reviews stored"
            };
            print_line(format!(
                "{} unchanged, {} {reviews}, {} stored before, {} refused",
                counts.unchanged, counts.reviewed, counts.already, counts.refused
            ))?;
        }
    }
    Ok(if counts.refused > 0 {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// A line a photo that is not as it was, beside a bar.
struct Shown {
    bar: ProgressBar,
    printed: Printed,
    dry_run: bool,
}

impl ImportProgress for Shown {
    fn total(&self, photos: usize) {
        self.bar.set_length(photos as u64);
    }

    fn photo(&self, name: &str, inspection: Option<&str>, fate: &Fate) -> io::Result<()> {
        self.bar.inc(1);
        let (state, detail, revision) = match fate {
            Fate::Unchanged => return Ok(()),
            Fate::Reviewed(what, revision) if self.dry_run => {
                ("would_review", what.as_str(), Some(*revision))
            }
            Fate::Reviewed(what, revision) => ("reviewed", what.as_str(), Some(*revision)),
            Fate::Already(revision) => ("already", "stored before", Some(*revision)),
            Fate::Refused(why) => ("refused", why.as_str(), None),
        };
        self.bar.suspend(|| match self.printed {
            Printed::Json => print_document(json!({
                "photo": name,
                "inspection_id": inspection,
                "state": state,
                "revision": revision,
                "detail": detail,
            })),
            Printed::Table => print_line(format!(
                "{}: {}",
                inspection.unwrap_or(name),
                line(fate, self.dry_run)
            )),
        })
    }
}

fn line(fate: &Fate, dry_run: bool) -> String {
    match fate {
        Fate::Unchanged => "unchanged".to_owned(),
        Fate::Reviewed(what, revision) if dry_run => format!("would be revision {revision}: {what}"),
        Fate::Reviewed(what, revision) => format!("stored as revision {revision}: {what}"),
        Fate::Already(revision) => format!("stored before as revision {revision}"),
        Fate::Refused(why) => format!("refused: {why}"),
    }
}
