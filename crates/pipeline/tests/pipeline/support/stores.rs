//! All ports of a [`World`], in memory.

use super::{Fetch, World, large_picture, picture, reach};
use async_trait::async_trait;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use walkaround_domain::{InspectionId, PhotoRef, Timestamp};
use walkaround_ports::{
    AckOutcome, BlobAddress, BlobMeta, Blobs, Delivery, Depth, FetchError, Heartbeat, KnownContent,
    LeaseOutcome, OutEvent, OutMessage, Page, PhotoSource, PortCall, PortError, PortErrorKind, Precondition,
    Publisher, PutOutcome, Queue, Receipt, RecordQuery, Records, ResultKey, StateStore, StoredRecord,
    WriteOutcome,
};

/// All ports of a world.
pub(crate) struct Stores(pub(crate) Arc<World>);

struct InFlight<'a>(&'a AtomicUsize);

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

#[async_trait]
impl PhotoSource for Stores {
    async fn identify(&self, _: &PhotoRef) -> Result<Option<KnownContent>, FetchError> {
        if let Some(fails) = *self.0.identify_fails.lock().unwrap() {
            return fetched(fails).map(|_| None);
        }
        Ok(self.0.known.lock().unwrap().clone())
    }
    fn unresponsive_hosts(&self) -> Vec<String> {
        Vec::new()
    }
    async fn fetch(&self, photo: &PhotoRef, _: u64) -> Result<Vec<u8>, FetchError> {
        let next = {
            let mut fetches = self.0.fetches.lock().unwrap();
            let of_photo = fetches.get_mut(&photo.to_string()).expect("a photo of the test");
            match of_photo.len() {
                1 => of_photo[0],
                _ => of_photo.pop_front().expect("a fetch is left"),
            }
        };
        self.0.in_flight.fetch_add(1, Ordering::SeqCst);
        let _counted = InFlight(&self.0.in_flight);
        if next == Fetch::Hangs {
            std::future::pending::<()>().await;
        }
        fetched(next)
    }
}

fn fetched(fetch: Fetch) -> Result<Vec<u8>, FetchError> {
    let call = PortCall::new("blobs", "get");
    match fetch {
        Fetch::Picture(value) => Ok(picture(value)),
        Fetch::LargePicture(value) => Ok(large_picture(value)),
        Fetch::Garbage | Fetch::Hangs => Ok(b"no picture".to_vec()),
        Fetch::Fails => Err(FetchError::Unreachable("no answer".into())),
        Fetch::HostBusy => Err(FetchError::HostBusy("enough are being tried".into())),
        Fetch::NotFound => Err(FetchError::NotFound("no such photo".into())),
        Fetch::Malformed => Err(FetchError::Malformed("no URL".into())),
        Fetch::Denied => Err(FetchError::Denied("answered 403".into())),
        Fetch::Forbidden => Err(FetchError::Forbidden("not allowed".into())),
        Fetch::TooLarge => Err(FetchError::TooLarge("too large".into())),
        Fetch::Port(kind) => Err(PortError::new(call, kind, "as the test says").into()),
    }
}

impl Stores {
    async fn reach_heartbeats(&self) -> Result<(), PortError> {
        if self.0.heartbeats_hang.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        reach("records", &self.0.heartbeats_away)
    }
}

impl Stores {
    fn stored(&self, next: &StoredRecord, expect: Precondition) -> WriteOutcome {
        let mut records = self.0.records.lock().unwrap();
        let current = records.get(&next.id);
        let holds = match (expect, current) {
            (Precondition::Absent, None) => true,
            (Precondition::Version(wanted), Some(current)) => current.version == wanted,
            _ => false,
        };
        if !holds {
            return WriteOutcome::Conflict(current.cloned());
        }
        let version = current.map_or(0, |c| c.version) + 1;
        let stored = StoredRecord {
            version,
            ..next.clone()
        };
        records.insert(next.id.clone(), stored);
        WriteOutcome::Committed(version)
    }
}

#[async_trait]
impl Records for Stores {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        reach("records", &self.0.records_away)?;
        Ok(self.0.records.lock().unwrap().get(id).cloned())
    }
    async fn write(&self, next: &StoredRecord, expect: Precondition) -> Result<WriteOutcome, PortError> {
        reach("records", &self.0.records_away)?;
        let outcome = self.stored(next, expect);
        if self.0.answer_is_lost.swap(false, Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(outcome)
    }
    async fn list(&self, _: &RecordQuery, _: Option<&str>, _: usize) -> Result<Page, PortError> {
        Ok(Page::default())
    }
    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        reach("records", &self.0.results_away)?;
        Ok(self.0.results.lock().unwrap().get(key).cloned())
    }
    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, _: Timestamp) -> Result<(), PortError> {
        reach("records", &self.0.results_away)?;
        self.0.results.lock().unwrap().insert(key.clone(), id.clone());
        Ok(())
    }
    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError> {
        self.reach_heartbeats().await?;
        let worker = heartbeat.worker.clone();
        self.0
            .heartbeats
            .lock()
            .unwrap()
            .insert(worker, heartbeat.clone());
        Ok(())
    }
    async fn heartbeats(&self, since: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        self.reach_heartbeats().await?;
        let all = self.0.heartbeats.lock().unwrap();
        Ok(all.values().filter(|beat| beat.at >= since).cloned().collect())
    }
}

