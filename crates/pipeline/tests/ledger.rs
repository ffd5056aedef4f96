//! Whoever loses the race for a record compares what the winner wrote with what it was asked for.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use walkaround_domain::identity::Difference;
use walkaround_domain::{
    Event, Inspection, InspectionId, InspectionRequest, Lane, PhotoRef, Timestamp, Verdict,
};
use walkaround_pipeline::ledger::{Entry, Ledger, LedgerError};
use walkaround_ports::{
    Expect, Heartbeat, Page, PortError, RecordQuery, Records, ResultKey, StoredRecord, Written,
};

/// Records in memory; nothing else is asked for.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<InspectionId, StoredRecord>>);

#[async_trait]
impl Records for Memory {
    async fn read(&self, id: &InspectionId) -> Result<Option<StoredRecord>, PortError> {
        Ok(self.0.lock().unwrap().get(id).cloned())
    }
    async fn write(&self, next: &StoredRecord, expect: Expect) -> Result<Written, PortError> {
        let mut all = self.0.lock().unwrap();
        let there = all.get(&next.id).cloned();
        let version = there.as_ref().map_or(0, |r| r.version);
        let wanted = match expect {
            Expect::Absent => 0,
            Expect::Version(version) => version,
        };
        if version != wanted {
            return Ok(Written::Conflict(there));
        }
        let stored = StoredRecord {
            version: version + 1,
            ..next.clone()
        };
        all.insert(next.id.clone(), stored);
        Ok(Written::Committed(version + 1))
    }
    async fn list(&self, _: &RecordQuery, _: Option<&str>, _: usize) -> Result<Page, PortError> {
        panic!("nobody lists")
    }
    async fn result_of(&self, _: &ResultKey) -> Result<Option<InspectionId>, PortError> {
        panic!("nobody asks for a result")
    }
    async fn keep_result(&self, _: &ResultKey, _: &InspectionId, _: Timestamp) -> Result<(), PortError> {
        panic!("nobody keeps a result")
    }
    async fn beat(&self, _: &Heartbeat) -> Result<(), PortError> {
        panic!("nobody beats")
    }
    async fn heartbeats(&self, _: Timestamp) -> Result<Vec<Heartbeat>, PortError> {
        panic!("nobody asks for heartbeats")
    }
}

const NOW: Timestamp = Timestamp(1_795_305_600_000);

fn ledger() -> Ledger {
    Ledger::new(Arc::new(Memory::default()))
}

/// A fresh inspection under one id.
fn fresh(photo: &str, vehicle: Option<&str>, byte: u8) -> Entry {
    let id = InspectionId::new("one").unwrap();
    let mut request = InspectionRequest::of(id, PhotoRef::File(photo.into()));
    request.vehicle_id = vehicle.map(Into::into);
    Entry {
        inspection: Inspection::accepted(request, NOW),
        version: 0,
        fetched: Some([byte; 32]),
    }
}

fn to_gpu() -> Event {
    Event::Route {
        lane: Lane::Gpu,
        reason: "as asked".into(),
    }
}

const DONE: Event = Event::Complete {
    verdict: Verdict::Clean,
};

/// Two messages under one id were read before either had a record: the first one writes, then the second.
async fn second(first: Entry, second: Entry, event: &Event) -> Result<Entry, LedgerError> {
    let ledger = ledger();
    let noted = first.fetched;
    let note = |next: &mut Inspection| next.photo_history.photo_sha256 = noted;
    ledger.apply(first, (event, NOW), &note).await.unwrap();
    Ok(ledger.apply(second, (event, NOW), &|_| {}).await?.0)
}

fn check_other_bytes<T: std::fmt::Debug>(lost: &Result<T, LedgerError>) {
    assert!(
        matches!(lost, Err(LedgerError::Differs(Difference::Bytes))),
        "{lost:?}"
    );
}

#[tokio::test]
async fn another_photo_under_the_id_is_found_when_the_write_loses() {
    for event in [to_gpu(), DONE] {
        let lost = second(fresh("a.jpg", None, 1), fresh("b.jpg", None, 2), &event).await;
        let lost = lost.map(|entry| entry.inspection.request.photo);
        assert!(
            matches!(lost, Err(LedgerError::Differs(Difference::Photo { .. }))),
            "{lost:?}"
        );
    }
}

#[tokio::test]
async fn another_purpose_under_the_id_is_found_when_the_write_loses() {
    let lost = second(
        fresh("a.jpg", Some("v"), 1),
        fresh("a.jpg", Some("w"), 1),
        &to_gpu(),
    )
    .await;
    let lost = lost.map(|entry| entry.inspection.request.vehicle_id);
    assert!(
        matches!(lost, Err(LedgerError::Differs(Difference::Purpose { .. }))),
        "{lost:?}"
    );
}

#[tokio::test]
async fn other_bytes_are_found_when_the_write_loses() {
    for event in [to_gpu(), DONE] {
        let lost = second(fresh("a.jpg", None, 1), fresh("a.jpg", None, 2), &event).await;
        let lost = lost.map(|entry| entry.inspection.photo_history);
        check_other_bytes(&lost);
    }
}

