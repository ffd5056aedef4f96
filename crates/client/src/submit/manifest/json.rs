//! JSON: requests in their wire form, one a line, one after the other, or in one array. An element may also be a photo by
//! its path or address, or a row of a table (`"photo"` as text).

use super::reading::Reading;
use super::row::{column, item};
use crate::format::bad_line;
use crate::submit::item::Item;
use crate::text::is_blank;
use serde_json::{Deserializer, Value};
use std::collections::BTreeMap;
use walkaround_bootstrap::Failure;
use walkaround_domain::PhotoRef;
use walkaround_messages::{Intake, has_base_id, parse_intake};

/// Reads requests. A `file` is a local photo, as everywhere on the command line.
pub(super) fn read(text: &str, reading: Reading<'_>) -> Result<Vec<Item>, Failure> {
    let mut at = Cursor {
        text,
        at: 0,
        counted: (0, 1),
    };
    let mut items = Vec::new();
    at.skip_blank();
    let is_array = at.take('[');
    loop {
        at.skip_blank();
        if at.rest().is_empty() && !is_array {
            return Ok(items);
        }
        if is_array && at.take(']') {
            at.skip_blank();
            return match at.rest() {
                "" => Ok(items),
                _ => Err(bad_line(
                    reading.file,
                    at.line(),
                    "not JSON: more text after the array",
                )),
            };
        }
        let line = at.line();
        let bad = |why: String| bad_line(reading.file, line, why);
        let value = at.value().map_err(bad)?;
        items.extend(element(&value, reading).map_err(bad)?);
        at.skip_blank();
        if is_array && !at.take(',') && !at.rest().starts_with(']') {
            return Err(bad_line(reading.file, at.line(), "not JSON: expected `,` or `]`"));
        }
    }
}

/// A place in a text.
struct Cursor<'a> {
    text: &'a str,
    at: usize,
    /// A place before, and its line: no line end is counted twice.
    counted: (usize, u64),
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    /// White space, and a mark where files were put together.
    fn skip_blank(&mut self) {
        self.at = self.text.len() - self.rest().trim_start_matches(is_blank).len();
    }

    fn take(&mut self, c: char) -> bool {
        let there = self.rest().starts_with(c);
        self.at += if there { c.len_utf8() } else { 0 };
        there
    }

    fn line(&mut self) -> u64 {
        let (from, line) = self.counted;
        let ends = self.text[from..self.at].bytes().filter(|b| *b == b'\n');
        self.counted = (self.at, line + ends.count() as u64);
        self.counted.1
    }

    fn value(&mut self) -> Result<Value, String> {
        let mut values = Deserializer::from_str(self.rest()).into_iter();
        let value = match values.next() {
            Some(Ok(value)) => value,
            Some(Err(error)) if error.is_eof() => return Err("not JSON: it ends too early".to_owned()),
            Some(Err(error)) => {
                let words = error.to_string();
                let words = words.split(" at line ").next().unwrap_or_default();
                return Err(format!("not JSON: {words}"));
            }
            None => return Err("not JSON: it ends too early".to_owned()),
        };
        self.at += values.byte_offset();
        Ok(value)
    }
}

fn element(value: &Value, reading: Reading<'_>) -> Result<Vec<Item>, String> {
    match value {
        Value::String(photo) => {
            let mut one = Item::parse(photo, reading.naming).map_err(|why| format!("photo: {why}"))?;
            one.complete(reading.about)?;
            Ok(vec![one])
        }
        Value::Object(fields) if fields.get("photo").is_some_and(Value::is_string) => row(fields, reading),
        _ => requests(&value.to_string(), reading),
    }
}

/// A row of a table, as converters write it.
fn row(fields: &serde_json::Map<String, Value>, reading: Reading<'_>) -> Result<Vec<Item>, String> {
    let mut values = BTreeMap::new();
    for (name, value) in fields {
        let column = column(name).ok_or_else(|| format!("no column is called `{name}`"))?;
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text.trim_matches(is_blank).to_owned(),
            Value::Number(number) => number.to_string(),
            _ => return Err(format!("{name}: expected text")),
        };
        if !text.is_empty() {
            values.insert(column, text);
        }
    }
    let values = values.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    Ok(vec![item(&values.collect(), reading)?])
}

fn requests(body: &str, reading: Reading<'_>) -> Result<Vec<Item>, String> {
    let mut items = Vec::new();
    for intake in parse_intake(body, &BTreeMap::new()).map_err(|e| e.reason)? {
        let Intake::Inspect(request) = intake else {
            return Err("not a request for a photo".to_owned());
        };
        let photo = request.photo.clone();
        let mut one = Item {
            id_given: !has_base_id(&request),
            request,
            local: None,
        };
        if let PhotoRef::File(path) = &photo {
            let naming = reading.naming;
            naming
                .names
                .locate(naming.base, path)
                .and_then(|path| one.set_local(&path, naming.by_path))
                .map_err(|why| format!("photo.file: {why}"))?;
        }
        one.complete(reading.about)?;
        items.push(one);
    }
    Ok(items)
}
