//! Dead letters for people: looking at them, and sending them back.
//!
//! SQS has no way to list messages. A look receives them with a short lease, which hides them from another look, and
//! gives them back at once; what is beyond [`PARKED_SAMPLE_MAX`] is not seen. Sending back is a message move task of SQS
//! where all are meant, and receive, send and delete, ten at a time, where single ones are meant or the service knows
//! no such task (emulators). A crash in between leaves a message in both queues, which is harmless: the same photo is
//! the same inspection.

use crate::SqsQueue;
use crate::fault::{kind_of, port_error};
use aws_sdk_sqs::Client;
use aws_sdk_sqs::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_sqs::types::QueueAttributeName;
use std::collections::BTreeSet;
use std::time::Duration;
use tracing::debug;
use walkaround_ports::{Delivery, OutMessage, PortError, PortErrorKind, Queue, Receipt};

/// Most dead letters of one look.
pub const PARKED_SAMPLE_MAX: usize = 500;
/// Attributes that parking adds, which a message that is sent back loses.
const PARKED_ATTRIBUTES: [&str; 2] = ["parked_reason", "parked_from"];
/// Most messages that are looked at to find the ones to send back.
const SEARCH_MAX: usize = 5_000;
/// Most messages of one sending back of all without a task.
const SEND_BACK_MAX: usize = 100_000;
/// How long a dead letter is hidden while it is looked at.
const LEASE: Duration = Duration::from_secs(60);
/// A receive that finds nothing for this long has asked all of SQS.
const WAIT: Duration = Duration::from_secs(1);
/// Looks at a move task, a second apart.
const TASK_LOOKS_MAX: usize = 120;
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// Messages of one receive.
const TEN: usize = 10;

type At = (&'static str, &'static str);

/// A dead-letter queue and the queue that it is for.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    client: Client,
    dead: (SqsQueue, String),
    source: (SqsQueue, String),
}

/// What became of sending back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SentBack {
    /// Messages that are in their queue again.
    pub moved: u64,
    /// Message ids that were not found.
    pub missing: Vec<String>,
    /// SQS goes on moving after this.
    pub goes_on: bool,
}

/// How a move task was answered.
enum Task {
    Done(SentBack),
    /// The service has no such task.
    Unknown,
}

impl DeadLetters {
    /// The dead letters at one URL, which go back to the queue at another.
    pub fn new(client: Client, dead_url: &str, source_url: &str) -> Self {
        let queue = |url: &str| (SqsQueue::new(client.clone(), url), url.to_owned());
        Self {
            dead: queue(dead_url),
            source: queue(source_url),
            client,
        }
    }

    /// At most [`PARKED_SAMPLE_MAX`] dead letters, in no order. Those that somebody else looks at are not among them.
    ///
    /// # Errors
    /// As SQS.
    pub async fn sample(&self) -> Result<Vec<Delivery>, PortError> {
        let mut all: Vec<Delivery> = Vec::new();
        let outcome = self.each(PARKED_SAMPLE_MAX, &mut all).await;
        for delivery in &all {
            // Else its lease ends by itself in a minute.
            let _ = self.dead.0.release(&delivery.receipt, Duration::ZERO).await;
        }
        outcome?;
        let mut seen = BTreeSet::new();
        all.retain(|delivery| seen.insert(delivery.message_id.clone()));
        Ok(all)
    }

    /// Leases up to `max` dead letters.
    async fn each(&self, max: usize, into: &mut Vec<Delivery>) -> Result<(), PortError> {
        while into.len() < max {
            let some = self
                .dead
                .0
                .receive(TEN.min(max - into.len()), LEASE, WAIT)
                .await?;
            if some.is_empty() {
                break;
            }
            into.extend(some);
        }
        Ok(())
    }

    /// Sends back the messages with these ids, as if they had never been delivered. At most 5,000 dead letters are
    /// searched for them.
    ///
    /// # Errors
    /// As SQS; what was sent back before stays so.
    pub async fn send_back(&self, ids: &[String]) -> Result<SentBack, PortError> {
        let mut missing: BTreeSet<String> = ids.iter().cloned().collect();
        let mut others: Vec<Receipt> = Vec::new();
        let mut moved = 0;
        let outcome = async {
            while !missing.is_empty() && others.len() < SEARCH_MAX {
                let some = self.dead.0.receive(TEN, LEASE, WAIT).await?;
                if some.is_empty() {
                    break;
                }
                let (wanted, rest): (Vec<_>, Vec<_>) =
                    some.into_iter().partition(|d| missing.contains(&d.message_id));
                others.extend(rest.into_iter().map(|d| d.receipt));
                for id in self.move_these(wanted).await? {
                    missing.remove(&id);
                    moved += 1;
                }
            }
            Ok(())
        };
        let outcome: Result<(), PortError> = outcome.await;
        for receipt in &others {
            let _ = self.dead.0.release(receipt, Duration::ZERO).await;
        }
        outcome?;
        Ok(SentBack {
            moved,
            missing: missing.into_iter().collect(),
            goes_on: false,
        })
    }

