//! What `inspect` prints: a table, JSON lines, or one COCO document; then the exit code.

use super::coco::Coco;
use super::work::Outcome;
use crate::args::Format;
use crate::client::table::{cell, plain_table, print_document, print_notice};
use crate::failure::{Failure, with_causes};
use crate::library::Engines;
use comfy_table::{Cell, CellAlignment, Color, Table};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use walkaround_bootstrap::terminal::{printable, printable_json, printable_path};
use walkaround_messages::PhotoReport;

/// Most rows of a table: more do not help a reader, and memory stays bounded.
const ROWS_MAX: usize = 2_000;

pub(crate) struct Printer {
    format: Format,
    table: Table,
    rows_left_out: usize,
    verdicts: BTreeMap<String, usize>,
    failed: usize,
    millis: Vec<f64>,
    coco: Coco,
    gallery: Option<PathBuf>,
    label: String,
    description: String,
}

impl Printer {
    pub(crate) fn new(format: Format, engines: &Engines) -> Self {
        let mut table = plain_table();
        table.set_header(["photo", "verdict", "gate", "findings", "area", "ms", "remark"]);
        for column in [2, 4, 5] {
            if let Some(c) = table.column_mut(column) {
                c.set_cell_alignment(CellAlignment::Right);
            }
        }
        Self {
            format,
            table,
            rows_left_out: 0,
            verdicts: BTreeMap::new(),
            failed: 0,
            millis: Vec::new(),
            coco: Coco::new(engines.bundle.manifest()),
            gallery: None,
            label: engines.label(),
            description: engines.bundle.manifest().description.clone(),
        }
    }

    /// Takes one outcome; JSON lines are printed at once.
    pub(crate) fn photo(&mut self, outcome: &Outcome) -> Result<(), Failure> {
        let report = match &outcome.result {
            Ok(report) => report,
            Err(error) => {
                self.failed += 1;
                print_notice(format!(
                    "walkaround: {}: {}",
                    outcome.photo.display(),
                    with_causes(error)
                ))?;
                return Ok(());
            }
        };
        *self.verdicts.entry(report.verdict.clone()).or_default() += 1;
        match self.format {
            Format::Json => print_document(serde_json::to_string(report)?)?,
            Format::Coco => self.coco.add(report),
            Format::Table if self.table.row_count() < ROWS_MAX => {
                self.table.add_row(row(report));
            }
            Format::Table => self.rows_left_out += 1,
        }
        self.millis
            .push(report.timings_ms.get("total").copied().unwrap_or_default());
        Ok(())
    }

    pub(crate) fn gallery(&mut self, path: &Path) {
        self.gallery = Some(path.to_path_buf());
    }

    /// Prints what is left to print.
    pub(crate) fn finish(mut self) -> anyhow::Result<ExitCode> {
        let mut out = std::io::stdout().lock();
        match self.format {
            Format::Json => {}
            Format::Coco => writeln!(out, "{}", printable_json(&serde_json::to_string(&self.coco)?))?,
            Format::Table => {
                if !out.is_terminal() {
                    self.table.force_no_tty();
                }
                writeln!(out, "{}", self.table)?;
                if self.rows_left_out > 0 {
                    writeln!(out, "… and {} more photos", self.rows_left_out)?;
                }
                writeln!(out, "{}", printable(&self.summary()))?;
                if let Some(path) = &self.gallery {
                    writeln!(out, "gallery: {}", printable_path(path))?;
                }
            }
        }
        Ok(if self.failed > 0 {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn summary(&mut self) -> String {
        let photos = self.verdicts.values().sum::<usize>() + self.failed;
        let mut parts: Vec<String> = self
            .verdicts
            .iter()
            .map(|(verdict, n)| format!("{n} {verdict}"))
            .collect();
        if self.failed > 0 {
            parts.push(format!("{} FAILED", self.failed));
        }
        self.millis.sort_by(f64::total_cmp);
        let median = self
            .millis
            .get(self.millis.len() / 2)
            .copied()
            .unwrap_or_default();
        let noun = if photos == 1 { "photo" } else { "photos" };
        format!(
            "{photos} {noun}: {} · median {median:.0} ms · bundle {} ({})",
            parts.join(", "),
            self.label,
            self.description
        )
    }
}

fn row(report: &PhotoReport) -> Vec<Cell> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in &report.findings {
        *counts.entry(&finding.class).or_default() += 1;
    }
    let findings: Vec<String> = counts
        .iter()
        .map(|(class, n)| {
            if *n == 1 {
                (*class).to_owned()
            } else {
                format!("{class} ×{n}")
            }
        })
        .collect();
    let share: f64 = report.findings.iter().map(|f| f.area_share).sum();
    let colour = match report.verdict.as_str() {
        "damaged" => Color::Red,
        "clean" => Color::Green,
        _ => Color::Yellow,
    };
    let name = Path::new(&report.photo)
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    vec![
        cell(name),
        cell(&report.verdict).fg(colour),
        cell(report.gate.map_or_else(String::new, |g| format!("{g:.2}"))),
        cell(findings.join(", ")),
        cell(if share > 0.0 {
            format!("{:.1} %", share * 100.0)
        } else {
            String::new()
        }),
        cell(format!(
            "{:.0}",
            report.timings_ms.get("total").copied().unwrap_or_default()
        )),
        cell(
            report
                .reasons
                .iter()
                .map(|r| r.detail.as_str())
                .collect::<Vec<_>>()
                .join("; "),
        ),
    ]
}
