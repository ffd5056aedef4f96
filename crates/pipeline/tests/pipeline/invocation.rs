//! One invocation of a function: what is settled, what is returned and when, and that no task outlives its end.

use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::Timestamp;
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::invocation::{Invocation, InvocationDeadline, InvocationSettings};
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::{
    AckOutcome, Clock, Delivery, Depth, LeaseOutcome, OutMessage, PortCall, PortError, PortErrorKind, Queue,
    Receipt,
};

const SECOND: Duration = Duration::from_secs(1);

/// Remembers what was given back; nothing else may be asked of it.
#[derive(Default)]
struct Given(Mutex<BTreeMap<String, Duration>>, bool);

#[async_trait]
impl Queue for Given {
    async fn send(&self, _: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        panic!("nothing is sent")
    }
    async fn receive(&self, _: usize, _: Duration, _: Duration) -> Result<Vec<Delivery>, PortError> {
        panic!("nothing is received")
    }
    async fn extend(&self, _: &Receipt, _: Duration) -> Result<LeaseOutcome, PortError> {
        panic!("nothing is extended")
    }
    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        if self.1 {
            let detail = "out of reach";
            return Err(PortError::new(
                PortCall::new("queue", "release"),
                PortErrorKind::Unavailable,
                detail,
            ));
        }
        self.0.lock().unwrap().insert(receipt.0.clone(), delay);
        Ok(LeaseOutcome::Held)
    }
    async fn ack(&self, _: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        panic!("Lambda acknowledges")
    }
    async fn depth(&self) -> Result<Depth, PortError> {
        panic!("not used here")
    }
}

/// Does what the body says: `ok`, `again`, `panic`, or `stuck` until the end of time.
#[derive(Default)]
struct Script {
    at_once: AtomicUsize,
    most: AtomicUsize,
    begun: AtomicUsize,
}

#[async_trait]
impl Handler for Script {
    async fn handle(&self, delivery: &Delivery, _: &ShutdownSignal) -> Disposition {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(now, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let handled = match delivery.body.as_str() {
            "ok" => Disposition::Ack,
            "again" => Disposition::Retry(7 * SECOND),
            "panic" => panic!("as the script says"),
            _ => std::future::pending().await,
        };
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        handled
    }
}

fn deliveries(bodies: &[&str]) -> Vec<Delivery> {
    let one = |(n, body): (usize, &&str)| Delivery {
        receipt: Receipt(format!("r{n}")),
        message_id: format!("m{n}"),
        body: (*body).to_owned(),
        attributes: BTreeMap::new(),
        receive_count: 1,
        sent_at: Timestamp(0),
    };
    bodies.iter().enumerate().map(one).collect()
}

struct Bench {
    clock: Arc<ManualClock>,
    queue: Arc<Given>,
    script: Arc<Script>,
    invocation: Invocation,
}

fn bench(at_once_max: usize, broken: bool) -> Bench {
    let clock = Arc::new(ManualClock::new());
    let queue = Arc::new(Given(Mutex::default(), broken));
    let script = Arc::new(Script::default());
    let invocation = Invocation {
        queue: queue.clone(),
        handler: script.clone(),
        clock: clock.clone(),
        end: InvocationDeadline::never(),
        settings: InvocationSettings {
            at_once_max,
            ..InvocationSettings::default()
        },
    };
    Bench {
        clock,
        queue,
        script,
        invocation,
    }
}

#[tokio::test]
async fn what_has_to_come_back_is_named_and_delayed_and_the_rest_is_not() {
    let bench = bench(2, false);
    let mut back = bench
        .invocation
        .run(deliveries(&["ok", "again", "ok", "panic", "ok"]), 30 * SECOND)
        .await;
    back.sort();
    assert_eq!(back, ["m1", "m3"]);
    let given = bench.queue.0.lock().unwrap().clone();
    assert_eq!(
        given,
        BTreeMap::from([("r1".to_owned(), 7 * SECOND), ("r3".to_owned(), Duration::ZERO)])
    );
    assert_eq!(
        bench.script.most.load(Ordering::SeqCst),
        2,
        "two at once, not more"
    );
}

#[tokio::test]
async fn a_message_that_cannot_be_given_back_is_still_named() {
    let bench = bench(2, true);
    assert_eq!(
        bench.invocation.run(deliveries(&["again"]), 30 * SECOND).await,
        ["m0"]
    );
}

#[tokio::test]
async fn near_the_end_nothing_is_begun_and_at_the_end_everything_goes_back() {
    let bench = bench(1, false);
    let (clock, script) = (bench.clock.clone(), bench.script.clone());
    let end = bench.invocation.end.clone();
    let running = tokio::spawn(async move {
        let invocation = bench.invocation;
        invocation
            .run(deliveries(&["stuck", "ok", "ok"]), 30 * SECOND)
            .await
    });
    settle().await;
    assert_eq!(script.begun.load(Ordering::SeqCst), 1);
    assert_eq!(end.left(clock.ticks()), 30 * SECOND);
    // Five seconds before the end nothing is begun any more; what runs may go on.
    clock.advance(26 * SECOND);
    settle().await;
    assert!(!running.is_finished());
    assert_eq!(end.left(clock.ticks()), 4 * SECOND);
    clock.advance(3 * SECOND);
    let mut back = running.await.unwrap();
    back.sort();
    assert_eq!(back, ["m0", "m1", "m2"]);
    assert_eq!(
        script.begun.load(Ordering::SeqCst),
        1,
        "the others were not begun"
    );
    let given = bench.queue.0.lock().unwrap().clone();
    assert!(
        given.len() == 3 && given.values().all(Duration::is_zero),
        "{given:?}"
    );
}

/// Lets all tasks run as far as they can.
async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[test]
fn a_process_without_invocations_has_time() {
    let end = InvocationDeadline::never();
    assert!(end.left(Duration::from_secs(1_000_000)) >= Duration::from_secs(600));
}
