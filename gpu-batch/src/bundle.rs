//! Hot-reloads the bundle when another version is activated.
//!
//! Every `WALKAROUND_BUNDLE_POLL_S` the registry is asked what is active. Another version is fetched, checked, loaded
//! into sessions and run through its self-test beside the one in use (both are in memory for that time); only then do new
//! photos get it. A version that cannot be used is logged once and skipped until yet another is activated; a
//! failure that may pass (network, memory) is tried again at the next poll.

use crate::exit::coded;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::{Failure, PipelineBuilder};
use walkaround_pipeline::inspector::{ActiveInspector, Inspector};

/// Digest of a version's list of files.
type Version = [u8; 32];

pub(crate) struct BundleWatch {
    stack: AwsStack,
    builder: PipelineBuilder,
    every: Duration,
    in_use: Version,
    /// The latest that cannot be used.
    refused: Option<Version>,
}

impl BundleWatch {
    pub(crate) fn new(
        stack: &AwsStack,
        builder: &PipelineBuilder,
        version: Version,
        every: Duration,
    ) -> Self {
        Self {
            stack: stack.clone(),
            builder: builder.clone(),
            every,
            in_use: version,
            refused: None,
        }
    }

    /// Polls until aborted.
    pub(crate) async fn run(mut self, inspector: Arc<ActiveInspector>) {
        loop {
            self.builder.clock.sleep(self.every).await;
            match self.poll(&inspector).await {
                Ok(()) => {}
                Err(failure) => warn!(
                    why = %failure,
                    "the active version of the bundle cannot be loaded; the old one stays in use"
                ),
            }
        }
    }

    async fn poll(&mut self, inspector: &ActiveInspector) -> Result<(), Failure> {
        let Some(active) = self.stack.active_bundle().await? else {
            return Ok(());
        };
        if active == self.in_use || Some(active) == self.refused {
            return Ok(());
        }
        // What is fetched may have been activated since.
        let (version, made) = match self.stack.bundle().await {
            Ok((folder, version)) => (version.unwrap_or(active), self.made(folder).await),
            Err(failure) => (active, Err(failure)),
        };
        match made {
            Ok(next) => {
                let (name, text) = (next.bundle().id.name.clone(), next.bundle().id.version.clone());
                inspector.replace(next);
                self.in_use = version;
                info!(name, version = text, "another version of the bundle is in use");
                Ok(())
            }
            Err(failure) => {
                // What would end a worker at its start for good is of no use later either.
                let failure = coded(failure);
                if matches!(failure, Failure::Coded(..) | Failure::Usage(_)) {
                    self.refused = Some(version);
                }
                Err(failure)
            }
        }
    }

    async fn made(&self, folder: PathBuf) -> Result<Inspector, Failure> {
        let builder = self.builder.clone();
        // Reading networks and the self-test take seconds of CPU.
        let made = tokio::task::spawn_blocking(move || {
            let engines = builder.engines(&folder)?;
            builder.inspector(&engines, 1)
        });
        made.await
            .map_err(|error| anyhow::anyhow!("creating its sessions: {error}"))?
    }
}