#[tokio::test]
async fn bytes_give_way_to_later_ones_until_something_is_final() {
    let ledger = ledger();
    let (routed, _) = ledger
        .apply(fresh("a.jpg", None, 1), (&to_gpu(), NOW), &|next| {
            next.photo_history.photo_sha256 = Some([1; 32]);
        })
        .await
        .unwrap();
    // A worker fetched other bytes since it read the record, which somebody else only completed meanwhile.
    let mut worker = routed.clone();
    worker.fetched = Some([2; 32]);
    let asked = fresh("a.jpg", Some("v"), 1).inspection.request;
    ledger.join(routed.clone(), &asked, (None, NOW)).await.unwrap();
    let (done, first) = ledger.apply(worker, (&DONE, NOW), &|_| {}).await.unwrap();
    assert!(first && done.inspection.phase.is_final());
    // One that read the record after that, and fetched what was there before, changes nothing and is told so.
    let mut late = done;
    late.inspection.photo_history.photo_sha256 = Some([2; 32]);
    late.fetched = Some([1; 32]);
    let lost = ledger.apply(late, (&DONE, NOW), &|_| {}).await;
    check_other_bytes(&lost);
}

#[tokio::test]
async fn a_look_that_began_before_other_bytes_were_noted_does_not_replace_them() {
    let ledger = ledger();
    let slow = fresh("a.jpg", None, 1);
    ledger
        .apply(fresh("a.jpg", None, 2), (&to_gpu(), NOW), &|next| {
            next.photo_history.photo_sha256 = Some([2; 32]);
        })
        .await
        .unwrap();
    let lost = ledger.apply(slow, (&DONE, NOW), &|_| {}).await;
    check_other_bytes(&lost);
}

#[tokio::test]
async fn a_result_answers_no_request_that_was_sent_after_the_one_it_was_made_for() {
    let ledger = ledger();
    let early = fresh("a.jpg", None, 1);
    let mut later = fresh("a.jpg", None, 1);
    later.inspection.accepted_at = Timestamp(NOW.0 + 5000);
    let failed = Event::Start { alone: false };
    ledger.apply(later, (&failed, NOW), &|_| {}).await.unwrap();
    let (done, _) = ledger.apply(early, (&DONE, NOW), &|_| {}).await.unwrap();
    assert_eq!(done.inspection.accepted_at, NOW);
    assert!(!done.inspection.has_bytes_of(Timestamp(NOW.0 + 5000)));
}

#[tokio::test]
async fn what_the_loser_adds_completes_the_winner_s_inspection() {
    let stands = second(fresh("a.jpg", None, 1), fresh("a.jpg", Some("v"), 1), &DONE)
        .await
        .unwrap();
    assert_eq!(stands.inspection.request.vehicle_id.as_deref(), Some("v"));
    assert_eq!(
        stands.inspection.event_id().as_deref(),
        Some("one.done.completed-1")
    );
    assert_eq!(
        stands.inspection.published_at, None,
        "it is to be published again"
    );
    assert_eq!(stands.version, 2);
}

#[tokio::test]
async fn an_event_that_is_out_marks_no_later_one_as_published() {
    let ledger = ledger();
    let (done, _) = ledger
        .apply(fresh("a.jpg", None, 1), (&DONE, NOW), &|_| {})
        .await
        .unwrap();
    let asked = fresh("a.jpg", Some("v"), 1).inspection.request;
    ledger.join(done.clone(), &asked, (None, NOW)).await.unwrap();
    // The event of before goes out only now.
    ledger.mark_published(done.clone(), NOW).await.unwrap();
    let id = &done.inspection.request.id;
    let stands = ledger.read(id).await.unwrap().unwrap();
    assert_eq!(stands.inspection.published_at, None);
    ledger.mark_published(stands, NOW).await.unwrap();
    let stands = ledger.read(id).await.unwrap().unwrap();
    assert_eq!(stands.inspection.published_at, Some(NOW));
}

#[tokio::test]
async fn a_comparison_stands_on_the_record_and_only_a_later_request_changes_it() {
    let ledger = ledger();
    let (done, _) = ledger
        .apply(fresh("a.jpg", None, 1), (&DONE, NOW), &|_| {})
        .await
        .unwrap();
    let (id, own) = (
        done.inspection.request.id.clone(),
        InspectionId::new("two").unwrap(),
    );
    let sent = |seconds: u64| Timestamp(NOW.0 + seconds * 1000);
    ledger.compared(&id, &own, (sent(5), NOW)).await.unwrap();
    let asked = done.inspection.request;
    let entry = ledger.read(&id).await.unwrap().unwrap();
    let same = ledger.join(entry, &asked, (Some(sent(4)), NOW)).await.unwrap();
    assert_eq!(same.inspection.photo_history.other_bytes, Some(own));
    assert_eq!(same.inspection.seen_at(), sent(5));
    let later = ledger.join(same, &asked, (Some(sent(6)), NOW)).await.unwrap();
    assert_eq!(
        later.inspection.photo_history.other_bytes, None,
        "it has these bytes again"
    );
}
