//! A writer that loses the race for a record compares what the winner wrote with its own request.

use crate::support::{self, World};
use std::sync::Arc;
use walkaround_domain::identity::Difference;
use walkaround_domain::{
    Event, Inspection, InspectionId, InspectionRequest, Lane, PhotoRef, Timestamp, Verdict,
};
use walkaround_pipeline::store::{
    Advanced, BytesConflict, InspectionStore, InspectionStoreError, VersionedInspection,
};
use walkaround_ports::PortErrorKind;

const NOW: Timestamp = Timestamp(1_795_305_600_000);

fn store() -> InspectionStore {
    support::store(&Arc::default())
}

/// A fresh inspection under one id.
fn fresh(photo: &str, vehicle: Option<&str>, byte: u8) -> VersionedInspection {
    let id = InspectionId::new("one").unwrap();
    let mut request = InspectionRequest::of(id, PhotoRef::File(photo.into()));
    request.vehicle_id = vehicle.map(Into::into);
    VersionedInspection {
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
async fn write_second(
    first: VersionedInspection,
    second: VersionedInspection,
    event: &Event,
) -> Result<VersionedInspection, InspectionStoreError> {
    let store = store();
    let noted = first.fetched;
    let note = |next: &mut Inspection| next.photo_history.photo_sha256 = noted;
    store.advance_with(first, event, NOW, &note).await.unwrap();
    Ok(store.advance(second, event, NOW).await?.entry)
}

fn assert_bytes_differ<T: std::fmt::Debug>(lost: &Result<T, InspectionStoreError>) {
    assert!(
        matches!(lost, Err(InspectionStoreError::Differs(Difference::Bytes))),
        "{lost:?}"
    );
}

#[tokio::test]
async fn another_photo_under_the_id_is_found_when_the_write_loses() {
    for event in [to_gpu(), DONE] {
        let lost = write_second(fresh("a.jpg", None, 1), fresh("b.jpg", None, 2), &event).await;
        let lost = lost.map(|entry| entry.inspection.request.photo);
        assert!(
            matches!(lost, Err(InspectionStoreError::Differs(Difference::Photo { .. }))),
            "{lost:?}"
        );
    }
}

#[tokio::test]
async fn another_purpose_under_the_id_is_found_when_the_write_loses() {
    let lost = write_second(
        fresh("a.jpg", Some("v"), 1),
        fresh("a.jpg", Some("w"), 1),
        &to_gpu(),
    )
    .await;
    let lost = lost.map(|entry| entry.inspection.request.vehicle_id);
    assert!(
        matches!(
            lost,
            Err(InspectionStoreError::Differs(Difference::Purpose { .. }))
        ),
        "{lost:?}"
    );
}

#[tokio::test]
async fn other_bytes_are_found_when_the_write_loses() {
    for event in [to_gpu(), DONE] {
        let lost = write_second(fresh("a.jpg", None, 1), fresh("a.jpg", None, 2), &event).await;
        let lost = lost.map(|entry| entry.inspection.photo_history);
        assert_bytes_differ(&lost);
    }
}

#[tokio::test]
async fn later_bytes_replace_earlier_ones_until_the_inspection_is_final() {
    let store = store();
    let routed = store
        .advance_with(fresh("a.jpg", None, 1), &to_gpu(), NOW, &|next| {
            next.photo_history.photo_sha256 = Some([1; 32]);
        })
        .await
        .unwrap()
        .entry;
    // A worker fetched other bytes after it read the record, which another writer has only completed meanwhile.
    let mut worker = routed.clone();
    worker.fetched = Some([2; 32]);
    let asked = fresh("a.jpg", Some("v"), 1).inspection.request;
    store.join(routed.clone(), &asked, None, NOW).await.unwrap();
    let Advanced { entry: done, changed } = store.advance(worker, &DONE, NOW).await.unwrap();
    assert!(changed && done.inspection.phase.is_final());
    // A writer that read the record after that, and fetched the earlier bytes, changes nothing and gets an error.
    let mut late = done;
    late.inspection.photo_history.photo_sha256 = Some([2; 32]);
    late.fetched = Some([1; 32]);
    let lost = store.advance(late, &DONE, NOW).await;
    assert_bytes_differ(&lost);
}

#[tokio::test]
async fn an_attempt_that_began_before_other_bytes_were_stored_does_not_replace_them() {
    let store = store();
    let slow = fresh("a.jpg", None, 1);
    store
        .advance_with(fresh("a.jpg", None, 2), &to_gpu(), NOW, &|next| {
            next.photo_history.photo_sha256 = Some([2; 32]);
        })
        .await
        .unwrap();
    let lost = store.advance(slow, &DONE, NOW).await;
    assert_bytes_differ(&lost);
}

#[tokio::test]
async fn a_result_is_not_valid_for_requests_sent_after_the_one_that_it_was_made_for() {
    let store = store();
    let early = fresh("a.jpg", None, 1);
    let mut later = fresh("a.jpg", None, 1);
    later.inspection.accepted_at = Timestamp(NOW.0 + 5000);
    let failed = Event::Start { alone: false };
    store.advance(later, &failed, NOW).await.unwrap();
    let done = store.advance(early, &DONE, NOW).await.unwrap().entry;
    assert_eq!(done.inspection.accepted_at, NOW);
    assert!(!done.inspection.has_bytes_of(Timestamp(NOW.0 + 5000)));
}

#[tokio::test]
async fn what_the_second_request_adds_completes_the_first_one_s_inspection() {
    let stands = write_second(fresh("a.jpg", None, 1), fresh("a.jpg", Some("v"), 1), &DONE)
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
async fn publishing_an_event_does_not_mark_a_later_one_as_published() {
    let store = store();
    let done = store
        .advance(fresh("a.jpg", None, 1), &DONE, NOW)
        .await
        .unwrap()
        .entry;
    let asked = fresh("a.jpg", Some("v"), 1).inspection.request;
    store.join(done.clone(), &asked, None, NOW).await.unwrap();
    // The earlier event is published only now.
    store.mark_published(done.clone(), NOW).await.unwrap();
    let id = &done.inspection.request.id;
    let stands = store.read(id).await.unwrap().unwrap();
    assert_eq!(stands.inspection.published_at, None);
    store.mark_published(stands, NOW).await.unwrap();
    let stands = store.read(id).await.unwrap().unwrap();
    assert_eq!(stands.inspection.published_at, Some(NOW));
}

#[tokio::test]
async fn a_comparison_of_bytes_is_stored_and_only_a_later_request_changes_it() {
    let store = store();
    let done = store
        .advance(fresh("a.jpg", None, 1), &DONE, NOW)
        .await
        .unwrap()
        .entry;
    let id = done.inspection.request.id.clone();
    let own = InspectionId::new("two").unwrap();
    let conflict = BytesConflict {
        stored: id.clone(),
        own: own.clone(),
    };
    let sent = |seconds: u64| Timestamp(NOW.0 + seconds * 1000);
    store.record_other_bytes(&conflict, sent(5), NOW).await.unwrap();
    let asked = done.inspection.request;
    let entry = store.read(&id).await.unwrap().unwrap();
    let same = store.join(entry, &asked, Some(sent(4)), NOW).await.unwrap();
    assert_eq!(same.inspection.photo_history.other_bytes, Some(own));
    assert_eq!(same.inspection.seen_at(), sent(5));
    let later = store.join(same, &asked, Some(sent(6)), NOW).await.unwrap();
    assert_eq!(
        later.inspection.photo_history.other_bytes, None,
        "it has these bytes again"
    );
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_corrupt() {
    let world = Arc::default();
    let store = support::store(&world);
    let entry = store
        .advance(fresh("a.jpg", None, 1), &DONE, NOW)
        .await
        .unwrap()
        .entry;
    let id = entry.inspection.request.id;
    world.records.lock().unwrap().get_mut(&id).unwrap().body = "{".to_owned();
    let error = store.read(&id).await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Corrupt);
}

#[tokio::test]
async fn a_record_that_is_deleted_meanwhile_is_written_again() {
    let world: Arc<World> = Arc::default();
    let store = support::store(&world);
    let entry = store
        .advance(fresh("a.jpg", None, 1), &to_gpu(), NOW)
        .await
        .unwrap()
        .entry;
    world.records.lock().unwrap().clear();
    let again = store.advance(entry, &DONE, NOW).await.unwrap();
    assert!(again.changed);
    assert_eq!(again.entry.version, 1);
}
