//! A canary's bundle becomes the active version of the registry.

use async_trait::async_trait;
use std::sync::Arc;
use walkaround_aws::{Activated, BundleRegistry};
use walkaround_domain::canary::Canary;
use walkaround_domain::rollout::ActiveBundle;
use walkaround_domain::{BundleId, Timestamp};
use walkaround_pipeline::canary::Activation;
use walkaround_ports::{Clock, PortCall, PortError, PortErrorKind};

/// Activates versions of a registry.
pub struct RegistryActivation {
    /// The registry.
    pub registry: BundleRegistry,
    /// Clock.
    pub clock: Arc<dyn Clock>,
}

impl RegistryActivation {
    /// Makes a version the active one; twice is once.
    ///
    /// # Errors
    /// [`PortError`]; `Invalid` where there is no such version, `Unavailable` where somebody else activated another one just now.
    pub async fn activate_version(&self, bundle: &BundleId) -> Result<(), PortError> {
        let id = walkaround_aws::BundleId::new(&bundle.name, &bundle.version);
        let (kind, why) = match self.registry.activate(id, self.clock.now()).await? {
            Activated::Done(_) | Activated::Already(_) => return Ok(()),
            Activated::NoSuchVersion | Activated::NothingBefore => {
                (PortErrorKind::Invalid, "the registry has no such version")
            }
            Activated::Raced => (
                PortErrorKind::Unavailable,
                "another version was activated just now",
            ),
        };
        Err(PortError::new(
            PortCall::new("registry", "activate"),
            kind,
            format!("{bundle}: {why}"),
        ))
    }
}

#[async_trait]
impl Activation for RegistryActivation {
    async fn activate(&self, canary: &Canary, _: Timestamp) -> Result<Option<ActiveBundle>, PortError> {
        self.activate_version(&canary.bundle).await?;
        Ok(None)
    }
}
