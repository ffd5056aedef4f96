//! A queue with leases, on a [`ManualClock`], whose calls fail as a test says.

use async_trait::async_trait;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_ports::{
    AckOutcome, Clock, Delivery, Depth, LeaseOutcome, OutMessage, PortCall, PortError, PortErrorKind, Queue,
    Receipt,
};

/// How a call ends, where it does not do what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    Error,
    /// With a time to wait.
    Throttled(Duration),
    /// Each receipt is answered by an error.
    EachFails,
    /// The lease was lost, or the receipt is stale.
    Stale,
    Hangs,
}

#[derive(Debug, Clone)]
struct Message {
    id: String,
    visible_at: Duration,
    receive_count: u32,
    sent_at: Duration,
}

/// The body of a message is its id.
#[derive(Default)]
pub(crate) struct MemoryQueue {
    pub(crate) clock: Arc<ManualClock>,
    messages: Mutex<Vec<Message>>,
    /// Faults of the next calls, by name of the call.
    faults: Mutex<BTreeMap<&'static str, VecDeque<Fault>>>,
    /// The messages that this fault is for; all if none.
    pub(crate) extend_hangs_for: Mutex<Option<String>>,
    /// Calls of `extend`: the message, and when.
    pub(crate) extended: Mutex<Vec<(String, Duration)>>,
    pub(crate) acknowledged: Mutex<Vec<String>>,
    pub(crate) released: Mutex<Vec<(String, Duration)>>,
}

impl MemoryQueue {
    pub(crate) fn new(clock: &Arc<ManualClock>, ids: &[&str]) -> Arc<Self> {
        let message = |id: &&str| Message {
            id: (*id).to_owned(),
            visible_at: Duration::ZERO,
            receive_count: 0,
            sent_at: Duration::ZERO,
        };
        Arc::new(Self {
            clock: Arc::clone(clock),
            messages: Mutex::new(ids.iter().map(message).collect()),
            ..Self::default()
        })
    }

    /// The next calls of a method end like this.
    pub(crate) fn fail(&self, call: &'static str, faults: &[Fault]) {
        self.faults
            .lock()
            .unwrap()
            .entry(call)
            .or_default()
            .extend(faults);
    }

    async fn fault(&self, call: &'static str) -> Result<Option<Fault>, PortError> {
        let next = self
            .faults
            .lock()
            .unwrap()
            .get_mut(call)
            .and_then(VecDeque::pop_front);
        let error = |kind| PortError::new(PortCall::new("queue", call), kind, "as the test says");
        match next {
            Some(Fault::Error) => Err(error(PortErrorKind::Unavailable)),
            Some(Fault::Throttled(wait)) => Err(PortError {
                retry_after: Some(wait),
                ..error(PortErrorKind::Throttled)
            }),
            Some(Fault::Hangs) => std::future::pending().await,
            other => Ok(other),
        }
    }

    fn ready(&self, max: usize, lease: Duration) -> Vec<Delivery> {
        let now = self.clock.ticks();
        let mut messages = self.messages.lock().unwrap();
        let ready = messages
            .iter_mut()
            .filter(|message| message.visible_at <= now)
            .take(max);
        ready
            .map(|message| {
                message.visible_at = now + lease;
                message.receive_count += 1;
                Delivery {
                    receipt: Receipt(format!("{}/{}", message.id, message.receive_count)),
                    message_id: message.id.clone(),
                    body: message.id.clone(),
                    attributes: BTreeMap::new(),
                    receive_count: message.receive_count,
                    sent_at: self.clock.now() - (now - message.sent_at),
                }
            })
            .collect()
    }

    /// Changes when the message of a current receipt is visible.
    fn hide(&self, receipt: &Receipt, time: Duration) -> LeaseOutcome {
        let now = self.clock.ticks();
        let mut messages = self.messages.lock().unwrap();
        let current = messages
            .iter_mut()
            .find(|m| receipt.0 == format!("{}/{}", m.id, m.receive_count) && m.visible_at > now);
        match current {
            Some(message) => {
                message.visible_at = now + time;
                LeaseOutcome::Held
            }
            None => LeaseOutcome::Lost,
        }
    }
}

fn id_of(receipt: &Receipt) -> String {
    receipt.0.split('/').next().unwrap().to_owned()
}

#[async_trait]
impl Queue for MemoryQueue {
    async fn send(&self, _: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        panic!("a consumer sends nothing")
    }
    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        self.fault("receive").await?;
        let ready = self.ready(max, lease);
        if !ready.is_empty() {
            return Ok(ready);
        }
        self.clock.sleep(wait).await;
        Ok(self.ready(max, lease))
    }
    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError> {
        let id = id_of(receipt);
        self.extended
            .lock()
            .unwrap()
            .push((id.clone(), self.clock.ticks()));
        if self.extend_hangs_for.lock().unwrap().as_ref() == Some(&id) {
            std::future::pending::<()>().await;
        }
        match self.fault("extend").await? {
            Some(_) => Ok(LeaseOutcome::Lost),
            None => Ok(self.hide(receipt, lease)),
        }
    }
    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        self.fault("release").await?;
        self.released.lock().unwrap().push((id_of(receipt), delay));
        Ok(self.hide(receipt, delay))
    }
    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        let fault = self.fault("ack").await?;
        let answer = |receipt: &Receipt| match fault {
            Some(Fault::EachFails) => Err(PortError::new(
                PortCall::new("queue", "ack"),
                PortErrorKind::Unavailable,
                "as the test says",
            )),
            Some(_) => Ok(AckOutcome::Stale),
            None => {
                let id = id_of(receipt);
                self.messages.lock().unwrap().retain(|message| message.id != id);
                self.acknowledged.lock().unwrap().push(id);
                Ok(AckOutcome::Gone)
            }
        };
        Ok(receipts.iter().map(answer).collect())
    }
    async fn depth(&self) -> Result<Depth, PortError> {
        Ok(Depth {
            ready: self.messages.lock().unwrap().len() as u64,
            ..Depth::default()
        })
    }
}
