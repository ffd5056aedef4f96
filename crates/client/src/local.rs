//! The local stack for its clients.

use crate::Stack;
use crate::{PollIntervals, StackClient};
use crate::{up_concerns, up_problem};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use walkaround_bootstrap::Failure;
use walkaround_domain::BundleId;
use walkaround_local::{INTAKE, SEGMENTATION};
use walkaround_pipeline::review::ReviewService;
use walkaround_pipeline::store::InspectionStore;
use walkaround_ports::{Blobs, Clock, Operations, Publisher, Queue, QueueName, Records, StateStore};
use walkaround_settings::Settings;

/// A local stack.
pub struct LocalClient(pub Stack);

const fn name(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Intake => INTAKE,
        QueueName::Segmentation => SEGMENTATION,
    }
}

#[async_trait]
impl StackClient for LocalClient {
    fn name(&self) -> &'static str {
        "local"
    }

    fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    fn poll_intervals(&self) -> PollIntervals {
        PollIntervals {
            results: Duration::from_millis(300),
            parked: Duration::from_secs(2),
            status: Duration::from_secs(1),
            records_max: usize::MAX,
            clock_slack: Duration::ZERO,
        }
    }

    fn queue(&self, queue: QueueName) -> Result<Arc<dyn Queue>, Failure> {
        Ok(self.0.local.queue(name(queue))?)
    }

    fn records(&self) -> Result<Arc<dyn Records>, Failure> {
        Ok(self.0.local.records())
    }

    fn publisher(&self) -> Result<Arc<dyn Publisher>, Failure> {
        Ok(self.0.local.publisher())
    }

    fn reviews(&self) -> Result<ReviewService, Failure> {
        let local = &self.0.local;
        Ok(ReviewService {
            store: InspectionStore::new(local.records()),
            blobs: local.blobs(),
            reviews: local.reviews(),
            publisher: local.publisher(),
            clock: Arc::clone(&self.0.clock),
        })
    }

    fn state(&self) -> Result<Arc<dyn StateStore>, Failure> {
        Ok(self.0.local.state())
    }

    async fn active_bundle(&self) -> Result<Option<BundleId>, Failure> {
        Ok(None)
    }

    async fn activate_bundle(&self, _: &BundleId) -> Result<(), Failure> {
        Ok(())
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        self.0.local.blobs()
    }

    fn operations(&self) -> Arc<dyn Operations> {
        Arc::new(self.0.local.clone())
    }

    async fn concerns(&self) -> Vec<String> {
        // A lock that cannot be read says nothing.
        let running = self.0.local.running_up().ok().flatten();
        running.as_ref().map(up_concerns).unwrap_or_default()
    }

    async fn consumer_problem(&self) -> Option<String> {
        let root = self.0.local.root().display();
        // A lock that cannot be read says nothing.
        match self.0.local.running_up().ok()? {
            None => Some(format!(
                "no `walkaround up` runs on {root}: start one, and the photos are inspected"
            )),
            Some(running) => {
                let error = up_problem(&running, self.0.clock.now())?;
                Some(format!(
                    "the `walkaround up` of {root} {error}: `walkaround doctor` says more"
                ))
            }
        }
    }
}
