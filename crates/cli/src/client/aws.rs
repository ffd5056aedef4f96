//! The stack on AWS for its clients.
//!
//! Names of queues, table and job queue come from the settings (the outputs of the deployed stack give their values);
//! profile, region and endpoint from the command line or the standard settings of AWS.

use super::backend::{
    Backend, InspectionCounts, ParkedMessage, ParkedPage, PollIntervals, Redrive, Redriven, Refusal,
};
use crate::args::{Connecting, QueueArg};
use crate::failure::Failure;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use walkaround_aws::{
    Aws, AwsBatchConfig, BatchCapacity, Connection, DeadLetters, Health, NotSignedIn, SqsQueue, signed_in,
};
use walkaround_bootstrap::aws::AwsStack;
use walkaround_bootstrap::process::start_log;
use walkaround_messages::utc_day;
use walkaround_ports::{
    BlobAddress, Blobs, Clock, Delivery, GpuCapacity, Queue, Records, StateStore, StoredRecord, SystemClock,
    WorkerJob,
};
use walkaround_ports::{PARKED_FROM, PARKED_REASON};
use walkaround_settings::aws::{
    INTAKE_DEAD_QUEUE, INTAKE_QUEUE, JOB_PREFIX, JOB_QUEUE, SEGMENTATION_DEAD_QUEUE, SEGMENTATION_QUEUE,
};
use walkaround_settings::{AwsSettings, Settings};

/// How long a signed URL is valid.
const LINK_VALID: Duration = Duration::from_secs(15 * 60);
/// Most records that one listing reads: a day of a large fleet has hundreds of thousands.
const RECORDS_MAX: usize = 20_000;

/// A stack on AWS.
pub(crate) struct CloudClient {
    stack: AwsStack,
    health: Health,
}

/// How AWS is reached.
fn connection(connecting: &Connecting) -> Connection {
    Connection {
        profile: connecting.profile.clone(),
        region: connecting.region.clone(),
        endpoint_url: connecting.endpoint_url.clone(),
    }
}

