//! Messages as SQS takes and gives them.
//!
//! The rules are those of <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html> and
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html>.

use aws_sdk_sqs::types::{
    Message, MessageAttributeValue, MessageSystemAttributeName, MessageSystemAttributeNameForSends,
    MessageSystemAttributeValue, SendMessageBatchRequestEntry,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{
    ATTRIBUTES_MAX, BODY_BYTES_MAX, Delivery, OutMessage, PortCall, PortError, PortErrorKind, Receipt,
    TRACE_ATTRIBUTE,
};

const ATTRIBUTE_NAME_BYTES_MAX: usize = 256;
const DELAY_MAX: Duration = Duration::from_secs(15 * 60);
/// Longest trace header that is passed on; real ones have some 100 to 300 bytes.
const TRACE_BYTES_MAX: usize = 1024;
/// Longest receipt that is passed on; real ones have some 200 to 500 bytes.
const RECEIPT_BYTES_MAX: usize = 4096;
/// Data type of every attribute we send; its length counts towards the size of a message.
const STRING: &str = "String";

/// What SQS would refuse, and with it the whole batch.
pub(super) fn check_message(message: &OutMessage, at: PortCall) -> Result<(), PortError> {
    match fault_of(message) {
        Some(detail) => Err(at.error(PortErrorKind::Invalid, detail)),
        None => Ok(()),
    }
}

fn fault_of(message: &OutMessage) -> Option<String> {
    if message.body.is_empty() {
        return Some("an empty body".to_owned());
    }
    let bytes = size_bytes(message);
    if bytes > BODY_BYTES_MAX {
        return Some(format!("a message of {bytes} bytes: at most {BODY_BYTES_MAX}"));
    }
    if message.delay > DELAY_MAX {
        return Some(format!("a delay of {:?}: at most {DELAY_MAX:?}", message.delay));
    }
    let count = own_attributes(message).count();
    if count > ATTRIBUTES_MAX {
        return Some(format!("{count} attributes: at most {ATTRIBUTES_MAX}"));
    }
    if !is_text(&message.body) {
        return Some("the body has a character that SQS does not accept".to_owned());
    }
    for (name, value) in own_attributes(message) {
        if !is_attribute_name(name) {
            return Some(format!(
                "the attribute name `{}`: letters, digits, `_`, `-` and `.`",
                name.escape_debug()
            ));
        }
        if value.is_empty() || !is_text(value) {
            return Some(format!(
                "the attribute `{name}` is empty or has a character that SQS does not accept"
            ));
        }
    }
    None
}

/// All attributes but the trace header, which travels apart and counts for nothing.
fn own_attributes(message: &OutMessage) -> impl Iterator<Item = (&String, &String)> {
    message
        .attributes
        .iter()
        .filter(|(name, _)| *name != TRACE_ATTRIBUTE)
}

/// Size as SQS counts it: body, and name, type and value of each attribute.
pub(super) fn size_bytes(message: &OutMessage) -> usize {
    let attributes = own_attributes(message).map(|(name, value)| name.len() + STRING.len() + value.len());
    message.body.len() + attributes.sum::<usize>()
}

/// SQS carries the characters of XML 1.0 only.
fn is_text(text: &str) -> bool {
    text.chars().all(|c| match c {
        '\t' | '\n' | '\r' => true,
        '\u{FFFE}' | '\u{FFFF}' => false,
        c => c >= ' ',
    })
}

fn is_attribute_name(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=ATTRIBUTE_NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"_-.".contains(&b))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

/// Receipts of SQS are base64, those of emulators words of letters or UUIDs. What cannot be one is recognised here,
/// since emulators answer stale and senseless receipts alike.
pub(super) fn may_be_receipt(text: &str) -> bool {
    (1..=RECEIPT_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// SQS counts in whole seconds; none may be shorter than asked for.
pub(super) fn whole_seconds(duration: Duration) -> i32 {
    let seconds = duration.as_secs() + u64::from(duration.subsec_nanos() > 0);
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// An entry of a batch; its id is its place.
pub(super) fn entry(place: usize, message: OutMessage) -> SendMessageBatchRequestEntry {
    let mut entry = SendMessageBatchRequestEntry::builder().id(place.to_string());
    if !message.delay.is_zero() {
        entry = entry.delay_seconds(whole_seconds(message.delay));
    }
    for (name, value) in message.attributes {
        if name == TRACE_ATTRIBUTE {
            if is_trace(&value) {
                let header = MessageSystemAttributeValue::builder()
                    .data_type(STRING)
                    .string_value(value);
                let header = header.build().expect("the data type is set");
                entry = entry
                    .message_system_attributes(MessageSystemAttributeNameForSends::AwsTraceHeader, header);
            } else {
                // SQS would refuse the batch, and no message is worth less than its trace.
                tracing::debug!("a malformed trace header was left out");
            }
            continue;
        }
        let value = MessageAttributeValue::builder()
            .data_type(STRING)
            .string_value(value);
        entry = entry.message_attributes(name, value.build().expect("the data type is set"));
    }
    entry
        .message_body(message.body)
        .build()
        .expect("id and body are set")
}

/// Whether this is an X-Ray trace header: `Root=1-5759e988-bd862e3fe1be46a994272793;Parent=...;Sampled=1`.
fn is_trace(text: &str) -> bool {
    text.starts_with("Root=") && text.len() <= TRACE_BYTES_MAX && text.bytes().all(|b| b.is_ascii_graphic())
}

/// A delivery; attributes that are binary (not ours) come as base64.
pub(super) fn delivery(message: Message) -> Delivery {
    let system = message.attributes.unwrap_or_default();
    let number = |name| {
        system
            .get(&name)
            .and_then(|text: &String| text.parse::<u64>().ok())
    };
    let count = number(MessageSystemAttributeName::ApproximateReceiveCount).unwrap_or(1);
    let sent_at = number(MessageSystemAttributeName::SentTimestamp).unwrap_or_default();
    let mut attributes: BTreeMap<String, String> = message
        .message_attributes
        .unwrap_or_default()
        .into_iter()
        .map(|(name, value)| (name, text_of(value)))
        .collect();
    if let Some(header) = system.get(&MessageSystemAttributeName::AwsTraceHeader) {
        attributes.insert(TRACE_ATTRIBUTE.to_owned(), header.clone());
    }
    Delivery {
        receipt: Receipt(message.receipt_handle.unwrap_or_default()),
        message_id: message.message_id.unwrap_or_default(),
        body: message.body.unwrap_or_default(),
        attributes,
        receive_count: u32::try_from(count).unwrap_or(u32::MAX),
        sent_at: Timestamp(sent_at),
    }
}

fn text_of(value: MessageAttributeValue) -> String {
    match (value.string_value, value.binary_value) {
        (Some(text), _) => text,
        (None, Some(bytes)) => STANDARD.encode(bytes),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str, attributes: &[(&str, &str)]) -> OutMessage {
        OutMessage {
            body: body.to_owned(),
            attributes: attributes
                .iter()
                .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
                .collect(),
            delay: Duration::ZERO,
        }
    }

    #[test]
    fn what_sqs_refuses_is_refused_here() {
        let fine = [
            message("a\tb\r\n", &[("trace.id", "4f"), ("content-type", "ü 写")]),
            message(&"x".repeat(BODY_BYTES_MAX - 8), &[("k", "v")]),
            // The trace header counts for nothing.
            message(&"x".repeat(BODY_BYTES_MAX), &[(TRACE_ATTRIBUTE, "Root=1-2-3")]),
        ];
        for message in fine {
            assert_eq!(fault_of(&message), None);
        }
        let wrong = [
            message("", &[]),
            message(&"x".repeat(BODY_BYTES_MAX - 7), &[("k", "v")]),
            message("a\u{0}b", &[]),
            message("\u{FFFE}", &[]),
            message("a", &[("k", "")]),
            message("a", &[("k", "\u{1}")]),
            message("a", &[("AWS.x", "v")]),
            message("a", &[(".k", "v")]),
            message("a", &[("k..k", "v")]),
            message("a", &[("k k", "v")]),
            OutMessage {
                delay: DELAY_MAX + Duration::from_millis(1),
                ..message("a", &[])
            },
        ];
        for message in wrong {
            assert!(fault_of(&message).is_some(), "{:.60?}", message);
        }
    }

    #[test]
    fn trace_header_travels_apart_and_a_broken_one_does_not() {
        let header = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1";
        let sent = entry(3, message("a", &[(TRACE_ATTRIBUTE, header), ("k", "v")]));
        assert_eq!(sent.id(), "3");
        assert_eq!(sent.message_attributes().map(|a| a.len()), Some(1));
        let system = sent.message_system_attributes().expect("system attributes");
        let value = &system[&MessageSystemAttributeNameForSends::AwsTraceHeader];
        assert_eq!(value.string_value(), Some(header));
        let sent = entry(0, message("a", &[(TRACE_ATTRIBUTE, "what ever")]));
        assert!(sent.message_system_attributes().is_none() && sent.message_attributes().is_none());
    }
}
