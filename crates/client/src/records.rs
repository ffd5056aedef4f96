//! What stored documents and messages hold.

use anyhow::Context;
use walkaround_domain::Inspection;
use walkaround_messages::{Intake, parse_intake, parse_record};
use walkaround_ports::{ParkedMessage, StoredRecord};

/// The inspection of a stored record.
///
/// # Errors
/// One line: the record cannot be read.
pub fn inspection(record: &StoredRecord) -> anyhow::Result<Inspection> {
    parse_record(&record.body).with_context(|| format!("record {} cannot be read", record.id))
}

/// Inspections and photos that a parked message asks for; none where it cannot be read.
pub fn requested_photos(message: &ParkedMessage) -> Vec<(String, String)> {
    let intakes = parse_intake(&message.body, &message.attributes).unwrap_or_default();
    let requests = intakes.into_iter().filter_map(|intake| match intake {
        Intake::Inspect(request) => Some((request.id.to_string(), request.photo.to_string())),
        Intake::Nothing { .. } => None,
    });
    requests.collect()
}
