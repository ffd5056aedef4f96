//! What may arrive on the intake queue: requests as JSON or protobuf, and S3 events, straight or wrapped by
//! EventBridge, SNS, or both.
//!
//! The outermost form is recognised by the fields it must have, each wrapper is taken off once, and every request
//! passes the same bounds whichever way it came.

mod bounds;
mod message;
mod protobuf;
mod s3;

pub use message::{Intake, NoPhoto};
pub use walkaround_domain::identity::SUBMITTED_PREFIX;

use crate::document::{from_value, not_json, text};
use crate::{Unreadable, v1};
use message::{nothing, one};
use serde_json::Value;
use std::collections::BTreeMap;

/// Longest body, in bytes.
pub const INTAKE_BYTES_MAX: usize = 256 * 1024;

/// Most requests that one message may carry. (S3 sends one record an event; its schema allows more.)
pub const REQUESTS_PER_MESSAGE_MAX: usize = 100;

const FORMS: &str = "expected a request (with `photo`), an S3 event (with `Records`), an EventBridge event \
                     of S3 or an SNS notification of one of these";

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
    Err(Unreadable::new(format!("JSON of an unknown form, {FORMS}")))
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
