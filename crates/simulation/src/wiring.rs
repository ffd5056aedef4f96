//! What the binaries do in `main`: the real handlers, put together on ports with trouble.

use crate::context::Context;
use crate::engine::SimEngine;
use crate::faulty::{Process, around};
use crate::injected_fault::InjectedFault;
use crate::plan::LaneFate;
use crate::planted_bundle::PlantedBundle;
use crate::stores::SimClock;
use crate::watched::Watched;
use crate::world::World;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_domain::routing::RoutingPolicy;
use walkaround_domain::scaling::{BackOffPolicy, ScalingPolicy, WorkerEnd};
use walkaround_pipeline::consumer::{Consumer, ConsumerSettings, Handler, Progress};
use walkaround_pipeline::heartbeat::{HeartbeatReporter, WorkerIdentity};
use walkaround_pipeline::inspection::InspectionSettings;
use walkaround_pipeline::inspector::{
    ActiveInspector, BatchingPolicy, Compute, EngineMonitor, Inspector, InspectorSettings,
};
use walkaround_pipeline::invocation::InvocationDeadline;
use walkaround_pipeline::lane_monitor::{LaneMonitor, LaneMonitorSettings, Lanes};
use walkaround_pipeline::processor::{Isolation, RequestProcessor};
use walkaround_pipeline::retry::{Jitter, RetryPolicy};
use walkaround_pipeline::scaler::{Patience, Scaler, ScalerPolicy};
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::settle::Settler;
use walkaround_pipeline::store::InspectionStore;
use walkaround_pipeline::telemetry::NoopTelemetry;
use walkaround_pipeline::triage::{InlineSegmentationCost, Triage};
use walkaround_ports::{Clock, Queue, WorkerJob, WorkerJobState};
use walkaround_vision::decode::Limits;
use walkaround_vision::overlay::OverlayStyle;

/// A worker without work ends after this.
const IDLE_EXIT: Duration = Duration::from_secs(30);
/// Assumed rate of a worker, in photos per second, until it has reported one.
const RATE_GUESS: f64 = 0.2;
/// From asking for a worker to its first photo, as triage reckons.
const COLD_START: Duration = Duration::from_secs(30);
/// From asking for a worker to its first heartbeat, at most.
const START_GRACE: Duration = Duration::from_secs(90);
/// Time between two heartbeats.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// Triage uses a reading of the lanes for this long.
const LANE_CACHE: Duration = Duration::from_secs(2);
/// A worker whose last heartbeat is older is ended.
const STALE_AFTER: Duration = Duration::from_secs(45);
/// Time between two ticks of a scaler.
pub(crate) const TICK_EVERY: Duration = Duration::from_secs(10);

pub(crate) fn clock(context: &Arc<Context>) -> Arc<dyn Clock> {
    Arc::new(SimClock::new(context))
}

fn processor(
    world: &World,
    process: &Arc<Process>,
    role: &'static str,
    clock: &Arc<dyn Clock>,
) -> RequestProcessor {
    let (context, plan) = (&world.context, &world.context.plan);
    let device = if plan.devices_differ {
        context.rng().f32() / 100.0
    } else {
        0.0
    };
    let engine = Box::new(SimEngine {
        context: Arc::clone(context),
        role,
        sick: context.chance(plan.sick_engines),
        device,
        planted: None,
    });
    let inspector = ActiveInspector::new(Inspector::new(
        engine,
        inspector_settings(process),
        Arc::clone(clock),
    ));
    if let Some(canary) = &world.canary {
        canary.joins(&inspector, canary_networks(process, canary.planted, clock));
    }
    RequestProcessor {
        source: around(process, &world.photos, ""),
        inspector,
        settler: Settler {
            store: InspectionStore::new(around(process, &world.records, "")),
            blobs: around(process, &world.blobs, ""),
            reviews: around(process, &world.reviews, ""),
            publisher: around(process, &world.publisher, ""),
            clock: Arc::clone(clock),
            bucket: "results".into(),
            worker: process.name.clone(),
        },
        dead: around(process, &world.dead, "dead"),
        retry: RetryPolicy {
            attempts_max: plan.attempts_max,
            delay_first: Duration::from_secs(2),
            delay_max: Duration::from_secs(60),
            host_delay_max: Duration::from_secs(60),
        },
        jitter: Arc::new(Jitter::seeded(context.rng().u64(..))),
        photo_bytes_max: 1 << 20,
        isolation: Isolation::default(),
        progress: Arc::new(Progress::default()),
        telemetry: Arc::new(NoopTelemetry),
        drain_budget: plan.drain_budget,
        queue_name: role,
        shadow: world
            .shadow
            .clone()
            .or_else(|| Some(world.canary.as_ref()?.feed.clone())),
    }
}

