//! The consumer: acknowledgements, redelivery, leases, and why it exits.

use crate::support::{Fault, MemoryQueue, run_tasks};
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_pipeline::consumer::{Consumer, ConsumerSettings, Disposition, Exit, Handler, Progress};
use walkaround_pipeline::shutdown::{ShutdownSignal, shutdown_signal};
use walkaround_ports::{Clock, Delivery};

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(60);

/// Handles a message as its id says: `ok`, `retry-once`, `panic-once`, `slow` (ten seconds), `drain` (until shutdown),
/// `stuck`.
#[derive(Default)]
struct Script {
    clock: Arc<ManualClock>,
    running: AtomicUsize,
    most: AtomicUsize,
}

#[async_trait]
impl Handler for Script {
    async fn handle(&self, delivery: &Delivery, stop: &ShutdownSignal) -> Disposition {
        let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(running, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let is_first = delivery.receive_count == 1;
        let kind = delivery.message_id.trim_end_matches(|c: char| c.is_ascii_digit());
        let disposition = match kind {
            "retry-once" if is_first => Disposition::Retry(7 * SECOND),
            "panic-once" if is_first => {
                self.running.fetch_sub(1, Ordering::SeqCst);
                panic!("as the script says")
            }
            "slow" => {
                self.clock.sleep(10 * SECOND).await;
                Disposition::Ack
            }
            "drain" => {
                stop.clone().wait().await;
                Disposition::Retry(Duration::ZERO)
            }
            "stuck" => std::future::pending().await,
            _ => Disposition::Ack,
        };
        self.running.fetch_sub(1, Ordering::SeqCst);
        disposition
    }
}

fn settings() -> ConsumerSettings {
    ConsumerSettings {
        in_flight_max: 4,
        lease: LEASE,
        receive_wait: SECOND,
        idle_exit: Some(20 * SECOND),
        stall_exit: 200 * SECOND,
        drain_budget: 25 * SECOND,
    }
}

/// The faults of the next calls of a queue, by name of the call.
type Faults = &'static [(&'static str, &'static [Fault])];

/// One run of a consumer.
struct RunCase {
    name: &'static str,
    messages: &'static [&'static str],
    faults: Faults,
    /// Seconds until the shutdown signal.
    stop_after: Option<u64>,
    settings: ConsumerSettings,
    exit: Exit,
    acknowledged: &'static [&'static str],
    released: &'static [(&'static str, u64)],
}

impl Default for RunCase {
    fn default() -> Self {
        Self {
            name: "",
            messages: &[],
            faults: &[],
            stop_after: None,
            settings: settings(),
            exit: Exit::Idle,
            acknowledged: &[],
            released: &[],
        }
    }
}

struct RunResult {
    exit: Exit,
    seconds: u64,
    queue: Arc<MemoryQueue>,
    script: Arc<Script>,
    progress: Arc<Progress>,
}

async fn run(case: &RunCase) -> RunResult {
    let clock = Arc::new(ManualClock::new());
    let queue = MemoryQueue::new(&clock, case.messages);
    for (call, faults) in case.faults {
        queue.fail(call, faults);
    }
    run_on(queue, case).await
}

async fn run_on(queue: Arc<MemoryQueue>, case: &RunCase) -> RunResult {
    let clock = Arc::clone(&queue.clock);
    let script = Arc::new(Script {
        clock: Arc::clone(&clock),
        ..Script::default()
    });
    let progress = Arc::new(Progress::default());
    let consumer = Consumer {
        queue: queue.clone(),
        handler: script.clone(),
        settings: case.settings,
        clock: clock.clone(),
        progress: Arc::clone(&progress),
    };
    let (trigger, stop) = shutdown_signal();
    let running = tokio::spawn(async move { consumer.run(stop).await });
    let mut seconds = 0;
    while !running.is_finished() {
        assert!(seconds < 2000, "{}: the consumer does not exit", case.name);
        run_tasks().await;
        if case.stop_after == Some(seconds) {
            trigger.stop();
            run_tasks().await;
        }
        clock.advance(SECOND);
        run_tasks().await;
        seconds += 1;
    }
    RunResult {
        exit: running.await.unwrap(),
        seconds,
        queue,
        script,
        progress,
    }
}

const RECEIVE_FAILS: Faults = &[(
    "receive",
    &[Fault::Error, Fault::Throttled(Duration::from_secs(5))],
)];
const RECEIVE_IS_THROTTLED: Faults = &[("receive", &[Fault::Throttled(Duration::from_secs(60))])];

