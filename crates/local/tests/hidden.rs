//! A clock that was ahead hides messages for no longer than their lease or delay.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_local::{INTAKE, LocalStack, Options};
use walkaround_ports::{Clock, OutMessage, Queue};

const HOUR: Duration = Duration::from_secs(3600);
const LEASE: Duration = Duration::from_secs(60);

/// A wall clock that is set, beside ticks that only go on.
#[derive(Default)]
struct SetClock {
    now_ms: AtomicU64,
    ticks_ms: AtomicU64,
}

impl SetClock {
    fn set(&self, to: Timestamp) {
        self.now_ms.store(to.0, Ordering::Relaxed);
    }

    /// Both go on.
    fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap();
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
        self.ticks_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.now_ms.load(Ordering::Relaxed))
    }

    fn ticks(&self) -> Duration {
        Duration::from_millis(self.ticks_ms.load(Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {
        tokio::task::yield_now().await;
    }
}

const T0: Timestamp = Timestamp(1_795_305_600_000);

fn open() -> (LocalStack, Arc<SetClock>, Arc<dyn Queue>, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let clock = Arc::new(SetClock::default());
    clock.set(T0);
    let local = LocalStack::open(folder.path(), Options::default(), clock.clone()).unwrap();
    let queue = local.queue(INTAKE).unwrap();
    (local, clock, queue, folder)
}

async fn send(queue: &Arc<dyn Queue>, delay: Duration) {
    let message = OutMessage {
        body: "photo".to_owned(),
        delay,
        ..OutMessage::default()
    };
    queue.send(vec![message]).await.unwrap()[0].as_ref().unwrap();
}

async fn visible(queue: &Arc<dyn Queue>) -> usize {
    queue.receive(10, LEASE, Duration::ZERO).await.unwrap().len()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_clock_that_was_an_hour_ahead_messages_wait_for_their_lease_or_delay_from_now() {
    let (local, clock, queue, _folder) = open();
    clock.set(T0 + HOUR);
    // Sent, delayed, leased by a worker that dies, given back with a delay: all by the clock that is ahead.
    send(&queue, Duration::ZERO).await;
    let lost = queue.receive(1, LEASE, Duration::ZERO).await.unwrap();
    send(&queue, Duration::ZERO).await;
    let back = queue.receive(1, LEASE, Duration::ZERO).await.unwrap();
    queue.release(&back[0].receipt, LEASE).await.unwrap();
    send(&queue, LEASE).await;
    send(&queue, Duration::ZERO).await;
    assert_eq!(lost.len() + back.len(), 2);
    assert_eq!(local.hidden_ahead(INTAKE).await.unwrap(), 0);
    clock.set(T0);
    assert_eq!(local.hidden_ahead(INTAKE).await.unwrap(), 4, "`doctor` sees them");
    clock.pass(Duration::from_secs(11));
    assert_eq!(visible(&queue).await, 1, "the one without lease and delay");
    assert_eq!(local.hidden_ahead(INTAKE).await.unwrap(), 0);
    clock.pass(LEASE);
    assert_eq!(
        visible(&queue).await,
        4,
        "the others after their own time, not an hour later"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lease_under_a_right_clock_is_left_alone() {
    let (local, clock, queue, _folder) = open();
    send(&queue, Duration::ZERO).await;
    let held = queue.receive(1, LEASE, Duration::ZERO).await.unwrap();
    queue.extend(&held[0].receipt, LEASE * 5).await.unwrap();
    clock.pass(Duration::from_secs(11));
    assert_eq!(visible(&queue).await, 0);
    assert_eq!(local.hidden_ahead(INTAKE).await.unwrap(), 0);
    clock.pass(LEASE * 5);
    assert_eq!(visible(&queue).await, 1);
}
