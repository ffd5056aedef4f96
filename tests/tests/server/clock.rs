//! A clock that is the system's, moved on by hand: a provider of identities has the system's.

use async_trait::async_trait;
use std::sync::Mutex;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{Clock, SystemClock};

/// The system's clock, ahead by what [`ShiftedClock::advance`] was told.
pub(crate) struct ShiftedClock {
    system: SystemClock,
    ahead: Mutex<Duration>,
}

impl ShiftedClock {
    pub(crate) fn new() -> Self {
        Self {
            system: SystemClock::new(),
            ahead: Mutex::new(Duration::ZERO),
        }
    }

    pub(crate) fn advance(&self, by: Duration) {
        *self.ahead.lock().unwrap() += by;
    }

    fn ahead(&self) -> Duration {
        *self.ahead.lock().unwrap()
    }
}

#[async_trait]
impl Clock for ShiftedClock {
    fn now(&self) -> Timestamp {
        self.system.now() + self.ahead()
    }

    fn ticks(&self) -> Duration {
        self.system.ticks() + self.ahead()
    }

    async fn sleep(&self, duration: Duration) {
        self.system.sleep(duration).await;
    }
}
