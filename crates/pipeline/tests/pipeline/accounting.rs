//! What counts as an attempt at a photo, and what does not: hosts, stores, engines, crashes, invocations.

mod starts;

use crate::support;
use crate::support::{ATTEMPTS, Bench, Fetch, World, delivery, processor, queue, request, run_tasks};
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use walkaround_domain::{FailureCode, Inspection, Phase};
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::inspector::Answering;
use walkaround_pipeline::invocation::{Invocation, InvocationDeadline, InvocationSettings};
use walkaround_pipeline::processor::{Attempt, DecodeOutcome, PhotoRequest, RequestProcessor};
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::shutdown::{ShutdownSignal, shutdown_signal};
use walkaround_ports::{Delivery, PARKED_REASON, PortErrorKind};

const GREY: Fetch = Fetch::Picture(120);
/// The engine fails on it, and on nothing else.
const WHITE: Fetch = Fetch::Picture(support::WHITE);

impl Bench {
    /// A process of its own handles the n-th delivery.
    async fn deliver(&self, n: u32) -> Disposition {
        let worker = self.worker();
        let (_stopper, never) = shutdown_signal();
        worker.handle(&delivery("one", n, &self.clock), &never).await
    }

    /// A process dies with the n-th delivery in flight.
    async fn crash(&self, n: u32) {
        let worker = self.worker();
        let (_stopper, never) = shutdown_signal();
        let one = delivery("one", n, &self.clock);
        let mut dies = Box::pin(worker.handle(&one, &never));
        for _ in 0..100 {
            let polled = std::future::poll_fn(|context| {
                use std::task::Poll;
                Poll::Ready(dies.as_mut().poll(context).is_ready())
            });
            assert!(!polled.await, "it did not get as far as the fetch");
            if self.world.in_flight.load(Ordering::SeqCst) > 0 {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("the photo was never fetched");
    }

    fn worker(&self) -> Segmentation {
        Segmentation {
            processor: processor(&self.world, &self.clock).0,
        }
    }

    fn inspection(&self) -> Inspection {
        self.world.inspection("one").unwrap()
    }

    fn failure(&self) -> (FailureCode, String) {
        match self.inspection().phase {
            Phase::Failed { code, detail } => (code, detail),
            phase => panic!("not failed: {phase:?}"),
        }
    }
}

fn came_back(handled: Disposition) -> Duration {
    match handled {
        Disposition::Retry(delay) => delay,
        Disposition::Ack => panic!("settled"),
    }
}

#[tokio::test]
async fn a_host_that_fails_uses_up_attempts_with_growing_delays() {
    let bench = Bench::new(&[Fetch::Fails]);
    let first = came_back(bench.deliver(1).await);
    let second = came_back(bench.deliver(2).await);
    assert!(second > first, "{first:?}, then {second:?}");
    assert_eq!(bench.inspection().attempts, 2);
    assert_eq!(
        bench.inspection().history.last_failure.unwrap().code,
        FailureCode::PhotoUnreachable
    );
    assert_eq!(bench.deliver(3).await, Disposition::Ack);
    assert_eq!(bench.failure().0, FailureCode::PhotoUnreachable);
    assert_eq!(bench.inspection().attempts, ATTEMPTS);
}

#[tokio::test]
async fn deliveries_say_nothing_about_attempts() {
    let bench = Bench::new(&[Fetch::Fails, GREY]);
    came_back(bench.deliver(900).await);
    assert_eq!(bench.inspection().attempts, 1);
    assert_eq!(bench.deliver(901).await, Disposition::Ack);
    assert!(matches!(bench.inspection().phase, Phase::Done { .. }));
}

#[tokio::test]
async fn a_store_that_is_away_uses_up_no_attempt_however_long() {
    let stores: [fn(&World) -> &AtomicBool; 2] = [|world| &world.blobs_away, |world| &world.records_away];
    for is_away in stores {
        let bench = Bench::new(&[GREY]);
        is_away(&bench.world).store(true, Ordering::SeqCst);
        for n in 1..200 {
            came_back(bench.deliver(n).await);
        }
        is_away(&bench.world).store(false, Ordering::SeqCst);
        assert_eq!(bench.deliver(200).await, Disposition::Ack);
        let inspection = bench.inspection();
        assert!(
            matches!(inspection.phase, Phase::Done { .. }),
            "{:?}",
            inspection.phase
        );
        assert_eq!(
            (inspection.attempts, inspection.history.unfinished_starts),
            (1, 0)
        );
    }
}

#[tokio::test]
async fn a_photo_that_is_not_asked_for_or_whose_store_is_away_has_no_attempt() {
    for away in [
        Fetch::HostBusy,
        Fetch::Port(PortErrorKind::Unavailable),
        Fetch::Port(PortErrorKind::Throttled),
        Fetch::Port(PortErrorKind::Invalid),
    ] {
        let mut fetches = vec![away; 50];
        fetches.push(GREY);
        let bench = Bench::new(&fetches);
        for n in 1..=50 {
            came_back(bench.deliver(n).await);
        }
        assert_eq!(bench.deliver(51).await, Disposition::Ack);
        let inspection = bench.inspection();
        let is_done = matches!(inspection.phase, Phase::Done { .. });
        assert!(is_done, "{away:?}: {:?}", inspection.phase);
        assert_eq!(
            (inspection.attempts, inspection.history.unfinished_starts),
            (1, 0)
        );
    }
}

#[tokio::test]
async fn a_message_that_its_queue_would_soon_drop_is_parked_with_the_reason() {
    let bench = Bench::new(&[GREY]);
    bench.world.blobs_away.store(true, Ordering::SeqCst);
    let (worker, (_stopper, never)) = (bench.worker(), shutdown_signal());
    let old = delivery("one", 300, &bench.clock);
    bench.clock.advance(Duration::from_secs(85 * 3600));
    assert_eq!(worker.handle(&old, &never).await, Disposition::Ack);
    let parked = bench.world.parked.lock().unwrap();
    assert!(parked[0].attributes[PARKED_REASON].contains("away"), "{parked:?}");
}

#[tokio::test]
async fn a_photo_on_which_a_healthy_engine_fails_is_final_with_its_own_failure() {
    let bench = Bench::new(&[WHITE]);
    for n in 1..ATTEMPTS {
        came_back(bench.deliver(n).await);
        assert_eq!(bench.inspection().attempts, n);
    }
    assert_eq!(bench.deliver(ATTEMPTS).await, Disposition::Ack);
    assert_eq!(bench.failure().0, FailureCode::EngineFailed);
}

#[tokio::test]
async fn a_sick_engine_gives_photos_back_without_an_attempt_and_ends_its_process() {
    let bench = Bench::new(&[GREY]);
    bench.world.engine_unhealthy.store(true, Ordering::SeqCst);
    let (processor, monitor) = processor(&bench.world, &bench.clock);
    let (worker, (_stopper, never)) = (Segmentation { processor }, shutdown_signal());
    for n in 1..=3 {
        assert!(!monitor.is_sick());
        came_back(worker.handle(&delivery("one", n, &bench.clock), &never).await);
    }
    assert!(monitor.is_sick());
    assert_eq!(bench.world.inspection("one").map_or(0, |i| i.attempts), 0);
    bench.world.engine_unhealthy.store(false, Ordering::SeqCst);
    assert_eq!(bench.deliver(4).await, Disposition::Ack);
    assert_eq!(bench.inspection().attempts, 1);
}

#[tokio::test]
async fn five_kills_with_the_message_in_flight_and_a_host_that_fails_once_are_one_attempt() {
    let bench = Bench::new(&[
        Fetch::Hangs,
        Fetch::Hangs,
        Fetch::Hangs,
        Fetch::Hangs,
        Fetch::Hangs,
        Fetch::Fails,
        GREY,
    ]);
    for n in 1..=5 {
        bench.crash(n).await;
    }
    came_back(bench.deliver(6).await);
    let inspection = bench.inspection();
    assert_eq!(
        (inspection.attempts, inspection.history.unfinished_starts),
        (1, 0)
    );
    assert_eq!(bench.deliver(7).await, Disposition::Ack);
    assert!(matches!(bench.inspection().phase, Phase::Done { .. }));
    assert_eq!(bench.inspection().attempts, 2);
}

/// As triage, with nothing behind the fetch.
struct FetchOnly {
    processor: RequestProcessor,
    end: Arc<InvocationDeadline>,
}

#[async_trait]
impl Handler for FetchOnly {
    async fn handle(&self, delivery: &Delivery, stop: &ShutdownSignal) -> Disposition {
        let task = Attempt::new(delivery, self.processor.settler.clock.ticks());
        let asked = request(&delivery.message_id);
        let work = async {
            let answering = Answering::plain(self.processor.inspector.get());
            let inspector = &answering.inspector;
            let mut at = PhotoRequest::new(asked.clone(), &task);
            let entry = self.processor.load_or_create(inspector, &mut at).await?;
            let (entry, _permit) = self.processor.begin(entry, &task, &answering).await?;
            match self.processor.prepare(inspector, &mut at).await? {
                DecodeOutcome::Decoded(_) => Ok(()),
                DecodeOutcome::Refused(finished) => {
                    self.processor.settle(entry, finished, &at, &answering).await
                }
            }
        };
        match self
            .processor
            .within(&self.end, stop, &task, Box::pin(work))
            .await
        {
            Ok(()) => Disposition::Ack,
            Err(error) => self.processor.handle_error(error, asked.clone(), &task).await,
        }
    }
}

/// One invocation of a minute, with one message.
async fn invoke(bench: &Bench, n: u32, at_once: usize) -> Vec<String> {
    invoke_with(bench, delivery("one", n, &bench.clock), at_once).await
}

async fn invoke_with(bench: &Bench, one: Delivery, at_once: usize) -> Vec<String> {
    let end = InvocationDeadline::never();
    let invocation = Invocation {
        queue: queue(&bench.world),
        handler: Arc::new(FetchOnly {
            processor: processor(&bench.world, &bench.clock).0,
            end: Arc::clone(&end),
        }),
        clock: Arc::clone(&bench.clock) as Arc<dyn walkaround_ports::Clock>,
        end,
        settings: InvocationSettings {
            at_once_max: at_once,
            ..InvocationSettings::default()
        },
    };
    let deliveries = vec![one];
    let running = tokio::spawn(async move { invocation.run(deliveries, Duration::from_secs(60)).await });
    for _ in 0..60 {
        run_tasks().await;
        if running.is_finished() {
            break;
        }
        bench.clock.advance(Duration::from_secs(1));
    }
    running.await.unwrap()
}

#[tokio::test]
async fn a_photo_that_outlasts_its_invocation_is_accounted_for_and_ends_on_its_record() {
    let bench = Bench::new(&[Fetch::Hangs]);
    for n in 1..ATTEMPTS {
        assert_eq!(invoke(&bench, n, 4).await, ["one"], "it goes back");
        let inspection = bench.inspection();
        assert_eq!(
            (inspection.attempts, inspection.history.unfinished_starts),
            (n, 0)
        );
    }
    assert_eq!(
        invoke(&bench, ATTEMPTS, 4).await,
        Vec::<String>::new(),
        "recorded, so acknowledged"
    );
    let (code, detail) = bench.failure();
    assert_eq!(code, FailureCode::PhotoUnreachable);
    assert!(
        detail.contains("did not arrive before the invocation ended"),
        "{detail}"
    );
    assert!(bench.inspection().published_at.is_some());
}

#[tokio::test]
async fn a_photo_that_cannot_be_compared_waits_for_as_long_as_others_have_attempts() {
    let bench = Bench::new(&[GREY]);
    assert_eq!(bench.deliver(1).await, Disposition::Ack);
    let before = bench.inspection();
    // It is asked for again, while its host is in trouble.
    bench.clock.advance(Duration::from_secs(60));
    bench.world.photo("one", &[Fetch::Fails]);
    let again = delivery("one", 1, &bench.clock);
    for n in 1..20 {
        let one = Delivery {
            receive_count: n,
            ..again.clone()
        };
        assert_eq!(invoke_with(&bench, one, 4).await, ["one"], "it goes back");
    }
    bench.clock.advance(Duration::from_secs(6 * 3600));
    assert_eq!(
        invoke_with(&bench, again, 4).await,
        Vec::<String>::new(),
        "what was found stands"
    );
    let after = bench.inspection();
    assert_eq!((&after.phase, after.attempts), (&before.phase, before.attempts));
    assert!(matches!(after.phase, Phase::Done { .. }));
}
