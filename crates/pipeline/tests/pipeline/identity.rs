//! Which inspection a request is for.

use crate::support::{Bench, CLEAN, Fetch, delivery, request};
use std::time::Duration;
use walkaround_domain::identity::Difference;
use walkaround_domain::{InspectionRequest, Phase, PhotoRef};
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::processor::{Attempt, PhotoRequest, ProcessingError};
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_ports::PortErrorKind;

impl Bench {
    async fn inspect(&self) {
        let worker = Segmentation {
            processor: self.processor(),
        };
        let (_trigger, never) = shutdown_signal();
        let handled = worker.handle(&delivery("one", 1, &self.clock), &never).await;
        assert_eq!(handled, Disposition::Ack);
    }
}

/// A photo with an id that was derived from it, of an object whose store knows its version.
#[tokio::test]
async fn an_object_is_identified_by_what_its_store_knows() {
    let s3 = PhotoRef::S3 {
        bucket: "b".into(),
        key: "k".into(),
        version: None,
    };
    let known = walkaround_ports::KnownContent {
        version: Some("v1".into()),
        ..walkaround_ports::KnownContent::default()
    };
    let id = walkaround_messages::base_id(&s3, None);
    let asked = InspectionRequest::of(id.clone(), s3);
    let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
    let processor = bench.processor();
    let message = delivery("one", 1, &bench.clock);
    let attempt = Attempt::new(&message, Duration::ZERO);

    let mut unknown = PhotoRequest::new(asked.clone(), &attempt);
    processor.identify(&mut unknown).await.unwrap();
    assert_eq!(unknown.request, asked, "nothing is known");

    *bench.world.known.lock().unwrap() = Some(known);
    let mut at = PhotoRequest::new(asked.clone(), &attempt);
    processor.identify(&mut at).await.unwrap();
    assert_ne!(at.request.id, id);
    assert!(matches!(&at.request.photo, PhotoRef::S3 { version: Some(version), .. } if version == "v1"));

    for fails in [
        Fetch::NotFound,
        Fetch::Forbidden,
        Fetch::Port(PortErrorKind::Corrupt),
    ] {
        *bench.world.identify_fails.lock().unwrap() = Some(fails);
        let mut at = PhotoRequest::new(asked.clone(), &attempt);
        processor.identify(&mut at).await.unwrap();
        assert_eq!(at.request, asked, "{fails:?}: found out when it is fetched");
    }
    for fails in [Fetch::Fails, Fetch::Port(PortErrorKind::Unavailable)] {
        *bench.world.identify_fails.lock().unwrap() = Some(fails);
        let mut at = PhotoRequest::new(asked.clone(), &attempt);
        let error = processor.identify(&mut at).await;
        assert!(
            matches!(error, Err(ProcessingError::StoreUnavailable(_))),
            "{fails:?}"
        );
    }
}

#[tokio::test]
async fn a_contradiction_gets_an_id_of_its_own_only_where_the_id_was_derived_from_the_photo() {
    let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
    let message = delivery("one", 1, &bench.clock);
    let attempt = Attempt::new(&message, Duration::ZERO);
    let purpose = || Difference::Purpose {
        part: "vehicle",
        stored: "v".into(),
        asked: "w".into(),
    };
    let mut given = PhotoRequest::new(request("one"), &attempt);
    assert!(given.part_ways(purpose()).is_err(), "the caller gave the id");
    let photo = PhotoRef::File("one".into());
    let id = walkaround_messages::base_id(&photo, None);
    let mut derived = PhotoRequest::new(InspectionRequest::of(id.clone(), photo), &attempt);
    assert!(derived.part_ways(Difference::Bytes).is_ok());
    assert_eq!(derived.request.id, id, "it is fetched once more");
    assert!(derived.part_ways(purpose()).is_ok());
    assert_ne!(derived.request.id, id);
    let processor = bench.processor();
    let inspector = processor.inspector.get();
    processor.fetch(&inspector, &mut derived).await.unwrap();
    assert!(derived.part_ways(Difference::Bytes).is_ok());
    processor.note_other_bytes(&derived).await.unwrap();
}

#[tokio::test]
async fn a_failure_of_a_photo_that_has_a_result_changes_nothing() {
    // The id is derived: the photo is fetched again to be compared with the stored result. One that is gone may be about to be
    // replaced.
    for (fetch, disposition_is_ack) in [
        (Fetch::Malformed, true),
        (Fetch::Forbidden, true),
        (Fetch::NotFound, false),
        (Fetch::Denied, false),
        (Fetch::Fails, false),
    ] {
        let bench = Bench::new(&[fetch]);
        let processor = bench.processor();
        let message = delivery("one", 1, &bench.clock);
        let attempt = Attempt::new(&message, Duration::ZERO);
        let good = Bench::new(&[Fetch::Picture(CLEAN)]);
        good.inspect().await;
        *bench.world.records.lock().unwrap() = good.world.records.lock().unwrap().clone();
        let mut at = PhotoRequest::new(request("one"), &attempt);
        let inspector = processor.inspector.get();
        let error = processor.fetch(&inspector, &mut at).await.unwrap_err();
        let handled = processor.handle_error(error, request("one"), &attempt).await;
        assert_eq!(handled == Disposition::Ack, disposition_is_ack, "{fetch:?}");
        let phase = bench.world.inspection("one").unwrap().phase;
        assert!(matches!(phase, Phase::Done { .. }), "{phase:?}");
    }
}
