//! A queue under test, and what its cases share.

use crate::suite::{Broken, Keep};
use crate::time::TimeDriver;
use std::sync::Arc;
use std::time::Duration;
use walkaround_ports::{Delivery, OutMessage, Queue};

/// Deliveries after which the queue under test parks a message.
pub const RECEIVES_MAX: u32 = 3;

/// Looks that find nothing before a case stops waiting for a message.
pub(super) const EMPTY_LOOKS_MAX: usize = 10;

/// A fresh, empty queue.
pub struct QueueUnderTest {
    /// It parks a message after [`RECEIVES_MAX`] deliveries.
    pub queue: Arc<dyn Queue>,
    /// Where it parks them.
    pub dead_letters: Arc<dyn Queue>,
    /// Its time.
    pub time: Arc<dyn TimeDriver>,
    /// Whatever has to stay.
    pub keep: Keep,
}

impl QueueUnderTest {
    /// A lease that no case outlasts unless it means to.
    pub(super) fn lease(&self) -> Duration {
        self.time.unit() * 10
    }

    pub(super) async fn send(&self, bodies: &[&str]) -> Result<(), Broken> {
        let messages = bodies.iter().map(|body| message(body)).collect();
        for answer in self.queue.send(messages).await? {
            answer?;
        }
        Ok(())
    }

    /// Receives until `count` messages have come; an error when they do not.
    pub(super) async fn take(&self, count: usize, lease: Duration) -> Result<Vec<Delivery>, Broken> {
        take_from(&self.queue, self.time.as_ref(), count, lease).await
    }

    pub(super) async fn take_one(&self, lease: Duration) -> Result<Delivery, Broken> {
        let mut taken = self.take(1, lease).await?;
        taken.pop().ok_or_else(|| Broken("no message".to_owned()))
    }

    pub(super) async fn expect_nothing(&self, when: &str) -> Result<(), Broken> {
        let taken = self.queue.receive(10, self.lease(), self.time.patience()).await?;
        match taken.first() {
            None => Ok(()),
            Some(delivery) => Err(Broken(format!("{when}: `{}` was delivered", delivery.body))),
        }
    }
}

pub(super) async fn take_from(
    queue: &Arc<dyn Queue>,
    time: &dyn TimeDriver,
    count: usize,
    lease: Duration,
) -> Result<Vec<Delivery>, Broken> {
    let mut taken = Vec::new();
    for _ in 0..EMPTY_LOOKS_MAX + count {
        let wanted = (count - taken.len()).min(10);
        taken.extend(queue.receive(wanted, lease, time.patience()).await?);
        if taken.len() >= count {
            return Ok(taken);
        }
    }
    Err(Broken(format!("{} of {count} messages came", taken.len())))
}

pub(super) fn message(body: &str) -> OutMessage {
    OutMessage {
        body: body.to_owned(),
        ..OutMessage::default()
    }
}
