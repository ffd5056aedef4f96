//! What the client commands say of an inspection, in cells and lines.

use crate::args::QueueArg;
use comfy_table::{Cell, Color, LineStyle, Table, TableStyle};
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use walkaround_bootstrap::terminal::{printable, printable_json};
use walkaround_domain::{Inspection, Phase, PhotoRef, Verdict};
use walkaround_ports::QueueName;

/// Most rows of a table: more do not help a reader, and memory stays bounded.
pub(crate) const ROWS_MAX: usize = 2_000;

/// The queues asked for.
pub(crate) fn queues(asked: Option<QueueArg>) -> &'static [QueueName] {
    match asked {
        None => &QueueName::ALL,
        Some(QueueArg::Intake) => &QueueName::ALL[..1],
        Some(QueueArg::Segmentation) => &QueueName::ALL[1..],
    }
}

/// Prints a table, without colours into a pipe.
pub(crate) fn print_table(mut table: Table) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    if !out.is_terminal() {
        table.force_no_tty();
    }
    writeln!(out, "{table}")
}

/// Prints one line of text.
pub(crate) fn print_line(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", printable(&line.to_string()))
}

/// Prints a JSON document on a line of its own.
pub(crate) fn print_document(document: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stdout(), "{}", printable_json(&document.to_string()))
}

/// Prints one line on standard error, beside the output.
pub(crate) fn print_notice(line: impl std::fmt::Display) -> std::io::Result<()> {
    writeln!(std::io::stderr(), "{}", printable(&line.to_string()))
}

/// Prints a line of a library on standard error.
pub(crate) fn notice(line: &str) -> std::io::Result<()> {
    print_notice(format_args!("walkaround: {line}"))
}

/// A cell of a table. What is in it may come from strangers: tables are made of these only.
pub(crate) fn cell(text: impl std::fmt::Display) -> Cell {
    #[expect(clippy::disallowed_methods, reason = "the one place where cells are made")]
    Cell::new(printable(&text.to_string()))
}

/// One line under the header, and nothing that a pipe would have to strip.
const PLAIN_ROWS: TableStyle = TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

/// A table of plain rows.
pub(crate) fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(PLAIN_ROWS);
    table
}

/// A plain table with a header.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = plain_table();
    table.set_header(header);
    table
}

/// The last part of where a photo is.
pub(crate) fn photo_name(photo: &PhotoRef) -> String {
    let text = photo.to_string();
    let name = text.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    name.to_owned()
}

/// The verdict, or else the phase.
pub(crate) fn standing(i: &Inspection) -> &'static str {
    match &i.phase {
        Phase::Done { verdict } => verdict.as_str(),
        other => other.as_str(),
    }
}

/// The standing in its colour.
pub(crate) fn standing_cell(i: &Inspection) -> Cell {
    let colour = match &i.phase {
        Phase::Done {
            verdict: Verdict::Clean,
        } => Color::Green,
        Phase::Done {
            verdict: Verdict::Damaged,
        }
        | Phase::Failed { .. } => Color::Red,
        _ => Color::Yellow,
    };
    cell(standing(i)).fg(colour)
}

/// `inline`, `gpu`, or nothing.
pub(crate) fn lane(i: &Inspection) -> &'static str {
    i.route.as_ref().map_or("", |(lane, _)| lane.as_str())
}

/// `scratch ×2, dent`.
pub(crate) fn findings(i: &Inspection) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for finding in i.outcome.iter().flat_map(|o| &o.findings) {
        *counts.entry(&finding.class).or_default() += 1;
    }
    counted_classes(&counts)
}

/// `scratch ×2, dent`.
pub(crate) fn counted_classes(counts: &BTreeMap<&str, usize>) -> String {
    let one = |(class, n): (&&str, &usize)| match n {
        1 => (*class).to_owned(),
        n => format!("{class} ×{n}"),
    };
    counts.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Highest P(damage) of the gates.
pub(crate) fn gate(i: &Inspection) -> String {
    let gate = i.outcome.as_ref().and_then(|o| o.gate);
    gate.map_or_else(String::new, |g| format!("{g:.2}"))
}

/// Milliseconds of the look.
pub(crate) fn millis(i: &Inspection) -> String {
    let total = i.outcome.as_ref().and_then(|o| o.timings_ms.get("total"));
    total.map_or_else(String::new, |ms| format!("{ms:.0}"))
}

/// Why a photo is unusable or failed.
pub(crate) fn remark(i: &Inspection) -> String {
    if let Phase::Failed { code, detail } = &i.phase {
        return format!("{}: {detail}", code.as_str());
    }
    let reasons = i.outcome.iter().flat_map(|o| &o.reasons);
    let details: Vec<&str> = reasons.map(|r| r.detail.as_str()).collect();
    details.join("; ")
}

#[cfg(test)]
mod tests {
    use super::plain_table;

    #[test]
    fn tables_have_one_line_under_their_header_and_none_between_rows() {
        let mut table = plain_table();
        table.set_header(["photo", "verdict"]);
        table.add_rows([["a.jpg", "clean"], ["b.jpg", "damaged"], ["c.jpg", "clean"]]);
        let text = table.to_string();
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        assert_eq!(lines.len(), 5, "{text}");
        assert!(lines[1].chars().all(|c| c == '─'), "{text}");
        assert!(lines[2..].iter().all(|line| line.contains(".jpg")), "{text}");
    }
}
