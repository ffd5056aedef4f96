//! A queue on SQS.
//!
//! Messages go out and are acknowledged in batches of ten, of at most 1 MiB. What SQS would refuse (it refuses the
//! whole batch for one bad message) is refused here, alone. SQS counts in whole seconds: leases, delays and waits are
//! rounded up. A stale receipt is an outcome: SQS itself takes the acknowledgement of one and keeps the message, so
//! an acknowledgement is never used for correctness.

mod batch;
mod wire;

use crate::fault::port_error;
use async_trait::async_trait;
use aws_sdk_sqs::Client;
use aws_sdk_sqs::types::{
    DeleteMessageBatchRequestEntry, MessageSystemAttributeName, QueueAttributeName,
    SendMessageBatchRequestEntry,
};
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use batch::{Answers, ENTRIES_MAX, by_entry};
use std::collections::HashMap;
use std::time::Duration;
use walkaround_ports::{
    AckOutcome, BODY_BYTES_MAX, Delivery, Depth, LeaseOutcome, OutMessage, PortCall, PortError,
    PortErrorKind, Queue, Receipt,
};
use wire::{check_message, delivery, entry, may_be_receipt, size_bytes, whole_seconds};

const LEASE_MAX: Duration = Duration::from_secs(12 * 3600);
const WAIT_MAX: Duration = Duration::from_secs(20);
/// One queue of SQS (standard, not FIFO).
#[derive(Debug, Clone)]
pub struct SqsQueue {
    client: Client,
    url: String,
}

impl SqsQueue {
    /// The queue with this URL. Does not check whether it exists.
    pub fn new(client: Client, url: impl Into<String>) -> Self {
        let url = url.into();
        Self { client, url }
    }

    /// Sends at most ten messages of at most 1 MiB together; one answer a message, in order.
    async fn send_batch(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        const AT: PortCall = PortCall::new("queue", "send");
        let count = messages.len();
        let entries: Vec<SendMessageBatchRequestEntry> = messages
            .into_iter()
            .enumerate()
            .map(|(place, message)| entry(place, message))
            .collect();
        let call = self.client.send_message_batch().queue_url(&self.url);
        let answer = call.set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|e| port_error(AT, &self.url, &e))?;
        let sent = answer.successful().iter().map(|e| (e.id(), ()));
        Ok(by_entry(AT, count, sent, answer.failed(), |_| None))
    }

    async fn ack_batch(
        &self,
        receipts: Vec<Receipt>,
    ) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        const AT: PortCall = PortCall::new("queue", "ack");
        let count = receipts.len();
        let entries = receipts.into_iter().enumerate().map(|(place, Receipt(handle))| {
            let entry = DeleteMessageBatchRequestEntry::builder().id(place.to_string());
            entry
                .receipt_handle(handle)
                .build()
                .expect("id and receipt are set")
        });
        let call = self.client.delete_message_batch().queue_url(&self.url);
        let answer = call.set_entries(Some(entries.collect())).send().await;
        let answer = answer.map_err(|e| port_error(AT, &self.url, &e))?;
        let gone = answer.successful().iter().map(|e| (e.id(), AckOutcome::Gone));
        Ok(by_entry(AT, count, gone, answer.failed(), |failed| {
            is_stale(failed.code(), failed.message()).then_some(AckOutcome::Stale)
        }))
    }

    /// Moves the end of a lease; [`LeaseOutcome::Lost`] when the receipt is stale.
    async fn hide(
        &self,
        at: PortCall,
        receipt: &Receipt,
        until: Duration,
    ) -> Result<LeaseOutcome, PortError> {
        if until > LEASE_MAX {
            let detail = format!("{until:?} from now: at most {LEASE_MAX:?}");
            return Err(at.error(PortErrorKind::Invalid, detail));
        }
        check_receipt(receipt, at)?;
        let call = self.client.change_message_visibility().queue_url(&self.url);
        let call = call
            .receipt_handle(&receipt.0)
            .visibility_timeout(whole_seconds(until));
        let Err(error) = call.send().await else {
            return Ok(LeaseOutcome::Held);
        };
        match error.as_service_error() {
            Some(refused) if is_stale(refused.code().unwrap_or_default(), refused.message()) => {
                Ok(LeaseOutcome::Lost)
            }
            _ => Err(port_error(at, &self.url, &error)),
        }
    }
}

