//! Manifests: tables with a header, requests as JSON, or plain lists of photos.
//!
//! Excel and editors write these in several encodings, with several delimiters and line ends ([`crate::text`], [`table`]).
//! What a file holds decides how it is read, its name only where the content does not tell. Paths of photos are relative
//! to the manifest's folder. The first line that is wrong is named with its number.

mod json;
mod reading;
mod row;
mod table;

use super::item::{Item, s3_parts};
use crate::format::bad_line;
use crate::inputs::{open_regular, read_head, why_missing};
use crate::text::{Text, decode};
pub(crate) use reading::Reading;
use std::io::Read;
use std::path::Path;
use walkaround_bootstrap::Failure;
use walkaround_domain::photo_name::is_picture_name;
use walkaround_vision::decode::is_picture;

/// Longest manifest, in bytes: a million long lines.
const BYTES_MAX: u64 = 512 << 20;

/// What a manifest holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// A header and rows.
    Table,
    /// Requests, one after the other or in one array.
    Json,
    /// A photo a line.
    List,
}

/// Whether a file is a manifest rather than a photo.
///
/// # Errors
/// Usage: a workbook, which is not read.
pub(crate) fn is_manifest(path: &Path) -> Result<bool, Failure> {
    let name = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let Ok(head) = read_head(path) else {
        // Not there, or no regular file: said where photos are looked for.
        return Ok(false);
    };
    if is_picture(&head) || is_picture_name(&name) {
        return Ok(false);
    }
    if [".xlsx", ".xlsm", ".xls", ".ods", ".numbers"]
        .iter()
        .any(|end| name.ends_with(end))
    {
        return Err(Failure::usage(format!(
            "{}: a workbook; save it as CSV UTF-8 first",
            path.display()
        )));
    }
    let named = [
        ".csv", ".tsv", ".tab", ".txt", ".lst", ".list", ".json", ".jsonl", ".ndjson",
    ];
    Ok(named.iter().any(|end| name.ends_with(end)) || is_text(&head))
}

/// Whether the first bytes of a file of any name are those of a list. The last line may be cut.
fn is_text(head: &[u8]) -> bool {
    let whole = head.rsplitn(2, |b| *b == b'\n').last().unwrap_or(head);
    let read = decode(whole);
    !whole.is_empty()
        && read.is_ok_and(|read| {
            read.guessed.is_none() && !read.text.contains(|c: char| c.is_control() && !c.is_whitespace())
        })
}

/// Reads a manifest.
pub(crate) fn read(reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    let whole = |why: &dyn std::fmt::Display| Failure::usage(format!("{}: {why}", reading.file.display()));
    let cannot = |e: std::io::Error| {
        let why = why_missing(reading.file, &e);
        Failure::usage(format!("cannot open `{}`: {why}", reading.file.display()))
    };
    let mut bytes = Vec::new();
    let file = open_regular(reading.file).map_err(cannot)?;
    file.take(BYTES_MAX + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() as u64 > BYTES_MAX {
        return Err(whole(&format_args!("over {} MiB; split it", BYTES_MAX >> 20)));
    }
    let text = decode(&bytes).map_err(|why| whole(&why))?;
    if let Some(line) = text.guessed {
        (reading.notice)(&format!(
            "{}, line {line}: not UTF-8, read as Windows-1252; save it as CSV UTF-8 if names look wrong",
            reading.file.display()
        ))?;
    }
    items(&text, reading)
}

/// The photos of a text.
fn items(text: &Text, reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    match form(text, reading.file) {
        Form::Table => table::read(&text.text, reading),
        Form::Json => json::read(&text.text, reading),
        Form::List => list(text, reading),
    }
}

/// By the content if that decides, else by the name.
fn form(text: &Text, file: &Path) -> Form {
    let extension = file
        .extension()
        .unwrap_or_default()
        .to_string_lossy()
        .to_lowercase();
    let start = text.text.trim_start_matches(crate::text::is_blank);
    if start.starts_with(['{', '[']) {
        return Form::Json;
    }
    if table::is_one(&text.text) {
        return Form::Table;
    }
    match extension.as_str() {
        "csv" | "tsv" | "tab" => Form::Table,
        "json" | "jsonl" | "ndjson" => Form::Json,
        _ => Form::List,
    }
}

fn list(text: &Text, reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    let mut items = Vec::new();
    for (number, line) in text.numbered() {
        let bad = |why: String| bad_line(reading.file, number, format!("photo: {why}"));
        if s3_parts(line).is_some_and(|(_, key)| key.is_empty() || key.ends_with('/')) {
            let why = "a prefix; name it on the command line, or in a list on standard input";
            return Err(bad(why.to_owned()));
        }
        let mut item = Item::parse(line, reading.naming).map_err(bad)?;
        item.complete(reading.about).map_err(bad)?;
        items.push(item);
    }
    Ok(items)
}

#[cfg(test)]
mod tests;