fn cases_of_messages() -> Vec<RunCase> {
    vec![
        RunCase {
            name: "settled messages are acknowledged, and an empty queue ends the consumer",
            messages: &["ok1", "ok2", "ok3"],
            acknowledged: &["ok1", "ok2", "ok3"],
            ..RunCase::default()
        },
        RunCase {
            name: "a message that needs a retry is released with its delay",
            messages: &["retry-once"],
            acknowledged: &["retry-once"],
            released: &[("retry-once", 7)],
            ..RunCase::default()
        },
        RunCase {
            name: "a message whose release fails is redelivered at the end of its lease",
            messages: &["retry-once"],
            faults: &[("release", &[Fault::Error])],
            settings: ConsumerSettings {
                idle_exit: Some(90 * SECOND),
                ..settings()
            },
            acknowledged: &["retry-once"],
            ..RunCase::default()
        },
        RunCase {
            name: "a panic affects its own message only, until the end of its lease",
            messages: &["panic-once", "ok1"],
            settings: ConsumerSettings {
                idle_exit: Some(90 * SECOND),
                ..settings()
            },
            acknowledged: &["ok1", "panic-once"],
            ..RunCase::default()
        },
        RunCase {
            name: "messages whose acknowledgement fails are redelivered and acknowledged then",
            messages: &["ok1"],
            faults: &[("ack", &[Fault::Error, Fault::EachFails, Fault::Stale])],
            settings: ConsumerSettings {
                idle_exit: Some(90 * SECOND),
                ..settings()
            },
            acknowledged: &["ok1"],
            ..RunCase::default()
        },
        RunCase {
            name: "failed receives are repeated after a pause",
            messages: &["ok1"],
            faults: RECEIVE_FAILS,
            acknowledged: &["ok1"],
            ..RunCase::default()
        },
    ]
}

fn cases_of_shutdown() -> Vec<RunCase> {
    vec![
        RunCase {
            name: "on shutdown, work in flight is finished",
            messages: &["slow"],
            stop_after: Some(2),
            exit: Exit::Stopped,
            acknowledged: &["slow"],
            ..RunCase::default()
        },
        RunCase {
            // The receive that was pending at the signal gets the message once more.
            name: "on shutdown, handlers may return their messages",
            messages: &["drain"],
            stop_after: Some(2),
            exit: Exit::Stopped,
            released: &[("drain", 0), ("drain", 0)],
            ..RunCase::default()
        },
        RunCase {
            name: "a shutdown during the pause after a failed receive",
            faults: RECEIVE_IS_THROTTLED,
            stop_after: Some(2),
            exit: Exit::Stopped,
            ..RunCase::default()
        },
        RunCase {
            name: "a shutdown while the consumer is full",
            messages: &["drain1", "drain2", "ok1"],
            stop_after: Some(2),
            settings: ConsumerSettings {
                in_flight_max: 2,
                ..settings()
            },
            exit: Exit::Stopped,
            released: &[("drain1", 0), ("drain2", 0)],
            ..RunCase::default()
        },
        RunCase {
            name: "work that outlasts the drain budget is dropped",
            messages: &["stuck"],
            stop_after: Some(2),
            exit: Exit::BudgetSpent,
            ..RunCase::default()
        },
        RunCase {
            name: "the drain budget includes a receive that hangs",
            faults: &[("receive", &[Fault::Hangs])],
            stop_after: Some(2),
            exit: Exit::BudgetSpent,
            ..RunCase::default()
        },
    ]
}

fn cases_of_stalls() -> Vec<RunCase> {
    vec![
        RunCase {
            name: "work that never finishes is a stall",
            messages: &["stuck"],
            exit: Exit::Stalled,
            ..RunCase::default()
        },
        RunCase {
            name: "so it is when the consumer is full",
            messages: &["stuck"],
            settings: ConsumerSettings {
                in_flight_max: 1,
                ..settings()
            },
            exit: Exit::Stalled,
            ..RunCase::default()
        },
        RunCase {
            name: "a receive that hangs is a stall",
            faults: &[("receive", &[Fault::Hangs])],
            exit: Exit::Stalled,
            ..RunCase::default()
        },
    ]
}

