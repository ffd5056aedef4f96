//! What `evaluate` prints for people.

use crate::client::table::plain_table;
use comfy_table::CellAlignment;
use std::io::{IsTerminal, Write};
use std::path::Path;
use walkaround_bootstrap::terminal::Text;
use walkaround_evaluation::{Evaluation, Figure};

/// Prints the scores, what was left out, and where the report is.
pub(crate) fn tables(evaluation: &Evaluation, page: &Path) -> anyhow::Result<()> {
    let mut out = Text(std::io::stdout().lock());
    writeln!(out, "{}", header(evaluation))?;
    let mut table = plain_table();
    if !out.0.is_terminal() {
        table.force_no_tty();
    }
    table.set_header(["masks", "IoU", "F1", "precision", "recall", "photos"]);
    for row in &evaluation.masks {
        let f = row.figures;
        table.add_row([
            row.name.clone(),
            with_interval(f.iou),
            with_interval(f.f1),
            with_interval(f.precision),
            with_interval(f.recall),
            row.photos.to_string(),
        ]);
    }
    if let Some(column) = table.column_mut(5) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(out, "{table}")?;
    writeln!(
        out,
        "mean IoU of a damaged photo: {}",
        with_interval(evaluation.mean_photo_iou)
    )?;
    let gate = &evaluation.gate;
    writeln!(
        out,
        "gate: ROC AUC {}, recall {}, false alarms {} ({} damaged, {} undamaged photos)",
        with_interval(gate.roc_auc),
        with_interval(gate.recall),
        with_interval(gate.false_alarms),
        gate.damaged,
        gate.undamaged
    )?;
    for line in remarks(evaluation) {
        writeln!(out, "{line}")?;
    }
    writeln!(
        out,
        "in brackets: {:.0} % intervals, {} resamples of the photos\nreport: {}",
        evaluation.intervals.level * 100.0,
        evaluation.intervals.resamples,
        page.display()
    )?;
    Ok(())
}

/// What was scored, in one line.
pub(crate) fn header(evaluation: &Evaluation) -> String {
    let n = &evaluation.photos;
    let mut parts = vec![
        format!("{} damaged", n.damaged),
        format!("{} undamaged", n.undamaged),
    ];
    if n.only_ignored > 0 {
        parts.push(format!("{} with left-out regions only", n.only_ignored));
    }
    if n.unusable > 0 {
        parts.push(format!("{} of them unusable", n.unusable));
    }
    format!(
        "bundle {} {} on {} photos: {}",
        evaluation.bundle.name,
        evaluation.bundle.version,
        n.scored,
        parts.join(", ")
    )
}

/// What a reader must know to trust the figures: what counted as what, and what was left out.
pub(crate) fn remarks(evaluation: &Evaluation) -> Vec<String> {
    let categories: Vec<String> = evaluation
        .categories
        .iter()
        .map(|c| format!("{} = {} ({})", c.name, c.counts_as, c.annotations))
        .collect();
    let mut lines = vec![format!("annotations: {}", categories.join(", "))];
    for folder in &evaluation.photos.folders_without_annotations {
        lines.push(format!(
            "no annotations in {folder}: its photos count as undamaged"
        ));
    }
    for skipped in &evaluation.skipped {
        let example = skipped.first_example().unwrap_or_default();
        lines.push(format!(
            "left out: {} {} (such as {example})",
            counted(skipped.photos, "photo"),
            skipped.reason
        ));
    }
    for remarked in &evaluation.annotation_remarks {
        lines.push(format!(
            "{} {} (such as {})",
            counted(remarked.annotations, "annotation"),
            remarked.remark,
            remarked.examples[0]
        ));
    }
    lines
}

fn counted(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A figure with its interval.
pub(crate) fn with_interval(figure: Figure) -> String {
    match (figure.value, figure.low, figure.high) {
        (Some(value), Some(low), Some(high)) => format!("{value:.3} ({low:.3}–{high:.3})"),
        (Some(value), ..) => format!("{value:.3}"),
        _ => "–".to_owned(),
    }
}
