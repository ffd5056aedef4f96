//! A queue with leases, in memory: at least once, in no order, with a dead-letter queue behind it.

use crate::context::Context;
use crate::facts::{Place, asks_for};
use crate::invariant::Invariant;
use crate::trace::CoverageEvent;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use walkaround_domain::Timestamp;
use walkaround_ports::{
    AckOutcome, BODY_BYTES_MAX, Delivery, Depth, LeaseOutcome, OutMessage, PortCall, PortError,
    PortErrorKind, Queue, Receipt,
};
use walkaround_ports::{PARKED_FROM, PARKED_REASON, redriven};

/// Most messages of one receive, receipts of one acknowledgement (SQS).
const BATCH_MAX: usize = 10;
/// Longest wait of one receive.
const WAIT_MAX: Duration = Duration::from_secs(20);
/// Longest lease.
const LEASE_MAX: Duration = Duration::from_secs(12 * 3600);
/// Longest delay of a message.
const DELAY_MAX: Duration = Duration::from_secs(900);
/// Most attributes of a message.
const ATTRIBUTES_MAX: usize = 10;

/// A queue.
pub(crate) struct SimQueue {
    context: Arc<Context>,
    place: Place,
    /// Deliveries after which a message moves to the dead-letter queue.
    receives_max: u32,
    dead: Option<Arc<SimQueue>>,
    /// Planted fault: a lease that runs out counts as success.
    pub(crate) expiry_is_success: bool,
    state: Mutex<State>,
    arrived: Notify,
}

#[derive(Default)]
struct State {
    next: u64,
    messages: BTreeMap<u64, Message>,
}

struct Message {
    message: OutMessage,
    sent_at: Timestamp,
    visible_at: Duration,
    receipt: Option<Receipt>,
    receives: u32,
}

