//! One simulation: a world, made from a seed, run until it has drained, and judged.

use crate::canary;
use crate::capacity::{Capacity, SimCapacity};
use crate::context::Context;
use crate::facts::Place;
use crate::injected_fault::InjectedFault;
use crate::invariant::{Invariant, Violation};
use crate::judge;
use crate::photo_source::SimPhotos;
use crate::plan::{LaneFate, Plan, TIME_MAX};
use crate::planted;
use crate::planted_bundle::PlantedBundle;
use crate::process;
use crate::queue::SimQueue;
use crate::reviewers::{self, Reviewers};
use crate::reviews::SimReviews;
use crate::sim_canary::SimCanary;
use crate::stores::{SimBlobs, SimPublisher, SimRecords, SimState};
use crate::submit::{self, Submission};
use crate::trace::Counts;
use crate::wiring;
use crate::world::World;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use walkaround_domain::rollout::Shadow;
use walkaround_domain::{BundleId, InspectionId, InspectionRequest, PhotoRef, Timestamp};
use walkaround_pipeline::shadow::{FeedCounts, ShadowFeed, WAITING_MAX, shadow_feed};
use walkaround_pipeline::shutdown::{ShutdownSignal, shutdown_signal};
use walkaround_ports::Queue;

/// What became of a seed.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The seed.
    pub seed: u64,
    /// The first broken promise.
    pub violation: Option<Violation>,
    /// The last lines of the trace.
    pub lines: Vec<String>,
    /// Digest of the whole trace: the same seed gives the same.
    pub digest: u64,
    /// What happened.
    pub counts: Counts,
    /// Port calls.
    pub calls: u64,
    /// Simulated time.
    pub time: Duration,
}

/// How often the world checks whether it has drained.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Photos of a lane that does not come have ended so long after the trouble.
const LANE_WAIT_MAX: Duration = Duration::from_secs(3600);
/// Everything ends within this after the closing.
const CLOSE_MAX: Duration = Duration::from_secs(120);
/// People who review in a world that has some.
const REVIEWERS: usize = 3;
/// Every task is done so long after everything else: several claims that end by themselves, one after the other.
const REVIEWED_MAX: Duration = Duration::from_secs(3 * 3600);
/// Photos of a world with a canary.
const CANARY_PHOTOS: usize = 160;
/// Time over which they are submitted.
const CANARY_TIME: Duration = Duration::from_secs(1200);
/// Share of the photos that a shadow is given.
const SHADOW_SHARE: f64 = 0.5;
/// Photos that it has room for.
const SHADOW_ROOM: usize = 3;

/// Runs the world of a seed, with a fault planted in it or none.
pub fn run(seed: u64, plant: Option<InjectedFault>) -> Outcome {
    run_with(seed, plant, None)
}

/// Runs the world of a seed with a shadow that never answers, and without one: promise B1. What the shadow was given.
pub fn run_beside_shadow(seed: u64, plant: Option<InjectedFault>) -> (Outcome, FeedCounts) {
    let (feed, queue) = shadow_feed();
    let mut shadow = Shadow {
        canary: None,
        bundle: BundleId::new("simulated", "2"),
        folder: None,
        share: 1.0,
        since: Timestamp(0),
    };
    queue.set_shadow(Some(&shadow));
    // Room is left for a few photos only.
    for number in 0..WAITING_MAX - SHADOW_ROOM {
        feed.offer(&waiting(number));
    }
    shadow.share = SHADOW_SHARE;
    queue.set_shadow(Some(&shadow));
    let before = queue.counts();
    let without = run_with(seed, None, None);
    let mut with = run_with(seed, plant, Some(feed));
    if with.digest != without.digest && with.violation.is_none() {
        with.violation = Some(Violation {
            invariant: Invariant::B1,
            detail: format!(
                "another trace with a shadow than without: {} calls in {:?}, and {} in {:?}",
                with.calls, with.time, without.calls, without.time
            ),
        });
    }
    let counts = queue.counts();
    let given = FeedCounts {
        taken: counts.taken - before.taken,
        dropped: counts.dropped,
    };
    (with, given)
}

/// Runs the world of a seed with a canary planted in it, and enough photos to see what it does: promises K1 to K3, beside
/// all others.
pub fn run_beside_canary(seed: u64, planted: PlantedBundle) -> Outcome {
    let extras = |plan: &mut Plan| {
        plan.photos = CANARY_PHOTOS;
        plan.submit_over = CANARY_TIME;
    };
    let with = Extras {
        canary: Some(SimCanary::new(planted)),
        ..Extras::default()
    };
    run_planned(seed, extras, with)
}

