//! Networks of versions of the registry, for canaries.

use super::AwsStack;
use crate::builder::PipelineBuilder;
use crate::canary::{LoadBundle, load_folder};
use crate::failure::Failure;
use async_trait::async_trait;
use std::path::Path;
use walkaround_domain::BundleId;
use walkaround_pipeline::inspector::Inspector;

/// Versions that are fetched from the registry.
pub struct RegistryBundles {
    /// The stack.
    pub stack: AwsStack,
    /// Engines of one inspector.
    pub engines: usize,
}

#[async_trait]
impl LoadBundle for RegistryBundles {
    async fn load(
        &self,
        builder: &PipelineBuilder,
        bundle: &BundleId,
        _: Option<&Path>,
    ) -> Result<Inspector, Failure> {
        let folder = self.stack.bundle_version(bundle).await?;
        load_folder(builder, bundle, &folder, self.engines).await
    }
}
