//! The judge of a canary as the function `monitor` runs it, on an emulator with a registry of bundles: it promotes one version
//! and rolls another one back.

use serde_json::{Value, json};
use std::sync::Arc;
use walkaround_aws::{BundleRegistry, DynamoState, S3Blobs};
use walkaround_domain::canary::{Canary, CanaryGroup, CanaryPolicy, Observation, Observed};
use walkaround_domain::rollout::Rollout;
use walkaround_domain::{BundleId, InspectionId, Timestamp, Verdict};
use walkaround_pipeline::canary::Observations;
use walkaround_pipeline::rollout::write_rollout;
use walkaround_ports::{Clock, SystemClock};
use walkaround_tests::cloudformation::bucket;
use walkaround_tests::function_stack::{FunctionStack, RESULTS, TABLE};
use walkaround_tests::places;

/// Bucket of the registry.
const BUNDLES: &str = "bundles";
/// Photos that a canary has to answer for here: more than both bundles must have seen in any case.
const PHOTOS_SEEN: u64 = 60;

/// What the judge reads and writes: a stack, and a registry in which version 1 is active.
struct Bench {
    stack: FunctionStack,
    registry: BundleRegistry,
    state: DynamoState,
    clock: Arc<dyn Clock>,
}

impl Bench {
    fn start() -> Self {
        let folder = places::root().join("tests/bundles/trivial");
        let stack = FunctionStack::start(&folder);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let registry = BundleRegistry::new(stack.aws.s3.clone(), BUNDLES);
        stack.block_on(async {
            bucket(&stack.aws, BUNDLES).await;
            for version in ["1", "2"] {
                let id = walkaround_aws::BundleId::new("demo", version);
                registry.push(id, &folder).await.expect("it is pushed");
            }
            let first = walkaround_aws::BundleId::new("demo", "1");
            let activated = registry.activate(first, clock.now()).await;
            activated.expect("it is activated");
        });
        let state = DynamoState::new(stack.aws.dynamodb.clone(), TABLE, Arc::clone(&clock));
        Self {
            stack,
            registry,
            state,
            clock,
        }
    }

    /// Starts a canary of a version, now or long ago.
    fn start_canary(&self, version: &str, since: Timestamp) -> Canary {
        let canary = Canary {
            bundle: BundleId::new("demo", version),
            folder: None,
            instead_of: BundleId::new("demo", "before"),
            instead_of_folder: None,
            share: 0.1,
            since,
            policy: CanaryPolicy {
                photos_min: PHOTOS_SEEN,
                ..CanaryPolicy::default()
            },
            end: None,
        };
        let rollout = Rollout {
            canary: Some(canary.clone()),
            ..Rollout::default()
        };
        let written = self.stack.block_on(write_rollout(&self.state, &rollout));
        written.expect("the rollout is written");
        canary
    }

    /// Photos that both the canary and the bundle before call clean.
    fn note_photos(&self, canary: &Canary) {
        let observations = Observations {
            blobs: Arc::new(S3Blobs::new(self.stack.aws.s3.clone())),
            bucket: RESULTS.to_owned(),
        };
        let answered = Observed::Answered {
            verdict: Verdict::Clean,
            lane: None,
            micros: [1000, 0],
        };
        self.stack.block_on(async {
            for number in 0..PHOTOS_SEEN {
                let id = InspectionId::new(format!("walk-{number}")).expect("an id");
                for observed in [answered, Observed::Before(Verdict::Clean)] {
                    let seen = Observation {
                        group: CanaryGroup::Canary,
                        observed,
                    };
                    let put = observations.put(canary, &id, &seen, None).await;
                    put.expect("it is noted");
                }
            }
        });
    }

    /// The active version.
    fn active(&self) -> String {
        let active = self.stack.block_on(self.registry.require_active("demo"));
        active.expect("one is active").version
    }
}

fn of(canary: &str, bundle: &str) -> (Value, Value) {
    (json!(canary), json!(bundle))
}

#[test]
fn the_judge_promotes_a_version_of_the_registry_and_rolls_one_back() {
    let bench = Bench::start();
    let location = format!("s3://{BUNDLES}/demo");
    let variables = [("WALKAROUND_BUNDLE", location.as_str())];
    let program = env!("CARGO_BIN_EXE_monitor-under-test");
    let mut monitor = bench.stack.function(program, &variables);
    let mut judged = || {
        let answer = monitor.invoke(&json!({"pass": "canary"})).expect("an answer");
        assert!(
            answer["canary"] == "none" || answer["why"].is_string(),
            "{answer}"
        );
        (answer["canary"].clone(), answer["bundle"].clone())
    };
    let none = (json!("none"), Value::Null);
    assert_eq!(judged(), none);

    let canary = bench.start_canary("2", bench.clock.now());
    assert_eq!(judged(), of("goes", "demo 2"));
    assert_eq!(bench.active(), "1");
    bench.note_photos(&canary);
    assert_eq!(judged(), of("promoted", "demo 2"));
    assert_eq!(bench.active(), "2");
    assert_eq!(judged(), none, "it has ended");

    // Nothing was seen of this one in all the time that there was.
    bench.start_canary("1", Timestamp(5));
    assert_eq!(judged(), of("rolled_back", "demo 1"));
    assert_eq!(bench.active(), "2");
    assert_eq!(judged(), none, "it has ended");

    let told = monitor.stdout();
    let ends = told.lines().filter(|line| line.contains(r#""Canaries":[1.0]"#));
    let ends: Vec<bool> = ends.map(|line| line.contains(r#""rolled_back""#)).collect();
    assert_eq!(ends, [false, true], "{told}");
}