/// Runs the world of a seed with people who review: promises V1 to V3, beside all others.
pub fn run_beside_reviewers(seed: u64, plant: Option<InjectedFault>) -> Outcome {
    let with = Extras {
        plant,
        reviewers: Some(Arc::default()),
        ..Extras::default()
    };
    run_planned(seed, |_| {}, with)
}

/// A photo that waits for the shadow from the beginning on.
fn waiting(number: usize) -> InspectionRequest {
    let id = InspectionId::new(format!("waiting-{number}")).expect("a short plain id");
    InspectionRequest::of(id, PhotoRef::File("waiting.png".to_owned()))
}

fn run_with(seed: u64, plant: Option<InjectedFault>, shadow: Option<ShadowFeed>) -> Outcome {
    let with = Extras {
        plant,
        shadow,
        ..Extras::default()
    };
    run_planned(seed, |_| {}, with)
}

fn run_planned(seed: u64, change: impl FnOnce(&mut Plan), extras: Extras) -> Outcome {
    let plant = extras.plant;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without I/O needs nothing that could be missing");
    runtime.block_on(async {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut plan = Plan::draw(&mut rng);
        if plant == Some(InjectedFault::StallIgnored) {
            plan.stall_exit = TIME_MAX;
        }
        change(&mut plan);
        let submissions = submit::draw(&plan, &mut rng);
        let context = Arc::new(Context::new(plan, rng, plant));
        Box::pin(play(&context, &submissions, extras)).await;
        let trace = context.trace();
        Outcome {
            seed,
            violation: context.violation(),
            lines: trace.lines(),
            digest: trace.digest(),
            counts: trace.counts(),
            calls: trace.calls(),
            time: context.ticks(),
        }
    })
}

/// The queues themselves, below everything planted.
struct Queues {
    intake: Arc<SimQueue>,
    segmentation: Arc<SimQueue>,
    dead: Arc<SimQueue>,
}

impl Queues {
    fn new(context: &Arc<Context>, plant: Option<InjectedFault>) -> Self {
        let dead = Arc::new(SimQueue::new(context, Place::Dead, None));
        let behind = |place| {
            let to = Some((Arc::clone(&dead), context.plan.receives_max));
            let mut queue = SimQueue::new(context, place, to);
            queue.expiry_is_success = plant == Some(InjectedFault::ExpiryIsSuccess);
            Arc::new(queue)
        };
        Self {
            intake: behind(Place::Intake),
            segmentation: behind(Place::Segmentation),
            dead,
        }
    }

    fn drained(&self) -> bool {
        self.intake.is_empty() && self.segmentation.is_empty()
    }
}

/// What a world has beside what its seed says.
#[derive(Default)]
struct Extras {
    plant: Option<InjectedFault>,
    shadow: Option<ShadowFeed>,
    canary: Option<Arc<SimCanary>>,
    reviewers: Option<Arc<Reviewers>>,
}

async fn play(context: &Arc<Context>, submissions: &[Submission], extras: Extras) {
    let plant = extras.plant;
    context.log("world", format_args!("{:?}", context.plan));
    let queues = Queues::new(context, plant);
    let (closer, closing) = shutdown_signal();
    let capacity = Arc::new(SimCapacity::new(context));
    let photos = SimPhotos {
        context: Arc::clone(context),
        photos: submit::photos(submissions),
    };
    let world = Arc::new(World {
        context: Arc::clone(context),
        intake: planted::queue(plant, &queues.intake),
        segmentation: planted::queue(plant, &queues.segmentation),
        dead: Arc::clone(&queues.dead) as Arc<dyn Queue>,
        records: planted::records(plant, SimRecords::new(context)),
        reviews: Arc::new(SimReviews::new(context)),
        state: Arc::new(SimState::new(context)),
        blobs: planted::blobs(plant, SimBlobs(Arc::clone(context))),
        publisher: planted::publisher(plant, context, SimPublisher::new(context)),
        photos: Arc::new(photos),
        capacity: Arc::new(Capacity(Arc::clone(&capacity))),
        scaling: Mutex::new(()),
        plant,
        shadow: extras.shadow,
        canary: extras.canary,
        closing,
    });
    capacity.open(&world);
    let mut slots = start_slots(&world, extras.reviewers.as_ref()).await;
    let whole = async {
        submit::all(context, &queues.intake, submissions, plant).await;
        drain(context, &queues).await;
        if let Some(reviewers) = &extras.reviewers {
            until_reviewed(&world).await;
            reviewers::judge(&world, reviewers).await;
        }
        closer.stop();
        close(context, &capacity, &mut slots).await;
    };
    tokio::select! {
        biased;
        () = context.broken.notified() => return,
        () = whole => {}
    }
    judge::judge(
        context,
        submissions,
        world.canary.as_ref().map(|canary| canary.planted),
    );
}

