//! How a root is opened: its queues, durability and bounds.

use crate::error::OpenError;
use std::time::Duration;
use walkaround_domain::DELIVERIES_MAX;

/// Queue of photos for triage.
pub const INTAKE: &str = "intake";
/// Where intake parks what it cannot finish.
pub const INTAKE_DEAD: &str = "intake-dead";
/// Queue of photos for the segmentation.
pub const SEGMENTATION: &str = "segmentation";
/// Where the workers park what they cannot finish.
pub const SEGMENTATION_DEAD: &str = "segmentation-dead";

/// What a committed write survives.
///
/// Either way the root is consistent after anything: the database loses at most its last commits, together,
/// and a blob that a record names was on the disk before that record was written, its bytes and its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// The death of every process, also by SIGKILL. After a loss of power the last moments may be missing, as
    /// if they had not happened: requests accepted then have to be submitted again.
    #[default]
    ProcessDeath,
    /// A loss of power too, at the price of waiting for the disk at every commit (5 to 10 ms on a plain SSD).
    PowerLoss,
}

/// Where a message goes that was delivered too often.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Name of the dead-letter queue, one of the configured queues.
    pub queue: String,
    /// A message that was delivered this often and not acknowledged goes there.
    pub receives_max: u32,
}

/// One queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueOptions {
    /// Its name.
    pub name: String,
    /// Its dead-letter queue, if any.
    pub dead_letter: Option<DeadLetter>,
}

/// How a root is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The queues, dead-letter queues included.
    pub queues: Vec<QueueOptions>,
    /// What a committed write survives.
    pub durability: Durability,
    /// How long a write waits for another process before it is `Unavailable`.
    pub busy_timeout: Duration,
    /// How often a waiting `receive` looks for what other processes sent.
    pub poll_interval: Duration,
    /// Published events that are kept; older ones are dropped.
    pub events_kept_max: u64,
}

impl Default for Options {
    /// Intake and segmentation with their dead-letter queues after [`DELIVERIES_MAX`] deliveries.
    fn default() -> Self {
        let plain = |name: &str| QueueOptions {
            name: name.to_owned(),
            dead_letter: None,
        };
        let parking = |name: &str, dead: &str| QueueOptions {
            name: name.to_owned(),
            dead_letter: Some(DeadLetter {
                queue: dead.to_owned(),
                receives_max: DELIVERIES_MAX,
            }),
        };
        Self {
            queues: vec![
                parking(INTAKE, INTAKE_DEAD),
                plain(INTAKE_DEAD),
                parking(SEGMENTATION, SEGMENTATION_DEAD),
                plain(SEGMENTATION_DEAD),
            ],
            durability: Durability::default(),
            busy_timeout: Duration::from_secs(10),
            poll_interval: Duration::from_millis(50),
            events_kept_max: 1_000_000,
        }
    }
}

impl Options {
    /// Whether the queues fit together.
    pub(crate) fn check(&self) -> Result<(), OpenError> {
        for queue in &self.queues {
            let Some(dead) = &queue.dead_letter else { continue };
            let known = self.queues.iter().any(|q| q.name == dead.queue);
            if !known || dead.queue == queue.name || dead.receives_max == 0 {
                let text = format!(
                    "queue `{}`: its dead-letter queue `{}` has to be another configured queue, after 1 or more deliveries",
                    queue.name, dead.queue
                );
                return Err(OpenError::Options(text));
            }
        }
        Ok(())
    }
}
