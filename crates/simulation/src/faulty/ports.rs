//! Every port, with the faults of its process.

use super::Faulty;
use crate::trace::CoverageEvent;
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_domain::{InspectionId, PhotoRef, Timestamp};
use walkaround_ports::{
    AckOutcome, BlobAddress, BlobMeta, Blobs, Delivery, Depth, FetchError, GpuCapacity, Heartbeat,
    KnownContent, LeaseOutcome, OutEvent, OutMessage, Page, PhotoSource, PortError, Precondition, Publisher,
    PutOutcome, Queue, Receipt, RecordQuery, Records, ResultKey, StateStore, StoredRecord, WorkerJob,
    WriteOutcome,
};

#[async_trait]
impl Queue for Faulty<dyn Queue> {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        let about = format!("{} to {}", messages.len(), self.name);
        self.process
            .call("queue", "send", about, self.port.send(messages))
            .await
    }

    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        let receive = async {
            let taken = self.port.receive(max, lease, wait).await?;
            for d in &taken {
                self.process
                    .log(format_args!("is given {} ({})", d.receipt.0, d.receive_count));
            }
            Ok(taken)
        };
        self.process.call("queue", "receive", self.name, receive).await
    }

    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError> {
        let extend = self.port.extend(receipt, lease);
        self.process.call("queue", "extend", &receipt.0, extend).await
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        let (port, late) = (Arc::clone(&self.port), receipt.clone());
        let late = async move { port.release(&late, delay).await };
        if let Some(error) = self.process.late("queue", "release", late) {
            return Err(error);
        }
        let release = self.port.release(receipt, delay);
        self.process.call("queue", "release", &receipt.0, release).await
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        let (port, late) = (Arc::clone(&self.port), receipts.to_vec());
        let late = async move { port.ack(&late).await };
        if let Some(error) = self.process.late("queue", "ack", late) {
            return Err(error);
        }
        let names: Vec<&str> = receipts.iter().map(|r| r.0.as_str()).collect();
        let ack = self.port.ack(receipts);
        self.process.call("queue", "ack", names.join(" "), ack).await
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        self.process
            .call("queue", "depth", self.name, self.port.depth())
            .await
    }
}

#[async_trait]
impl Records for Faulty<dyn Records> {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        self.process.call("records", "read", id, self.port.read(id)).await
    }

    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        let (port, late) = (Arc::clone(&self.port), next.clone());
        let late = async move { port.write(&late, expect).await };
        if let Some(error) = self.process.late("records", "write", late) {
            return Err(error);
        }
        let about = format!("{} {} {expect:?}", next.id, next.keys.phase);
        self.process
            .call("records", "write", about, self.port.write(next, expect))
            .await
    }

    async fn list(&self, query: &RecordQuery, after: Option<&str>, max: usize) -> Result<Page, PortError> {
        self.process
            .call("records", "list", "", self.port.list(query, after, max))
            .await
    }

    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        self.process
            .call("records", "result_of", "", self.port.result_of(key))
            .await
    }

    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, now: Timestamp) -> Result<(), PortError> {
        let keep = self.port.keep_result(key, id, now);
        self.process.call("records", "keep_result", id, keep).await
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError> {
        let context = &self.process.context;
        if context.chance(context.plan.rates.freezes * 10.0) {
            context.count(CoverageEvent::Froze);
            self.process.log(format_args!("freezes"));
            self.process.frozen.store(true, Ordering::Relaxed);
        }
        self.process
            .call("records", "put_heartbeat", "", self.port.put_heartbeat(heartbeat))
            .await
    }

    async fn heartbeats(&self, since: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        self.process
            .call("records", "heartbeats", "", self.port.heartbeats(since))
            .await
    }
}

#[async_trait]
impl StateStore for Faulty<dyn StateStore> {
    async fn read(&self, name: &str) -> Result<Option<String>, PortError> {
        self.process
            .call("state", "read", name, self.port.read(name))
            .await
    }

