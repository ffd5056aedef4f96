//! Triage: the lane of a photo, redelivered messages, and photos that changed under their name.

use crate::support::{CLEAN, DAMAGED, Fetch, NO_VEHICLE, World, delivery, processor, queue, request, state};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::lane::LaneState;
use walkaround_domain::routing::RoutingPolicy;
use walkaround_domain::{InspectionRequest, Lane, Phase, PhotoRef, Verdict};
use walkaround_messages::{LANE_STATE, base_id, lane_state_body, request_json};
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::invocation::InvocationDeadline;
use walkaround_pipeline::lane_monitor::{LaneMonitor, LaneMonitorSettings, Lanes};
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_pipeline::take_back::TAKEN_BACK_ATTRIBUTE;
use walkaround_pipeline::triage::{InlineSegmentationCost, Triage};
use walkaround_ports::{Clock, Delivery, PARKED_REASON, REDRIVEN};

const DARK_GREY: Fetch = Fetch::Picture(120);
const GREY: Fetch = Fetch::Picture(140);
const SUSPECT: Fetch = Fetch::Picture(200);

struct Bench {
    world: Arc<World>,
    lane: Arc<World>,
    clock: Arc<ManualClock>,
    triage: Triage,
}

impl Bench {
    fn new(fetches: &[Fetch]) -> Self {
        Self::with(fetches, InlineSegmentationCost::Never)
    }

    fn with(fetches: &[Fetch], inline_segmentation: InlineSegmentationCost) -> Self {
        let (world, lane): (Arc<World>, Arc<World>) = Default::default();
        let clock = Arc::new(ManualClock::new());
        world.photo("one", fetches);
        let lanes = Lanes {
            intake: queue(&world),
            state: state(&world),
        };
        let time = Arc::clone(&clock) as Arc<dyn Clock>;
        let triage = Triage {
            processor: processor(&world, &clock).0,
            segmentation: queue(&lane),
            lane_monitor: Arc::new(LaneMonitor::new(lanes, time, LaneMonitorSettings::default())),
            routing: RoutingPolicy::default(),
            inline_segmentation,
            end: InvocationDeadline::never(),
        };
        Self {
            world,
            lane,
            clock,
            triage,
        }
    }

    async fn handle(&self, delivery: &Delivery) -> Disposition {
        let (_stopper, never) = shutdown_signal();
        self.triage.handle(delivery, &never).await
    }

    /// Messages sent to the GPU lane so far.
    fn sent(&self) -> usize {
        self.lane.parked.lock().unwrap().len()
    }
}

#[tokio::test]
async fn a_photo_in_the_gpu_lane_is_sent_again_for_a_redriven_message_not_for_another_request() {
    let bench = Bench::new(&[SUSPECT]);
    assert_eq!(
        bench.handle(&delivery("one", 1, &bench.clock)).await,
        Disposition::Ack
    );
    assert_eq!(bench.sent(), 1);
    bench.clock.advance(Duration::from_secs(60));
    // Another request: the first message is still there, to send the photo again if that was lost.
    let mut later = delivery("one", 1, &bench.clock);
    assert_eq!(bench.handle(&later).await, Disposition::Ack);
    assert_eq!(bench.sent(), 1);
    later.attributes.insert(REDRIVEN.into(), "true".into());
    assert_eq!(bench.handle(&later).await, Disposition::Ack);
    assert_eq!(bench.sent(), 2);
    assert_eq!(
        bench.handle(&delivery("one", 2, &bench.clock)).await,
        Disposition::Ack
    );
    assert_eq!(bench.sent(), 3);
}

#[tokio::test]
async fn an_unpublished_event_is_published_by_its_message_even_if_the_photo_changed() {
    let bench = Bench::new(&[DARK_GREY, GREY]);
    let photo = PhotoRef::File("one".into());
    let id = base_id(&photo, None);
    let mut message = delivery("one", 1, &bench.clock);
    message.body = request_json(&InspectionRequest::of(id.clone(), photo));
    bench.world.topic_away.store(true, Ordering::SeqCst);
    assert!(matches!(bench.handle(&message).await, Disposition::Retry(_)));
    let done = bench.world.inspection(id.as_str()).unwrap();
    assert!(matches!(done.phase, Phase::Done { .. }) && done.published_at.is_none());
    // Parked and redriven, and by now the photo has other bytes.
    bench.world.topic_away.store(false, Ordering::SeqCst);
    bench.clock.advance(Duration::from_secs(3600));
    message.sent_at = bench.clock.now();
    assert_eq!(bench.handle(&message).await, Disposition::Ack);
    let before = bench.world.inspection(id.as_str()).unwrap();
    let own = before.photo_history.other_bytes.clone().unwrap();
    assert!(before.published_at.is_some());
    let events = bench.world.events.lock().unwrap().clone();
    assert_eq!(events, [format!("{id}.done"), format!("{own}.done")]);
}