/// A planted canary's networks, whose failures end no process.
fn canary_networks(process: &Arc<Process>, planted: PlantedBundle, clock: &Arc<dyn Clock>) -> Inspector {
    let engine = SimEngine {
        context: Arc::clone(&process.context),
        role: "canary",
        sick: false,
        device: 0.0,
        planted: Some((planted, Arc::clone(process))),
    };
    let settings = InspectorSettings {
        monitor: EngineMonitor::new(),
        ..inspector_settings(process)
    };
    Inspector::new(Box::new(engine), settings, Arc::clone(clock))
}

/// The networks of the bundle before, for the shadow of a canary.
pub(crate) fn shadow_networks(context: &Arc<Context>, clock: &Arc<dyn Clock>) -> Inspector {
    let process = Process::new(context, "shadow".into());
    let engine = SimEngine {
        context: Arc::clone(context),
        role: "shadow",
        sick: false,
        device: 0.0,
        planted: None,
    };
    Inspector::new(Box::new(engine), inspector_settings(&process), Arc::clone(clock))
}

fn inspector_settings(process: &Process) -> InspectorSettings {
    let context = &process.context;
    InspectorSettings {
        inspection: InspectionSettings {
            limits: Limits {
                side_min: crate::photos::SIDE,
                ..Limits::default()
            },
            overlays: context.plan.overlays,
            overlay_style: OverlayStyle {
                long_side_max: 64,
                long_side_min: 64,
                ..OverlayStyle::default()
            },
            ..InspectionSettings::default()
        },
        compute: Compute::Inline,
        monitor: Arc::clone(&process.engine),
        batch: BatchingPolicy::default(),
        ..InspectorSettings::default()
    }
}

fn consumer(
    process: &Arc<Process>,
    role: &'static str,
    queue: Arc<dyn Queue>,
    handler: Arc<dyn Handler>,
    progress: Arc<Progress>,
    clock: Arc<dyn Clock>,
) -> Consumer {
    let plan = &process.context.plan;
    Consumer {
        queue,
        handler: Arc::new(Watched::new(handler, process, role)),
        settings: ConsumerSettings {
            in_flight_max: plan.in_flight_max,
            lease: plan.lease,
            receive_wait: plan.receive_wait,
            idle_exit: (role == "worker").then_some(IDLE_EXIT),
            stall_exit: plan.stall_exit,
            drain_budget: plan.drain_budget,
        },
        clock,
        progress,
    }
}

