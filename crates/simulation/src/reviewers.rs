//! People who review in a world: they claim tasks, decide, walk away, and their processes die like all others.

use crate::context::Context;
use crate::faulty::{Process, around};
use crate::invariant::Invariant;
use crate::wiring;
use crate::world::World;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use walkaround_domain::review::UnusableReason;
use walkaround_domain::{Decision, InspectionId, ReviewTask, Reviewer, TaskState};
use walkaround_messages::reviewed_event;
use walkaround_pipeline::review::{
    DecisionRequest, ReviewError, ReviewService, TaskSearch, is_same, report_digest,
};
use walkaround_pipeline::store::InspectionStore;

/// Time between two questions for a task that found none.
const IDLE: Duration = Duration::from_secs(20);
/// Times that a decision is sent whose answer never came.
const SENDS_MAX: usize = 8;
/// Mean time from the birth of a reviewer's process to its end while trouble lasts.
const CRASH_EVERY_MS: u64 = 120_000;

/// What the reviewers of a world were told.
#[derive(Default)]
pub(crate) struct Reviewers {
    /// Decisions that were acknowledged, by inspection and revision.
    acknowledged: Mutex<BTreeMap<(InspectionId, u32), DecisionRequest>>,
}

impl Reviewers {
    /// V1: a revision is acknowledged for one decision only.
    fn acknowledge(&self, context: &Context, request: DecisionRequest) {
        let mut all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (request.inspection.clone(), request.revision);
        match all.get(&key) {
            Some(before) if *before != request => {
                let detail = format!(
                    "revision {} of {} was acknowledged twice",
                    request.revision, request.inspection
                );
                drop(all);
                context.violate(Invariant::V1, detail);
            }
            _ => {
                all.insert(key, request);
            }
        }
    }

    fn all(&self) -> Vec<DecisionRequest> {
        let all = self.acknowledged.lock().unwrap_or_else(PoisonError::into_inner);
        all.values().cloned().collect()
    }
}

fn service(world: &World, process: &Arc<Process>) -> ReviewService {
    ReviewService {
        store: InspectionStore::new(around(process, &world.records, "")),
        blobs: around(process, &world.blobs, ""),
        reviews: around(process, &world.reviews, ""),
        publisher: around(process, &world.publisher, ""),
        clock: wiring::clock(&world.context),
    }
}

/// One reviewer, life after life, until the world closes.
pub(crate) async fn reviewer_slot(world: Arc<World>, reviewers: Arc<Reviewers>, slot: usize) {
    let context = &world.context;
    let Ok(by) = Reviewer::new(format!("reviewer-{slot}")) else {
        return;
    };
    let mut closing = world.closing.clone();
    for life in 0.. {
        let process = Process::new(context, format!("reviewer-{slot}.{life}"));
        let at_work = At {
            service: service(&world, &process),
            context,
            reviewers: &reviewers,
            by: &by,
        };
        let crash = context.between(1, CRASH_EVERY_MS * 2);
        let crash = async {
            match context.ticks() + crash < context.plan.faults_until {
                true => tokio::time::sleep(crash).await,
                false => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = closing.wait() => return,
            () = process.died.notified() => {}
            () = crash => process.log(format_args!("dies")),
            () = at_work.review() => {}
        }
        tokio::time::sleep(context.between(100, 10_000)).await;
    }
}

/// A reviewer at work.
struct At<'a> {
    service: ReviewService,
    context: &'a Arc<Context>,
    reviewers: &'a Reviewers,
    by: &'a Reviewer,
}

impl At<'_> {
    /// Never ends by itself.
    async fn review(&self) {
        loop {
            match self.service.claim_next(self.by, &TaskSearch::default()).await {
                Ok(Some(task)) => self.one(&task).await,
                Ok(None) | Err(_) => tokio::time::sleep(IDLE).await,
            }
        }
    }

    async fn one(&self, task: &ReviewTask) {
        // They look at it.
        tokio::time::sleep(self.context.between(1_000, 30_000)).await;
        let draw = self.context.rng().u32(0..8);
        match draw {
            // Away for lunch: the claim ends by itself. Whoever is back later may still decide.
            0 => tokio::time::sleep(self.context.between(60_000, 900_000)).await,
            1 => {
                // Whether it is released or not, somebody gets it again.
                let _released = self.service.release(&task.inspection, self.by).await;
                return;
            }
            _ => {}
        }
        let Ok(read) = self.service.read(&task.inspection).await else {
            return;
        };
        let Some(based_on) = report_digest(&read.inspection) else {
            return;
        };
        let request = DecisionRequest {
            inspection: task.inspection.clone(),
            revision: read.history.last().map_or(1, |review| review.revision + 1),
            by: self.by.clone(),
            based_on,
            decision: match draw % 2 {
                0 => Decision::Confirm,
                _ => Decision::Unusable(UnusableReason::Blurred),
            },
            note: None,
        };
        for _ in 0..SENDS_MAX {
            match self.service.decide(request.clone()).await {
                Ok(_) => return self.reviewers.acknowledge(self.context, request),
                Err(ReviewError::Port(_)) => tokio::time::sleep(self.context.between(100, 5_000)).await,
                // Somebody decided first.
                Err(_) => return,
            }
        }
    }
}

/// Whether every task is done: V2 says that this comes.
pub(crate) async fn all_done(world: &World) -> bool {
    let tasks = world.context.facts().task_ids();
    for id in tasks {
        let task = world.reviews.task(&id).await;
        if !task.is_ok_and(|task| task.is_none_or(|task| task.state == TaskState::Done)) {
            return false;
        }
    }
    true
}

/// V1 and V3, at the end: every decision that was acknowledged is stored as it was sent, and every one that is stored is out.
pub(crate) async fn judge(world: &World, reviewers: &Reviewers) {
    let context = &world.context;
    for request in reviewers.all() {
        let history = world
            .reviews
            .history(&request.inspection)
            .await
            .unwrap_or_default();
        let stored = history.iter().find(|review| review.revision == request.revision);
        if !stored.is_some_and(|review| is_same(review, &request)) {
            let detail = format!(
                "revision {} of {} was acknowledged and is lost",
                request.revision, request.inspection
            );
            context.violate(Invariant::V1, detail);
        }
    }
    let tasks = context.facts().task_ids();
    for id in tasks {
        let history = world.reviews.history(&id).await.unwrap_or_default();
        let in_order = history
            .iter()
            .zip(1..)
            .all(|(review, revision)| review.revision == revision);
        if !in_order {
            context.violate(Invariant::V1, format!("{id}: its revisions have gaps"));
        }
        for review in &history {
            if !context.facts().is_out(&reviewed_event(review).id) {
                let detail = format!(
                    "revision {} of {id} is stored, and nobody was told",
                    review.revision
                );
                context.violate(Invariant::V3, detail);
            }
        }
    }
}