    /// Sends all dead letters back.
    ///
    /// # Errors
    /// As SQS; what was sent back before stays so.
    pub async fn send_back_all(&self) -> Result<SentBack, PortError> {
        if let Task::Done(sent) = self.task().await? {
            return Ok(sent);
        }
        let depth = self.dead.0.depth().await?;
        // What comes back while this runs is not sent back again for ever.
        let here = usize::try_from(depth.ready + depth.leased + depth.delayed).unwrap_or(SEND_BACK_MAX);
        let most = (here + TEN).min(SEND_BACK_MAX);
        let mut sent = SentBack::default();
        while usize::try_from(sent.moved).unwrap_or(usize::MAX) < most {
            let some = self.dead.0.receive(TEN, LEASE, WAIT).await?;
            if some.is_empty() {
                break;
            }
            sent.moved += self.move_these(some).await?.len() as u64;
        }
        Ok(sent)
    }

    /// Sends and acknowledges; the ids of those that were sent. One that the queue refuses stays a dead letter.
    async fn move_these(&self, deliveries: Vec<Delivery>) -> Result<Vec<String>, PortError> {
        if deliveries.is_empty() {
            return Ok(Vec::new());
        }
        let messages = deliveries.iter().map(again).collect();
        let answers = self.source.0.send(messages).await?;
        let mut refused = None;
        let (mut ids, mut receipts) = (Vec::new(), Vec::new());
        for (delivery, answer) in deliveries.into_iter().zip(answers) {
            match answer {
                Ok(()) => {
                    ids.push(delivery.message_id);
                    receipts.push(delivery.receipt);
                }
                Err(error) => refused = Some(error),
            }
        }
        self.dead.0.ack(&receipts).await?;
        match refused {
            Some(error) if ids.is_empty() => Err(error),
            _ => Ok(ids),
        }
    }

    /// Has SQS move all, and waits for two minutes at most.
    async fn task(&self) -> Result<Task, PortError> {
        const AT: At = ("queue", "redrive");
        let (from, to) = (self.arn(&self.dead.1).await?, self.arn(&self.source.1).await?);
        let start = self.client.start_message_move_task().source_arn(&from);
        // Without a destination, SQS refuses what was sent to the dead-letter queue rather than moved there.
        match start.destination_arn(to).send().await {
            Ok(_) => {}
            Err(error) if has_no_task(&error) => {
                debug!("no message move task here: sending back one by one");
                return Ok(Task::Unknown);
            }
            Err(error) => return Err(port_error(AT, &self.dead.1, &error)),
        }
        let mut moved = 0;
        for _ in 0..TASK_LOOKS_MAX {
            let list = self.client.list_message_move_tasks().source_arn(&from);
            let answer = list.max_results(1).send().await;
            let answer = answer.map_err(|e| port_error(AT, &self.dead.1, &e))?;
            let Some(task) = answer.results().first() else {
                break;
            };
            moved = u64::try_from(task.approximate_number_of_messages_moved()).unwrap_or_default();
            match task.status() {
                Some("RUNNING" | "CANCELLING") => tokio::time::sleep(LOOK_EVERY).await,
                Some("FAILED") => {
                    let why = task.failure_reason().unwrap_or("no reason given");
                    let detail = format!("SQS moved {moved} messages and then failed: {why}");
                    return Err(PortError::new(AT, PortErrorKind::Unavailable, detail));
                }
                _ => return Ok(Task::Done(sent(moved, false))),
            }
        }
        Ok(Task::Done(sent(moved, true)))
    }

    async fn arn(&self, url: &str) -> Result<String, PortError> {
        const AT: At = ("queue", "redrive");
        let call = self.client.get_queue_attributes().queue_url(url);
        let answer = call.attribute_names(QueueAttributeName::QueueArn).send().await;
        let answer = answer.map_err(|e| port_error(AT, url, &e))?;
        let arn = answer
            .attributes()
            .and_then(|a| a.get(&QueueAttributeName::QueueArn));
        arn.cloned().ok_or_else(|| {
            PortError::new(
                AT,
                PortErrorKind::Unavailable,
                format!("{url}: the service told no ARN"),
            )
        })
    }
}

const fn sent(moved: u64, goes_on: bool) -> SentBack {
    SentBack {
        moved,
        missing: Vec::new(),
        goes_on,
    }
}

/// The message as it was before it was parked.
fn again(delivery: &Delivery) -> OutMessage {
    let mut attributes = delivery.attributes.clone();
    attributes.retain(|name, _| !PARKED_ATTRIBUTES.contains(&name.as_str()));
    OutMessage {
        body: delivery.body.clone(),
        attributes,
        delay: Duration::ZERO,
    }
}

/// Whether the service knows no move tasks, or knows none between these two queues: then the messages are moved here.
fn has_no_task<E: ProvideErrorMetadata, R>(error: &SdkError<E, R>) -> bool {
    let SdkError::ServiceError(service) = error else {
        return false;
    };
    let code = service.err().code().unwrap_or_default();
    !matches!(
        kind_of(code, 400),
        PortErrorKind::Throttled | PortErrorKind::NotFound
    )
}
