//! S3's own events, as a list of records or one at a time through EventBridge.
//!
//! Keys differ: a record's key is URL-encoded as a form would be (`+` is a space; some stores encode the
//! slash too), EventBridge's is the key itself. Bucket, key and version make the photo; without a version, ETag and
//! size tell one write of a key from the next. The sequencer says nothing of the bytes.

use super::message::{Intake, NoPhoto, nothing, one};
use crate::document::text;
use crate::request::known_version;
use crate::{Unreadable, v1};
use percent_encoding::percent_decode_str;
use serde_json::Value;
use walkaround_domain::identity::{SUBMITTED_PREFIX, object_content};
use walkaround_domain::photo_name::is_system_path;

/// Major version of the records that this build reads; S3 raises it when their meaning changes.
const EVENT_MAJOR: &str = "2";

/// `Records` of an S3 event.
pub(super) fn records(records: &Value) -> Result<Vec<Intake>, Unreadable> {
    let Some(records) = records.as_array() else {
        return Err(Unreadable::new("Records: expected a list"));
    };
    if records.is_empty() {
        return nothing(NoPhoto::NoRecords);
    }
    let mut intakes = Vec::with_capacity(records.len());
    for (i, each) in records.iter().enumerate() {
        intakes.extend(record(each).map_err(|e| e.within(&format!("Records[{i}]")))?);
    }
    Ok(intakes)
}

fn record(record: &Value) -> Result<Vec<Intake>, Unreadable> {
    // Stores that speak S3 put their own name before the colon.
    if !text(record, "eventSource").is_some_and(|s| s.ends_with(":s3")) {
        return Err(Unreadable::new("eventSource: expected aws:s3"));
    }
    if let Some(version) = text(record, "eventVersion")
        && version.split('.').next() != Some(EVENT_MAJOR)
    {
        return Err(Unreadable::new(format!("eventVersion: expected {EVENT_MAJOR}.x")));
    }
    let name = text(record, "eventName").ok_or_else(|| Unreadable::new("eventName: missing"))?;
    let created = name.trim_start_matches("s3:").starts_with("ObjectCreated:");
    if !created {
        return nothing(NoPhoto::NotCreated);
    }
    let s3 = record.get("s3").unwrap_or(&Value::Null);
    let object = s3.get("object").unwrap_or(&Value::Null);
    let encoded = text(object, "key").ok_or_else(|| Unreadable::new("s3.object.key: missing"))?;
    created_object(s3, object, decode_key(encoded)?, ["versionId", "eTag"])
}

/// An event in EventBridge's envelope.
pub(super) fn event_bridge(envelope: &Value) -> Result<Vec<Intake>, Unreadable> {
    if text(envelope, "source") != Some("aws.s3") {
        return Err(Unreadable::new("source: expected aws.s3 in an EventBridge event"));
    }
    if text(envelope, "detail-type") != Some("Object Created") {
        return nothing(NoPhoto::NotCreated);
    }
    let detail = envelope.get("detail").unwrap_or(&Value::Null);
    let object = detail.get("object").unwrap_or(&Value::Null);
    let key = text(object, "key").ok_or_else(|| Unreadable::new("detail.object.key: missing"))?;
    created_object(detail, object, key.to_owned(), ["version-id", "etag"]).map_err(|e| e.within("detail"))
}

/// The request for an object; `around` holds the bucket beside it.
fn created_object(
    around: &Value,
    object: &Value,
    key: String,
    [version_field, etag_field]: [&str; 2],
) -> Result<Vec<Intake>, Unreadable> {
    let bucket = around
        .get("bucket")
        .and_then(|b| text(b, "name"))
        .ok_or_else(|| Unreadable::new("bucket.name: missing"))?;
    if let Some(why) = no_photo(&key, is_empty(object)) {
        return nothing(why);
    }
    let version = known_version(text(object, version_field).map(str::to_owned));
    let content = match (
        text(object, etag_field),
        object.get("size").and_then(Value::as_u64),
    ) {
        (Some(etag), Some(bytes)) if version.is_none() => Some(object_content(etag, bytes)),
        _ => None,
    };
    let source = v1::photo::Source::S3(v1::S3Object {
        bucket: bucket.to_owned(),
        key,
        version,
    });
    one(v1::InspectPhoto {
        photo: Some(v1::Photo {
            source: Some(source),
            content,
        }),
        ..v1::InspectPhoto::default()
    })
}

/// Why an object is not a photo, as far as its event shows.
fn no_photo(key: &str, is_empty: bool) -> Option<NoPhoto> {
    if key.starts_with(SUBMITTED_PREFIX) {
        return Some(NoPhoto::Submitted);
    }
    match (is_empty, key.ends_with('/')) {
        (true, true) => Some(NoPhoto::FolderMarker),
        (true, false) => Some(NoPhoto::EmptyObject),
        (false, _) => is_system_path(key).then_some(NoPhoto::SystemFile),
    }
}

/// Whether the event gives the object's size as 0: as a number, or as some stores that speak S3 write it, as text.
fn is_empty(object: &Value) -> bool {
    match object.get("size") {
        Some(Value::Number(size)) => size.as_f64() == Some(0.0),
        Some(Value::String(size)) => size.trim().parse() == Ok(0_u64),
        _ => false,
    }
}

/// The key that a record's encoded key stands for. What is no escape stands for itself.
fn decode_key(encoded: &str) -> Result<String, Unreadable> {
    let spaced = encoded.replace('+', " ");
    percent_decode_str(&spaced)
        .decode_utf8()
        .map(std::borrow::Cow::into_owned)
        .map_err(|_| Unreadable::new("s3.object.key: expected UTF-8"))
}
