//! A canary beside the bundle in use: who answers, what is noted, and that a photo never pays for it.

use crate::support::{Bench, CLEAN, DAMAGED, Fetch, Stores, TestEngine, World, delivery, request};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_domain::canary::{Canary, CanaryEnd, CanaryGroup, CanaryOutcome, CanaryPolicy};
use walkaround_domain::rollout::{ActiveBundle, Rollout, RolloutCommand};
use walkaround_domain::{BundleId, Event, Inspection, InspectionId, InspectionRequest, Timestamp, Verdict};
use walkaround_messages::request_json;
use walkaround_pipeline::canary::{Activation, CanaryJudge, CanaryPass, EvidenceReader, Observations};
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::inspector::{CanaryInUse, Compute, Inspector, InspectorSettings};
use walkaround_pipeline::rollout::{read_rollout, write_rollout};
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_pipeline::store::VersionedInspection;
use walkaround_ports::{Blobs, Clock, Delivery, PortError, Records, Reviews, StateStore};

fn canary() -> Canary {
    Canary {
        bundle: BundleId::new("test", "2"),
        folder: Some("/bundles/2".to_owned()),
        instead_of: BundleId::new("test", "1"),
        instead_of_folder: Some("/bundles/1".to_owned()),
        share: 0.5,
        since: Timestamp(5),
        policy: CanaryPolicy {
            // A hundred years: the moment does not matter.
            patience: Duration::from_secs(100 * 365 * 24 * 3600),
            ..CanaryPolicy::default()
        },
        end: None,
    }
}

/// A worker with a canary, whose networks fail as its own world says.
struct Canaries {
    bench: Bench,
    /// The world of the canary's engine.
    other: Arc<World>,
    worker: Segmentation,
}

impl Canaries {
    fn new() -> Self {
        let bench = Bench::new(&[]);
        let (other, processor) = (Arc::<World>::default(), bench.processor());
        let canaries = Self {
            worker: Segmentation { processor },
            bench,
            other,
        };
        canaries.load(Ok(canaries.networks()));
        canaries
    }

    fn networks(&self) -> Arc<Inspector> {
        let settings = InspectorSettings {
            compute: Compute::Inline,
            ..InspectorSettings::default()
        };
        let engine = Box::new(TestEngine::new(&self.other));
        let clock = Arc::clone(&self.bench.clock) as Arc<dyn Clock>;
        Arc::new(Inspector::new(engine, settings, clock))
    }

    fn load(&self, networks: Result<Arc<Inspector>, String>) {
        let in_use = CanaryInUse::new(canary(), networks);
        self.worker.processor.inspector.set_canary(Some(in_use));
    }

    fn deliver(&self, name: &str, photo: u8, receive_count: u32) -> Delivery {
        // Each has bytes of its own, or the result of the first would be used again.
        self.bench.world.photo(name, &[Fetch::Picture(photo)]);
        delivery(name, receive_count, &self.bench.clock)
    }

    async fn settle(&self, delivery: &Delivery) -> Disposition {
        let (_stopper, never) = shutdown_signal();
        self.worker.handle(delivery, &never).await
    }

    /// What was noted, by inspection.
    fn noted(&self) -> BTreeMap<String, Vec<String>> {
        let mut noted = BTreeMap::<String, Vec<String>>::new();
        for address in self.bench.world.blobs.lock().unwrap().keys() {
            if let Some(rest) = address.key.strip_prefix("canary/5/") {
                let (id, name) = rest.split_once('/').unwrap();
                // Without its times.
                let name: Vec<&str> = name.split('.').take(4).collect();
                noted.entry(id.to_owned()).or_default().push(name.join("."));
            }
        }
        noted
    }

    fn runs(&self) -> usize {
        self.other.engine_runs.load(Ordering::SeqCst)
    }

    fn verdict(&self, name: &str) -> Option<Verdict> {
        match self.bench.world.inspection(name)?.phase {
            walkaround_domain::Phase::Done { verdict } => Some(verdict),
            _ => None,
        }
    }
}

/// Names of a group, one after the other.
fn names(group: Option<CanaryGroup>) -> impl Iterator<Item = String> {
    let names = (0..).map(|number| format!("photo-{number}"));
    names.filter(move |name| canary().group(&request(name)) == group)
}

fn canary_names() -> impl Iterator<Item = String> {
    names(Some(CanaryGroup::Canary))
}

