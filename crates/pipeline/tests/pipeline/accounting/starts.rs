//! Starts on the record: which of them are deaths of a process, and which are not.

use super::GREY;
use crate::support::{Bench, DRAIN_BUDGET, Fetch, delivery, run_tasks};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use walkaround_domain::attempts::{STARTS_ALONE_MAX, STARTS_TOGETHER_MAX};
use walkaround_domain::{FailureCode, Phase};
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::shutdown::{ShutdownSignal, shutdown_signal};

#[tokio::test]
async fn a_photo_that_kills_every_process_that_has_only_it_is_final_as_such() {
    let bench = Bench::new(&[Fetch::Hangs]);
    // The first start leaves no trace: most messages are delivered once, and should cost no write.
    let kills = 1 + STARTS_TOGETHER_MAX + STARTS_ALONE_MAX;
    for n in 1..=kills {
        bench.crash(n).await;
    }
    assert_eq!(bench.deliver(kills + 1).await, Disposition::Ack);
    let (code, detail) = bench.failure();
    assert_eq!(code, FailureCode::ProcessDied);
    assert!(detail.contains("3 processes"), "{detail}");
}

#[tokio::test]
async fn a_suspected_photo_is_in_flight_alone_and_its_neighbours_end_well() {
    let bench = Bench::new(&[Fetch::Hangs]);
    for n in 1..=(1 + STARTS_TOGETHER_MAX) {
        bench.crash(n).await;
    }
    bench.world.photo("two", &[Fetch::Hangs]);
    let worker = Arc::new(bench.worker());
    let (_stopper, never) = shutdown_signal();
    let spawned = |name: &'static str, n| {
        let (worker, never, one) = (
            Arc::clone(&worker),
            never.clone(),
            delivery(name, n, &bench.clock),
        );
        tokio::spawn(async move { worker.handle(&one, &never).await })
    };
    let suspect = spawned("one", 4);
    run_tasks().await;
    let neighbour = spawned("two", 1);
    run_tasks().await;
    assert_eq!(
        bench.world.in_flight.load(Ordering::SeqCst),
        1,
        "the suspect has the process for itself"
    );
    assert_eq!(bench.inspection().history.unfinished_starts_alone, 1);
    bench.world.photo("two", &[GREY]);
    suspect.abort();
    assert_eq!(neighbour.await.unwrap(), Disposition::Ack);
    assert!(matches!(
        bench.world.inspection("two").unwrap().phase,
        Phase::Done { .. }
    ));
}

#[tokio::test]
async fn a_stop_in_good_order_leaves_no_suspicion() {
    let bench = Bench::new(&[Fetch::Hangs, GREY]);
    bench.crash(1).await;
    for n in 2..50 {
        let worker = bench.worker();
        let (stopper, stopped) = shutdown_signal();
        stopper.stop();
        assert_eq!(
            worker.handle(&delivery("one", n, &bench.clock), &stopped).await,
            Disposition::Retry(Duration::ZERO)
        );
    }
    assert_eq!(bench.inspection().history.unfinished_starts, 0);
    assert_eq!(bench.deliver(50).await, Disposition::Ack);
}

#[tokio::test]
async fn a_photo_that_does_not_arrive_before_its_process_ends_is_not_suspected() {
    let bench = Bench::new(&[Fetch::Hangs]);
    for n in 1..20 {
        let worker = bench.worker();
        let (stopper, stopped) = shutdown_signal();
        let one = delivery("one", n, &bench.clock);
        let handled = tokio::spawn(async move { worker.handle(&one, &stopped).await });
        run_tasks().await;
        assert_eq!(bench.world.in_flight.load(Ordering::SeqCst), 1, "it is fetched");
        stopper.stop();
        run_tasks().await;
        bench.clock.advance(DRAIN_BUDGET - Duration::from_secs(1));
        run_tasks().await;
        assert!(handled.is_finished(), "there is no time left to give it back");
        assert_eq!(handled.await.unwrap(), Disposition::Retry(Duration::ZERO));
    }
    let history = bench.inspection().history;
    assert_eq!(
        (history.unfinished_starts, history.unfinished_starts_alone),
        (0, 0)
    );
}

#[tokio::test]
async fn a_stop_while_the_start_is_announced_leaves_no_suspicion() {
    let bench = Bench::new(&[Fetch::Hangs]);
    bench.crash(1).await;
    bench.world.answer_is_lost.store(true, Ordering::SeqCst);
    let worker = bench.worker();
    let (stopper, stopped) = shutdown_signal();
    let one = delivery("one", 2, &bench.clock);
    let handled = tokio::spawn(async move { worker.handle(&one, &stopped).await });
    run_tasks().await;
    assert_eq!(bench.inspection().history.unfinished_starts, 1);
    stopper.stop();
    run_tasks().await;
    bench.clock.advance(DRAIN_BUDGET - Duration::from_secs(1));
    run_tasks().await;
    assert_eq!(handled.await.unwrap(), Disposition::Retry(Duration::ZERO));
    assert_eq!(bench.inspection().history.unfinished_starts, 0);
}

#[tokio::test]
async fn a_second_message_of_a_photo_in_work_does_not_count_its_start_as_a_death() {
    let bench = Bench::new(&[Fetch::Hangs]);
    let deaths = 1 + STARTS_TOGETHER_MAX + STARTS_ALONE_MAX - 1;
    for n in 1..=deaths {
        bench.crash(n).await;
    }
    // The last start that there may be is running; the record already counts it.
    let worker = Arc::new(bench.worker());
    let (stopper, stopped) = shutdown_signal();
    let (_stopper, never) = shutdown_signal();
    let spawned = |stop: ShutdownSignal, n| {
        let (worker, one) = (Arc::clone(&worker), delivery("one", n, &bench.clock));
        tokio::spawn(async move { worker.handle(&one, &stop).await })
    };
    let first = spawned(stopped, deaths + 1);
    run_tasks().await;
    assert_eq!(
        bench.inspection().history.unfinished_starts_alone,
        STARTS_ALONE_MAX
    );
    let second = spawned(never, 2);
    run_tasks().await;
    assert!(!bench.inspection().phase.is_final(), "the first has not died");
    stopper.stop();
    run_tasks().await;
    bench.clock.advance(DRAIN_BUDGET - Duration::from_secs(1));
    run_tasks().await;
    for handled in [first, second] {
        assert_eq!(handled.await.unwrap(), Disposition::Retry(Duration::ZERO));
    }
    bench.world.photo("one", &[GREY]);
    assert_eq!(bench.deliver(3).await, Disposition::Ack);
    assert!(matches!(bench.inspection().phase, Phase::Done { .. }));
}
