//! The ports of the stack on AWS, from settings.

use crate::metrics::Metrics;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use walkaround_assembly::{Failure, Kit};
use walkaround_aws::{
    Aws, BatchCapacity, BatchSettings, Connection, DynamoRecords, FleetLock, S3Blobs, SnsTopic, SqsQueue,
    StateItems, secret_text,
};
use walkaround_pipeline::telemetry::{Silent, Telemetry};
use walkaround_ports::{Clock, GpuCapacity, QueuePair, StackPorts, SystemClock};
use walkaround_settings::aws::{
    INTAKE_DEAD_QUEUE, INTAKE_QUEUE, JOB_DEFINITION, JOB_PREFIX, JOB_QUEUE, METRICS_NAMESPACE,
    PHOTO_HEADER_SECRET, SEGMENTATION_DEAD_QUEUE, SEGMENTATION_QUEUE, TABLE, TOPIC,
};
use walkaround_settings::{Secret, Settings};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The stack on AWS.
#[derive(Clone)]
pub struct CloudStack {
    /// Clients.
    pub aws: Aws,
    /// Settings, with secrets filled in.
    pub settings: Arc<Settings>,
    /// Time.
    pub clock: Arc<dyn Clock>,
}

impl CloudStack {
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
        Ok(Self {
            aws,
            settings: Arc::new(settings),
            clock: Arc::new(SystemClock::new()),
        })
    }

    fn need(&self, name: &'static str) -> Result<&str, Failure> {
        self.settings.aws.need(name).map_err(Failure::usage)
    }

    /// All ports.
    ///
    /// # Errors
    /// Usage: a name that is not set.
    pub fn ports(&self) -> Result<StackPorts, Failure> {
        let pair = |name, queue, dead| {
            let one = |variable| {
                let url = self.need(variable)?;
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
            blobs: Arc::new(self.blobs()),
            publisher: Arc::new(SnsTopic::new(self.aws.sns.clone(), self.need(TOPIC)?)),
        })
    }

    /// Records.
    ///
    /// # Errors
    /// Usage: the table is not named.
    pub fn records(&self) -> Result<DynamoRecords, Failure> {
        let records = DynamoRecords::new(self.aws.dynamodb.clone(), self.need(TABLE)?);
        Ok(records.keep_for(self.settings.record_days.map(|days| DAY * days)))
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
        let settings = BatchSettings {
            job_queue: self.need(JOB_QUEUE)?.to_owned(),
            job_definition: self.need(JOB_DEFINITION)?.to_owned(),
            name_prefix: self.need(JOB_PREFIX)?.to_owned(),
            // The job definition says everything: what two places say can differ.
            environment: Vec::new(),
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
            self.need(TABLE)?,
            Arc::clone(&self.clock),
        ))
    }

    /// Small documents beside the records.
    ///
    /// # Errors
    /// Usage: the table is not named.
    pub fn state(&self) -> Result<StateItems, Failure> {
        Ok(StateItems::new(
            self.aws.dynamodb.clone(),
            self.need(TABLE)?,
            Arc::clone(&self.clock),
        ))
    }

    /// What the parts of the pipeline are made from; metrics are told where there are some.
    ///
    /// # Errors
    /// As [`CloudStack::ports`].
    pub fn kit(&self, metrics: Option<&Metrics>) -> Result<Kit, Failure> {
        let telemetry: Arc<dyn Telemetry> = match metrics {
            Some(metrics) => Arc::new(*metrics),
            None => Arc::new(Silent),
        };
        Ok(Kit {
            settings: Arc::clone(&self.settings),
            ports: self.ports()?,
            clock: Arc::clone(&self.clock),
            telemetry,
        })
    }

    /// Folder of the bundle that the settings name.
    ///
    /// # Errors
    /// When it cannot be had.
    pub async fn bundle(&self) -> Result<PathBuf, Failure> {
        Ok(self.settings.bundle.clone())
    }

    /// Metrics of this program, a CloudWatch dimension of that name.
    ///
    /// # Errors
    /// When there are metrics in this process already.
    pub fn metrics(&self, program: &'static str) -> Result<Metrics, Failure> {
        Metrics::start(self.need(METRICS_NAMESPACE)?, program)
    }
}