#[tokio::test]
async fn a_canary_answers_for_its_photos_and_both_groups_are_noted() {
    let canaries = Canaries::new();
    let own = canary_names().next().unwrap();
    let other = names(Some(CanaryGroup::Control)).next().unwrap();
    assert_eq!(
        canaries.settle(&canaries.deliver(&own, DAMAGED, 1)).await,
        Disposition::Ack
    );
    let runs = canaries.runs();
    assert!(runs > 0, "the canary's networks ran");
    assert_eq!(
        canaries.settle(&canaries.deliver(&other, CLEAN, 1)).await,
        Disposition::Ack
    );
    assert_eq!(canaries.runs(), runs, "and not for a photo of another vehicle");
    let noted = canaries.noted();
    assert_eq!(noted[&own], ["answered.canary.damaged.none"]);
    assert_eq!(noted[&other], ["answered.control.clean.none"]);
}

#[tokio::test]
async fn what_a_canary_fails_on_is_answered_by_the_bundle_before() {
    let canaries = Canaries::new();
    canaries.other.segmenters_fail.store(true, Ordering::SeqCst);
    let mut own = canary_names();
    let name = own.next().unwrap();
    assert_eq!(
        canaries.settle(&canaries.deliver(&name, DAMAGED, 1)).await,
        Disposition::Ack
    );
    assert_eq!(canaries.verdict(&name), Some(Verdict::Damaged));
    assert_eq!(canaries.noted()[&name], ["failed"]);
    let inspection = canaries.bench.world.inspection(&name).unwrap();
    assert_eq!(
        (inspection.attempts, inspection.history.unfinished_starts),
        (1, 0),
        "no attempt was lost"
    );

    // Its engine is sick as a whole: likewise, and after three in a row it is not asked any more.
    canaries.other.engine_unhealthy.store(true, Ordering::SeqCst);
    for photo in [DAMAGED + 1, DAMAGED + 2] {
        let name = own.next().unwrap();
        assert_eq!(
            canaries.settle(&canaries.deliver(&name, photo, 1)).await,
            Disposition::Ack
        );
        assert_eq!(canaries.noted()[&name], ["failed"]);
    }
    let runs = canaries.runs();
    let name = own.next().unwrap();
    assert_eq!(
        canaries.settle(&canaries.deliver(&name, DAMAGED + 3, 1)).await,
        Disposition::Ack
    );
    assert_eq!(canaries.noted()[&name], ["failed"]);
    assert_eq!(canaries.runs(), runs);
}

#[tokio::test]
async fn a_canary_that_cannot_be_loaded_fails_on_each_of_its_photos() {
    let canaries = Canaries::new();
    canaries.load(Err("it cannot be loaded: no such file".to_owned()));
    let name = canary_names().next().unwrap();
    assert_eq!(
        canaries.settle(&canaries.deliver(&name, DAMAGED, 1)).await,
        Disposition::Ack
    );
    assert_eq!(
        (canaries.verdict(&name), canaries.runs()),
        (Some(Verdict::Damaged), 0)
    );
    assert_eq!(canaries.noted()[&name], ["failed"]);
}

#[tokio::test]
async fn a_photo_at_which_a_process_ended_is_not_given_to_the_canary_again() {
    let canaries = Canaries::new();
    let name = canary_names().next().unwrap();
    let first = canaries.deliver(&name, DAMAGED, 1);
    let store = &canaries.worker.processor.settler.store;
    let now = canaries.bench.clock.now();
    // The process announced its start, and ended.
    let request = request(&name);
    let fresh = VersionedInspection {
        inspection: Inspection::accepted(request, now),
        version: 0,
        fetched: None,
    };
    let entry = store.accept(fresh, now).await.unwrap();
    store
        .advance(entry, &Event::Start { alone: false }, now)
        .await
        .unwrap();
    let again = Delivery {
        receive_count: 2,
        ..first
    };
    assert_eq!(canaries.settle(&again).await, Disposition::Ack);
    assert_eq!(
        (canaries.verdict(&name), canaries.runs()),
        (Some(Verdict::Damaged), 0)
    );
    assert_eq!(canaries.noted()[&name], ["failed"]);
}

#[tokio::test]
async fn a_start_of_the_canary_is_announced_and_a_store_that_is_away_is_no_failure_of_it() {
    let canaries = Canaries::new();
    let name = canary_names().next().unwrap();
    canaries.bench.world.blobs_away.store(true, Ordering::SeqCst);
    let first = canaries.deliver(&name, DAMAGED, 1);
    assert!(matches!(canaries.settle(&first).await, Disposition::Retry(_)));
    let inspection = canaries.bench.world.inspection(&name).unwrap();
    assert_eq!(
        inspection.history.unfinished_starts, 0,
        "it was announced, and taken back"
    );
    canaries.bench.world.blobs_away.store(false, Ordering::SeqCst);
    let again = Delivery {
        receive_count: 2,
        ..first
    };
    assert_eq!(canaries.settle(&again).await, Disposition::Ack);
    assert_eq!(canaries.noted()[&name], ["answered.canary.damaged.none"]);
}

