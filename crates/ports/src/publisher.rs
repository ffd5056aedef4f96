//! Telling the rest of the world.

use crate::error::PortError;
use async_trait::async_trait;
use std::collections::BTreeMap;

/// An event to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutEvent {
    /// Stable: the same event published again has the same id, for receivers to tell duplicates.
    pub id: String,
    /// The document.
    pub body: String,
    /// For subscription filters: verdict, lane, ...
    pub attributes: BTreeMap<String, String>,
}

/// A topic.
///
/// A caller may assume: what was published reaches every subscriber at least once.
#[async_trait]
pub trait Publisher: Send + Sync {
    /// Publishes one event.
    async fn publish(&self, event: &OutEvent) -> Result<(), PortError>;
}