#[async_trait]
impl Blobs for Stores {
    async fn head(&self, _: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        panic!("not used by the pipeline")
    }
    async fn get(&self, at: &BlobAddress, _: u64) -> Result<Vec<u8>, PortError> {
        reach("blobs", &self.0.blobs_away)?;
        let missing = || {
            PortError::new(
                PortCall::new("blobs", "get"),
                PortErrorKind::NotFound,
                at.to_string(),
            )
        };
        self.0.blobs.lock().unwrap().get(at).cloned().ok_or_else(missing)
    }
    async fn get_version(&self, _: &BlobAddress, _: &str, _: u64) -> Result<Vec<u8>, PortError> {
        panic!("not used by the pipeline")
    }
    async fn put_if_absent(&self, at: &BlobAddress, bytes: &[u8], _: &str) -> Result<PutOutcome, PortError> {
        reach("blobs", &self.0.blobs_away)?;
        if self.0.blobs_too_large.load(Ordering::SeqCst) {
            let call = PortCall::new("blobs", "put_if_absent");
            return Err(PortError::new(
                call,
                PortErrorKind::TooLarge,
                "more than it takes",
            ));
        }
        let mut blobs = self.0.blobs.lock().unwrap();
        match blobs.get(at) {
            Some(stored) if stored == bytes => Ok(PutOutcome::Identical),
            Some(_) => Ok(PutOutcome::Conflict),
            None => {
                blobs.insert(at.clone(), bytes.to_vec());
                Ok(PutOutcome::Created)
            }
        }
    }
    async fn download(&self, _: &BlobAddress, _: &[u8; 32], _: &Path) -> Result<(), PortError> {
        panic!("not used by the pipeline")
    }
    async fn list(
        &self,
        prefix: &BlobAddress,
        after: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError> {
        reach("blobs", &self.0.blobs_away)?;
        let blobs = self.0.blobs.lock().unwrap();
        let keys = blobs
            .keys()
            .filter(|at| at.bucket == prefix.bucket && at.key.starts_with(&prefix.key));
        let keys = keys
            .map(|at| at.key.clone())
            .filter(|key| after.is_none_or(|after| key.as_str() > after));
        Ok(keys.take(max).collect())
    }
}

#[async_trait]
impl Publisher for Stores {
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError> {
        reach("publisher", &self.0.topic_away)?;
        self.0.events.lock().unwrap().push(event.id.clone());
        Ok(())
    }
}

#[async_trait]
impl StateStore for Stores {
    async fn read(&self, name: &str) -> Result<Option<String>, PortError> {
        reach("state", &self.0.state_away)?;
        Ok(self.0.documents.lock().unwrap().get(name).cloned())
    }
    async fn write(&self, name: &str, body: &str, _: Duration) -> Result<(), PortError> {
        reach("state", &self.0.state_away)?;
        reach("state", &self.0.state_is_read_only)?;
        let mut documents = self.0.documents.lock().unwrap();
        documents.insert(name.to_owned(), body.to_owned());
        Ok(())
    }
}

/// A queue that only takes messages: the dead-letter queue, or that of an invocation.
#[async_trait]
impl Queue for Stores {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        reach("queue", &self.0.queue_away)?;
        if self.0.queue_refuses.load(Ordering::SeqCst) {
            let refused = |_| {
                Err(PortError::new(
                    PortCall::new("queue", "send"),
                    PortErrorKind::Denied,
                    "no",
                ))
            };
            return Ok(messages.into_iter().map(refused).collect());
        }
        let answers = messages.iter().map(|_| Ok(())).collect();
        self.0.parked.lock().unwrap().extend(messages);
        Ok(answers)
    }
    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, PortError> {
        Ok(Vec::new())
    }
    async fn extend(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        Ok(LeaseOutcome::Held)
    }
    async fn release(&self, receipt: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        self.0.released.lock().unwrap().push(receipt.clone());
        Ok(LeaseOutcome::Held)
    }
    async fn ack(&self, _: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        Ok(Vec::new())
    }
    async fn depth(&self) -> Result<Depth, PortError> {
        reach("queue", &self.0.queue_away)?;
        Ok(Depth {
            ready: self.0.parked.lock().unwrap().len() as u64,
            ..Depth::default()
        })
    }
}
