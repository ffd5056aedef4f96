//! Tables: CSV as Excel, LibreOffice and programs write it.
//!
//! The delimiter is the one that `sep=` names, or else the one that makes most sense of the header: Excel writes `;` where
//! the comma is the decimal point, and tabs into "Unicode Text".

use super::reading::Reading;
use super::row::{COLUMNS, LABEL, column, item};
use crate::format::bad_line;
use crate::submit::item::Item;
use crate::text::is_blank;
use csv::{ReaderBuilder, StringRecord, Trim};
use std::collections::BTreeMap;
use walkaround_bootstrap::Failure;

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];

/// Where the header stands, and what divides its fields.
struct Header<'a> {
    /// The text from the header on.
    text: &'a str,
    /// Number of its line.
    line: u64,
    delimiter: u8,
    fields: Vec<String>,
}

/// Whether a text begins with the header of a table.
pub(super) fn is_one(text: &str) -> bool {
    header(text).is_some_and(|header| header.columns().any(|name| name.as_deref() == Some("photo")))
}

/// Reads a table.
pub(super) fn read(text: &str, reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    let Some(header) = header(text) else {
        return Ok(Vec::new());
    };
    let columns = known(&header).map_err(|why| bad_line(reading.file, header.line, why))?;
    let mut items = Vec::new();
    for row in reader(header.text, header.delimiter).records().skip(1) {
        let row = row.map_err(|e| bad_line(reading.file, line_of(&header, e.position()), &e))?;
        let bad = |why: String| bad_line(reading.file, line_of(&header, row.position()), why);
        let values: Vec<&str> = row.iter().map(|value| value.trim_matches(is_blank)).collect();
        // Spreadsheets write empty rows below the last one.
        if values.iter().all(|value| value.is_empty()) {
            continue;
        }
        // They also leave out empty fields at the end of a row, or add some.
        if let Some(extra) = values
            .iter()
            .rposition(|value| !value.is_empty())
            .filter(|at| *at >= columns.len())
        {
            let (fields, expected) = (extra + 1, columns.len());
            return Err(bad(format!(
                "{fields} fields, expected {expected} as in the header"
            )));
        }
        let mut filled = BTreeMap::new();
        for (number, (name, value)) in (1..).zip(columns.iter().zip(&values)) {
            match name {
                _ if value.is_empty() => {}
                Some(name) => {
                    filled.insert(name.as_str(), *value);
                }
                None => {
                    return Err(bad(format!(
                        "a value in column {number}, which has no name in the header"
                    )));
                }
            }
        }
        items.push(item(&filled, reading).map_err(bad)?);
    }
    Ok(items)
}

/// The columns by their place; none for one without a name, as commas at the end of lines make them.
fn known(header: &Header<'_>) -> Result<Vec<Option<String>>, String> {
    let all = || format!("{}, {LABEL}NAME", COLUMNS.join(", "));
    let columns: Vec<Option<String>> = header.columns().collect();
    if !columns.iter().flatten().any(|name| name == "photo") {
        let reads: Vec<String> = header.fields.iter().map(|field| format!("`{field}`")).collect();
        return Err(format!(
            "the header has no column `photo`: it reads {}; the first line has to name the columns: {}",
            reads.join(", "),
            all()
        ));
    }
    for (field, column) in header.fields.iter().zip(&columns) {
        if column.is_none() && !field.is_empty() {
            return Err(format!("no column is called `{field}`: {}", all()));
        }
    }
    for (at, column) in columns.iter().enumerate() {
        if let Some(name) = column
            && columns[..at].contains(column)
        {
            return Err(format!("the header has two columns `{name}`"));
        }
    }
    Ok(columns)
}

impl Header<'_> {
    fn columns(&self) -> impl Iterator<Item = Option<String>> {
        self.fields.iter().map(|field| column(field))
    }
}

/// The first line that is not empty, behind a line `sep=`.
fn header(text: &str) -> Option<Header<'_>> {
    let mut named = None;
    let mut at = 0;
    for (line, number) in text.split_inclusive('\n').zip(1..) {
        let bare = line.trim_matches(is_blank);
        let separator = separator(bare);
        let empty = bare
            .chars()
            .all(|c| matches!(c, ',' | ';' | '|' | '"') || is_blank(c));
        if !empty && separator.is_none() {
            return Some(best(&text[at..], number, named));
        }
        named = named.or(separator);
        at += line.len();
    }
    None
}

/// The delimiter of a line `sep=;`, which Excel obeys and writes.
fn separator(line: &str) -> Option<u8> {
    let line = line.trim_matches('"');
    let (name, value) = line.split_at_checked(4)?;
    if !name.eq_ignore_ascii_case("sep=") {
        return None;
    }
    match value.bytes().next() {
        // The tab was trimmed off with the line's end.
        None => Some(b'\t'),
        Some(b'\\') if value.starts_with("\\t") => Some(b'\t'),
        Some(byte) if byte.is_ascii() && !byte.is_ascii_alphanumeric() => Some(byte),
        Some(_) => None,
    }
}

/// The header by the delimiter that was named, or that finds most known columns in it.
fn best(text: &str, line: u64, named: Option<u8>) -> Header<'_> {
    let of = |delimiter: u8| {
        let mut fields = StringRecord::new();
        // A record of text can always be read.
        let _ = reader(text, delimiter).read_record(&mut fields);
        let fields = fields.iter().map(|field| field.trim_matches(is_blank).to_owned());
        Header {
            text,
            line,
            delimiter,
            fields: fields.collect(),
        }
    };
    let score = |header: &Header<'_>| header.columns().flatten().count();
    let candidates = named.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]);
    let mut best = of(candidates[0]);
    for delimiter in &candidates[1..] {
        let other = of(*delimiter);
        if score(&other) > score(&best) {
            best = other;
        }
    }
    best
}

fn reader(text: &str, delimiter: u8) -> csv::Reader<&[u8]> {
    ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .trim(Trim::All)
        .delimiter(delimiter)
        .from_reader(text.as_bytes())
}

/// The line that a row stands on. The reader's position is where the row before it ended: empty lines in between are
/// skipped here.
fn line_of(header: &Header<'_>, position: Option<&csv::Position>) -> u64 {
    let Some(position) = position else {
        return header.line;
    };
    let bytes = header.text.as_bytes();
    let start = usize::try_from(position.byte())
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let empty = bytes[start..].iter().take_while(|b| **b == b'\n').count() as u64;
    header.line - 1 + position.line() + empty
}
