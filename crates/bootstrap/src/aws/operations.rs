//! The operator's side of the stack on AWS.

use crate::aws::AwsStack;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_aws::{AwsBatchConfig, BatchCapacity, DeadLetters, DynamoRecords, SqsQueue};
use walkaround_messages::utc_day;
use walkaround_ports::{
    AddressKind, BlobAddress, Blobs, Delivery, GpuCapacity, InspectionCounts, Operations, PARKED_FROM,
    PARKED_REASON, ParkedMessage, ParkedPage, PhaseCount, PortCall, PortError, PortErrorKind, Queue,
    QueueName, RECORDS_PAGE_MAX, RecordQuery, Records, Redrive, Redriven, RefusedMessage, StoredRecord,
    WorkerJob,
};
use walkaround_settings::aws::{
    INTAKE_DEAD_QUEUE, INTAKE_QUEUE, JOB_PREFIX, JOB_QUEUE, SEGMENTATION_DEAD_QUEUE, SEGMENTATION_QUEUE,
    TABLE,
};

/// How long a signed URL is valid.
const LINK_VALID: Duration = Duration::from_secs(15 * 60);
/// The records accepted last are looked for in so many days.
const LATEST_DAYS: u32 = 7;
const DAY: Duration = Duration::from_secs(24 * 3600);

/// The variable that names a queue.
const fn queue_variable(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Intake => INTAKE_QUEUE,
        QueueName::Segmentation => SEGMENTATION_QUEUE,
    }
}

/// The variable that names its dead letters.
const fn dead_variable(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Intake => INTAKE_DEAD_QUEUE,
        QueueName::Segmentation => SEGMENTATION_DEAD_QUEUE,
    }
}

impl AwsStack {
    fn named(&self, variable: &'static str) -> Result<&str, PortError> {
        let invalid =
            |line: String| PortError::new(PortCall::new("settings", "require"), PortErrorKind::Invalid, line);
        self.settings
            .aws
            .require(variable)
            .map_err(|e| invalid(e.to_string()))
    }

    fn sqs(&self, variable: &'static str) -> Result<SqsQueue, PortError> {
        Ok(SqsQueue::new(self.aws.sqs.clone(), self.named(variable)?))
    }

    fn dead_letters(&self, queue: QueueName) -> Result<DeadLetters, PortError> {
        let dead = self.named(dead_variable(queue))?;
        let source = self.named(queue_variable(queue))?;
        Ok(DeadLetters::new(self.aws.sqs.clone(), dead, source))
    }

    fn table(&self) -> Result<DynamoRecords, PortError> {
        Ok(DynamoRecords::new(self.aws.dynamodb.clone(), self.named(TABLE)?))
    }
}

#[async_trait]
impl Operations for AwsStack {
    /// A sample: SQS has no list, so that the messages that are read are leased for a while.
    async fn parked(&self, queue: QueueName, _: Option<&str>) -> Result<ParkedPage, PortError> {
        let sample = self.dead_letters(queue)?.sample().await?;
        let there = self.parked_count(queue).await?;
        let message = |delivery| message(queue.as_str(), delivery);
        Ok(ParkedPage {
            unseen: there.saturating_sub(sample.len() as u64),
            messages: sample.into_iter().map(message).collect(),
            next: None,
        })
    }

    async fn parked_count(&self, queue: QueueName) -> Result<u64, PortError> {
        let depth = self.sqs(dead_variable(queue))?.depth().await?;
        Ok(depth.ready + depth.leased + depth.delayed)
    }

    async fn redrive(&self, queue: QueueName, which: &Redrive) -> Result<Redriven, PortError> {
        let letters = self.dead_letters(queue)?;
        let sent = match which {
            Redrive::All => letters.send_back_all().await?,
            Redrive::Ids(ids) => letters.send_back(ids).await?,
        };
        let refused = sent
            .refused
            .into_iter()
            .map(|r| RefusedMessage { id: r.id, why: r.why });
        Ok(Redriven {
            moved: sent.moved,
            missing: sent.missing,
            refused: refused.collect(),
            more: sent.more,
        })
    }

    /// Of what was accepted today: an index counts that, and nothing counts all of time.
    async fn inspection_counts(&self) -> Result<InspectionCounts, PortError> {
        let day = utc_day(self.clock.now());
        let counted = self.table()?.counts_on_day(&day).await?;
        let standing = counted.into_iter().map(|((phase, verdict), records)| PhaseCount {
            phase,
            verdict,
            records,
        });
        Ok(InspectionCounts {
            day: Some(day),
            standing: standing.collect(),
            last_minute: None,
            last_hour: None,
        })
    }

    async fn jobs(&self) -> Result<Vec<WorkerJob>, PortError> {
        let Some(queue) = self.settings.aws.get(JOB_QUEUE) else {
            return Ok(Vec::new());
        };
        let settings = AwsBatchConfig {
            job_queue: queue.to_owned(),
            // Starting needs it; this only lists.
            job_definition: String::new(),
            name_prefix: self.named(JOB_PREFIX)?.to_owned(),
        };
        BatchCapacity::new(self.aws.batch.clone(), settings, self.clock.clone())
            .fleet()
            .await
    }

    /// Of the last week, a day at a time: the order within a day is not the order of acceptance.
    async fn latest(&self, max: usize) -> Result<Vec<StoredRecord>, PortError> {
        let (records, now) = (self.table()?, self.clock.now());
        let mut latest: Vec<StoredRecord> = Vec::new();
        for back in 0..LATEST_DAYS {
            let missing = max.saturating_sub(latest.len()).min(RECORDS_PAGE_MAX);
            if missing == 0 {
                break;
            }
            let day = RecordQuery::Day(utc_day(now - DAY * back));
            latest.extend(records.list(&day, None, missing).await?.records);
        }
        Ok(latest)
    }

    /// Nothing counts them here; CloudWatch does.
    async fn events_published(&self) -> Result<Option<u64>, PortError> {
        Ok(None)
    }

    async fn locate(&self, at: &BlobAddress, kind: AddressKind) -> Result<String, PortError> {
        match kind {
            AddressKind::Link => self.blobs().presigned_get(at, LINK_VALID).await,
            AddressKind::Location => Ok(at.to_string()),
        }
    }

    /// By reading a blob that is not there: that needs no permission which programs do not have. Being refused it is an
    /// answer of the store.
    async fn bucket_trouble(&self, bucket: &str) -> Result<Option<String>, PortError> {
        let nothing = BlobAddress {
            bucket: bucket.to_owned(),
            key: "walkaround-none".to_owned(),
        };
        Ok(match self.blobs().get(&nothing, 1).await {
            Err(error) if error.kind.is_transient() || error.kind == PortErrorKind::Invalid => {
                Some(error.to_string())
            }
            Ok(_) | Err(_) => None,
        })
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
