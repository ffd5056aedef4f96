//! New versions of the bundle, taken up while the worker works.
//!
//! Every `WALKAROUND_BUNDLE_LOOK_S` the registry is asked what is active. Another version is fetched, checked, made
//! into sessions and put to its self-test beside the one in use (both are in memory for that time); only then do new
//! photos get it. One that fails is told once and left alone until yet another is activated.

use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_assembly::{Failure, Kit};
use walkaround_cloud::CloudStack;
use walkaround_pipeline::looker::{CurrentLooker, Looker};

/// Digest of a version's list of files.
type Version = [u8; 32];

pub(crate) struct BundleWatch {
    stack: CloudStack,
    kit: Kit,
    every: Duration,
    /// In use, or tried and refused.
    seen: Version,
}

impl BundleWatch {
    pub(crate) fn new(stack: &CloudStack, kit: &Kit, (version, every): (Version, Duration)) -> Self {
        Self {
            stack: stack.clone(),
            kit: kit.clone(),
            every,
            seen: version,
        }
    }

    /// Looks until aborted.
    pub(crate) async fn run(mut self, looker: Arc<CurrentLooker>) {
        loop {
            self.kit.clock.sleep(self.every).await;
            match self.newer().await {
                Ok(Some(next)) => {
                    let (name, version) = (next.bundle().name.clone(), next.bundle().version.clone());
                    looker.replace(next);
                    info!(name, version, "another version of the bundle is in use");
                }
                Ok(None) => {}
                Err(failure) => {
                    warn!(why = %failure, "the active version of the bundle cannot be taken up; the old one stays in use");
                }
            }
        }
    }

    async fn newer(&mut self) -> Result<Option<Looker>, Failure> {
        let (folder, version) = self.stack.bundle().await?;
        let Some(version) = version.filter(|v| *v != self.seen) else {
            return Ok(None);
        };
        // Set first: a version that cannot be used is not tried again every minute.
        self.seen = version;
        let kit = self.kit.clone();
        // Reading networks and the self-test take seconds of CPU.
        let made = tokio::task::spawn_blocking(move || {
            let engines = kit.engines(&folder)?;
            kit.looker(&engines, 1)
        });
        match made.await {
            Ok(looker) => looker.map(Some),
            Err(error) => std::panic::resume_unwind(error.into_panic()),
        }
    }
}