/// Everything that lives in a world.
async fn start_slots(world: &Arc<World>, reviewers: Option<&Arc<Reviewers>>) -> JoinSet<()> {
    let context = &world.context;
    let mut slots = JoinSet::new();
    if let Some(canary) = &world.canary {
        add_canary(&mut slots, world, canary).await;
    }
    for slot in 0..context.plan.triages {
        slots.spawn(process::triage_slot(Arc::clone(world), slot));
    }
    for slot in 0..context.plan.scalers {
        slots.spawn(process::scaler_slot(Arc::clone(world), slot));
    }
    for slot in 0..reviewers.map_or(0, |_| REVIEWERS) {
        let reviewers = reviewers.cloned().unwrap_or_default();
        slots.spawn(reviewers::reviewer_slot(Arc::clone(world), reviewers, slot));
    }
    slots.spawn(clocks(Arc::clone(context), world.closing.clone()));
    slots
}

/// The canary of a world, its judge, and the bundle before as the shadow of its photos.
async fn add_canary(slots: &mut JoinSet<()>, world: &Arc<World>, canary: &Arc<SimCanary>) {
    canary::start(world, canary).await;
    let clock = wiring::clock(&world.context);
    let before = wiring::shadow_networks(&world.context, &clock);
    let (world, canary) = (Arc::clone(world), Arc::clone(canary));
    let shadow = canary::shadow_slot(
        Arc::clone(&world),
        Arc::clone(&canary),
        before,
        Arc::clone(&clock),
    );
    slots.spawn(shadow);
    slots.spawn(canary::judge_slot(world, canary, clock));
}

/// Clocks that jump while there is trouble, never twice within the time that a heartbeat is waited for.
async fn clocks(context: Arc<Context>, mut closing: ShutdownSignal) {
    let most = i64::try_from(context.plan.jump_max.as_millis()).unwrap_or(0);
    while most > 0 && context.troubled() {
        let pause = context.between(60_000, 180_000);
        tokio::select! {
            biased;
            () = closing.wait() => return,
            () = tokio::time::sleep(pause) => {}
        }
        let off_by = context.rng().i64(-most..=most);
        context.jump(off_by);
    }
}

/// Waits until every queue is empty, puts back what queues parked by themselves, and waits again.
async fn drain(context: &Context, queues: &Queues) {
    loop {
        while !queues.drained() {
            let away_until = context
                .plan
                .store_away
                .map_or(Duration::ZERO, |(at, time)| at + time);
            let trouble_until = context.plan.faults_until.max(away_until);
            let fine_by = trouble_until + context.plan.submit_over + LANE_WAIT_MAX;
            if context.plan.lane != LaneFate::Comes && context.ticks() > fine_by {
                context.violate(
                    Invariant::R1,
                    format!("photos still wait for a lane that does not come after {fine_by:?}"),
                );
            }
            if context.ticks() > TIME_MAX {
                context.violate(Invariant::L1, format!("not drained after {TIME_MAX:?}"));
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        if queues.dead.redrive(&[&queues.intake, &queues.segmentation]) == 0 {
            return;
        }
    }
}

/// V2: waits until every task is done. Claims end by themselves, and whoever is left goes on.
async fn until_reviewed(world: &World) {
    let by = world.context.ticks() + REVIEWED_MAX;
    while !reviewers::all_done(world).await {
        if world.context.ticks() > by {
            let detail = format!("tasks are open {REVIEWED_MAX:?} after everything else has ended");
            world.context.violate(Invariant::V2, detail);
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Everything ends when it is asked to.
async fn close(context: &Context, capacity: &SimCapacity, slots: &mut JoinSet<()>) {
    let by = context.ticks() + CLOSE_MAX;
    let ended = tokio::time::timeout(CLOSE_MAX, async { while slots.join_next().await.is_some() {} }).await;
    while capacity.live() > 0 && context.ticks() < by {
        tokio::time::sleep(LOOK_EVERY).await;
    }
    if ended.is_err() || capacity.live() > 0 {
        context.violate(Invariant::L1, "a process does not end".into());
    }
}
