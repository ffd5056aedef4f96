//! Triage: the cheap look that stops unusable and clean photos, and the choice of lane for the rest.

use crate::consumer::{Handled, Handler};
use crate::desk::{Desk, Trouble, encode_trouble, engine_trouble};
use crate::ledger::Entry;
use crate::looker::InHand;
use crate::situation::Situation;
use crate::stop::Stop;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::routing::{InlineCost, Routed, RoutingPolicy, route};
use walkaround_domain::{Event, FailureCode, InspectionRequest, Lane, Phase};
use walkaround_messages::{Intake, parse_intake, request_json};
use walkaround_ports::{Delivery, OutMessage, Queue};

/// Triage of the intake queue.
pub struct Triage {
    /// Photo, networks, results.
    pub desk: Desk,
    /// The GPU lane.
    pub segmentation: Arc<dyn Queue>,
    /// What is known of the lanes.
    pub situation: Arc<Situation>,
    /// Bounds and prices.
    pub routing: RoutingPolicy,
    /// Measured time of one heavy look here; none when this process has no segmenters.
    pub inline_look: Option<Duration>,
    /// Time of one invocation; a process without such a limit gives a long one.
    pub time_left: Duration,
}

#[async_trait]
impl Handler for Triage {
    async fn handle(&self, delivery: &Delivery, stop: &Stop) -> Handled {
        let intakes = match parse_intake(&delivery.body, &delivery.attributes) {
            Ok(intakes) => intakes,
            Err(unreadable) => return self.desk.park(delivery, &unreadable.to_string()).await,
        };
        let mut handled = Handled::Settled;
        let mut begun = false;
        for intake in intakes {
            let Intake::Inspect(request) = intake else {
                continue;
            };
            // Given back half done, a message has its photos of the GPU lane sent and looked at again: one
            // that is begun is finished, within the budget.
            let stop = (!begun).then_some(stop);
            let one = match self.one(request.clone(), delivery, stop).await {
                Ok(()) => Handled::Settled,
                Err(trouble) => self.desk.handle_trouble(trouble, request, delivery).await,
            };
            // A message with several photos comes back when one of them has to; the others are then final.
            match one {
                Handled::Again(delay) => handled = Handled::Again(delay),
                Handled::Settled => begun = true,
            }
        }
        handled
    }
}

impl Triage {
    async fn one(
        &self,
        request: InspectionRequest,
        delivery: &Delivery,
        stop: Option<&Stop>,
    ) -> Result<(), Trouble> {
        let begin = self.desk.settler.clock.ticks();
        let since = (begin, delivery.receive_count);
        let entry = self.desk.take_up(request, delivery).await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.desk.settler.publish(entry).await?);
        }
        if entry.is_routed_to(Lane::Gpu) {
            // The record says so, but the message may have been lost with the process that wrote it.
            return self.send(&entry).await;
        }
        if stop.is_some_and(Stop::is_set) {
            return Err(Trouble::Draining);
        }
        let mut photo = match self.desk.prepare(&entry).await? {
            Ok(photo) => photo,
            Err(finished) => return self.desk.settle(entry, finished, since).await,
        };
        if !photo.usable() {
            return self.finish(entry, photo, since).await;
        }
        if stop.is_some_and(Stop::is_set) {
            return Err(Trouble::Draining);
        }
        let look = self
            .desk
            .looker
            .first_look(&mut photo)
            .await
            .map_err(|e| engine_trouble(&e))?;
        self.situation.saw(look.suspect);
        if !look.suspect {
            return self.finish(entry, photo, since).await;
        }
        let routed = self.route(&entry, begin).await;
        match routed.lane {
            Lane::Gpu => self.to_gpu(entry, routed).await,
            Lane::Inline => {
                self.desk
                    .looker
                    .segment(&mut photo)
                    .await
                    .map_err(|e| engine_trouble(&e))?;
                self.finish(
                    with_route(entry, routed, self.desk.settler.clock.now()),
                    photo,
                    since,
                )
                .await
            }
        }
    }

    async fn route(&self, entry: &Entry, begin: Duration) -> Routed {
        let clock = &self.desk.settler.clock;
        let load = self.situation.load().await;
        let spent = clock.ticks().saturating_sub(begin);
        let cost = InlineCost {
            look: self.inline_look,
            time_left: self.time_left.saturating_sub(spent),
        };
        let deadline = entry.inspection.request.deadline.map(|d| d.since(clock.now()));
        route(&load, cost, deadline, &self.routing)
    }

    async fn finish(&self, entry: Entry, photo: InHand, since: (Duration, u32)) -> Result<(), Trouble> {
        let name = entry.inspection.request.photo.to_string();
        let finished = self
            .desk
            .looker
            .finish(photo, name)
            .await
            .map_err(encode_trouble)?;
        self.desk.settle(entry, finished, since).await
    }

    /// The record first, the message second: a crash in between is mended when the intake message returns.
    async fn to_gpu(&self, entry: Entry, routed: Routed) -> Result<(), Trouble> {
        let event = Event::Route {
            lane: routed.lane,
            reason: routed.reason,
        };
        let now = self.desk.settler.clock.now();
        let (entry, _) = self
            .desk
            .settler
            .ledger
            .apply(entry, (&event, now), &|_| {})
            .await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.desk.settler.publish(entry).await?);
        }
        self.send(&entry).await
    }

    async fn send(&self, entry: &Entry) -> Result<(), Trouble> {
        let message = OutMessage {
            body: request_json(&entry.inspection.request),
            ..OutMessage::default()
        };
        let answers = self.segmentation.send(vec![message]).await?;
        let again = |detail: String| Trouble::Again {
            code: FailureCode::StoreFailed,
            detail,
        };
        match answers.into_iter().next() {
            Some(Ok(())) => {
                self.situation.sent();
                Ok(())
            }
            Some(Err(error)) => Err(again(error.to_string())),
            None => Err(again("the queue gave no answer".into())),
        }
    }
}

/// The inline lane finishes in the same breath: its route is stored with the final record, in one write.
fn with_route(mut entry: Entry, routed: Routed, now: walkaround_domain::Timestamp) -> Entry {
    if matches!(entry.inspection.phase, Phase::Accepted | Phase::Routed { .. }) {
        entry.inspection.route = Some((routed.lane, routed.reason));
        entry.inspection.routed_at = Some(now);
    }
    entry
}
