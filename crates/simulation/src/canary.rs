//! A canary in a world: its networks beside those in use in every process, the bundle before as the shadow of its photos, and
//! the judge.

use crate::invariant::Invariant;
use crate::planted_bundle::PlantedBundle;
use crate::sim_canary::{PHOTOS_MIN, SimCanary, lock};
use crate::world::World;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_domain::canary::{Canary, CanaryOutcome, Evidence};
use walkaround_domain::rollout::{ActiveBundle, Rollout, RolloutCommand};
use walkaround_pipeline::canary::{Activation, CanaryJudge, EvidenceReader, Observations};
use walkaround_pipeline::inspector::Inspector;
use walkaround_pipeline::rollout::{read_rollout, write_rollout};
use walkaround_pipeline::shadow::ShadowInspector;
use walkaround_ports::{Clock, PortError};

/// Time between two passes of the judge.
const JUDGE_EVERY: Duration = Duration::from_secs(20);
/// Nothing but the rollout says what is active here.
struct ByRollout;

#[async_trait]
impl Activation for ByRollout {
    async fn activate(&self, canary: &Canary, at: Timestamp) -> Result<Option<ActiveBundle>, PortError> {
        Ok(Some(ActiveBundle {
            bundle: canary.bundle.clone(),
            folder: String::new(),
            configured: canary.instead_of.clone(),
            since: at,
        }))
    }
}

fn judge(world: &World, clock: Arc<dyn Clock>) -> CanaryJudge {
    CanaryJudge {
        state: Arc::clone(&world.state),
        evidence: EvidenceReader {
            observations: Observations {
                blobs: Arc::clone(&world.blobs),
                bucket: "results".into(),
            },
            records: Arc::clone(&world.records),
            reviews: Arc::clone(&world.reviews),
        },
        clock,
        activation: Arc::new(ByRollout),
    }
}

/// Starts the canary of a world, before its first process.
pub(crate) async fn start(world: &World, canary: &SimCanary) {
    let started = Rollout::default().step(&RolloutCommand::StartCanary(canary.canary.clone()));
    let written = match started {
        Ok(rollout) => write_rollout(&*world.state, &rollout).await.is_ok(),
        Err(_) => false,
    };
    if !written {
        world
            .context
            .violate(Invariant::L1, "the canary could not be started".into());
    }
}

/// The judge, until the world closes; then once more.
pub(crate) async fn judge_slot(world: Arc<World>, canary: Arc<SimCanary>, clock: Arc<dyn Clock>) {
    let (judge, mut closing) = (judge(&world, clock), world.closing.clone());
    while !closing.is_set() {
        pass(&world, &canary, &judge).await;
        tokio::select! {
            biased;
            () = closing.wait() => {}
            () = tokio::time::sleep(JUDGE_EVERY) => {}
        }
    }
    pass(&world, &canary, &judge).await;
    promises(&world, &canary, &judge).await;
}

async fn pass(world: &World, canary: &SimCanary, judge: &CanaryJudge) {
    if judge.pass().await.is_err() {
        world.context.log("judge", format_args!("cannot decide"));
    }
    let running = read_rollout(&*world.state).await;
    if running.is_ok_and(|rollout| rollout.running_canary().is_none()) {
        canary.ends();
    }
}

/// K2 and K3.
async fn promises(world: &World, canary: &SimCanary, judge: &CanaryJudge) {
    let (Ok(rollout), Ok(evidence)) = (
        read_rollout(&*world.state).await,
        judge.evidence.read(&canary.canary).await,
    ) else {
        world
            .context
            .violate(Invariant::L1, "what became of the canary cannot be read".into());
        return;
    };
    let end = rollout.canary.and_then(|canary| canary.end);
    let how = end.as_ref().map(|end| end.how);
    let why = end.map(|end| end.why);
    world
        .context
        .log("judge", format_args!("{how:?}: {why:?}, {evidence:?}"));
    let calm = {
        let (rates, plan) = (&world.context.plan.rates, &world.context.plan);
        let dies = plan.crash_every.is_some()
            || rates.crash > 0.0
            || rates.device_hangs > 0.0
            || rates.freezes > 0.0;
        // A process that ends with the photo at work looks like a canary that ended it.
        !dies && plan.stop_every.is_none() && plan.sick_engines == 0.0 && rates.outlives_lease == 0.0
    };
    let fits = match (canary.planted, how) {
        (PlantedBundle::Same, Some(CanaryOutcome::RolledBack)) => !calm,
        (PlantedBundle::Same, _) => true,
        (_, Some(CanaryOutcome::RolledBack)) => true,
        _ => few(&evidence),
    };
    if !fits {
        let invariant = match canary.planted {
            PlantedBundle::Same => Invariant::K3,
            _ => Invariant::K2,
        };
        let detail = format!("{:?} is {how:?}, because {why:?}: {evidence:?}", canary.planted);
        world.context.violate(invariant, detail);
    }
}

/// Whether there was not enough to see: most photos of the world had trouble of their own.
fn few(evidence: &Evidence) -> bool {
    evidence.canary.photos() < PHOTOS_MIN && evidence.canary.failed < 4
}

/// The bundle before, as the shadow of the canary's photos.
pub(crate) async fn shadow_slot(
    world: Arc<World>,
    canary: Arc<SimCanary>,
    inspector: Inspector,
    clock: Arc<dyn Clock>,
) {
    let Some(mut queue) = lock(&canary.queue).take() else {
        return;
    };
    let rollout = Rollout {
        canary: Some(canary.canary.clone()),
        ..Rollout::default()
    };
    let Some(shadow) = rollout.shadow_in_use() else {
        return;
    };
    queue.set_shadow(Some(&shadow));
    let shadow = ShadowInspector {
        source: Arc::clone(&world.photos),
        inspector: Arc::new(inspector),
        records: Arc::clone(&world.records),
        blobs: Arc::clone(&world.blobs),
        reviews: Arc::clone(&world.reviews),
        clock,
        bucket: "results".into(),
        photo_bytes_max: 1 << 20,
        shadow,
    };
    let mut closing = world.closing.clone();
    loop {
        tokio::select! {
            biased;
            () = closing.wait() => return,
            next = queue.next() => {
                let Some(request) = next else { return };
                if let Err(error) = shadow.one(&request).await {
                    world.context.log("shadow", format_args!("{}: {error}", request.id));
                }
            }
        }
    }
}
