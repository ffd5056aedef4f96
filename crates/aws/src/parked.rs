//! Dead letters for people: listing them, and sending them back.
//!
//! SQS has no way to list messages. A listing receives them with a lease, which hides them from another listing, and
//! gives them back at its end; what is beyond [`PARKED_SAMPLE_MAX`] is not seen. Sending back is receive, send and
//! delete, ten at a time, on every service alike. (Not SQS's own message move task: it moves all or none, and what it
//! moves keeps the reason for which it was parked.) A crash in between leaves a message in both queues, which is
//! harmless: the same photo is the same inspection.

use crate::SqsQueue;
use aws_sdk_sqs::Client;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::task::JoinSet;
use walkaround_ports::{Delivery, OutMessage, PortError, Queue, Receipt, redriven};

/// Largest number of dead letters that one listing reads.
pub const PARKED_SAMPLE_MAX: usize = 500;
/// Largest number of messages that are read to find those to send back.
pub const PARKED_SEARCH_MAX: usize = 5_000;
/// Most messages of one sending back of all.
const SEND_BACK_MAX: usize = 100_000;
/// So many more than SQS counts are sent back: its count lags behind.
const COUNT_SLACK: usize = 100;
/// After this many refusals the cause has to be fixed first.
const REFUSED_MAX: usize = 100;
/// How long a dead letter is hidden while others are read: several times what the longest search takes, so that
/// nothing is seen twice. Whoever interrupts one has to wait for as long.
const LEASE: Duration = Duration::from_secs(5 * 60);
/// A receive that finds nothing for this long has asked all of SQS.
const WAIT: Duration = Duration::from_secs(1);
/// Messages of one receive.
const TEN: usize = 10;
/// Leases that are given back at once.
const RELEASES_MAX: usize = 16;

/// A dead-letter queue and the queue that it is for.
#[derive(Debug, Clone)]
pub struct DeadLetters {
    dead: SqsQueue,
    source: SqsQueue,
}

/// What became of sending back.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SentBack {
    /// Messages that are in their queue again.
    pub moved: u64,
    /// Message ids that were not found.
    pub missing: Vec<String>,
    /// Messages that their queue did not take, and which are still parked.
    pub refused: Vec<Refused>,
    /// A bound was reached before the end: there may be more.
    pub more: bool,
}

/// A message that its queue did not take.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Message id.
    pub id: String,
    /// Why, in one line.
    pub why: String,
}

/// Which dead letters are meant.
enum Wanted {
    All,
    /// Those of these ids that were not found yet.
    These(BTreeSet<String>),
}

impl Wanted {
    /// Whether a message is meant; an id is met once.
    fn takes(&mut self, id: &str) -> bool {
        match self {
            Self::All => true,
            Self::These(ids) => ids.remove(id),
        }
    }

    fn is_over(&self) -> bool {
        matches!(self, Self::These(ids) if ids.is_empty())
    }
}

/// What a sending back has done so far.
#[derive(Default)]
struct Progress {
    looked_at: usize,
    sent: SentBack,
    /// Leases of what stays parked.
    held: Vec<Receipt>,
}

impl DeadLetters {
    /// The dead letters at one URL, which go back to the queue at another.
    pub fn new(client: Client, dead_url: &str, source_url: &str) -> Self {
        Self {
            dead: SqsQueue::new(client.clone(), dead_url),
            source: SqsQueue::new(client, source_url),
        }
    }

    /// At most [`PARKED_SAMPLE_MAX`] dead letters, in no order. Those that somebody else is reading are not among
    /// them.
    ///
    /// # Errors
    /// As SQS.
    pub async fn sample(&self) -> Result<Vec<Delivery>, PortError> {
        let mut all: Vec<Delivery> = Vec::new();
        let outcome = self.receive_all(&mut all).await;
        self.release(all.iter().map(|delivery| delivery.receipt.clone()).collect())
            .await;
        outcome?;
        let mut seen = BTreeSet::new();
        all.retain(|delivery| seen.insert(delivery.message_id.clone()));
        Ok(all)
    }

    /// Leases up to [`PARKED_SAMPLE_MAX`] dead letters.
    async fn receive_all(&self, into: &mut Vec<Delivery>) -> Result<(), PortError> {
        while into.len() < PARKED_SAMPLE_MAX {
            let max = TEN.min(PARKED_SAMPLE_MAX - into.len());
            let some = self.dead.receive(max, LEASE, WAIT).await?;
            if some.is_empty() {
                break;
            }
            into.extend(some);
        }
        Ok(())
    }