/// Where a photo ends.
#[derive(Debug, PartialEq)]
enum End {
    Done(Verdict, Option<Lane>),
    SentToGpu,
}

struct LaneCase {
    name: &'static str,
    fetch: Fetch,
    inline: fn() -> InlineSegmentationCost,
    /// The state of the GPU lane, if there is one.
    lane: Option<LaneState>,
    taken_back: bool,
    end: End,
}

impl Default for LaneCase {
    fn default() -> Self {
        Self {
            name: "",
            fetch: Fetch::Picture(DAMAGED),
            inline: || InlineSegmentationCost::Known(Duration::from_millis(400)),
            lane: None,
            taken_back: false,
            end: End::Done(Verdict::Damaged, Some(Lane::Inline)),
        }
    }
}

fn warm() -> LaneState {
    LaneState {
        workers_max: 4,
        live: 4,
        rate_per_worker: Some(1000.0),
        ..LaneState::default()
    }
}

fn lane_cases() -> Vec<LaneCase> {
    let never = || InlineSegmentationCost::Never;
    vec![
        LaneCase {
            name: "unusable",
            fetch: Fetch::Garbage,
            end: End::Done(Verdict::Unusable, None),
            ..LaneCase::default()
        },
        LaneCase {
            name: "no vehicle",
            fetch: Fetch::Picture(NO_VEHICLE),
            end: End::Done(Verdict::Unusable, None),
            ..LaneCase::default()
        },
        LaneCase {
            name: "clean",
            fetch: Fetch::Picture(CLEAN),
            end: End::Done(Verdict::Clean, None),
            ..LaneCase::default()
        },
        LaneCase {
            name: "the state of the lane is unknown",
            ..LaneCase::default()
        },
        LaneCase {
            name: "the cost is measured at the first suspect photo",
            inline: InlineSegmentationCost::when_asked,
            ..LaneCase::default()
        },
        LaneCase {
            name: "no segmenters in this process",
            inline: never,
            end: End::SentToGpu,
            ..LaneCase::default()
        },
        LaneCase {
            name: "warm workers are cheaper",
            lane: Some(warm()),
            end: End::SentToGpu,
            ..LaneCase::default()
        },
        LaneCase {
            name: "taken back from the lane",
            lane: Some(warm()),
            taken_back: true,
            ..LaneCase::default()
        },
        LaneCase {
            name: "taken back, but no segmenters here",
            inline: never,
            taken_back: true,
            end: End::SentToGpu,
            ..LaneCase::default()
        },
    ]
}

#[tokio::test]
async fn the_lane_of_a_photo() {
    for case in lane_cases() {
        let bench = Bench::with(&[case.fetch], (case.inline)());
        if let Some(lane) = case.lane {
            let lane = LaneState {
                at: bench.clock.now(),
                ..lane
            };
            let mut documents = bench.world.documents.lock().unwrap();
            documents.insert(LANE_STATE.to_owned(), lane_state_body(&lane));
        }
        let mut message = delivery("one", 1, &bench.clock);
        if case.taken_back {
            message.attributes.insert(TAKEN_BACK_ATTRIBUTE.into(), "0".into());
        }
        assert_eq!(bench.handle(&message).await, Disposition::Ack, "{}", case.name);
        let inspection = bench.world.inspection("one").unwrap();
        let end = match inspection.phase {
            Phase::Done { verdict } => End::Done(verdict, inspection.route.map(|(lane, _)| lane)),
            Phase::Routed { lane: Lane::Gpu, .. } => End::SentToGpu,
            phase => panic!("{}: {phase:?}", case.name),
        };
        assert_eq!(end, case.end, "{}", case.name);
        assert_eq!(bench.sent(), usize::from(end == End::SentToGpu), "{}", case.name);
    }
}

