//! Time.

use async_trait::async_trait;
use std::time::Duration;
use walkaround_domain::Timestamp;

/// The only source of time below the binaries.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Now. May jump, also backwards.
    fn now(&self) -> Timestamp;

    /// Time since a fixed moment. Never goes backwards.
    fn ticks(&self) -> Duration;

    /// Returns after `duration`.
    async fn sleep(&self, duration: Duration);
}
