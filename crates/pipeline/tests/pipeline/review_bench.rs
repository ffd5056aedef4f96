//! A world with an inspection that waits for a review.

use crate::support::{DAMAGED, Fetch, Stores, World, processor, request, store};
use std::sync::Arc;
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::{Decision, Inspection, InspectionId, ReviewTask, Reviewer, TaskState, Timestamp};
use walkaround_pipeline::review::{Decided, DecisionRequest, ReviewService, TaskSearch, report_digest};
use walkaround_pipeline::store::VersionedInspection;
use walkaround_ports::Clock;

pub(crate) struct Bench {
    pub(crate) world: Arc<World>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) service: ReviewService,
}

impl Bench {
    /// A world with an inspection of a damaged photo, `one`, which has a task.
    pub(crate) async fn new() -> Self {
        let (world, clock): (Arc<World>, Arc<ManualClock>) = Default::default();
        let stores = Arc::new(Stores(Arc::clone(&world)));
        let service = ReviewService {
            store: store(&world),
            blobs: Arc::clone(&stores) as _,
            reviews: Arc::clone(&world.reviews) as _,
            publisher: stores,
            clock: Arc::clone(&clock) as _,
        };
        let bench = Self {
            world,
            clock,
            service,
        };
        bench.inspect("one", DAMAGED).await.unwrap();
        bench.world.events.lock().unwrap().clear();
        bench
    }

    /// Settles the inspection of a photo of this brightness.
    pub(crate) async fn inspect(&self, name: &str, value: u8) -> Result<(), String> {
        self.world.photo(name, &[Fetch::Picture(value)]);
        let processor = processor(&self.world, &self.clock).0;
        let inspector = processor.inspector.get();
        let (bytes, file) = inspector.digest(crate::support::picture(value)).await;
        let mut photo = inspector.prepare(bytes, file).await.unwrap();
        inspector.screen(&mut photo).await.unwrap();
        inspector.segment(&mut photo).await.unwrap();
        let result = inspector.finish(photo, name.to_owned()).await.unwrap();
        let fresh = VersionedInspection {
            inspection: Inspection::accepted(request(name), self.clock.now()),
            version: 0,
            fetched: None,
        };
        let done = processor.settler.done(fresh, result, Duration::ZERO).await;
        done.map_err(|error| error.to_string())
    }

    pub(crate) fn decision(&self, revision: u32, by: &str, decision: Decision) -> DecisionRequest {
        let inspection = self.world.inspection("one").unwrap();
        DecisionRequest {
            inspection: id("one"),
            revision,
            by: reviewer(by),
            based_on: report_digest(&inspection).unwrap(),
            decision,
            note: None,
        }
    }

    /// Stores a decision.
    pub(crate) async fn decide(&self, revision: u32, by: &str, decision: Decision) -> Decided {
        let request = self.decision(revision, by, decision);
        self.service.decide(request).await.unwrap()
    }

    /// What a reviewer is given who asks for any task.
    pub(crate) async fn next_for(&self, reviewer: &Reviewer) -> Option<ReviewTask> {
        let any = TaskSearch::default();
        self.service.claim_next(reviewer, &any).await.unwrap()
    }

    pub(crate) fn task(&self, name: &str) -> Option<ReviewTask> {
        self.world
            .reviews
            .tasks()
            .into_iter()
            .find(|task| task.inspection == id(name))
    }

    pub(crate) fn events(&self) -> Vec<String> {
        self.world.events.lock().unwrap().clone()
    }
}

pub(crate) fn id(name: &str) -> InspectionId {
    InspectionId::new(name).unwrap()
}

pub(crate) fn reviewer(name: &str) -> Reviewer {
    Reviewer::new(name).unwrap()
}

pub(crate) fn holder(task: &ReviewTask) -> Option<(&str, Timestamp)> {
    match &task.state {
        TaskState::Claimed { by, until } => Some((by.as_str(), *until)),
        TaskState::Open | TaskState::Done => None,
    }
}