    async fn write(&self, name: &str, body: &str, keep_for: Duration) -> Result<(), PortError> {
        let write = self.port.write(name, body, keep_for);
        self.process.call("state", "write", name, write).await
    }
}

#[async_trait]
impl Blobs for Faulty<dyn Blobs> {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        self.process.call("blobs", "head", at, self.port.head(at)).await
    }

    async fn get(&self, at: &BlobAddress, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        self.process
            .call("blobs", "get", at, self.port.get(at, bytes_max))
            .await
    }

    async fn get_version(
        &self,
        at: &BlobAddress,
        version: &str,
        bytes_max: u64,
    ) -> Result<Vec<u8>, PortError> {
        let get = self.port.get_version(at, version, bytes_max);
        self.process.call("blobs", "get_version", at, get).await
    }

    async fn put_if_absent(
        &self,
        at: &BlobAddress,
        bytes: &[u8],
        content_type: &str,
    ) -> Result<PutOutcome, PortError> {
        let put = self.port.put_if_absent(at, bytes, content_type);
        self.process.call("blobs", "put_if_absent", at, put).await
    }

    async fn download(
        &self,
        at: &BlobAddress,
        expect_sha256: &[u8; 32],
        into: &Path,
    ) -> Result<(), PortError> {
        let download = self.port.download(at, expect_sha256, into);
        self.process.call("blobs", "download", at, download).await
    }

    async fn list(
        &self,
        prefix: &BlobAddress,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError> {
        let list = self.port.list(prefix, after, max);
        self.process.call("blobs", "list", prefix, list).await
    }
}

#[async_trait]
impl Publisher for Faulty<dyn Publisher> {
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError> {
        let (port, late) = (Arc::clone(&self.port), event.clone());
        let late = async move { port.publish(&late).await };
        if let Some(error) = self.process.late("publisher", "publish", late) {
            return Err(error);
        }
        let publish = self.port.publish(event);
        self.process
            .call("publisher", "publish", &event.id, publish)
            .await
    }
}

#[async_trait]
impl GpuCapacity for Faulty<dyn GpuCapacity> {
    async fn fleet(&self) -> Result<Vec<WorkerJob>, PortError> {
        self.process
            .call("capacity", "fleet", "", self.port.fleet())
            .await
    }

    async fn start(&self, count: u32) -> Result<Vec<String>, PortError> {
        self.process
            .call("capacity", "start", count, self.port.start(count))
            .await
    }

    async fn end(&self, id: &str, reason: &str) -> Result<(), PortError> {
        self.process
            .call("capacity", "end", id, self.port.end(id, reason))
            .await
    }
}

#[async_trait]
impl PhotoSource for Faulty<dyn PhotoSource> {
    fn unresponsive_hosts(&self) -> Vec<String> {
        self.port.unresponsive_hosts()
    }

    async fn identify(&self, photo: &PhotoRef) -> Result<Option<KnownContent>, FetchError> {
        let identify = async { Ok(self.port.identify(photo).await) };
        match self.process.call("photos", "identify", photo, identify).await {
            Ok(outcome) => outcome,
            Err(error) => Err(error.into()),
        }
    }

    async fn fetch(&self, photo: &PhotoRef, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        let (context, rates) = (&self.process.context, &self.process.context.plan.rates);
        if context.chance(rates.hangs) {
            context.count(CoverageEvent::Hung);
            self.process.log(format_args!("hangs on {photo}"));
            std::future::pending::<()>().await;
        }
        if context.plan.calm && context.chance(rates.slow) {
            context.count(CoverageEvent::Slow);
            tokio::time::sleep(context.between(1_000, 40_000)).await;
        }
        let fetch = async { Ok(self.port.fetch(photo, bytes_max).await) };
        match self.process.call("photos", "fetch", photo, fetch).await {
            Ok(outcome) => outcome,
            Err(error) => Err(error.into()),
        }
    }
}
