//! A handler that is watched: how many messages it has in flight, and which of them were cut off.

use crate::context::Context;
use crate::facts::asks_for;
use crate::faulty::Process;
use crate::injected_fault::InjectedFault;
use crate::invariant::Invariant;
use crate::trace::CoverageEvent;
use async_trait::async_trait;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use walkaround_domain::InspectionId;
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::shutdown::ShutdownSignal;
use walkaround_ports::{Delivery, OutMessage};

/// What a shadow takes that is waited for; planted.
const SHADOW_TIME: Duration = Duration::from_secs(2);

/// Watches the handler of one process.
pub(crate) struct Watched {
    inner: Arc<dyn Handler>,
    process: Arc<Process>,
    role: &'static str,
    in_flight: AtomicUsize,
}

impl Watched {
    pub(crate) fn new(inner: Arc<dyn Handler>, process: &Arc<Process>, role: &'static str) -> Self {
        Self {
            inner,
            process: Arc::clone(process),
            role,
            in_flight: AtomicUsize::new(0),
        }
    }
}

/// A message in flight. Dropped before its end, or given back after a stop, it was cut off.
struct MessageInFlight<'a> {
    watched: &'a Watched,
    context: &'a Context,
    asks_for: Vec<InspectionId>,
    ended: bool,
}

impl Drop for MessageInFlight<'_> {
    fn drop(&mut self) {
        self.watched.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.watched.process.work.ends(self.context.ticks());
        if !self.ended {
            self.context.count(CoverageEvent::CutOff);
            for id in &self.asks_for {
                self.context.facts().cut(id, self.watched.role);
            }
        }
    }
}

#[async_trait]
impl Handler for Watched {
    async fn handle(&self, delivery: &Delivery, stop: &ShutdownSignal) -> Disposition {
        let context = &self.process.context;
        let in_flight = self.in_flight.fetch_add(1, Ordering::Relaxed) + 1;
        let most = context.plan.in_flight_max;
        if in_flight > most {
            let detail = format!(
                "{} has {in_flight} messages in flight, at most {most}",
                self.process.name
            );
            context.violate(Invariant::Q1, detail);
        }
        let message = OutMessage {
            body: delivery.body.clone(),
            attributes: delivery.attributes.clone(),
            ..OutMessage::default()
        };
        let mut held = MessageInFlight {
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
        if context.plant == Some(InjectedFault::ShadowIsWaitedFor) {
            tokio::time::sleep(SHADOW_TIME).await;
        }
        held.ended = handled == Disposition::Ack || !stop.is_set();
        self.process
            .log(format_args!("{} is {handled:?}", delivery.receipt.0));
        handled
    }
}
