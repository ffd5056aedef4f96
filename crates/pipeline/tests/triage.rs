//! Triage where messages come again: what was sent to the GPU lane, and photos that changed under their name.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod support;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use support::{Fetch, World, delivery, processor, queue, state};
use walkaround_conformance::ManualClock;
use walkaround_domain::routing::RoutingPolicy;
use walkaround_domain::{InspectionRequest, Phase, PhotoRef};
use walkaround_messages::{base_id, request_json};
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::invocation::InvocationDeadline;
use walkaround_pipeline::lane_monitor::{LaneMonitor, LaneMonitorSettings, Lanes};
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_pipeline::triage::{InlineSegmentationCost, Triage};
use walkaround_ports::{Clock, Delivery, REDRIVEN};

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
            inline_segmentation: InlineSegmentationCost::Never,
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
async fn a_photo_on_its_way_is_sent_again_for_a_redriven_message_not_for_another_request() {
    let bench = Bench::new(&[SUSPECT]);
    assert_eq!(
        bench.handle(&delivery("one", 1, &bench.clock)).await,
        Disposition::Ack
    );
    assert_eq!(bench.sent(), 1);
    bench.clock.advance(Duration::from_secs(60));
    // Another request: the first one's message is there to be sent again, should its sending have been lost.
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
async fn a_result_whose_event_was_never_out_is_told_by_its_message_though_the_photo_changed() {
    let bench = Bench::new(&[DARK_GREY, GREY]);
    let photo = PhotoRef::File("one".into());
    let id = base_id(&photo, None);
    let mut message = delivery("one", 1, &bench.clock);
    message.body = request_json(&InspectionRequest::of(id.clone(), photo));
    bench.world.topic_away.store(true, Ordering::SeqCst);
    assert!(matches!(bench.handle(&message).await, Disposition::Retry(_)));
    let done = bench.world.inspection(id.as_str()).unwrap();
    assert!(matches!(done.phase, Phase::Done { .. }) && done.published_at.is_none());
    // Parked, sent back, and by now the photo has other bytes.
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
