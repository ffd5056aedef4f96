//! `walkaround export`: reviewed photos as a data set.

use super::table::{cell, print_document, print_line, print_notice, print_table, table};
use super::{name_unreadable, open};
use crate::args::{ExportArgs, Printed};
use crate::failure::Failure;
use crate::inspect::progress;
use indicatif::ProgressBar;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::process::ExitCode;
use walkaround_bootstrap::photo_source;
use walkaround_bootstrap::process::runtime;
use walkaround_client::IfMissing;
use walkaround_client::dataset::{ExportOptions, ExportProgress, Exported, Query, export};
use walkaround_client::format::counted;
use walkaround_domain::TaskReason;
use walkaround_formats::Format;
use walkaround_formats::manifest::LeftOut;

/// Photos without a file that are named, of each reason; the manifest names all.
const NAMED_MAX: usize = 20;

pub(crate) fn run(args: &ExportArgs) -> Result<ExitCode, Failure> {
    let exported = runtime()?.block_on(async {
        let stack = open(&args.which, IfMissing::Fail).await?;
        let window = args.window.window(stack.clock().now()).map_err(Failure::usage)?;
        let options = ExportOptions {
            window,
            query: Query {
                reviewed: args.reviewed,
                reasons: args.reasons.iter().copied().collect(),
                classes: args.classes.iter().cloned().collect(),
            },
            formats: args.formats.iter().copied().collect(),
            splits: args.split.clone().unwrap_or_default(),
            words: words(args),
        };
        let photos = photo_source(stack.settings(), stack.blobs())?;
        let bar = Bar(progress(0, "photos"));
        let exported = export(&*stack, photos, &args.into, &options, &bar).await;
        bar.0.finish_and_clear();
        exported
    })?;
    name_unreadable(&exported.unreadable)?;
    match args.summary {
        Printed::Json => print_document(document(&exported))?,
        Printed::Table => print_summary(args, &exported)?,
    }
    let unreachable = exported.unreachable();
    if unreachable > 0 {
        let photos = counted(unreachable, "photo");
        print_notice(format!(
            "walkaround: {photos} could not be read this time: run it again to go on"
        ))?;
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

/// The query as it stands on the card: what was typed, in one order.
fn words(args: &ExportArgs) -> String {
    let mut words = vec![format!("--since {}", args.window.since_words())];
    words.extend(args.window.until.iter().map(|until| format!("--until {until}")));
    words.extend(args.reviewed.then(|| "--reviewed".to_owned()));
    let mut reasons: Vec<TaskReason> = args.reasons.clone();
    let mut classes = args.classes.clone();
    reasons.sort_unstable();
    classes.sort_unstable();
    words.extend(reasons.iter().map(|reason| format!("--reason {reason}")));
    words.extend(classes.iter().map(|class| format!("--class {class}")));
    words.join(" ")
}

struct Bar(ProgressBar);

impl ExportProgress for Bar {
    fn total(&self, photos: usize) {
        self.0.set_length(photos as u64);
    }

    fn advance(&self, photos: usize) {
        self.0.inc(photos as u64);
    }
}

fn print_summary(args: &ExportArgs, exported: &Exported) -> Result<(), Failure> {
    let counts = &exported.counts;
    let mut rows = table(&[
        "part",
        "photos",
        "vehicles",
        "reviewed",
        "without damage",
        "annotations",
    ]);
    for split in &counts.splits {
        rows.add_row([
            cell(&split.name),
            cell(split.photos),
            cell(split.groups),
            cell(split.reviewed),
            cell(split.clean),
            cell(split.annotations),
        ]);
    }
    print_table(rows)?;
    for (class, by_split) in &counts.classes {
        let parts: Vec<String> = by_split.iter().map(|(split, n)| format!("{split} {n}")).collect();
        print_line(format!("{class}: {}", parts.join(", ")))?;
    }
    for (format, losses) in &exported.losses {
        for (loss, n) in &losses.0 {
            print_line(format!(
                "{} does not carry: {}: {n}",
                format.as_str(),
                loss.as_str()
            ))?;
        }
    }
    if counts.encoded > 0 {
        print_line(format!("encoded again, not without loss: {}", counts.encoded))?;
    }
    print_left_out(exported)?;
    if exported.removed > 0 {
        let photos = counted(usize::try_from(exported.removed).unwrap_or(usize::MAX), "photo");
        print_line(format!("removed {photos} of an earlier export"))?;
    }
    print_line(format!(
        "{} photos in {}, manifest.jsonl says where each comes from",
        counts.photos(),
        args.into.display()
    ))?;
    Ok(())
}

/// The photos without a file, by name where somebody should know which.
fn print_left_out(exported: &Exported) -> Result<(), Failure> {
    for (why, n) in &exported.counts.left_out {
        print_line(format!("left out, {why}: {n}"))?;
    }
    let mut named: BTreeMap<LeftOut, usize> = BTreeMap::new();
    for entry in &exported.left_out {
        let Some(why) = entry.left_out else { continue };
        if matches!(why, LeftOut::Unusable | LeftOut::SamePhoto) {
            continue;
        }
        let count = named.entry(why).or_default();
        *count += 1;
        if *count <= NAMED_MAX {
            let detail = entry.detail.as_deref().unwrap_or_default();
            print_notice(format!(
                "walkaround: {}: {}: {detail}",
                entry.inspection_id,
                why.as_str()
            ))?;
        }
    }
    Ok(())
}

fn document(exported: &Exported) -> Value {
    let counts = &exported.counts;
    let splits = counts.splits.iter().map(|split| {
        json!({
            "split": split.name,
            "photos": split.photos,
            "vehicles": split.groups,
            "reviewed": split.reviewed,
            "without_damage": split.clean,
            "annotations": split.annotations,
        })
    });
    let losses = exported.losses.iter().map(|(format, losses): (&Format, _)| {
        let lost: BTreeMap<&str, u64> = losses.0.iter().map(|(loss, n)| (loss.as_str(), *n)).collect();
        (format.as_str().to_owned(), json!(lost))
    });
    let left_out = exported.left_out.iter().map(|entry| {
        json!({
            "inspection_id": entry.inspection_id,
            "left_out": entry.left_out.map(LeftOut::as_str),
            "detail": entry.detail,
        })
    });
    json!({
        "photos": counts.photos(),
        "splits": splits.collect::<Vec<_>>(),
        "classes": counts.classes,
        "encoded": counts.encoded,
        "lost": losses.collect::<serde_json::Map<_, _>>(),
        "left_out": left_out.collect::<Vec<_>>(),
        "removed": exported.removed,
    })
}
