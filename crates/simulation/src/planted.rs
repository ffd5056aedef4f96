//! Faults planted into the ports on purpose: a simulation that does not notice them is worth nothing.

use crate::context::Context;
use crate::injected_fault::InjectedFault;
use crate::queue::SimQueue;
use crate::stores::{SimBlobs, SimPublisher, SimRecords};
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::{InspectionId, PhotoRef, Timestamp};
use walkaround_messages::{Intake, parse_intake, parse_record, record_body, request_json};
use walkaround_ports::{
    AckOutcome, BlobAddress, BlobMeta, Blobs, Delivery, Depth, Heartbeat, LeaseOutcome, OutEvent, OutMessage,
    Page, PortError, Precondition, Publisher, PutOutcome, Queue, Receipt, RecordQuery, Records, ResultKey,
    StoredRecord, WriteOutcome,
};

/// A message as it reaches the intake queue.
pub(crate) fn message(plant: Option<InjectedFault>, message: &OutMessage) -> OutMessage {
    let read = || parse_intake(&message.body, &message.attributes).ok()?.pop();
    match (plant, read()) {
        (Some(InjectedFault::PurposeIgnored), Some(Intake::Inspect(mut request)))
            if request.vehicle_id.is_some() =>
        {
            request.vehicle_id = None;
            OutMessage {
                body: request_json(&request),
                ..OutMessage::default()
            }
        }
        _ => message.clone(),
    }
}

pub(crate) fn queue(plant: Option<InjectedFault>, queue: &Arc<SimQueue>) -> Arc<dyn Queue> {
    let queue = Arc::clone(queue);
    match plant {
        Some(plant @ (InjectedFault::AckOnReceive | InjectedFault::ReleaseIsSuccess)) => {
            Arc::new(BadQueue { queue, plant })
        }
        _ => queue,
    }
}

pub(crate) fn records(plant: Option<InjectedFault>, records: SimRecords) -> Arc<dyn Records> {
    match plant {
        Some(
            plant @ (InjectedFault::UnconditionalWrite
            | InjectedFault::PublishedTooEarly
            | InjectedFault::ContentIgnored
            | InjectedFault::PhotoReplaced),
        ) => Arc::new(BadRecords { records, plant }),
        _ => Arc::new(records),
    }
}

pub(crate) fn blobs(plant: Option<InjectedFault>, blobs: SimBlobs) -> Arc<dyn Blobs> {
    match plant {
        Some(InjectedFault::BlobLost) => Arc::new(BadBlobs(blobs)),
        _ => Arc::new(blobs),
    }
}

pub(crate) fn publisher(
    plant: Option<InjectedFault>,
    context: &Arc<Context>,
    publisher: SimPublisher,
) -> Arc<dyn Publisher> {
    match plant {
        Some(InjectedFault::EventLost) => Arc::new(BadPublisher {
            publisher,
            context: Arc::clone(context),
        }),
        _ => Arc::new(publisher),
    }
}

struct BadQueue {
    queue: Arc<SimQueue>,
    plant: InjectedFault,
}

#[async_trait]
impl Queue for BadQueue {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        self.queue.send(messages).await
    }

    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        let taken = self.queue.receive(max, lease, wait).await?;
        if self.plant == InjectedFault::AckOnReceive && !taken.is_empty() {
            let receipts: Vec<Receipt> = taken.iter().map(|d| d.receipt.clone()).collect();
            self.queue.ack(&receipts).await?;
        }
        Ok(taken)
    }

    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError> {
        self.queue.extend(receipt, lease).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        if self.plant == InjectedFault::ReleaseIsSuccess {
            self.queue.ack(std::slice::from_ref(receipt)).await?;
            return Ok(LeaseOutcome::Held);
        }
        self.queue.release(receipt, delay).await
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        self.queue.ack(receipts).await
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        self.queue.depth().await
    }
}

struct BadRecords {
    records: SimRecords,
    plant: InjectedFault,
}

#[async_trait]
impl Records for BadRecords {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        let mut read = self.records.read(id).await?;
        if let Some(record) = read
            .as_mut()
            .filter(|_| self.plant == InjectedFault::ContentIgnored)
            && let Ok(mut inspection) = parse_record(&record.body)
        {
            inspection.photo_history.compared_at = Some(inspection.accepted_at + Duration::from_secs(86_400));
            record.body = record_body(&inspection);
        }
        Ok(read)
    }

    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        if self.plant == InjectedFault::UnconditionalWrite {
            let there = self.records.read(&next.id).await?;
            let expect = there.map_or(Precondition::Absent, |r| Precondition::Version(r.version));
            return self.records.write(next, expect).await;
        }
        let mut next = next.clone();
        if self.plant == InjectedFault::PhotoReplaced
            && expect != Precondition::Absent
            && let Ok(mut inspection) = parse_record(&next.body)
        {
            inspection.request.photo = PhotoRef::File("another.png".to_owned());
            next.body = record_body(&inspection);
        }
        if self.plant == InjectedFault::PublishedTooEarly
            && let Ok(mut inspection) = parse_record(&next.body)
            && inspection.phase.is_final()
        {
            inspection.published_at = inspection.finished_at;
            next.body = record_body(&inspection);
        }
        self.records.write(&next, expect).await
    }

    async fn list(&self, query: &RecordQuery, after: Option<&str>, max: usize) -> Result<Page, PortError> {
        self.records.list(query, after, max).await
    }

    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        self.records.result_of(key).await
    }

    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, now: Timestamp) -> Result<(), PortError> {
        self.records.keep_result(key, id, now).await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError> {
        self.records.put_heartbeat(heartbeat).await
    }

    async fn heartbeats(&self, since: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        self.records.heartbeats(since).await
    }
}

struct BadBlobs(SimBlobs);

#[async_trait]
impl Blobs for BadBlobs {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        self.0.head(at).await
    }

    async fn get(&self, at: &BlobAddress, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        self.0.get(at, bytes_max).await
    }

    async fn get_version(
        &self,
        at: &BlobAddress,
        version: &str,
        bytes_max: u64,
    ) -> Result<Vec<u8>, PortError> {
        self.0.get_version(at, version, bytes_max).await
    }

    async fn put_if_absent(
        &self,
        at: &BlobAddress,
        bytes: &[u8],
        content_type: &str,
    ) -> Result<PutOutcome, PortError> {
        if self.0.0.rng().u32(0..8) == 0 {
            return Ok(PutOutcome::Created);
        }
        self.0.put_if_absent(at, bytes, content_type).await
    }

    async fn download(
        &self,
        at: &BlobAddress,
        expect_sha256: &[u8; 32],
        into: &Path,
    ) -> Result<(), PortError> {
        self.0.download(at, expect_sha256, into).await
    }

    async fn list(
        &self,
        prefix: &BlobAddress,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError> {
        self.0.list(prefix, after, max).await
    }
}

struct BadPublisher {
    publisher: SimPublisher,
    context: Arc<Context>,
}

#[async_trait]
impl Publisher for BadPublisher {
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError> {
        if self.context.rng().u32(0..8) == 0 {
            return Ok(());
        }
        self.publisher.publish(event).await
    }
}