impl SimQueue {
    pub(crate) fn new(context: &Arc<Context>, place: Place, dead: Option<(Arc<SimQueue>, u32)>) -> Self {
        let (dead, receives_max) = dead.map_or((None, u32::MAX), |(queue, max)| (Some(queue), max));
        Self {
            context: Arc::clone(context),
            place,
            receives_max,
            dead,
            expiry_is_success: false,
            state: Mutex::default(),
            arrived: Notify::new(),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.state().messages.is_empty()
    }

    /// Takes a message, as `send` does.
    pub(crate) fn put(&self, message: &OutMessage) {
        let context = &self.context;
        context.facts().queued(self.place, message);
        let copies = 1 + usize::from(context.chance(context.plan.rates.duplicated));
        if copies == 2 {
            context.count(CoverageEvent::MessageDuplicated);
        }
        for _ in 0..copies {
            let mut visible_at = context.ticks() + message.delay;
            if context.chance(context.plan.rates.delayed) {
                context.count(CoverageEvent::ShownLate);
                visible_at += context.between(0, 20_000);
            }
            let mut state = self.state();
            state.next += 1;
            let id = state.next;
            state.messages.insert(
                id,
                Message {
                    message: message.clone(),
                    sent_at: context.now(),
                    visible_at,
                    receipt: None,
                    receives: 0,
                },
            );
        }
        self.arrived.notify_waiters();
    }

    /// Puts the messages back that their queues parked by themselves; how many.
    pub(crate) fn redrive(&self, to: &[&SimQueue]) -> usize {
        let parked: Vec<OutMessage> = {
            let mut state = self.state();
            let ids: Vec<u64> = state
                .messages
                .iter()
                .filter(|(_, m)| !m.message.attributes.contains_key(PARKED_REASON))
                .map(|(id, _)| *id)
                .collect();
            ids.iter()
                .filter_map(|id| state.messages.remove(id))
                .map(|m| m.message)
                .collect()
        };
        for mut message in parked.clone() {
            let from = message.attributes.get(PARKED_FROM).cloned().unwrap_or_default();
            message.attributes = redriven(message.attributes);
            self.context.facts().redriven(&message);
            self.context.count(CoverageEvent::Redriven);
            for queue in to.iter().filter(|q| q.place.name() == from) {
                queue.put(&message);
            }
        }
        parked.len()
    }

    /// As many visible messages as wanted.
    fn take(&self, max: usize, lease: Duration) -> Vec<Delivery> {
        let mut taken = Vec::new();
        while taken.len() < max {
            let Some(id) = self.choose() else { break };
            if let Some(delivery) = self.lease(id, lease) {
                taken.push(delivery);
            }
        }
        taken
    }

    fn choose(&self) -> Option<u64> {
        let context = &self.context;
        let now = context.ticks();
        let visible: Vec<u64> = self
            .state()
            .messages
            .iter()
            .filter(|(_, m)| m.visible_at <= now)
            .map(|(id, _)| *id)
            .collect();
        if visible.len() > 1 && context.chance(context.plan.rates.reordered) {
            context.count(CoverageEvent::Reordered);
            return Some(visible[context.rng().usize(0..visible.len())]);
        }
        visible.first().copied()
    }

    fn lease(&self, id: u64, lease: Duration) -> Option<Delivery> {
        let context = &self.context;
        let now = context.ticks();
        let mut state = self.state();
        let message = state.messages.get_mut(&id)?;
        if message.receipt.is_some() {
            context.count(CoverageEvent::LeaseExpired);
            if self.expiry_is_success {
                drop(state);
                self.remove(id, "its lease ran out");
                return None;
            }
        }
        message.receives += 1;
        if message.receives > self.receives_max {
            drop(state);
            self.bury(id);
            return None;
        }
        if message.receives > 1 {
            context.count(CoverageEvent::Redelivered);
        }
        let receipt = Receipt(format!("{}/{id}/{}", self.place.name(), message.receives));
        message.visible_at = now + lease;
        message.receipt = Some(receipt.clone());
        if context.chance(context.plan.rates.delivered_twice) {
            context.count(CoverageEvent::DeliveredTwice);
            message.visible_at = now + context.between(0, 2_000);
        }
        Some(Delivery {
            receipt,
            message_id: format!("{}-{id}", self.place.name()),
            body: message.message.body.clone(),
            attributes: message.message.attributes.clone(),
            receive_count: message.receives,
            sent_at: message.sent_at,
        })
    }

    /// Moves a message to the dead-letter queue.
    fn bury(&self, id: u64) {
        let Some(message) = self.state().messages.remove(&id) else {
            return;
        };
        let Some(dead) = &self.dead else { return };
        self.context.count(CoverageEvent::ParkedByQueue);
        self.context
            .log(self.place.name(), format_args!("parks message {id}"));
        let mut message = message.message;
        message.delay = Duration::ZERO;
        message
            .attributes
            .insert(PARKED_FROM.into(), self.place.name().into());
        dead.put(&message);
    }

    /// Lets go of a message for good.
    fn remove(&self, id: u64, why: &str) {
        let context = &self.context;
        let ghost = context.chance(context.plan.rates.ghost);
        let mut state = self.state();
        let Some(message) = state.messages.get_mut(&id) else {
            return;
        };
        let gone = message.message.clone();
        if ghost {
            context.count(CoverageEvent::GhostAfterAck);
            message.receipt = None;
            message.visible_at = context.ticks() + context.between(0, 5_000);
        } else {
            state.messages.remove(&id);
        }
        drop(state);
        let checked = context.facts().let_go(self.place, &gone, why);
        // Another message for the same photo is still there: in the intake queue it sends it to the GPU lane once more if
        // it has to, and in the lane it may have been sent on again before this one, which was taken back, is let go.
        let other_does = self.place != Place::Intake || context.facts().is_routed(&gone);
        if other_does && self.has_another(id, &gone) {
            return;
        }
        if let Err((invariant, detail)) = checked {
            context.violate(invariant, detail);
        }
    }

    /// Whether some other message here asks for what this one does.
    fn has_another(&self, id: u64, gone: &OutMessage) -> bool {
        let ids = asks_for(gone).unwrap_or_default();
        let state = self.state();
        let others = state.messages.iter().filter(|(other, _)| **other != id);
        let mut others = others.filter_map(|(_, m)| asks_for(&m.message));
        others.any(|other| ids.iter().all(|id| other.contains(id)))
    }

    /// The message that a receipt stands for, when the receipt is its newest.
    fn find(&self, receipt: &Receipt) -> Option<u64> {
        let id = receipt.0.split('/').nth(1)?.parse().ok()?;
        let state = self.state();
        let message = state.messages.get(&id)?;
        (message.receipt.as_ref() == Some(receipt)).then_some(id)
    }

    fn hide(&self, receipt: &Receipt, until: Duration, given_back: bool) -> LeaseOutcome {
        let now = self.context.ticks();
        let Some(id) = self.find(receipt) else {
            return LeaseOutcome::Lost;
        };
        let mut state = self.state();
        match state.messages.get_mut(&id) {
            Some(message) if message.visible_at > now => {
                message.visible_at = until;
                if given_back {
                    message.receipt = None;
                    self.context.count(CoverageEvent::Returned);
                }
                LeaseOutcome::Held
            }
            _ => LeaseOutcome::Lost,
        }
    }

    /// Q1: what a caller asks for is within the port's bounds.
    fn bound(&self, operation: &'static str, fits: bool, what: impl Display) -> Result<(), PortError> {
        if fits {
            return Ok(());
        }
        let detail = format!("{what} is out of bounds, {}", self.place.name());
        let told = format!("{operation}: {detail}");
        self.context.violate(Invariant::Q1, told);
        Err(PortError::new(
            PortCall::new("queue", operation),
            PortErrorKind::Invalid,
            detail,
        ))
    }

    fn send_one(&self, message: &OutMessage) -> Result<(), PortError> {
        let attributes: usize = message
            .attributes
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let fits = !message.body.is_empty()
            && message.body.len() + attributes <= BODY_BYTES_MAX
            && message.attributes.len() <= ATTRIBUTES_MAX
            && message.delay <= DELAY_MAX;
        if !fits {
            let detail = "body, attributes or delay do not fit";
            return Err(PortError::new(
                PortCall::new("queue", "send"),
                PortErrorKind::Invalid,
                detail,
            ));
        }
        if self.partly_refused() {
            return Err(one_failed("send"));
        }
        if message.attributes.contains_key(PARKED_REASON) {
            self.context.count(CoverageEvent::ParkedWithReason);
        }
        self.put(message);
        Ok(())
    }

    fn ack_one(&self, receipt: &Receipt) -> Result<AckOutcome, PortError> {
        if self.partly_refused() {
            return Err(one_failed("ack"));
        }
        if !receipt.0.starts_with(self.place.name()) {
            return Err(PortError::new(
                PortCall::new("queue", "ack"),
                PortErrorKind::Invalid,
                "no receipt of this queue",
            ));
        }
        // As SQS has it: a lease that ran out still acknowledges until the message is out again.
        let Some(id) = self.find(receipt) else {
            self.context.count(CoverageEvent::StaleAck);
            return Ok(AckOutcome::Stale);
        };
        self.remove(id, "acknowledged");
        Ok(AckOutcome::Gone)
    }

    /// True when one entry of a batch is to fail.
    fn partly_refused(&self) -> bool {
        let refused = self.context.chance(self.context.plan.rates.partial);
        if refused {
            self.context.count(CoverageEvent::PartlyRefused);
        }
        refused
    }
}

fn one_failed(operation: &'static str) -> PortError {
    PortError::new(
        PortCall::new("queue", operation),
        PortErrorKind::Unavailable,
        "this entry failed",
    )
}

#[async_trait]
impl Queue for SimQueue {
    async fn send(&self, messages: Vec<OutMessage>) -> Result<Vec<Result<(), PortError>>, PortError> {
        Ok(messages
            .into_iter()
            .map(|message| self.send_one(&message))
            .collect())
    }

