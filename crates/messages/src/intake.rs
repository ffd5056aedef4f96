//! What may arrive on the intake queue: requests as JSON or protobuf, and S3 events, straight or wrapped by
//! EventBridge, SNS, or both.
//!
//! The outermost form is told by the fields it must have, each wrapper is taken off once, and every request
//! passes the same bounds whichever way it came.

mod bounds;
mod protobuf;
mod s3;

pub use walkaround_domain::identity::SUBMITTED_PREFIX;

use crate::document::{from_value, not_json};
use crate::{Unreadable, v1};
use serde_json::Value;
use std::collections::BTreeMap;
use walkaround_domain::InspectionRequest;

/// Longest body, in bytes.
pub const INTAKE_BYTES_MAX: usize = 256 * 1024;

/// Most requests that one message may carry. (S3 sends one record an event; its schema allows more.)
pub const REQUESTS_PER_MESSAGE_MAX: usize = 100;

const FORMS: &str = "expected a request (with `photo`), an S3 event (with `Records`), an EventBridge event \
                     of S3 or an SNS notification of one of these";

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly every intake is a request")]
pub enum Intake {
    /// Look at a photo.
    Inspect(InspectionRequest),
    /// Nothing: acknowledge it, and count it.
    Nothing {
        /// What it is instead.
        why: NoPhoto,
    },
}

/// What a message is that asks for no photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoPhoto {
    /// S3 sends one when notifications are set up.
    TestEvent,
    /// An event of S3 that is not about a new object.
    NotCreated,
    /// An event of S3 without records.
    NoRecords,
    /// A key that ends with `/`, of size 0: consoles and mounts make these for folders.
    FolderMarker,
    /// An object of size 0. A mounted bucket writes one when a file is opened, and the photo when it is closed; each write
    /// is an event of its own.
    EmptyObject,
    /// An object that a NAS or an operating system put beside photos ([`walkaround_domain::photo_name`]).
    SystemFile,
    /// A photo under [`SUBMITTED_PREFIX`].
    Submitted,
    /// A message of SNS about subscriptions.
    Subscription,
}

impl NoPhoto {
    /// A word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TestEvent => "test_event",
            Self::NotCreated => "not_created",
            Self::NoRecords => "no_records",
            Self::FolderMarker => "folder_marker",
            Self::EmptyObject => "empty_object",
            Self::SystemFile => "system_file",
            Self::Submitted => "submitted",
            Self::Subscription => "subscription",
        }
    }
}

/// In words.
impl std::fmt::Display for NoPhoto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TestEvent => "S3's test event",
            Self::NotCreated => "an event of S3 that is not about a new object",
            Self::NoRecords => "an S3 event without records",
            Self::FolderMarker => "a folder's marker, not a photo",
            Self::EmptyObject => "an empty object: the photo, if it is to be one, comes with its own event",
            Self::SystemFile => "a file that a system put beside photos",
            Self::Submitted => "a submitted photo, which has a request of its own",
            Self::Subscription => "an SNS message about a subscription",
        })
    }
}

/// Reads one message of the intake queue. A message that carries several photos gives several requests;
/// all of them or none.
///
/// # Errors
/// [`Unreadable`] when the body is empty, too long, of no known form or version, or outside the bounds of a
/// request; the reason names the field and quotes nothing.
pub fn parse_intake(body: &str, attributes: &BTreeMap<String, String>) -> Result<Vec<Intake>, Unreadable> {
    if body.len() > INTAKE_BYTES_MAX {
        return Err(Unreadable::new(format!(
            "a body of {} bytes, expected at most {INTAKE_BYTES_MAX}",
            body.len()
        )));
    }
    let intakes = unwrap_sns(body, attributes)?;
    if intakes.len() > REQUESTS_PER_MESSAGE_MAX {
        return Err(Unreadable::new(format!(
            "{} records in one message, expected at most {REQUESTS_PER_MESSAGE_MAX}",
            intakes.len()
        )));
    }
    Ok(intakes)
}

