//! Manifests: CSV with a header, or JSON lines in the wire form of a request.
//!
//! Paths of photos are relative to the manifest's folder. The first line that is wrong is told with its
//! number.

use super::item::{About, Item, Naming};
use crate::client::words::{bad_line, moment};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use walkaround_domain::{InspectionId, Occasion, PhotoRef, Timestamp};
use walkaround_messages::{Intake, derived_id, parse_intake};

/// What labels' columns start with.
const LABEL: &str = "label.";
const COLUMNS: [&str; 8] = [
    "photo",
    "vehicle_id",
    "reservation_id",
    "occasion",
    "viewpoint",
    "taken_at",
    "deadline",
    "inspection_id",
];

/// How a manifest is read.
#[derive(Clone, Copy)]
pub(super) struct Reading<'a> {
    /// The file, for messages.
    pub file: &'a Path,
    pub naming: Naming<'a>,
    pub about: &'a About,
    pub now: Timestamp,
}

/// Reads CSV.
pub(super) fn csv(mut text: impl Read, reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    let mut bytes = Vec::new();
    text.read_to_end(&mut bytes)?;
    let mut reader = csv::ReaderBuilder::new()
        .trim(csv::Trim::All)
        .from_reader(&bytes[..]);
    let line_of = |position: Option<&csv::Position>| position.map_or(1, |p| line_of(&bytes, p));
    let wrong = |error: &csv::Error| {
        let line = line_of(error.position());
        let why = match error.kind() {
            csv::ErrorKind::UnequalLengths {
                expected_len, len, ..
            } => {
                format!("{len} fields, expected {expected_len} as in the header")
            }
            csv::ErrorKind::Utf8 { .. } => "not UTF-8".to_owned(),
            _ => error.to_string(),
        };
        bad_line(reading.file, line, why)
    };
    let header = reader.headers().map_err(|e| wrong(&e))?.clone();
    let known =
        |name: &str| COLUMNS.contains(&name) || name.strip_prefix(LABEL).is_some_and(|l| !l.is_empty());
    if let Some(unknown) = header.iter().find(|name| !known(name)) {
        let why = format!(
            "no column is called `{unknown}`: {}, {LABEL}NAME",
            COLUMNS.join(", ")
        );
        return Err(bad_line(reading.file, 1, why));
    }
    if !header.iter().any(|name| name == "photo") {
        return Err(bad_line(reading.file, 1, "the header has no column `photo`"));
    }
    let mut items = Vec::new();
    for row in reader.records() {
        let row = row.map_err(|e| wrong(&e))?;
        let line = line_of(row.position());
        let filled = header.iter().zip(&row).filter(|(_, value)| !value.is_empty());
        let item = from_row(&filled.collect(), reading).map_err(|why| bad_line(reading.file, line, why))?;
        items.push(item);
    }
    Ok(items)
}

/// The line that a row stands on. The reader's position is where the row before it ended: empty lines in
/// between are skipped here.
fn line_of(bytes: &[u8], position: &csv::Position) -> u64 {
    let start = usize::try_from(position.byte())
        .unwrap_or(usize::MAX)
        .min(bytes.len());
    let empty = bytes[start..].iter().take_while(|b| matches!(b, b'\n' | b'\r'));
    position.line() + empty.filter(|b| **b == b'\n').count() as u64
}

fn from_row(row: &BTreeMap<&str, &str>, reading: Reading<'_>) -> Result<Item, String> {
    let photo = row.get("photo").ok_or("photo: empty")?;
    let mut item = Item::parse(photo, reading.naming).map_err(|why| format!("photo: {why}"))?;
    let text = |name: &str| row.get(name).map(|value| (*value).to_owned());
    let at = |name: &str| {
        let value = row.get(name).map(|value| moment(value, reading.now));
        value.transpose().map_err(|why| format!("{name}: {why}"))
    };
    let r = &mut item.request;
    r.vehicle_id = text("vehicle_id");
    r.reservation_id = text("reservation_id");
    r.occasion = row.get("occasion").map(|word| occasion(word)).transpose()?;
    r.viewpoint = text("viewpoint");
    r.taken_at = at("taken_at")?;
    r.deadline = at("deadline")?;
    for (name, value) in row {
        if let Some(label) = name.strip_prefix(LABEL) {
            r.labels.insert(label.to_owned(), (*value).to_owned());
        }
    }
    if let Some(id) = row.get("inspection_id") {
        r.id = InspectionId::new(*id).map_err(|e| format!("inspection_id: {e}"))?;
        item.id_given = true;
    }
    item.complete(reading.about)?;
    Ok(item)
}

fn occasion(word: &str) -> Result<Occasion, String> {
    match word.to_ascii_lowercase().replace('-', "_").as_str() {
        "pick_up" => Ok(Occasion::PickUp),
        "return" => Ok(Occasion::Return),
        _ => Err("occasion: expected pick_up or return".to_owned()),
    }
}

/// Reads JSON lines. A `file` is a local photo, as everywhere on the command line.
pub(super) fn json_lines(text: impl Read, reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    for (line, number) in BufReader::new(text).lines().zip(1..) {
        let bad = |why: String| bad_line(reading.file, number, why);
        let line = line.map_err(|e| bad(e.to_string()))?;
        if line.trim().is_empty() {
            continue;
        }
        for intake in parse_intake(&line, &BTreeMap::new()).map_err(|e| bad(e.reason))? {
            let Intake::Inspect(request) = intake else {
                return Err(bad("no request for a photo".to_owned()));
            };
            let photo = request.photo.clone();
            let mut item = Item {
                id_given: request.id != derived_id(&photo),
                request,
                local: None,
            };
            if let PhotoRef::File(path) = &photo {
                item.set_local(&reading.naming.base.join(path), reading.naming.by_path)
                    .map_err(|why| bad(format!("photo.file: {why}")))?;
            }
            item.complete(reading.about).map_err(bad)?;
            items.push(item);
        }
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