/// Clients with the region settled, and the settings; and what asks AWS for the stack's health.
pub(crate) async fn connect(connecting: &Connecting) -> Result<(AwsStack, Health), Failure> {
    // A client is quiet unless it is asked.
    if std::env::var_os("WALKAROUND_LOG").is_some() {
        start_log();
    }
    let settings = Settings::from_env().map_err(Failure::usage)?;
    // Read once: a profile may start a program for its credentials.
    let connection = connection(connecting);
    let config = Box::pin(connection.loader().load()).await;
    let config = Box::pin(signed_in(&connection, config))
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

/// Variables that name a queue and its dead letters.
const fn names(queue: QueueArg) -> (&'static str, &'static str) {
    match queue {
        QueueArg::Intake => (INTAKE_QUEUE, INTAKE_DEAD_QUEUE),
        QueueArg::Segmentation => (SEGMENTATION_QUEUE, SEGMENTATION_DEAD_QUEUE),
    }
}

impl CloudClient {
    pub(crate) async fn connect(connecting: &Connecting) -> Result<Self, Failure> {
        let (stack, health) = connect(connecting).await?;
        Ok(Self { stack, health })
    }

    /// What only `doctor` asks.
    pub(crate) fn health(&self) -> &Health {
        &self.health
    }

    /// Adapters and settings.
    pub(crate) fn stack(&self) -> &AwsStack {
        &self.stack
    }

    fn named(&self) -> &AwsSettings {
        &self.stack.settings.aws
    }

    fn sqs(&self, variable: &'static str) -> Result<SqsQueue, Failure> {
        let url = self.named().need(variable).map_err(Failure::usage)?;
        Ok(SqsQueue::new(self.stack.aws.sqs.clone(), url))
    }

    fn dead_letters(&self, queue: QueueArg) -> Result<DeadLetters, Failure> {
        let (source, dead) = names(queue);
        let url = |variable| self.named().need(variable).map_err(Failure::usage);
        Ok(DeadLetters::new(
            self.stack.aws.sqs.clone(),
            url(dead)?,
            url(source)?,
        ))
    }
}

#[async_trait]
impl Backend for CloudClient {
    fn name(&self) -> &'static str {
        "aws"
    }

    fn settings(&self) -> &Settings {
        &self.stack.settings
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.stack.clock)
    }

    fn pace(&self) -> PollIntervals {
        PollIntervals {
            results: Duration::from_secs(1),
            parked: Duration::from_secs(15),
            status: Duration::from_secs(5),
            records_max: RECORDS_MAX,
            clock_slack: Duration::from_secs(60),
        }
    }

    fn queue(&self, queue: QueueArg) -> Result<Arc<dyn Queue>, Failure> {
        Ok(Arc::new(self.sqs(names(queue).0)?))
    }

    fn records(&self) -> Result<Arc<dyn Records>, Failure> {
        Ok(Arc::new(self.stack.records()?))
    }

    fn state(&self) -> Result<Arc<dyn StateStore>, Failure> {
        Ok(Arc::new(self.stack.state()?))
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        Arc::new(self.stack.blobs())
    }

    async fn parked(&self, queue: QueueArg, _after: Option<&str>) -> Result<ParkedPage, Failure> {
        let sample = self.dead_letters(queue)?.sample().await?;
        let there = self.parked_count(queue).await?;
        Ok(ParkedPage {
            unseen: there.saturating_sub(sample.len() as u64),
            messages: sample.into_iter().map(|d| message(queue.as_str(), d)).collect(),
            next: None,
        })
    }

    async fn parked_count(&self, queue: QueueArg) -> Result<u64, Failure> {
        let depth = self.sqs(names(queue).1)?.depth().await?;
        Ok(depth.ready + depth.leased + depth.delayed)
    }

    async fn redrive(&self, queue: QueueArg, which: &Redrive) -> Result<Redriven, Failure> {
        let letters = self.dead_letters(queue)?;
        let sent = match which {
            Redrive::All => letters.send_back_all().await?,
            Redrive::Ids(ids) => letters.send_back(ids).await?,
        };
        let refused = sent.refused.into_iter();
        Ok(Redriven {
            moved: sent.moved,
            missing: sent.missing,
            refused: refused.map(|r| Refusal { id: r.id, why: r.why }).collect(),
            more: sent.more,
        })
    }

    /// What Lambda says of the event sources of the queue; whoever may not ask, or reads the queue without Lambda, is not
    /// told anything.
    async fn nobody_takes(&self) -> Option<String> {
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

    /// Of what was accepted today: an index counts that, and nothing counts all of time.
    async fn counts(&self) -> Result<InspectionCounts, Failure> {
        let now = self.stack.clock.now();
        let day = utc_day(now);
        let by_phase = self.stack.records()?.counts_on_day(&day).await?;
        let mut counts = InspectionCounts {
            pending: ["accepted", "routed"].map(|phase| (phase.to_owned(), 0)).into(),
            ..InspectionCounts::default()
        };
        for ((phase, verdict), records) in by_phase {
            match (phase.as_str(), verdict) {
                ("failed", _) => counts.failed += records,
                ("done", verdict) => {
                    *counts.verdicts.entry(verdict.unwrap_or_default()).or_default() += records;
                }
                _ => *counts.pending.entry(phase).or_default() += records,
            }
        }
        let minutes = (now.0 % 86_400_000) as f64 / 60_000.0;
        let done: u64 = counts.verdicts.values().sum();
        counts.done_per_minute = Some(done as f64 / minutes.max(1.0));
        counts.day = Some(day);
        Ok(counts)
    }

    async fn jobs(&self) -> Result<Vec<WorkerJob>, Failure> {
        let Some(queue) = self.named().get(JOB_QUEUE) else {
            return Ok(Vec::new());
        };
        let settings = AwsBatchConfig {
            job_queue: queue.to_owned(),
            // Starting needs it; this only lists.
            job_definition: String::new(),
            name_prefix: self.named().need(JOB_PREFIX).map_err(Failure::usage)?.to_owned(),
        };
        let jobs = BatchCapacity::new(self.stack.aws.batch.clone(), settings, self.clock());
        Ok(jobs.fleet().await?)
    }

    async fn latest(&self, _max: usize) -> Result<Vec<StoredRecord>, Failure> {
        Err(Failure::usage(
            "on AWS, say what to list: --vehicle, --reservation, or --day, with --verdict if you like",
        ))
    }

    async fn place(&self, at: &BlobAddress, link: bool) -> Result<String, Failure> {
        if link {
            return Ok(self.stack.blobs().presigned_get(at, LINK_VALID).await?);
        }
        Ok(at.to_string())
    }
}

fn message(queue: &str, delivery: Delivery) -> ParkedMessage {
    let mut attributes: BTreeMap<String, String> = delivery.attributes;
    let reason = attributes.remove(PARKED_REASON);
    let from = attributes.remove(PARKED_FROM);
    ParkedMessage {
        id: delivery.message_id,
        queue: from.unwrap_or_else(|| queue.to_owned()),
        sent_at: delivery.sent_at,
        // Whoever parks with a reason sends the message anew; SQS itself keeps the time of the first sending.
        parked_at: reason.is_some().then_some(delivery.sent_at),
        reason,
        attributes,
        body: delivery.body,
    }
}
