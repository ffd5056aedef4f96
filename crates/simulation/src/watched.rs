//! A handler that is watched: how many messages it has in hand, and which of them were cut off.

use crate::context::{Context, Invariant};
use crate::facts::asks_for;
use crate::faulty::Process;
use crate::trace::Happening;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use walkaround_domain::InspectionId;
use walkaround_pipeline::consumer::{Handled, Handler};
use walkaround_pipeline::stop::Stop;
use walkaround_ports::{Delivery, OutMessage};

/// Watches the handler of one process.
pub(crate) struct Watched {
    inner: Arc<dyn Handler>,
    process: Arc<Process>,
    role: &'static str,
    in_hand: AtomicUsize,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Handler>, process: &Arc<Process>, role: &'static str) -> Self {
        Self {
            inner,
            process: Arc::clone(process),
            role,
            in_hand: AtomicUsize::new(0),
        }
    }
}

/// A message in hand. Dropped before its end, or given back after a stop, it was cut off.
struct InHand<'a> {
    watched: &'a Watched,
    context: &'a Context,
    asks_for: Vec<InspectionId>,
    ended: bool,
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.watched.in_hand.fetch_sub(1, Ordering::Relaxed);
        self.watched.process.work.ends(self.context.ticks());
        if !self.ended {
            self.context.count(Happening::CutOff);
            for id in &self.asks_for {
                self.context.facts().cut(id, self.watched.role);
            }
        }
    }
}

#[async_trait]
impl Handler for Watched {
    async fn handle(&self, delivery: &Delivery, stop: &Stop) -> Handled {
        let context = &self.process.context;
        let in_hand = self.in_hand.fetch_add(1, Ordering::Relaxed) + 1;
        let most = context.plan.in_flight_max;
        if in_hand > most {
            let detail = format!(
                "{} has {in_hand} messages in hand, at most {most}",
                self.process.name
            );
            context.violate(Invariant::Q1, detail);
        }
        let message = OutMessage {
            body: delivery.body.clone(),
            attributes: delivery.attributes.clone(),
            ..OutMessage::default()
        };
        let mut held = InHand {
            watched: self,
            context,
            asks_for: asks_for(&message).unwrap_or_default(),
            ended: false,
        };
        self.process.work.begins(context.ticks());
        if self.process.work.device_hangs(context) {
            self.process.log(format_args!("has a device that hangs"));
            std::future::pending::<()>().await;
        }
        let handled = self.inner.handle(delivery, stop).await;
        held.ended = handled == Handled::Settled || !stop.is_set();
        self.process
            .log(format_args!("{} is {handled:?}", delivery.receipt.0));
        handled
    }
}