    /// Gives leases back. What fails is hidden until its lease ends by itself.
    async fn release(&self, receipts: Vec<Receipt>) {
        for some in receipts.chunks(RELEASES_MAX) {
            let mut releases = JoinSet::new();
            for receipt in some {
                let (queue, receipt) = (self.dead.clone(), receipt.clone());
                releases.spawn(async move { queue.release(&receipt, Duration::ZERO).await.is_ok() });
            }
            releases.join_all().await;
        }
    }

    /// Sends back the messages with these ids, as if they had never been delivered. At most [`PARKED_SEARCH_MAX`] dead
    /// letters are searched for them.
    ///
    /// # Errors
    /// As SQS; what was sent back before stays so.
    pub async fn send_back(&self, ids: &[String]) -> Result<SentBack, PortError> {
        let wanted = Wanted::These(ids.iter().cloned().collect());
        self.run(wanted, PARKED_SEARCH_MAX).await
    }

    /// Sends all dead letters back, 100,000 at most.
    ///
    /// # Errors
    /// As SQS; what was sent back before stays so.
    pub async fn send_back_all(&self) -> Result<SentBack, PortError> {
        let depth = self.dead.depth().await?;
        let here = depth.ready + depth.leased + depth.delayed;
        // What comes back while this runs is not sent back again for ever. The count is approximate and may be a minute
        // old, so there may be more where it ends.
        let here = usize::try_from(here)
            .unwrap_or(usize::MAX)
            .saturating_add(COUNT_SLACK);
        self.run(Wanted::All, here.min(SEND_BACK_MAX)).await
    }

    async fn run(&self, mut wanted: Wanted, look_at_max: usize) -> Result<SentBack, PortError> {
        let mut progress = Progress::default();
        let outcome = self.go_through(&mut wanted, look_at_max, &mut progress).await;
        self.release(progress.held).await;
        outcome?;
        if let Wanted::These(missing) = wanted {
            progress.sent.missing = missing.into_iter().collect();
        }
        Ok(progress.sent)
    }

    async fn go_through(
        &self,
        wanted: &mut Wanted,
        look_at_max: usize,
        progress: &mut Progress,
    ) -> Result<(), PortError> {
        while !wanted.is_over() {
            if progress.looked_at >= look_at_max || progress.sent.refused.len() >= REFUSED_MAX {
                progress.sent.more = true;
                break;
            }
            let some = self.dead.receive(TEN, LEASE, WAIT).await?;
            if some.is_empty() {
                break;
            }
            progress.looked_at += some.len();
            let (meant, rest): (Vec<_>, Vec<_>) = some.into_iter().partition(|d| wanted.takes(&d.message_id));
            progress.held.extend(rest.into_iter().map(|d| d.receipt));
            if !meant.is_empty() {
                self.move_these(meant, progress).await?;
            }
        }
        Ok(())
    }

    /// Sends and acknowledges. One that the queue refuses stays a dead letter.
    async fn move_these(&self, deliveries: Vec<Delivery>, progress: &mut Progress) -> Result<(), PortError> {
        let messages = deliveries.iter().map(again).collect();
        let answers = match self.source.send(messages).await {
            Ok(answers) => answers,
            Err(error) => {
                progress.held.extend(deliveries.into_iter().map(|d| d.receipt));
                return Err(error);
            }
        };
        let mut receipts = Vec::new();
        for (delivery, answer) in deliveries.into_iter().zip(answers) {
            match answer {
                Ok(()) => receipts.push(delivery.receipt),
                Err(error) => {
                    progress.held.push(delivery.receipt);
                    progress.sent.refused.push(Refused {
                        id: delivery.message_id,
                        why: error.detail,
                    });
                }
            }
        }
        progress.sent.moved += receipts.len() as u64;
        self.dead.ack(&receipts).await?;
        Ok(())
    }
}

/// The message as it was before it was parked, with the mark of its return.
fn again(delivery: &Delivery) -> OutMessage {
    OutMessage {
        body: delivery.body.clone(),
        attributes: redriven(delivery.attributes.clone()),
        delay: Duration::ZERO,
    }
}