#[tokio::test]
async fn a_photo_in_a_lane_without_workers_is_segmented_here_instead() {
    let bench = Bench::with(
        &[SUSPECT],
        InlineSegmentationCost::Known(Duration::from_millis(400)),
    );
    let put = |workers_max| {
        let lane = LaneState {
            at: bench.clock.now(),
            workers_max,
            live: workers_max,
            rate_per_worker: Some(1000.0),
            ..LaneState::default()
        };
        let mut documents = bench.world.documents.lock().unwrap();
        documents.insert(LANE_STATE.to_owned(), lane_state_body(&lane));
    };
    put(4);
    bench.handle(&delivery("one", 1, &bench.clock)).await;
    assert_eq!(bench.sent(), 1);
    bench.clock.advance(Duration::from_secs(10));
    put(0);
    assert_eq!(
        bench.handle(&delivery("one", 2, &bench.clock)).await,
        Disposition::Ack
    );
    let inspection = bench.world.inspection("one").unwrap();
    assert!(
        matches!(
            inspection.phase,
            Phase::Done {
                verdict: Verdict::Clean
            }
        ),
        "{:?}",
        inspection.phase
    );
    assert_eq!((bench.sent(), inspection.route.unwrap().0), (1, Lane::Inline));
}

#[tokio::test]
async fn a_photo_that_cannot_be_sent_to_the_lane_is_sent_by_the_next_delivery() {
    let faults: [fn(&World) -> &AtomicBool; 2] = [|lane| &lane.queue_away, |lane| &lane.queue_refuses];
    for fault in faults {
        let bench = Bench::new(&[SUSPECT]);
        fault(&bench.lane).store(true, Ordering::SeqCst);
        let handled = bench.handle(&delivery("one", 1, &bench.clock)).await;
        assert!(matches!(handled, Disposition::Retry(delay) if !delay.is_zero()));
        fault(&bench.lane).store(false, Ordering::SeqCst);
        assert_eq!(
            bench.handle(&delivery("one", 2, &bench.clock)).await,
            Disposition::Ack
        );
        assert_eq!(bench.sent(), 1);
    }
}

/// A message without a photo of its own.
struct MessageCase {
    body: &'static str,
    disposition: Disposition,
    recorded: &'static str,
}

#[tokio::test]
async fn messages_without_a_photo_are_acknowledged_and_unreadable_ones_are_parked() {
    let cases = [
        MessageCase {
            body: r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b","Time":"2026-11-22T00:00:00Z"}"#,
            disposition: Disposition::Ack,
            recorded: "no photo",
        },
        MessageCase {
            body: "no JSON",
            disposition: Disposition::Ack,
            recorded: "parked",
        },
    ];
    for case in cases {
        let bench = Bench::new(&[SUSPECT]);
        let message = Delivery {
            body: case.body.to_owned(),
            ..delivery("one", 1, &bench.clock)
        };
        assert_eq!(bench.handle(&message).await, case.disposition);
        let recorded = bench.world.recorded.lock().unwrap().clone();
        assert!(recorded[0].starts_with(case.recorded), "{recorded:?}");
    }
}

#[tokio::test]
async fn another_purpose_is_another_inspection_and_a_given_id_is_parked() {
    let bench = Bench::new(&[Fetch::Picture(CLEAN)]);
    let photo = PhotoRef::File("one".into());
    let asked = |id: Option<&str>, vehicle: &str| InspectionRequest {
        vehicle_id: Some(vehicle.to_owned()),
        ..match id {
            Some(id) => request(id),
            None => InspectionRequest::of(base_id(&photo, None), photo.clone()),
        }
    };
    let message = |request: &InspectionRequest| Delivery {
        body: request_json(request),
        ..delivery("one", 1, &bench.clock)
    };
    for vehicle in ["v", "w"] {
        let handled = bench.handle(&message(&asked(None, vehicle))).await;
        assert_eq!(handled, Disposition::Ack);
    }
    assert_eq!(bench.world.records.lock().unwrap().len(), 2);
    bench.handle(&message(&asked(Some("one"), "v"))).await;
    bench.handle(&message(&asked(Some("one"), "w"))).await;
    let parked = bench.world.parked.lock().unwrap();
    let reason = &parked[0].attributes[PARKED_REASON];
    assert!(reason.contains("another purpose needs another id"), "{reason}");
}

#[tokio::test]
async fn a_shutdown_returns_messages_that_have_not_begun() {
    let bench = Bench::new(&[SUSPECT]);
    let (trigger, stop) = shutdown_signal();
    trigger.stop();
    let handled = bench
        .triage
        .handle(&delivery("one", 1, &bench.clock), &stop)
        .await;
    assert_eq!(handled, Disposition::Retry(Duration::ZERO));
    assert!(bench.world.inspection("one").is_none() && bench.sent() == 0);
}