/// A triage process.
pub(crate) fn triage(world: &World, process: &Arc<Process>) -> Consumer {
    let plan = &world.context.plan;
    let clock = clock(&world.context);
    let processor = processor(world, process, "triage", &clock);
    let progress = Arc::clone(&processor.progress);
    let intake: Arc<dyn Queue> = around(process, &world.intake, "intake");
    let segmentation: Arc<dyn Queue> = around(process, &world.segmentation, "segmentation");
    let lanes = Lanes {
        intake: Arc::clone(&intake),
        state: around(process, &world.state, ""),
    };
    let settings = LaneMonitorSettings {
        workers_max: plan.workers_max,
        rate_guess: RATE_GUESS,
        fresh_for: LANE_CACHE,
        scale_every: TICK_EVERY,
    };
    let triage = Triage {
        processor,
        segmentation,
        lane_monitor: Arc::new(LaneMonitor::new(lanes, Arc::clone(&clock), settings)),
        routing: RoutingPolicy {
            cold_start: cold_start(world),
            inline_parallel: 1,
            inline_drain_max: Duration::from_secs(40),
            ..RoutingPolicy::default()
        },
        inline_segmentation: plan
            .inline_segmentation
            .map_or(InlineSegmentationCost::Never, InlineSegmentationCost::Known),
        end: InvocationDeadline::never(),
    };
    consumer(process, "triage", intake, Arc::new(triage), progress, clock)
}

/// A worker and its heart.
pub(crate) fn worker(world: &World, process: &Arc<Process>) -> (Consumer, HeartbeatReporter) {
    let clock = clock(&world.context);
    let processor = processor(world, process, "worker", &clock);
    let progress = Arc::clone(&processor.progress);
    let heart = HeartbeatReporter {
        identity: WorkerIdentity {
            worker: process.name.clone(),
            host: "simulated".into(),
            device: "cpu".into(),
        },
        progress: Arc::clone(&progress),
        inspector: Arc::clone(&processor.inspector),
        records: around(process, &world.records, ""),
        clock: Arc::clone(&clock),
        every: HEARTBEAT_EVERY,
        also: Box::new(|_| {}),
        memory: || 0,
    };
    let queue = around(process, &world.segmentation, "segmentation");
    let handler = Arc::new(Segmentation { processor });
    (
        consumer(process, "worker", queue, handler, progress, clock),
        heart,
    )
}

/// From asking for a worker to its first photo, as everybody reckons. Planted: a lane that is never late.
fn cold_start(world: &World) -> Duration {
    match world.plant {
        Some(InjectedFault::LaneNeverLate) => Duration::from_secs(30 * 24 * 3600),
        _ => COLD_START,
    }
}

/// What the end of a simulated worker means.
fn end_of(job: &WorkerJob) -> WorkerEnd {
    match job.state {
        WorkerJobState::Ended { exit: Some(0 | 75) } => WorkerEnd::Expected,
        WorkerJobState::Ended { exit: Some(78) } => WorkerEnd::CannotStart,
        _ => WorkerEnd::Other,
    }
}

/// A scaler.
pub(crate) fn scaler(world: &World, process: &Arc<Process>) -> Scaler {
    let plan = &world.context.plan;
    let back_off = BackOffPolicy::default();
    let no_wait = BackOffPolicy {
        first: Duration::ZERO,
        most: Duration::ZERO,
        ..back_off
    };
    let one_heartbeat = match world.plant {
        Some(InjectedFault::SilenceEndsAtOnce) => Duration::ZERO,
        _ => HEARTBEAT_EVERY * 2,
    };
    Scaler {
        segmentation: around(process, &world.segmentation, "segmentation"),
        intake: around(process, &world.intake, "intake"),
        capacity: around(process, &world.capacity, ""),
        records: around(process, &world.records, ""),
        state: around(process, &world.state, ""),
        clock: clock(&world.context),
        policy: ScalerPolicy {
            scaling: ScalingPolicy {
                // A lane that does not come is wanted all the time.
                workers_min: u32::from(plan.lane != LaneFate::Comes),
                workers_max: plan.workers_max,
                drain_target: Duration::from_secs(20),
                age_max: Duration::from_secs(60),
                rate_guess: RATE_GUESS,
            },
            back_off: match world.plant {
                Some(InjectedFault::NoBackOff) => no_wait,
                _ => back_off,
            },
            patience: Patience {
                stale_after: STALE_AFTER,
                start_grace: START_GRACE,
                one_heartbeat,
            },
            cold_start: cold_start(world),
            lane_cache: LANE_CACHE,
        },
        end_of,
        ends_since: Timestamp(0),
    }
}
