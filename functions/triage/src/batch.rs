//! A batch of SQS as Lambda hands it over, and how much of it is processed at once.

use aws_lambda_events::event::sqs::{SqsEvent, SqsMessage};
use std::collections::BTreeMap;
use walkaround_domain::Timestamp;
use walkaround_ports::{Delivery, Receipt, TRACE_ATTRIBUTE};
use walkaround_settings::Settings;

/// Variable in which Lambda gives a function's memory, in MiB.
const MEMORY: &str = "AWS_LAMBDA_FUNCTION_MEMORY_SIZE";
/// What the process takes beside photos: program, networks, clients.
const BASE_BYTES: u64 = 256 << 20;

/// The messages of a batch. One without id or receipt cannot be handled or answered by name: their number is
/// told, and the caller has to give the whole batch back.
pub(crate) fn deliveries(event: SqsEvent, trace: Option<&str>, now: Timestamp) -> (Vec<Delivery>, usize) {
    let messages = event.records.len();
    let deliveries: Vec<Delivery> = event
        .records
        .into_iter()
        .filter_map(|message| delivery(message, trace, now))
        .collect();
    let unnamed = messages - deliveries.len();
    (deliveries, unnamed)
}

fn delivery(message: SqsMessage, trace: Option<&str>, now: Timestamp) -> Option<Delivery> {
    let number = |name: &str| message.attributes.get(name)?.parse::<u64>().ok();
    let receive_count = number("ApproximateReceiveCount").unwrap_or(1);
    let sent_at = number("SentTimestamp").map_or(now, Timestamp);
    let trace = message
        .attributes
        .get(TRACE_ATTRIBUTE)
        .map(String::as_str)
        .or(trace);
    let trace = trace.map(|trace| (TRACE_ATTRIBUTE.to_owned(), trace.to_owned()));
    let mut attributes: BTreeMap<String, String> = message
        .message_attributes
        .into_iter()
        .filter_map(|(name, attribute)| Some((name, attribute.string_value?)))
        .collect();
    attributes.extend(trace);
    Some(Delivery {
        receipt: Receipt(message.receipt_handle?),
        message_id: message.message_id?,
        // SQS refuses empty bodies; an event without one is parked as unreadable like an empty one.
        body: message.body.unwrap_or_default(),
        attributes,
        receive_count: u32::try_from(receive_count).unwrap_or(u32::MAX),
        sent_at,
    })
}

/// Photos that are in flight at once: as many as the function's memory has room for, each with its file.
/// Decoding has a budget of its own.
pub(crate) fn at_once(settings: &Settings) -> usize {
    let memory = std::env::var(MEMORY).ok().and_then(|m| m.parse::<u64>().ok());
    let room = memory.map(|mib| photos_in((mib << 20).saturating_sub(BASE_BYTES), settings));
    room.unwrap_or(usize::MAX).min(settings.triage_in_flight)
}

fn photos_in(bytes: u64, settings: &Settings) -> usize {
    let files = bytes.saturating_sub(settings.decode_bytes_max);
    let photos = files / settings.photo_bytes_max.max(1);
    usize::try_from(photos).unwrap_or(usize::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(text: &str) -> SqsEvent {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn a_message_becomes_a_delivery_with_its_trace() {
        let text = r#"{"Records": [{"messageId": "m", "receiptHandle": "r", "body": "b",
            "attributes": {"ApproximateReceiveCount": "3", "SentTimestamp": "1795305600000", "AWSTraceHeader": "Root=1"},
            "messageAttributes": {"content_type": {"stringValue": "x", "dataType": "String"}}}]}"#;
        let (deliveries, unnamed) = deliveries(event(text), Some("Root=2"), Timestamp(5));
        let [d] = deliveries.as_slice() else {
            panic!("one message")
        };
        assert_eq!(
            (d.message_id.as_str(), d.receipt.0.as_str(), d.body.as_str()),
            ("m", "r", "b")
        );
        assert_eq!(
            (d.receive_count, d.sent_at, unnamed),
            (3, Timestamp(1_795_305_600_000), 0)
        );
        assert_eq!(d.attributes["content_type"], "x");
        assert_eq!(d.attributes[TRACE_ATTRIBUTE], "Root=1");
    }

    #[test]
    fn what_a_message_does_not_say_is_filled_in_and_an_unnamed_one_is_counted() {
        let text = r#"{"Records": [{"messageId": "m", "receiptHandle": "r"}, {"body": "lost?"}]}"#;
        let (deliveries, unnamed) = deliveries(event(text), Some("Root=2"), Timestamp(5));
        assert_eq!((deliveries.len(), unnamed), (1, 1));
        let d = &deliveries[0];
        assert_eq!(
            (d.body.as_str(), d.receive_count, d.sent_at),
            ("", 1, Timestamp(5))
        );
        assert_eq!(d.attributes[TRACE_ATTRIBUTE], "Root=2");
    }

    #[test]
    fn memory_bounds_the_photos_in_flight() {
        let settings = Settings::from_lookup(&|_| None).unwrap();
        assert_eq!(photos_in(0, &settings), 1);
        assert_eq!(photos_in((384 + 5 * 64) << 20, &settings), 5);
    }
}
