//! The small HTTP surface of `up`. Being written.

use crate::failure::Failure;
use crate::local::stack::Stack;
use std::sync::Arc;
use tokio::task::JoinHandle;
use walkaround_embedded::LocalCapacity;
use walkaround_pipeline::stop::Stop;

/// Listens on `address` until told to stop.
pub(crate) async fn serve(
    address: &str,
    _stack: &Stack,
    _capacity: Arc<LocalCapacity>,
    mut stop: Stop,
) -> Result<JoinHandle<()>, Failure> {
    tracing::info!(address, "http surface is being written");
    Ok(tokio::spawn(async move { stop.wait().await }))
}
