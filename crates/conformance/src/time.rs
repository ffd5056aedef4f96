//! How a suite lets time pass.

use async_trait::async_trait;
use std::time::Duration;
use tokio::sync::watch;
use walkaround_domain::Timestamp;
use walkaround_ports::Clock;

/// Time as the adapter under test sees it.
#[async_trait]
pub trait TimeDriver: Send + Sync {
    /// Lets `duration` of the adapter's time pass.
    async fn pass(&self, duration: Duration);

    /// The step that cases count time in: well above the adapter's grain and its round trip (whole seconds on
    /// SQS).
    fn unit(&self) -> Duration;

    /// How long a receive waits for messages that should be there (zero where sent means visible).
    fn patience(&self) -> Duration;

    /// A short moment between two checks of something that others bring about; the adapter's clock need not
    /// move.
    async fn pause(&self);
}

/// A clock that moves when the test says so. 2026-11-22T00:00:00Z at first.
#[derive(Debug)]
pub struct ManualClock {
    ticks: watch::Sender<Duration>,
}

const START_MS: u64 = 1_795_305_600_000;

impl ManualClock {
    /// A clock that stands still.
    pub fn new() -> Self {
        Self {
            ticks: watch::Sender::new(Duration::ZERO),
        }
    }

    /// Moves on, and wakes whoever slept until then.
    pub fn advance(&self, duration: Duration) {
        self.ticks.send_modify(|ticks| *ticks += duration);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(START_MS) + *self.ticks.borrow()
    }

    fn ticks(&self) -> Duration {
        *self.ticks.borrow()
    }

    async fn sleep(&self, duration: Duration) {
        let mut ticks = self.ticks.subscribe();
        let until = *ticks.borrow() + duration;
        // Fails only when the clock is gone, and `self` holds it.
        let _ = ticks.wait_for(|now| *now >= until).await;
    }
}

/// Drives a [`ManualClock`].
#[derive(Debug, Clone)]
pub struct ManualTime(pub std::sync::Arc<ManualClock>);

#[async_trait]
impl TimeDriver for ManualTime {
    async fn pass(&self, duration: Duration) {
        self.0.advance(duration);
        self.pause().await;
    }

    fn unit(&self) -> Duration {
        Duration::from_secs(10)
    }

    fn patience(&self) -> Duration {
        Duration::ZERO
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Sleeps.
#[derive(Debug, Clone, Copy)]
pub struct RealTime {
    /// See [`TimeDriver::unit`].
    pub unit: Duration,
    /// See [`TimeDriver::patience`].
    pub patience: Duration,
}

#[async_trait]
impl TimeDriver for RealTime {
    async fn pass(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }

    fn unit(&self) -> Duration {
        self.unit
    }

    fn patience(&self) -> Duration {
        self.patience
    }

    async fn pause(&self) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
