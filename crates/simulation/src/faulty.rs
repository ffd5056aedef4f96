//! Trouble around every port call of one process: errors before the effect, lost answers after it, slow calls,
//! calls that outlive a lease, hangs, and the death of the process between effect and answer.

use crate::context::Context;
use crate::planted::InjectedFault;
use crate::trace::CoverageEvent;
use crate::work::Work;
use async_trait::async_trait;
use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::sync::Notify;
use walkaround_domain::{InspectionId, PhotoRef, Timestamp};
use walkaround_pipeline::inspector::EngineMonitor;
use walkaround_ports::{
    AckOutcome, BlobAddress, BlobMeta, Blobs, Delivery, Depth, FetchError, GpuCapacity, Heartbeat,
    KnownContent, LeaseOutcome, OutEvent, OutMessage, Page, PhotoSource, PortError, PortErrorKind,
    Precondition, Publisher, PutOutcome, Queue, Receipt, RecordQuery, Records, ResultKey, StateStore,
    StoredRecord, WorkerJob, WriteOutcome,
};

/// One life of one process, as its ports see it.
pub(crate) struct Process {
    pub(crate) context: Arc<Context>,
    /// Slot and life: `triage-0.3`.
    pub(crate) name: String,
    /// Told when the process dies at a call.
    pub(crate) died: Notify,
    /// Set when nothing of it moves any more.
    pub(crate) frozen: AtomicBool,
    /// The health of its engine.
    pub(crate) engine: Arc<EngineMonitor>,
    /// What it has in flight.
    pub(crate) work: Work,
}

/// What becomes of a call.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Passes,
    Refused(PortErrorKind),
    AnswerLost,
    DiesBefore,
    DiesAfter,
}

impl Process {
    pub(crate) fn new(context: &Arc<Context>, name: String) -> Arc<Self> {
        Arc::new(Self {
            context: Arc::clone(context),
            name,
            died: Notify::new(),
            frozen: AtomicBool::new(false),
            engine: EngineMonitor::new(),
            work: Work::default(),
        })
    }

    pub(crate) fn log(&self, what: std::fmt::Arguments<'_>) {
        self.context.log(&self.name, what);
    }

    fn fate(&self) -> Fate {
        let (context, rates) = (&self.context, &self.context.plan.rates);
        if context.chance(rates.crash) {
            context.count(CoverageEvent::CrashAtCall);
            return if context.rng().bool() {
                Fate::DiesBefore
            } else {
                Fate::DiesAfter
            };
        }
        if context.chance(rates.refused) {
            context.count(CoverageEvent::Refused);
            return Fate::Refused(if context.rng().bool() {
                PortErrorKind::Unavailable
            } else {
                PortErrorKind::Throttled
            });
        }
        if context.chance(rates.answer_lost) {
            context.count(CoverageEvent::AnswerLost);
            return Fate::AnswerLost;
        }
        Fate::Passes
    }

    fn latency(&self) -> Duration {
        let (context, rates) = (&self.context, &self.context.plan.rates);
        if !context.plan.calm && context.chance(rates.slow) {
            context.count(CoverageEvent::Slow);
            return context.between(1_000, 30_000);
        }
        if context.chance(rates.outlives_lease) {
            context.count(CoverageEvent::OutlivedLease);
            return context.plan.lease + context.between(1, 20_000);
        }
        context.between(0, 30)
    }

    async fn pass(&self, time: Duration) {
        if !time.is_zero() {
            tokio::time::sleep(time).await;
        }
    }

    async fn die(&self, operation: &str, when: &str) -> ! {
        self.log(format_args!("dies {when} {operation}"));
        self.died.notify_one();
        std::future::pending().await
    }

    /// The error of a call whose effect comes only later, perhaps after the process has died; `effect` is then
    /// on its way. None when this call is not one of them.
    fn late<T: Send>(
        &self,
        port: &'static str,
        operation: &'static str,
        effect: impl Future<Output = T> + Send + 'static,
    ) -> Option<PortError> {
        let context = &self.context;
        if self.frozen.load(Ordering::Relaxed) || !context.chance(context.plan.rates.late) {
            return None;
        }
        context.count(CoverageEvent::EffectLate);
        self.log(format_args!("{port}.{operation} times out and comes late"));
        let (context, time) = (Arc::clone(context), context.between(10, 20_000));
        let name = self.name.clone();
        tokio::spawn(async move {
            tokio::time::sleep(time).await;
            context.log(&name, format_args!("{port}.{operation} comes late"));
            drop(effect.await);
        });
        Some(PortError::new(
            (port, operation),
            PortErrorKind::Unavailable,
            "timed out",
        ))
    }

    /// The error of a call to a store that is away.
    async fn away(&self, port: &'static str, operation: &'static str) -> PortError {
        self.context.count(CoverageEvent::StoreAway);
        self.pass(Duration::from_millis(10)).await;
        let kind = match self.context.plant {
            Some(InjectedFault::StoreTroubleIsFinal) if port == "blobs" => PortErrorKind::TooLarge,
            _ => PortErrorKind::Unavailable,
        };
        PortError::new((port, operation), kind, "away")
    }

    /// One call: `effect` happens at one moment in the middle of it.
    async fn call<T>(
        &self,
        port: &'static str,
        operation: &'static str,
        about: impl Display,
        effect: impl Future<Output = Result<T, PortError>>,
    ) -> Result<T, PortError> {
        self.context.call();
        if self.context.violation().is_some() || self.frozen.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.context.is_away(port) {
            return Err(self.away(port, operation).await);
        }
        let fate = self.fate();
        // A slow call is slow on its way there or on its way back.
        let (time, there) = (self.latency(), self.context.rng().bool());
        self.pass(if there { time } else { Duration::ZERO }).await;
        let fails = |kind, detail: &str| Err(PortError::new((port, operation), kind, detail));
        match fate {
            Fate::Refused(kind) => {
                self.log(format_args!("{port}.{operation} {about}: refused"));
                return fails(kind, "refused");
            }
            Fate::DiesBefore => self.die(operation, "before").await,
            Fate::Passes | Fate::AnswerLost | Fate::DiesAfter => {}
        }
        let outcome = effect.await;
        match &outcome {
            Ok(_) => self.log(format_args!("{port}.{operation} {about}")),
            Err(error) => self.log(format_args!("{port}.{operation} {about}: {}", error.detail)),
        }
        self.pass(if there { Duration::ZERO } else { time }).await;
        match fate {
            Fate::DiesAfter => self.die(operation, "after").await,
            Fate::AnswerLost => {
                self.log(format_args!("{port}.{operation} {about}: answer lost"));
                fails(PortErrorKind::Unavailable, "timed out")
            }
            _ => outcome,
        }
    }
}

/// A port of a process, with trouble.
pub(crate) struct Faulty<P: ?Sized> {
    pub(crate) process: Arc<Process>,
    pub(crate) port: Arc<P>,
    /// For the trace, where a world has several such ports.
    pub(crate) name: &'static str,
}

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

/// A port as one process sees it.
pub(crate) fn around<P: ?Sized>(process: &Arc<Process>, port: &Arc<P>, name: &'static str) -> Arc<Faulty<P>> {
    Arc::new(Faulty {
        process: Arc::clone(process),
        port: Arc::clone(port),
        name,
    })
}