/// Remembers what was activated.
#[derive(Default)]
struct Activated(std::sync::Mutex<Vec<BundleId>>);

#[async_trait::async_trait]
impl Activation for Activated {
    async fn activate(&self, canary: &Canary, at: Timestamp) -> Result<Option<ActiveBundle>, PortError> {
        self.0.lock().unwrap().push(canary.bundle.clone());
        Ok(Some(ActiveBundle {
            bundle: canary.bundle.clone(),
            folder: canary.folder.clone().unwrap_or_default(),
            configured: canary.instead_of.clone(),
            since: at,
        }))
    }
}

fn judge(bench: &Bench, activation: &Arc<Activated>) -> CanaryJudge {
    let stores = Arc::new(Stores(Arc::clone(&bench.world)));
    CanaryJudge {
        state: Arc::clone(&stores) as Arc<dyn StateStore>,
        evidence: EvidenceReader {
            observations: Observations {
                blobs: Arc::clone(&stores) as Arc<dyn Blobs>,
                bucket: "results".to_owned(),
            },
            records: stores as Arc<dyn Records>,
            reviews: Arc::clone(&bench.world.reviews) as Arc<dyn Reviews>,
        },
        clock: Arc::clone(&bench.clock) as Arc<dyn Clock>,
        activation: Arc::clone(activation) as Arc<dyn Activation>,
    }
}

#[tokio::test]
async fn the_judge_rolls_back_what_fails_once() {
    let canaries = Canaries::new();
    let activated = Arc::<Activated>::default();
    let judge = judge(&canaries.bench, &activated);
    assert_eq!(judge.pass().await.unwrap(), CanaryPass::None);
    let started = Rollout::default()
        .step(&RolloutCommand::StartCanary(canary()))
        .unwrap();
    write_rollout(&*judge.state, &started).await.unwrap();
    assert!(matches!(judge.pass().await.unwrap(), CanaryPass::Goes(..)));
    canaries.load(Err("it cannot be loaded".to_owned()));
    for (name, photo) in canary_names().zip(CLEAN..).take(4) {
        canaries.settle(&canaries.deliver(&name, photo, 1)).await;
    }
    let CanaryPass::Ended(ended, evidence) = judge.pass().await.unwrap() else {
        panic!("it failed on four of four photos");
    };
    let end = ended.end.unwrap();
    assert_eq!(
        (end.how, end.why.as_str()),
        (CanaryOutcome::RolledBack, "it failed on 4 of 4 photos")
    );
    assert_eq!(evidence.canary.failed, 4);
    assert!(activated.0.lock().unwrap().is_empty());
    assert_eq!(judge.pass().await.unwrap(), CanaryPass::None, "once");
}

#[tokio::test]
async fn the_judge_promotes_and_an_end_by_hand_stands() {
    let bench = Bench::new(&[]);
    let activated = Arc::<Activated>::default();
    let judge = judge(&bench, &activated);
    let running = Rollout::default()
        .step(&RolloutCommand::StartCanary(canary()))
        .unwrap();
    let promoted = judge
        .end(&running, CanaryOutcome::Promoted, "good".to_owned())
        .await
        .unwrap();
    assert_eq!(*activated.0.lock().unwrap(), [BundleId::new("test", "2")]);
    assert_eq!(read_rollout(&*judge.state).await.unwrap(), promoted);
    let active = promoted.active.as_ref().unwrap();
    assert_eq!(
        (&active.bundle, &active.configured),
        (&canary().bundle, &canary().instead_of)
    );
    let by_hand = running
        .step(&RolloutCommand::EndCanary(CanaryEnd {
            at: Timestamp(9),
            how: CanaryOutcome::Stopped,
            why: "by hand".to_owned(),
        }))
        .unwrap();
    let again = judge
        .end(&by_hand, CanaryOutcome::Promoted, "good".to_owned())
        .await
        .unwrap();
    assert_eq!(again, by_hand);
}

/// A message's request keeps its vehicle on both sides of the GPU queue, so that one bundle answers for all its photos.
#[test]
fn a_message_to_the_gpu_lane_is_of_the_same_group() {
    let mut asked = InspectionRequest::of(InspectionId::new("one").unwrap(), request("one").photo);
    for vehicle in 0..20 {
        asked.vehicle_id = Some(format!("B-WA {vehicle}"));
        let text = request_json(&asked);
        let read = walkaround_messages::parse_intake(&text, &BTreeMap::new()).unwrap();
        let [walkaround_messages::Intake::Inspect(read)] = read.as_slice() else {
            panic!("one request");
        };
        assert_eq!(canary().group(read), canary().group(&asked));
    }
}
