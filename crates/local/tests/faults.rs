//! The conformance suites can fail: an adapter with one fault planted is found out, by the right case.

mod support;

use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use support::open;

use walkaround_conformance::{
    BlobsUnderTest, Capabilities, ManualTime, QueueUnderTest, RecordsUnderTest, Report, blobs_suite,
    queue_suite, records_suite,
};
use walkaround_domain::{InspectionId, Timestamp};
use walkaround_local::{INTAKE, INTAKE_DEAD};
use walkaround_ports::{
    AckOutcome, BlobAddress, BlobMeta, Blobs, Delivery, Depth, Heartbeat, LeaseOutcome, OutMessage, Page,
    PortError, Precondition, PutOutcome, Queue, Receipt, RecordQuery, Records, ResultKey, StoredRecord,
    WriteOutcome,
};

/// Whether the report blames this case.
fn blames(report: &Report, case: &str) -> bool {
    report.failed.iter().any(|(name, _)| name == case)
}

#[derive(Clone, Copy, PartialEq)]
enum QueueFault {
    None,
    KeepsWhatIsAcknowledged,
    IgnoresRelease,
    IgnoresExtend,
    CallsEveryLeaseHeld,
    LeasesForNothing,
    LosesEveryTenth,
    DropsAttributes,
    CutsBatches,
}

struct FaultyQueue(Arc<dyn Queue>, QueueFault);

#[async_trait]
impl Queue for FaultyQueue {
    async fn send(&self, mut messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        let count = messages.len();
        match self.1 {
            QueueFault::DropsAttributes => messages.iter_mut().for_each(|m| m.attributes.clear()),
            QueueFault::LosesEveryTenth => {
                let mut place = 0;
                messages.retain(|_| {
                    place += 1;
                    place % 10 != 0
                });
            }
            _ => {}
        }
        let mut answers = self.0.send(messages).await?;
        answers.resize_with(count, || Ok(()));
        Ok(answers)
    }

    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        let lease = match self.1 {
            QueueFault::LeasesForNothing => lease.min(Duration::ZERO),
            _ => lease,
        };
        self.0.receive(max, lease, wait).await
    }

    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError> {
        match self.1 {
            QueueFault::IgnoresExtend => Ok(LeaseOutcome::Held),
            QueueFault::CallsEveryLeaseHeld => {
                self.0.extend(receipt, lease).await.map(|_| LeaseOutcome::Held)
            }
            _ => self.0.extend(receipt, lease).await,
        }
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        match self.1 {
            QueueFault::IgnoresRelease => Ok(LeaseOutcome::Held),
            _ => self.0.release(receipt, delay).await,
        }
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        match self.1 {
            QueueFault::KeepsWhatIsAcknowledged => {
                Ok(receipts.iter().map(|_| Ok(AckOutcome::Gone)).collect())
            }
            QueueFault::CutsBatches => self.0.ack(&receipts[..receipts.len().min(5)]).await,
            _ => self.0.ack(receipts).await,
        }
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        self.0.depth().await
    }
}

