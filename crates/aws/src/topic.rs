//! A topic on SNS.
//!
//! Attributes become message attributes, which subscription filters see; the id of the event is one of them, for
//! receivers to recognise duplicates. What SNS would refuse, or would accept and then drop on its way to a queue (more than
//! ten attributes), is refused here.

use crate::fault::port_error;
use async_trait::async_trait;
use aws_sdk_sns::Client;
use aws_sdk_sns::types::MessageAttributeValue;
use walkaround_ports::{OutEvent, PortCall, PortError, PortErrorKind, Publisher};

/// Attribute with the id of an event: the same event published again has the same.
pub const EVENT_ID_ATTRIBUTE: &str = "event_id";
/// Largest message of SNS, in bytes, attributes included.
pub const EVENT_BYTES_MAX: usize = 256 << 10;
/// A queue with raw delivery takes ten, and drops a message with more.
const ATTRIBUTES_MAX: usize = 10;
const STRING: &str = "String";
const AT: PortCall = PortCall::new("publisher", "publish");

/// One topic of SNS (standard, not FIFO).
#[derive(Debug, Clone)]
pub struct SnsTopic {
    client: Client,
    arn: String,
}

impl SnsTopic {
    /// The topic with this ARN. Does not check whether it exists.
    pub fn new(client: Client, arn: impl Into<String>) -> Self {
        let arn = arn.into();
        Self { client, arn }
    }
}

#[async_trait]
impl Publisher for SnsTopic {
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError> {
        if let Some(detail) = fault_of(event) {
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let mut call = self.client.publish().topic_arn(&self.arn).message(&event.body);
        for (name, value) in attributes(event) {
            let value = MessageAttributeValue::builder()
                .data_type(STRING)
                .string_value(value);
            call = call.message_attributes(name, value.build().expect("the data type is set"));
        }
        let sent = call.send().await;
        sent.map(|_| ()).map_err(|e| port_error(AT, &self.arn, &e))
    }
}

/// The attributes that go out: those of the event, and its id.
fn attributes(event: &OutEvent) -> impl Iterator<Item = (&str, &str)> {
    let own = event
        .attributes
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()));
    own.filter(|(name, _)| *name != EVENT_ID_ATTRIBUTE)
        .chain([(EVENT_ID_ATTRIBUTE, event.id.as_str())])
}

fn fault_of(event: &OutEvent) -> Option<String> {
    if event.body.is_empty() {
        return Some("an empty event".to_owned());
    }
    let count = attributes(event).count();
    if count > ATTRIBUTES_MAX {
        return Some(format!(
            "{count} attributes with the id: at most {ATTRIBUTES_MAX}"
        ));
    }
    if let Some((name, _)) = attributes(event).find(|(name, value)| name.is_empty() || value.is_empty()) {
        return Some(format!("the attribute `{}` is empty", name.escape_debug()));
    }
    let bytes: usize = attributes(event)
        .map(|(name, value)| name.len() + STRING.len() + value.len())
        .sum();
    let bytes = bytes + event.body.len();
    (bytes > EVENT_BYTES_MAX).then(|| format!("an event of {bytes} bytes: at most {EVENT_BYTES_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn event(body: &str, names: usize) -> OutEvent {
        OutEvent {
            id: "4f.done".to_owned(),
            body: body.to_owned(),
            attributes: (0..names).map(|i| (format!("a{i}"), "v".to_owned())).collect(),
        }
    }

    #[test]
    fn what_sns_refuses_or_drops_is_refused_here() {
        assert_eq!(fault_of(&event("{}", 9)), None);
        assert!(fault_of(&event("{}", 10)).is_some());
        assert!(fault_of(&event("", 0)).is_some());
        // `event_id`, `String` and the id itself.
        let most = EVENT_BYTES_MAX - 8 - 6 - 7;
        assert_eq!(fault_of(&event(&"x".repeat(most), 0)), None);
        assert!(fault_of(&event(&"x".repeat(most + 1), 0)).is_some());
        let empty = BTreeMap::from([("verdict".to_owned(), String::new())]);
        assert!(
            fault_of(&OutEvent {
                attributes: empty,
                ..event("{}", 0)
            })
            .is_some()
        );
    }

    #[test]
    fn the_id_goes_out_once() {
        let mut named = event("{}", 1);
        named
            .attributes
            .insert(EVENT_ID_ATTRIBUTE.to_owned(), "another".to_owned());
        let sent: Vec<_> = attributes(&named).collect();
        assert_eq!(sent, [("a0", "v"), (EVENT_ID_ATTRIBUTE, "4f.done")]);
    }
}