#[tokio::test]
async fn messages_and_exits() {
    for case in cases_of_messages()
        .into_iter()
        .chain(cases_of_shutdown())
        .chain(cases_of_stalls())
    {
        let result = run(&case).await;
        assert_eq!(result.exit, case.exit, "{}", case.name);
        let mut acknowledged = result.queue.acknowledged.lock().unwrap().clone();
        acknowledged.sort();
        assert_eq!(acknowledged, case.acknowledged, "{}", case.name);
        let mut released: Vec<(String, u64)> = result
            .queue
            .released
            .lock()
            .unwrap()
            .iter()
            .map(|(id, delay)| (id.clone(), delay.as_secs()))
            .collect();
        released.sort();
        let expected = case.released.iter().map(|(id, delay)| ((*id).to_owned(), *delay));
        assert_eq!(released, expected.collect::<Vec<_>>(), "{}", case.name);
        assert_eq!(
            result.progress.in_flight.load(Ordering::Relaxed),
            0,
            "{}",
            case.name
        );
    }
}

#[tokio::test]
async fn a_consumer_without_idle_exit_waits_for_messages() {
    let result = run(&RunCase {
        stop_after: Some(500),
        settings: ConsumerSettings {
            idle_exit: None,
            ..settings()
        },
        ..RunCase::default()
    })
    .await;
    assert_eq!(result.exit, Exit::Stopped);
    let age = result.queue.clock.ticks() - result.progress.last_progress();
    assert!(age < 5 * SECOND, "an empty queue is progress: {age:?}");
}

#[tokio::test]
async fn in_flight_messages_are_bounded() {
    let result = run(&RunCase {
        messages: &["slow1", "slow2", "slow3", "slow4", "slow5"],
        settings: ConsumerSettings {
            in_flight_max: 2,
            ..settings()
        },
        ..RunCase::default()
    })
    .await;
    assert_eq!(result.script.most.load(Ordering::SeqCst), 2);
    assert_eq!(result.queue.acknowledged.lock().unwrap().len(), 5);
    assert_eq!(result.progress.settled.load(Ordering::Relaxed), 5);
}

#[tokio::test]
async fn a_stall_is_visible_in_the_progress() {
    let result = run(&RunCase {
        messages: &["stuck"],
        exit: Exit::Stalled,
        ..RunCase::default()
    })
    .await;
    assert_eq!(result.exit, Exit::Stalled);
    let now = result.queue.clock.ticks();
    assert!(now - result.progress.last_finish() > 200 * SECOND);
    assert!(now - result.progress.last_progress() > 200 * SECOND);
    assert!(result.seconds < 300, "{}", result.seconds);
}

/// Calls of `extend`, by message.
fn extensions(queue: &MemoryQueue) -> BTreeMap<String, Vec<Duration>> {
    let mut calls: BTreeMap<String, Vec<Duration>> = BTreeMap::new();
    for (id, at) in queue.extended.lock().unwrap().iter() {
        calls.entry(id.clone()).or_default().push(*at);
    }
    calls
}

#[tokio::test]
async fn leases_are_extended_well_before_their_end_and_an_extension_that_hangs_delays_no_other() {
    let clock = Arc::new(ManualClock::new());
    // The first in order hangs: a sequential keeper would wait for it.
    let queue = MemoryQueue::new(&clock, &["stuck1", "stuck2", "stuck3", "stuck4"]);
    *queue.extend_hangs_for.lock().unwrap() = Some("stuck1".to_owned());
    let result = run_on(
        queue,
        &RunCase {
            name: "leases",
            ..RunCase::default()
        },
    )
    .await;
    assert_eq!(result.exit, Exit::Stalled);
    let calls = extensions(&result.queue);
    assert_eq!(calls.len(), 4);
    for (id, calls) in &calls {
        let mut last = Duration::ZERO;
        for at in calls {
            assert!(*at - last < LEASE, "{id}: extended at {last:?} and {at:?}");
            last = *at;
        }
        assert!(last > 2 * LEASE, "{id}: last extended at {last:?}");
    }
    let first = calls["stuck1"].iter().filter(|at| **at < LEASE).count();
    assert!(
        first > 1,
        "a hanging extension is repeated within the lease: {first}"
    );
}

#[tokio::test]
async fn work_continues_when_its_lease_cannot_be_extended() {
    for fault in [Fault::Error, Fault::Stale] {
        let clock = Arc::new(ManualClock::new());
        let queue = MemoryQueue::new(&clock, &["stuck"]);
        queue.fail("extend", &[fault]);
        let result = run_on(
            queue,
            &RunCase {
                name: "extend",
                ..RunCase::default()
            },
        )
        .await;
        assert_eq!(result.exit, Exit::Stalled);
        let calls = extensions(&result.queue);
        assert!(calls["stuck"].len() > 5, "{fault:?}: {calls:?}");
    }
}
