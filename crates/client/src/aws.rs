//! The stack on AWS for its clients.
//!
//! Names of queues, table and job queue come from the settings (the outputs of the deployed stack give their values);
//! profile, region and endpoint from the command line or the standard settings of AWS.

use crate::{PollIntervals, StackClient};
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use walkaround_aws::{Aws, Connection, Health, NotSignedIn, SqsQueue, signed_in};
use walkaround_bootstrap::Failure;
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::process::start_log;
use walkaround_domain::BundleId;
use walkaround_pipeline::review::ReviewService;
use walkaround_pipeline::store::InspectionStore;
use walkaround_ports::{
    Blobs, Clock, Operations, OutEvent, PortCall, PortError, PortErrorKind, Publisher, Queue, QueueName,
    Records, StateStore, SystemClock,
};
use walkaround_settings::aws::{INTAKE_QUEUE, SEGMENTATION_QUEUE};
use walkaround_settings::{AwsSettings, Settings};

/// Most records that one listing reads: a day of a large fleet has hundreds of thousands.
const RECORDS_MAX: usize = 20_000;

/// A stack on AWS.
pub struct CloudClient {
    stack: AwsStack,
    health: Health,
}

/// Clients with the region settled, and the settings; and what asks AWS for the stack's health.
///
/// # Errors
/// A bad setting, no region, or credentials that are not to be had.
pub async fn connect(connection: &Connection) -> Result<(AwsStack, Health), Failure> {
    // A client is quiet unless it is asked.
    if std::env::var_os("WALKAROUND_LOG").is_some() {
        start_log();
    }
    let settings = Settings::from_env().map_err(Failure::usage)?;
    // Read once: a profile may start a program for its credentials.
    let config = Box::pin(connection.loader().load()).await;
    let config = Box::pin(signed_in(connection, config))
        .await
        .map_err(|why| match why {
            NotSignedIn::Settings(line) => Failure::usage(line),
            NotSignedIn::Access(line) => Failure::Failed(anyhow::anyhow!(line)),
        })?;
    let aws = Aws::new(&config);
    let health = Health::new(&aws, &config);
    let stack = AwsStack {
        aws,
        settings: Arc::new(settings),
        clock: Arc::new(SystemClock::new()),
    };
    Ok((stack, health))
}

/// The variable that names a queue.
const fn variable(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Intake => INTAKE_QUEUE,
        QueueName::Segmentation => SEGMENTATION_QUEUE,
    }
}

impl CloudClient {
    /// A client of the stack that the settings name.
    ///
    /// # Errors
    /// As [`connect`].
    pub async fn connect(connection: &Connection) -> Result<Self, Failure> {
        let (stack, health) = connect(connection).await?;
        Ok(Self { stack, health })
    }

    /// What only `doctor` asks.
    pub fn health(&self) -> &Health {
        &self.health
    }

    /// Adapters and settings.
    pub fn stack(&self) -> &AwsStack {
        &self.stack
    }

    fn named(&self) -> &AwsSettings {
        &self.stack.settings.aws
    }

    fn sqs(&self, variable: &'static str) -> Result<SqsQueue, Failure> {
        let url = self.named().require(variable).map_err(Failure::usage)?;
        Ok(SqsQueue::new(self.stack.aws.sqs.clone(), url))
    }
}

/// Events of a stack whose topic is not named: why not.
struct NoTopic(String);

#[async_trait]
impl Publisher for NoTopic {
    async fn publish(&self, _: &OutEvent) -> Result<(), PortError> {
        Err(PortCall::new("settings", "publish").error(PortErrorKind::Invalid, self.0.clone()))
    }
}

#[async_trait]
impl StackClient for CloudClient {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn settings(&self) -> &Settings {
        &self.stack.settings
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.stack.clock)
    }

    fn poll_intervals(&self) -> PollIntervals {
        PollIntervals {
            results: Duration::from_secs(1),
            parked: Duration::from_secs(15),
            status: Duration::from_secs(5),
            records_max: RECORDS_MAX,
            clock_slack: Duration::from_secs(60),
        }
    }

    fn queue(&self, queue: QueueName) -> Result<Arc<dyn Queue>, Failure> {
        Ok(Arc::new(self.sqs(variable(queue))?))
    }

    fn records(&self) -> Result<Arc<dyn Records>, Failure> {
        Ok(Arc::new(self.stack.records()?))
    }

    fn publisher(&self) -> Result<Arc<dyn Publisher>, Failure> {
        Ok(Arc::new(self.stack.publisher()?))
    }

    fn reviews(&self) -> Result<ReviewService, Failure> {
        Ok(ReviewService {
            store: InspectionStore::new(Arc::new(self.stack.records()?)),
            blobs: Arc::new(self.stack.blobs()),
            reviews: Arc::new(self.stack.reviews()?),
            publisher: self
                .publisher()
                .unwrap_or_else(|missing| Arc::new(NoTopic(missing.to_string()))),
            clock: Arc::clone(&self.stack.clock),
        })
    }

    async fn active_bundle(&self) -> Result<Option<BundleId>, Failure> {
        Ok(Some(self.stack.active_bundle_id().await?))
    }

    async fn activate_bundle(&self, bundle: &BundleId) -> Result<(), Failure> {
        Ok(self.stack.registry_activation()?.activate_version(bundle).await?)
    }

    fn state(&self) -> Result<Arc<dyn StateStore>, Failure> {
        Ok(Arc::new(self.stack.state()?))
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.stack.blobs())
    }

    fn operations(&self) -> Arc<dyn Operations> {
        Arc::new(self.stack.clone())
    }

    /// What Lambda says of the event sources of the queue; whoever may not ask, or reads the queue without Lambda, is not
    /// told anything.
    /// Each triage function knows of its own hosts only, and logs them.
    async fn concerns(&self) -> Vec<String> {
        Vec::new()
    }

    async fn consumer_problem(&self) -> Option<String> {
        let url = self.named().get(INTAKE_QUEUE)?;
        let sources = self.health.event_sources(url).await.ok()?;
        let doctor = "`walkaround doctor` says more";
        match sources.as_slice() {
            [] => Some(format!("no function reads the intake queue: {doctor}")),
            [first, ..] if sources.iter().all(|source| source.is_off()) => Some(format!(
                "the event source of {} is {}: {doctor}",
                first.function,
                first.state.to_lowercase()
            )),
            _ => None,
        }
    }
}
