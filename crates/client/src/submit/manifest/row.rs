//! One row: what stands under which column.

use super::reading::Reading;
use crate::format::moment;
use crate::submit::item::Item;
use std::collections::BTreeMap;
use walkaround_domain::{InspectionId, Occasion};

/// What labels' columns start with.
pub(super) const LABEL: &str = "label.";
pub(super) const COLUMNS: [&str; 8] = [
    "photo",
    "vehicle_id",
    "reservation_id",
    "occasion",
    "viewpoint",
    "taken_at",
    "deadline",
    "inspection_id",
];

/// The column that a header means: in any case, with spaces, hyphens or nothing in place of underscores.
pub(super) fn column(header: &str) -> Option<String> {
    let plain = |text: &str| -> String {
        let letters = text.chars().filter(|c| !matches!(c, '_' | '-' | ' ' | '\u{a0}'));
        letters.flat_map(char::to_lowercase).collect()
    };
    let header = header.trim_matches(crate::text::is_blank);
    let prefix = header.get(..LABEL.len()).unwrap_or_default();
    if prefix.eq_ignore_ascii_case(LABEL) {
        let label = header[LABEL.len()..].trim();
        return (!label.is_empty()).then(|| format!("{LABEL}{label}"));
    }
    let wanted = plain(header);
    let known = COLUMNS.iter().find(|column| plain(column) == wanted);
    known.map(|column| (*column).to_owned())
}

/// The photo of a row: values by column, without empty ones.
pub(super) fn item(row: &BTreeMap<&str, &str>, reading: Reading<'_>) -> Result<Item, String> {
    let photo = row.get("photo").ok_or("photo: empty")?;
    for (column, value) in row {
        unharmed(value).map_err(|why| format!("{column}: {why}"))?;
    }
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
    match word.to_ascii_lowercase().replace(['-', ' '], "_").as_str() {
        "pick_up" | "pickup" => Ok(Occasion::PickUp),
        "return" => Ok(Occasion::Return),
        _ => Err("occasion: expected pick_up or return".to_owned()),
    }
}

/// What a spreadsheet put in place of a value cannot be undone: `1.23457E+11` may have been any of a million numbers.
fn unharmed(value: &str) -> Result<(), String> {
    if is_scientific(value) {
        return Err(format!(
            "`{value}` is what a spreadsheet makes of a long number; format the column as text, and enter it again"
        ));
    }
    let errors = [
        "#NAME?", "#REF!", "#VALUE!", "#N/A", "#DIV/0!", "#NUM!", "#NULL!", "#SPILL!", "#CALC!",
    ];
    let wide = value.len() > 1 && value.chars().all(|c| c == '#');
    if wide || errors.contains(&value) {
        return Err(format!(
            "`{value}` is what a spreadsheet shows in place of a value"
        ));
    }
    Ok(())
}

/// `1E+05`, `1,23457E+11`: as Excel and LibreOffice write them, with a sign and two digits or more.
fn is_scientific(value: &str) -> bool {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let Some((mantissa, exponent)) = value.split_once(['E', 'e']) else {
        return false;
    };
    let mantissa = mantissa.trim_start_matches('-');
    let (whole, part) = mantissa.split_once(['.', ',']).unwrap_or((mantissa, "0"));
    let exponent = exponent.strip_prefix(['+', '-']).unwrap_or_default();
    whole.len() == 1 && digits(whole) && digits(part) && exponent.len() >= 2 && digits(exponent)
}