/// The outermost layer: SNS, where it is there.
fn unwrap_sns(body: &str, attributes: &BTreeMap<String, String>) -> Result<Vec<Intake>, Unreadable> {
    let value = match read(body, attributes)? {
        Layer::Protobuf(request) => return one(*request),
        Layer::Json(value) => value,
    };
    match sns_type(&value) {
        None => from_json(value),
        Some("Notification") => {
            let inner = text(&value, "Message")
                .ok_or_else(|| Unreadable::new("Message: expected the text of an SNS notification"))?;
            let within = |e: Unreadable| e.within("in the SNS notification");
            match read(inner, &sns_attributes(&value)).map_err(within)? {
                Layer::Protobuf(request) => one(*request).map_err(within),
                Layer::Json(inner) => from_json(inner).map_err(within),
            }
        }
        Some(_) => nothing(NoPhoto::Subscription),
    }
}

enum Layer {
    Protobuf(Box<v1::InspectPhoto>),
    Json(Value),
}

fn read(body: &str, attributes: &BTreeMap<String, String>) -> Result<Layer, Unreadable> {
    if body.trim().is_empty() {
        return Err(Unreadable::new(format!("an empty body, {FORMS}")));
    }
    if protobuf::is_announced(attributes)? {
        return protobuf::decode(body).map(|request| Layer::Protobuf(Box::new(request)));
    }
    let value = serde_json::from_str(body).map_err(|e| {
        let at = not_json(&e).reason;
        Unreadable::new(format!(
            "{at}; {FORMS}, or base64 of protobuf with the attribute content-type: application/x-protobuf"
        ))
    })?;
    Ok(Layer::Json(value))
}

/// A request or an S3 event, in EventBridge's envelope or without.
fn from_json(value: Value) -> Result<Vec<Intake>, Unreadable> {
    if let Some(records) = value.get("Records") {
        return s3::records(records);
    }
    if text(&value, "Event") == Some("s3:TestEvent") {
        return nothing(NoPhoto::TestEvent);
    }
    if value.get("detail-type").is_some() {
        return s3::event_bridge(&value);
    }
    if value.get("photo").is_some() {
        return one(request(value)?);
    }
    Err(Unreadable::new(format!("JSON of no known form, {FORMS}")))
}

fn request(mut value: Value) -> Result<v1::InspectPhoto, Unreadable> {
    if let Some(Value::String(word)) = value.get_mut("occasion") {
        // People write the word of the documents; the schema's name is the longer one.
        *word = match word.to_ascii_lowercase().replace('-', "_").as_str() {
            "" => "OCCASION_UNSPECIFIED".to_owned(),
            "pick_up" => "OCCASION_PICK_UP".to_owned(),
            "return" => "OCCASION_RETURN".to_owned(),
            _ => std::mem::take(word),
        };
    }
    from_value(value)
}

fn one(request: v1::InspectPhoto) -> Result<Vec<Intake>, Unreadable> {
    let mut request = InspectionRequest::try_from(request)?;
    bounds::tidy(&mut request);
    bounds::check(&request)?;
    Ok(vec![Intake::Inspect(request)])
}

fn nothing(why: NoPhoto) -> Result<Vec<Intake>, Unreadable> {
    Ok(vec![Intake::Nothing { why }])
}

/// The type of an SNS message, when it is one.
fn sns_type(value: &Value) -> Option<&'static str> {
    value.get("TopicArn")?;
    let said = text(value, "Type")?;
    [
        "Notification",
        "SubscriptionConfirmation",
        "UnsubscribeConfirmation",
    ]
    .into_iter()
    .find(|&known| known == said)
}

fn sns_attributes(value: &Value) -> BTreeMap<String, String> {
    let Some(Value::Object(all)) = value.get("MessageAttributes") else {
        return BTreeMap::new();
    };
    all.iter()
        .filter_map(|(name, a)| Some((name.clone(), text(a, "Value")?.to_owned())))
        .collect()
}

fn text<'a>(value: &'a Value, field: &str) -> Option<&'a str> {
    value.get(field)?.as_str()
}