async fn queue_report(fault: QueueFault, capabilities: &Capabilities) -> Report {
    let make = || async {
        let (local, clock, folder) = open();
        QueueUnderTest {
            queue: Arc::new(FaultyQueue(local.queue(INTAKE).expect("a queue"), fault)),
            dead_letters: local.queue(INTAKE_DEAD).expect("a queue"),
            time: Arc::new(ManualTime(clock)),
            keep: Box::new(folder),
        }
    };
    queue_suite(make, capabilities).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_a_queue_are_found() {
    let faults = [
        (
            QueueFault::KeepsWhatIsAcknowledged,
            "ack_of_a_stale_receipt_is_reported",
        ),
        (QueueFault::KeepsWhatIsAcknowledged, "ack_twice_is_harmless"),
        (QueueFault::IgnoresRelease, "release_gives_back_at_once"),
        (QueueFault::IgnoresExtend, "extend_keeps_a_message_hidden"),
        (
            QueueFault::CallsEveryLeaseHeld,
            "extend_of_a_stale_receipt_is_lost",
        ),
        (QueueFault::LeasesForNothing, "lease_hides_until_it_ends"),
        (QueueFault::LeasesForNothing, "eight_receivers_share_nothing"),
        (QueueFault::LosesEveryTenth, "twenty_five_in_one_send"),
        (QueueFault::DropsAttributes, "message_arrives_whole"),
        (QueueFault::CutsBatches, "ack_answers_each_receipt"),
    ];
    for (fault, case) in faults {
        let report = queue_report(fault, &Capabilities::all()).await;
        assert!(blames(&report, case), "`{case}` did not notice: {report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_table_skips_only_what_is_there_and_with_a_reason() {
    let case = "message_arrives_whole";
    let fine = queue_report(QueueFault::None, &Capabilities::all().without(case, "no body")).await;
    assert_eq!(fine.skipped, [(case, "no body".to_owned())]);
    assert!(fine.failed.is_empty(), "{fine}");
    let unknown = queue_report(
        QueueFault::None,
        &Capabilities::all().without("no_such_case", "why"),
    )
    .await;
    assert!(blames(&unknown, "no_such_case"), "{unknown}");
    let silent = queue_report(QueueFault::None, &Capabilities::all().without(case, " ")).await;
    assert!(blames(&silent, case), "{silent}");
}

/// Writes whatever the version.
struct UnconditionalRecords(Arc<dyn Records>);

#[async_trait]
impl Records for UnconditionalRecords {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        self.0.read(id).await
    }

    async fn write(&self, next: &StoredRecord, _: Precondition) -> Result<WriteOutcome, PortError> {
        let mut expect = Precondition::Absent;
        loop {
            match self.0.write(next, expect).await? {
                WriteOutcome::Conflict(Some(now)) => expect = Precondition::Version(now.version),
                WriteOutcome::Conflict(None) => expect = Precondition::Absent,
                committed @ WriteOutcome::Committed(_) => return Ok(committed),
            }
        }
    }

    async fn list(&self, query: &RecordQuery, after: Option<&str>, max: usize) -> Result<Page, PortError> {
        // And pages end one early.
        let mut page = self.0.list(query, after, max).await?;
        page.next = page.next.filter(|_| after.is_none());
        Ok(page)
    }

    async fn result_of(&self, key: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        self.0.result_of(key).await
    }

    async fn keep_result(&self, key: &ResultKey, id: &InspectionId, now: Timestamp) -> Result<(), PortError> {
        // The first one stays.
        match self.0.result_of(key).await? {
            Some(_) => Ok(()),
            None => self.0.keep_result(key, id, now).await,
        }
    }

    async fn put_heartbeat(&self, heartbeat: &Heartbeat) -> Result<(), PortError> {
        self.0.put_heartbeat(heartbeat).await
    }

    async fn heartbeats(&self, _: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        self.0.heartbeats(Timestamp(0)).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_records_are_found() {
    let make = || async {
        let (local, _, folder) = open();
        RecordsUnderTest {
            records: Arc::new(UnconditionalRecords(local.records())),
            keep: Box::new(folder),
        }
    };
    let report = records_suite(make, &Capabilities::all()).await;
    for case in [
        "absent_write_conflicts_with_the_first",
        "wrong_version_conflicts",
        "version_of_nothing_conflicts",
        "twenty_first_writers_have_one_winner",
        "twenty_writers_lose_no_change",
        "vehicle_index_lists_all",
        "heartbeats_since_a_moment",
    ] {
        assert!(blames(&report, case), "`{case}` did not notice: {report}");
    }
}

/// Says that everything is new, and does not check what it downloads.
struct CarelessBlobs(Arc<dyn Blobs>);

#[async_trait]
impl Blobs for CarelessBlobs {
    async fn head(&self, at: &BlobAddress) -> Result<Option<BlobMeta>, PortError> {
        let meta = self.0.head(at).await?;
        Ok(meta.map(|m| BlobMeta { sha256: None, ..m }))
    }

    async fn get_version(&self, at: &BlobAddress, _: &str, bytes_max: u64) -> Result<Vec<u8>, PortError> {
        self.get(at, bytes_max).await
    }

    async fn get(&self, at: &BlobAddress, _: u64) -> Result<Vec<u8>, PortError> {
        self.0.get(at, u64::MAX).await
    }

    async fn put_if_absent(
        &self,
        at: &BlobAddress,
        bytes: &[u8],
        content_type: &str,
    ) -> Result<PutOutcome, PortError> {
        let at = BlobAddress {
            key: at.key.to_lowercase(),
            ..at.clone()
        };
        self.0.put_if_absent(&at, bytes, content_type).await?;
        Ok(PutOutcome::Created)
    }

    async fn download(
        &self,
        at: &BlobAddress,
        _: &[u8; 32],
        into: &std::path::Path,
    ) -> Result<(), PortError> {
        let bytes = self.0.get(at, u64::MAX).await?;
        std::fs::write(into, bytes).expect("written");
        Ok(())
    }

    async fn list(
        &self,
        prefix: &BlobAddress,
        _: Option<&str>,
        max: usize,
    ) -> Result<Vec<String>, PortError> {
        self.0.list(prefix, None, max).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_of_blobs_are_found() {
    let make = || async {
        let (local, _, folder) = open();
        BlobsUnderTest {
            blobs: Arc::new(CarelessBlobs(local.blobs())),
            bucket: "results".to_owned(),
            other_bucket: "photos".to_owned(),
            keep: Box::new(folder),
        }
    };
    let report = blobs_suite(make, &Capabilities::all()).await;
    for case in [
        "blob_reads_back_whole",
        "second_write_changes_nothing",
        "twenty_writers_have_one_winner",
        "twenty_writers_of_the_same_agree",
        "get_is_bounded",
        "download_checks_the_digest",
        "odd_keys_are_kept_apart",
        "listing_has_order_prefix_and_pages",
    ] {
        assert!(blames(&report, case), "`{case}` did not notice: {report}");
    }
}
