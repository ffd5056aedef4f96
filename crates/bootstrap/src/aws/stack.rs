//! The ports of the stack on AWS, from settings.

use super::activation::RegistryActivation;
use crate::aws::metrics::Metrics;
use crate::{Failure, PipelineBuilder};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use walkaround_aws::{
    Aws, AwsBatchConfig, BatchCapacity, BundleRegistry, Connection, DynamoRecords, DynamoReviews,
    DynamoState, FleetLock, S3Blobs, SnsTopic, SqsQueue, secret_text,
};
use walkaround_domain::BundleId;
use walkaround_inference::manifest::MANIFEST_FILE;
use walkaround_inference::{FetchMissing, segmenter_files};
use walkaround_pipeline::inspector::EngineMonitor;
use walkaround_pipeline::telemetry::{NoopTelemetry, Telemetry};
use walkaround_ports::{Clock, GpuCapacity, QueuePair, StackPorts, SystemClock};
use walkaround_settings::aws::{
    INTAKE_DEAD_QUEUE, INTAKE_QUEUE, JOB_DEFINITION, JOB_PREFIX, JOB_QUEUE, METRICS_NAMESPACE,
    OIDC_CLIENT_SECRET_ID, PHOTO_HEADER_SECRET, SEGMENTATION_DEAD_QUEUE, SEGMENTATION_QUEUE, SESSION_KEY_ID,
    TABLE, TOPIC,
};
use walkaround_settings::{Secret, Settings};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The stack on AWS.
#[derive(Clone)]
pub struct AwsStack {
    /// Clients.
    pub aws: Aws,
    /// Settings, with secrets filled in.
    pub settings: Arc<Settings>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl AwsStack {
    /// Reads the settings, builds the clients, fetches the secrets that settings name. No other call is made.
    ///
    /// # Errors
    /// Usage: a bad setting. Otherwise a secret that cannot be read.
    pub async fn open(connection: &Connection) -> Result<Self, Failure> {
        let mut settings = Settings::from_env().map_err(Failure::usage)?;
        let aws = Aws::connect(connection).await;
        if let Some(id) = settings.aws.get(PHOTO_HEADER_SECRET) {
            settings.photo_header = Some(Secret::new(secret_text(&aws.secrets, id).await?));
        }
        fill_sign_in(&mut settings, &aws).await?;
        Ok(Self {
            aws,
            settings: Arc::new(settings),
            clock: Arc::new(SystemClock::new()),
        })
    }

    fn require(&self, name: &'static str) -> Result<&str, Failure> {
        self.settings.aws.require(name).map_err(Failure::usage)
    }

    /// All ports.
    ///
    /// # Errors
    /// Usage: a name that is not set.
    pub fn ports(&self) -> Result<StackPorts, Failure> {
        let pair = |name, queue, dead| {
            let one = |variable| {
                let url = self.require(variable)?;
                Ok::<_, Failure>(Arc::new(SqsQueue::new(self.aws.sqs.clone(), url)))
            };
            Ok::<_, Failure>(QueuePair {
                name,
                queue: one(queue)?,
                dead: one(dead)?,
            })
        };
        Ok(StackPorts {
            intake: pair("intake", INTAKE_QUEUE, INTAKE_DEAD_QUEUE)?,
            segmentation: pair("segmentation", SEGMENTATION_QUEUE, SEGMENTATION_DEAD_QUEUE)?,
            records: Arc::new(self.records()?),
            reviews: Arc::new(self.reviews()?),
            state: Arc::new(self.state()?),
            blobs: Arc::new(self.blobs()),
            publisher: Arc::new(self.publisher()?),
        })
    }

    /// Records.
    ///
    /// # Errors
    /// Usage: the table is not named.
    pub fn records(&self) -> Result<DynamoRecords, Failure> {
        let records = DynamoRecords::new(self.aws.dynamodb.clone(), self.require(TABLE)?);
        Ok(records.keep_for(self.settings.record_days.map(|days| DAY * days)))
    }

    /// Reviews.
    ///
    /// # Errors
    /// Usage: the table is not named.
    pub fn reviews(&self) -> Result<DynamoReviews, Failure> {
        let reviews = DynamoReviews::new(self.aws.dynamodb.clone(), self.require(TABLE)?);
        Ok(reviews.keep_for(self.settings.record_days.map(|days| DAY * days)))
    }

    /// Events.
    ///
    /// # Errors
    /// Usage: the topic is not named.
    pub fn publisher(&self) -> Result<SnsTopic, Failure> {
        Ok(SnsTopic::new(self.aws.sns.clone(), self.require(TOPIC)?))
    }

    /// Blobs.
    pub fn blobs(&self) -> S3Blobs {
        S3Blobs::new(self.aws.s3.clone())
    }

    /// Workers as jobs of AWS Batch.
    ///
    /// # Errors
    /// Usage: job queue or definition is not named.
    pub fn capacity(&self) -> Result<Arc<dyn GpuCapacity>, Failure> {
        let settings = AwsBatchConfig {
            job_queue: self.require(JOB_QUEUE)?.to_owned(),
            job_definition: self.require(JOB_DEFINITION)?.to_owned(),
            name_prefix: self.require(JOB_PREFIX)?.to_owned(),
        };
        Ok(Arc::new(BatchCapacity::new(
            self.aws.batch.clone(),
            settings,
            Arc::clone(&self.clock),
        )))
    }

    /// The lock of the fleet.
    ///
    /// # Errors
    /// Usage: the table is not named.
    pub fn lock(&self) -> Result<FleetLock, Failure> {
        Ok(FleetLock::new(
            self.aws.dynamodb.clone(),
            self.require(TABLE)?,
            Arc::clone(&self.clock),
        ))
    }

    /// Small documents beside the records.
    ///
    /// # Errors
    /// Usage: the table is not named.
    pub fn state(&self) -> Result<DynamoState, Failure> {
        Ok(DynamoState::new(
            self.aws.dynamodb.clone(),
            self.require(TABLE)?,
            Arc::clone(&self.clock),
        ))
    }

    /// What the parts of the pipeline are made from; telemetry goes to the metrics, if there are any.
    ///
    /// # Errors
    /// As [`AwsStack::ports`].
    pub fn builder(&self, metrics: Option<&Metrics>) -> Result<PipelineBuilder, Failure> {
        let telemetry: Arc<dyn Telemetry> = match metrics {
            Some(metrics) => Arc::new(*metrics),
            None => Arc::new(NoopTelemetry),
        };
        Ok(PipelineBuilder {
            settings: Arc::clone(&self.settings),
            ports: self.ports()?,
            clock: Arc::clone(&self.clock),
            telemetry,
            engine: EngineMonitor::new(),
            shadow: None,
        })
    }

    /// Folder of the bundle that the settings name: itself, or the active version of a registry, fetched into the
    /// cache. The digest in the answer changes when another version is activated; a folder has none.
    ///
    /// # Errors
    /// Usage: malformed. Otherwise when it cannot be had.
    pub async fn bundle(&self) -> Result<(PathBuf, Option<[u8; 32]>), Failure> {
        let Some((bucket, name)) = registry_name(&self.settings.bundle)? else {
            return Ok((self.settings.bundle.clone(), None));
        };
        let registry = BundleRegistry::new(self.aws.s3.clone(), bucket);
        let (folder, active) = registry.fetch_active(name, &self.settings.bundle_cache).await?;
        Ok((folder, Some(active.files_sha256)))
    }

    /// Whether the settings name a registry, and not a folder.
    ///
    /// # Errors
    /// Usage: malformed.
    pub fn has_registry(&self) -> Result<bool, Failure> {
        Ok(registry_name(&self.settings.bundle)?.is_some())
    }

    /// How a version of the registry that the settings name becomes the active one.
    ///
    /// # Errors
    /// Usage: the settings name a folder.
    pub fn registry_activation(&self) -> Result<RegistryActivation, Failure> {
        let (bucket, _) = registry_name(&self.settings.bundle)?.ok_or_else(no_registry)?;
        Ok(RegistryActivation {
            registry: BundleRegistry::new(self.aws.s3.clone(), bucket),
            clock: Arc::clone(&self.clock),
        })
    }

    /// The active version of the registry that the settings name.
    ///
    /// # Errors
    /// Usage: the settings name a folder. Otherwise nothing is active, or the registry does not answer.
    pub async fn active_bundle_id(&self) -> Result<BundleId, Failure> {
        let (bucket, name) = registry_name(&self.settings.bundle)?.ok_or_else(no_registry)?;
        let registry = BundleRegistry::new(self.aws.s3.clone(), bucket);
        let active = registry.require_active(name).await?;
        Ok(BundleId::new(name, &active.version))
    }

    /// Folder of a version of the registry that the settings name, active or not, fetched into the cache.
    ///
    /// # Errors
    /// Usage: the settings name a folder. Otherwise there is no such version, or it cannot be had.
    pub async fn bundle_version(&self, bundle: &BundleId) -> Result<PathBuf, Failure> {
        let Some((bucket, _)) = registry_name(&self.settings.bundle)? else {
            return Err(no_registry());
        };
        let registry = BundleRegistry::new(self.aws.s3.clone(), bucket);
        let id = walkaround_aws::BundleId::new(&bundle.name, &bundle.version);
        let Some(version) = registry.version(id).await? else {
            return Err(anyhow::anyhow!("{bundle} is not in {bucket}").into());
        };
        let cache = &self.settings.bundle_cache;
        Ok(registry.fetch(&bundle.name, &version, cache, &|_| true).await?)
    }

    /// As [`AwsStack::bundle`], without the files that only segmenters use; what is given beside the folder fetches
    /// those of the same version. It blocks, and must not be called on a thread of the runtime. A folder has all files.
    ///
    /// # Errors
    /// As [`AwsStack::bundle`].
    pub async fn bundle_without_segmenters(&self) -> Result<(PathBuf, Option<FetchMissing>), Failure> {
        let Some((bucket, name)) = registry_name(&self.settings.bundle)? else {
            return Ok((self.settings.bundle.clone(), None));
        };
        let registry = BundleRegistry::new(self.aws.s3.clone(), bucket);
        let (cache, name) = (self.settings.bundle_cache.clone(), name.to_owned());
        let active = registry.require_active(&name).await?;
        let is_manifest = |file: &str| file == MANIFEST_FILE;
        let folder = registry.fetch(&name, &active, &cache, &is_manifest).await?;
        let later = segmenter_files(&folder)?;
        let is_needed = |file: &str| !later.contains(file);
        let folder = registry.fetch(&name, &active, &cache, &is_needed).await?;
        let runtime = tokio::runtime::Handle::current();
        let fetch = move || {
            let all = registry.fetch(&name, &active, &cache, &|_| true);
            runtime.block_on(all).map(drop).map_err(std::io::Error::other)
        };
        Ok((folder, Some(Arc::new(fetch))))
    }

    /// The digest that [`AwsStack::bundle`] would answer with now, without fetching anything; none for a folder, and
    /// when nothing is active.
    ///
    /// # Errors
    /// As [`AwsStack::bundle`].
    pub async fn active_bundle(&self) -> Result<Option<[u8; 32]>, Failure> {
        let Some((bucket, name)) = registry_name(&self.settings.bundle)? else {
            return Ok(None);
        };
        let registry = BundleRegistry::new(self.aws.s3.clone(), bucket);
        Ok(registry.active(name).await?.map(|active| active.files_sha256))
    }

    /// Metrics of this program, a CloudWatch dimension of that name.
    ///
    /// # Errors
    /// When there are metrics in this process already.
    pub fn metrics(&self, program: &'static str) -> Result<Metrics, Failure> {
        Metrics::start(self.require(METRICS_NAMESPACE)?, program)
    }
}

fn no_registry() -> Failure {
    Failure::usage("WALKAROUND_BUNDLE is a folder: another version needs s3://BUCKET/NAME")
}

/// The secrets of signing in, where it is on and the settings name them.
///
/// # Errors
/// A secret that cannot be read.
pub async fn fill_sign_in(settings: &mut Settings, aws: &Aws) -> Result<(), Failure> {
    let (client_id, key_id) = (
        settings.aws.get(OIDC_CLIENT_SECRET_ID).map(str::to_owned),
        settings.aws.get(SESSION_KEY_ID).map(str::to_owned),
    );
    let Some(sign_in) = &mut settings.sign_in else {
        return Ok(());
    };
    for (id, place) in [
        (client_id, &mut sign_in.client_secret),
        (key_id, &mut sign_in.session_key),
    ] {
        if let Some(id) = id {
            *place = Some(Secret::new(secret_text(&aws.secrets, &id).await?));
        }
    }
    Ok(())
}

/// Bucket and name of a bundle in a registry; none for a folder.
fn registry_name(bundle: &Path) -> Result<Option<(&str, &str)>, Failure> {
    let Some(rest) = bundle.to_str().and_then(|text| text.strip_prefix("s3://")) else {
        return Ok(None);
    };
    match rest.split_once('/') {
        Some((bucket, name)) if !bucket.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(Some((bucket, name)))
        }
        _ => Err(Failure::usage(format!(
            "WALKAROUND_BUNDLE `s3://{rest}`: expected s3://BUCKET/NAME"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_is_a_folder_or_a_name_in_a_registry() {
        let name = |text: &'static str| registry_name(Path::new(text)).map_err(|e| format!("{e:?}"));
        assert_eq!(name("bundles/demo"), Ok(None));
        assert_eq!(name("s3://bucket/demo"), Ok(Some(("bucket", "demo"))));
        for bad in ["s3://bucket", "s3:///demo", "s3://bucket/", "s3://bucket/a/b"] {
            assert!(name(bad).is_err(), "{bad}");
        }
    }
}