#[async_trait]
impl Queue for SqsQueue {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        let mut answers = Answers::new(PortCall::new("queue", "send"), messages.len());
        let mut fine = Vec::with_capacity(messages.len());
        for (place, message) in messages.into_iter().enumerate() {
            match check_message(&message, PortCall::new("queue", "send")) {
                Ok(()) => fine.push((place, size_bytes(&message), message)),
                Err(error) => answers.put(place, Err(error)),
            }
        }
        for batch in batch::of_bytes(fine, BODY_BYTES_MAX) {
            let (places, messages): (Vec<usize>, Vec<OutMessage>) = batch.into_iter().unzip();
            if answers.may_go_on(&places) {
                answers.take(&places, self.send_batch(messages).await)?;
            }
        }
        Ok(answers.finish())
    }

    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        const AT: PortCall = PortCall::new("queue", "receive");
        if !(1..=ENTRIES_MAX).contains(&max) || lease > LEASE_MAX || wait > WAIT_MAX {
            let detail = format!(
                "{max} messages, a lease of {lease:?} and a wait of {wait:?}: at most {ENTRIES_MAX}, {LEASE_MAX:?} \
                 and {WAIT_MAX:?}"
            );
            return Err(AT.error(PortErrorKind::Invalid, detail));
        }
        let call = self
            .client
            .receive_message()
            .queue_url(&self.url)
            .max_number_of_messages(i32::try_from(max).unwrap_or(1))
            .visibility_timeout(whole_seconds(lease))
            .wait_time_seconds(whole_seconds(wait))
            .message_attribute_names("All")
            .message_system_attribute_names(MessageSystemAttributeName::ApproximateReceiveCount)
            .message_system_attribute_names(MessageSystemAttributeName::SentTimestamp)
            .message_system_attribute_names(MessageSystemAttributeName::AwsTraceHeader);
        let answer = call.send().await.map_err(|e| port_error(AT, &self.url, &e))?;
        Ok(answer
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(delivery)
            .collect())
    }

    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError> {
        self.hide(PortCall::new("queue", "extend"), receipt, lease).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        self.hide(PortCall::new("queue", "release"), receipt, delay).await
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        let mut answers = Answers::new(PortCall::new("queue", "ack"), receipts.len());
        let mut fine = Vec::with_capacity(receipts.len());
        for (place, receipt) in receipts.iter().enumerate() {
            match check_receipt(receipt, PortCall::new("queue", "ack")) {
                Ok(()) => fine.push((place, receipt.clone())),
                Err(error) => answers.put(place, Err(error)),
            }
        }
        for batch in fine.chunks(ENTRIES_MAX) {
            let (places, receipts): (Vec<usize>, Vec<Receipt>) = batch.iter().cloned().unzip();
            if answers.may_go_on(&places) {
                answers.take(&places, self.ack_batch(receipts).await)?;
            }
        }
        Ok(answers.finish())
    }

    /// Approximate, and without an age: SQS reports that only to CloudWatch.
    async fn depth(&self) -> Result<Depth, PortError> {
        const AT: PortCall = PortCall::new("queue", "depth");
        let call = self
            .client
            .get_queue_attributes()
            .queue_url(&self.url)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessages)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesNotVisible)
            .attribute_names(QueueAttributeName::ApproximateNumberOfMessagesDelayed);
        let answer = call.send().await.map_err(|e| port_error(AT, &self.url, &e))?;
        let counts = answer.attributes.unwrap_or_default();
        Ok(Depth {
            ready: count(&counts, &QueueAttributeName::ApproximateNumberOfMessages, AT)?,
            leased: count(
                &counts,
                &QueueAttributeName::ApproximateNumberOfMessagesNotVisible,
                AT,
            )?,
            delayed: count(
                &counts,
                &QueueAttributeName::ApproximateNumberOfMessagesDelayed,
                AT,
            )?,
            oldest_age: None,
        })
    }
}

fn count(
    counts: &HashMap<QueueAttributeName, String>,
    name: &QueueAttributeName,
    at: PortCall,
) -> Result<u64, PortError> {
    let number = counts.get(name).and_then(|text| text.parse().ok());
    number.ok_or_else(|| {
        let detail = format!("the service returned no {}", name.as_str());
        at.error(PortErrorKind::Unavailable, detail)
    })
}

fn check_receipt(receipt: &Receipt, at: PortCall) -> Result<(), PortError> {
    if may_be_receipt(&receipt.0) {
        return Ok(());
    }
    Err(at.error(PortErrorKind::Invalid, "not the receipt of any delivery"))
}

/// Whether an error means that the receipt's lease ended: the message is with someone else, ready, or gone.
///
/// AWS answers `MessageNotInflight`, or `InvalidParameterValue` with a reason that names the receipt (for a
/// deleted message, or an expired handle); ministack answers `ReceiptHandleIsInvalid` to every receipt but the latest.
fn is_stale(code: &str, message: Option<&str>) -> bool {
    match code.rsplit('.').next().unwrap_or(code) {
        "MessageNotInflight" | "ReceiptHandleIsInvalid" => true,
        "InvalidParameterValue" => {
            message.is_some_and(|text| text.contains("for parameter ReceiptHandle is invalid"))
        }
        _ => false,
    }
}