    async fn receive(&self, max: usize, lease: Duration, wait: Duration) -> Result<Vec<Delivery>, PortError> {
        self.bound("receive", (1..=BATCH_MAX).contains(&max), max)?;
        self.bound("receive", lease <= LEASE_MAX, "the lease")?;
        self.bound("receive", wait <= WAIT_MAX, "the wait")?;
        let ends = self.context.ticks() + wait;
        loop {
            let arrived = self.arrived.notified();
            let taken = self.take(max, lease);
            let now = self.context.ticks();
            if !taken.is_empty() || now >= ends {
                return Ok(taken);
            }
            let next = self.state().messages.values().map(|m| m.visible_at).min();
            let until = next.map_or(ends, |n| n.min(ends)).saturating_sub(now);
            tokio::select! {
                biased;
                () = arrived => {}
                // Timers are kept in whole milliseconds.
                () = tokio::time::sleep(until.max(Duration::from_millis(1))) => {}
            }
        }
    }

    async fn extend(&self, receipt: &Receipt, lease: Duration) -> Result<LeaseOutcome, PortError> {
        self.bound("extend", lease <= LEASE_MAX, "the lease")?;
        let outcome = self.hide(receipt, self.context.ticks() + lease, false);
        if outcome == LeaseOutcome::Lost {
            self.context.count(CoverageEvent::LeaseLost);
        }
        Ok(outcome)
    }

    async fn release(&self, receipt: &Receipt, delay: Duration) -> Result<LeaseOutcome, PortError> {
        self.bound("release", delay <= LEASE_MAX, "the delay")?;
        let outcome = self.hide(receipt, self.context.ticks() + delay, true);
        self.arrived.notify_waiters();
        Ok(outcome)
    }

    async fn ack(&self, receipts: &[Receipt]) -> Result<Vec<Result<AckOutcome, PortError>>, PortError> {
        self.bound("ack", (1..=BATCH_MAX).contains(&receipts.len()), receipts.len())?;
        Ok(receipts.iter().map(|receipt| self.ack_one(receipt)).collect())
    }

    async fn depth(&self) -> Result<Depth, PortError> {
        let (now, today) = (self.context.ticks(), self.context.now());
        let mut depth = Depth::default();
        for message in self.state().messages.values() {
            if message.visible_at <= now {
                depth.ready += 1;
                let age = today.since(message.sent_at);
                depth.oldest_age = Some(depth.oldest_age.map_or(age, |oldest| oldest.max(age)));
            } else if message.receipt.is_some() {
                depth.leased += 1;
            } else {
                depth.delayed += 1;
            }
        }
        Ok(depth)
    }
}
