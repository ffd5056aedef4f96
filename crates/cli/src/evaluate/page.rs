//! The report for people: one page that works from disk, its pictures beside it.

use super::pictures::{AllShown, Shown};
use super::print::{header, remarks, with_interval};
use crate::inspect::{html_text, html_url};
use crate::template::fill;
use std::collections::BTreeMap;
use std::fmt::Write;
use walkaround_evaluation::{Evaluation, Figure};

const PAGE: &str = include_str!("page.html");

/// The page.
pub(crate) fn html(evaluation: &Evaluation, shown: &AllShown) -> String {
    let title = format!("{} {}", evaluation.bundle.name, evaluation.bundle.version);
    let lines: String = remarks(evaluation)
        .iter()
        .map(|line| format!("<li>{}</li>", html_text(line)))
        .collect();
    let level = format!("{:.0}", evaluation.intervals.level * 100.0);
    let parts = [
        ("title", html_text(&title)),
        ("description", html_text(&evaluation.description)),
        ("header", html_text(&header(evaluation))),
        ("masks", masks(evaluation)),
        ("mean", with_interval(evaluation.mean_photo_iou)),
        ("gate", gate(evaluation)),
        ("remarks", lines),
        ("level", level),
        ("resamples", evaluation.intervals.resamples.to_string()),
        ("best", figures(&shown.best)),
        ("worst", figures(&shown.worst)),
        ("alarms", figures(&shown.alarms)),
    ];
    fill(PAGE, &parts.into_iter().collect())
}

fn masks(evaluation: &Evaluation) -> String {
    let mut table = String::from(
        "<table><tr><th></th><th>IoU</th><th>F1</th><th>precision</th><th>recall</th><th>photos with it</th></tr>",
    );
    for row in &evaluation.masks {
        let class = if row.name.starts_with("class ") {
            ""
        } else {
            " class=\"whole\""
        };
        let f = row.figures;
        // Writing to a String cannot fail.
        let _ = write!(
            table,
            "<tr{class}><td>{}<small>{}</small></td>{}{}{}{}<td class=\"n\">{}</td></tr>",
            html_text(&row.name),
            html_text(row.what),
            cell(f.iou),
            cell(f.f1),
            cell(f.precision),
            cell(f.recall),
            row.photos
        );
    }
    table + "</table>"
}

fn gate(evaluation: &Evaluation) -> String {
    let gate = &evaluation.gate;
    if gate.thresholds.is_empty() {
        return "<p>The bundle has no gate.</p>".to_owned();
    }
    let thresholds: Vec<String> = gate.thresholds.iter().map(f32::to_string).collect();
    format!(
        "<table><tr><th>ROC AUC</th><th>recall</th><th>false alarms</th><th>threshold</th><th>damaged photos</th>\
         <th>undamaged photos</th></tr><tr>{}{}{}<td>{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr></table>",
        cell(gate.roc_auc),
        cell(gate.recall),
        cell(gate.false_alarms),
        thresholds.join(", "),
        gate.damaged,
        gate.undamaged
    )
}

fn cell(figure: Figure) -> String {
    match (figure.value, figure.low, figure.high) {
        (Some(value), Some(low), Some(high)) => {
            format!("<td>{value:.3}<small>({low:.3}–{high:.3})</small></td>")
        }
        _ => format!("<td>{}</td>", with_interval(figure)),
    }
}

fn figures(shown: &[Shown]) -> String {
    if shown.is_empty() {
        return "<p>None.</p>".to_owned();
    }
    shown.iter().map(figure).collect()
}

fn figure(shown: &Shown) -> String {
    let mut svg = format!(
        "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">",
        shown.size.width,
        shown.size.height,
        html_text(&shown.name)
    );
    if let Some(file) = &shown.file {
        let _ = write!(
            svg,
            "<image href=\"{}\" width=\"100%\" height=\"100%\" preserveAspectRatio=\"none\"/>",
            html_url(file)
        );
    }
    let stopped = if shown.stopped { " stopped" } else { "" };
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &shown.findings {
        *counts.entry(&finding.class).or_default() += 1;
        let _ = write!(
            svg,
            "<path class=\"found{stopped}\" d=\"{}\"><title>{} {:.2}</title></path>",
            finding.path,
            html_text(&finding.class),
            finding.probability
        );
    }
    for (class, path) in [("truth", &shown.truth), ("ignored", &shown.ignored)] {
        if !path.is_empty() {
            let _ = write!(svg, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }
    format!(
        "<figure>{svg}</svg><figcaption>{}</figcaption></figure>",
        caption(shown, &counts)
    )
}

fn caption(shown: &Shown, counts: &BTreeMap<&str, usize>) -> String {
    let mut out = match shown.iou {
        Some(iou) if !shown.truth.is_empty() => format!("<b>IoU {iou:.2}</b>"),
        _ => String::new(),
    };
    let _ = write!(out, "{}<br><small>", html_text(&shown.name));
    let mut facts: Vec<String> = shown.unusable.iter().map(|reason| html_text(reason)).collect();
    if let Some(gate) = shown.gate {
        let stopped = if shown.stopped { ", stopped" } else { "" };
        facts.push(format!("gate {gate:.2}{stopped}"));
    }
    facts.extend(
        counts
            .iter()
            .map(|(class, n)| format!("{} ×{n}", html_text(class))),
    );
    out + &facts.join(" · ") + "</small>"
}
