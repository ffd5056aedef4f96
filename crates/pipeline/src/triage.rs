//! Triage: the cheap look that stops unusable and clean photos, and the choice of lane for the rest.

use crate::consumer::{Handled, Handler};
use crate::desk::{Desk, Trouble, encode_trouble, engine_trouble};
use crate::invocation::InvocationEnd;
use crate::ledger::Entry;
use crate::looker::{InHand, Looker};
use crate::situation::Situation;
use crate::stop::Stop;
use crate::telemetry::Happened;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tracing::{error, info};
use walkaround_domain::routing::{InlineCost, Routed, RoutingPolicy, route};
use walkaround_domain::{Event, FailureCode, InspectionRequest, Lane, Phase};
use walkaround_messages::{Intake, parse_intake, request_json};
use walkaround_ports::{Delivery, OutMessage, Queue, TRACE_ATTRIBUTE};

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
    /// Time of one heavy look here.
    pub inline_look: InlineLook,
    /// When the present invocation ends.
    pub end: Arc<InvocationEnd>,
}

/// Time of one heavy look in this process.
pub enum InlineLook {
    /// Known.
    Known(Duration),
    /// This process has no segmenters.
    Never,
    /// Measured when the first suspect photo asks: until then a process need not load its segmenters. None once that has
    /// failed: this process has no inline lane then.
    WhenAsked(OnceCell<Option<Duration>>),
}

impl InlineLook {
    /// Not known yet; see [`InlineLook::WhenAsked`].
    pub fn when_asked() -> Self {
        Self::WhenAsked(OnceCell::new())
    }

    async fn time(&self, looker: &Looker) -> Option<Duration> {
        match self {
            Self::Known(time) => Some(*time),
            Self::Never => None,
            Self::WhenAsked(cell) => *cell.get_or_init(|| measured(looker)).await,
        }
    }
}

/// A network that cannot be loaded here must not fail photos that the GPU lane can look at.
async fn measured(looker: &Looker) -> Option<Duration> {
    match looker.measure_segment().await {
        Ok(time) => {
            info!(look_ms = time.as_secs_f64() * 1e3, "heavy look measured");
            Some(time)
        }
        Err(error) => {
            error!(%error, "no heavy look in this process: all suspect photos go to the GPU lane");
            None
        }
    }
}

/// A photo on its way: who looks at it, and since when.
struct Sitting<'a> {
    looker: Arc<Looker>,
    delivery: &'a Delivery,
    begin: Duration,
    request: &'a InspectionRequest,
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
            let sitting = Sitting {
                looker: self.desk.looker.get(),
                delivery,
                begin: self.desk.settler.clock.ticks(),
                request: &request,
            };
            let one = match Box::pin(self.one(&sitting, stop)).await {
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
    async fn one(&self, at: &Sitting<'_>, stop: Option<&Stop>) -> Result<(), Trouble> {
        let entry = self.desk.take_up(at.request.clone(), at.delivery).await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.desk.settler.publish(entry).await?);
        }
        if entry.is_routed_to(Lane::Gpu) {
            // The record says so, but the message may have been lost with the process that wrote it.
            return self.send(at).await;
        }
        if stop.is_some_and(Stop::is_set) {
            return Err(Trouble::Draining);
        }
        let mut photo = match self.desk.prepare(&at.looker, &at.request.photo).await? {
            Ok(photo) => photo,
            Err(finished) => return self.desk.settle(entry, finished, at.since()).await,
        };
        if !photo.usable() {
            return self.finish(at, entry, photo).await;
        }
        if stop.is_some_and(Stop::is_set) {
            return Err(Trouble::Draining);
        }
        let look = at.looker.first_look(&mut photo).await;
        let look = look.map_err(|e| engine_trouble(&e))?;
        self.situation.saw(look.suspect);
        if !look.suspect {
            return self.finish(at, entry, photo).await;
        }
        let routed = self.route(at).await;
        match routed.lane {
            Lane::Gpu => self.to_gpu(at, entry, routed).await,
            Lane::Inline => {
                let segmented = at.looker.segment(&mut photo).await;
                segmented.map_err(|e| engine_trouble(&e))?;
                let entry = with_route(entry, routed, self.desk.settler.clock.now());
                self.finish(at, entry, photo).await
            }
        }
    }

    async fn route(&self, at: &Sitting<'_>) -> Routed {
        let clock = &self.desk.settler.clock;
        let load = self.situation.load().await;
        let cost = InlineCost {
            look: self.inline_look.time(&at.looker).await,
            time_left: self.end.left(clock.ticks()),
        };
        let deadline = at.request.deadline.map(|d| d.since(clock.now()));
        route(&load, cost, deadline, &self.routing)
    }

    async fn finish(&self, at: &Sitting<'_>, entry: Entry, photo: InHand) -> Result<(), Trouble> {
        let name = entry.inspection.request.photo.to_string();
        let finished = at.looker.finish(photo, name).await.map_err(encode_trouble)?;
        self.desk.settle(entry, finished, at.since()).await
    }

    /// The record first, the message second: a crash in between is mended when the intake message returns.
    async fn to_gpu(&self, at: &Sitting<'_>, entry: Entry, routed: Routed) -> Result<(), Trouble> {
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
        self.send(at).await
    }

    /// Sends the request as it came, its URL with the query that the record has lost, and under its trace.
    async fn send(&self, at: &Sitting<'_>) -> Result<(), Trouble> {
        let trace = at.delivery.attributes.get_key_value(TRACE_ATTRIBUTE);
        let message = OutMessage {
            body: request_json(at.request),
            attributes: trace.map(|(n, v)| (n.clone(), v.clone())).into_iter().collect(),
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
                self.desk.telemetry.tell(Happened::SentToGpu);
                Ok(())
            }
            Some(Err(error)) => Err(again(error.to_string())),
            None => Err(again("the queue gave no answer".into())),
        }
    }
}

impl Sitting<'_> {
    fn since(&self) -> (Duration, u32) {
        (self.begin, self.delivery.receive_count)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::looker::{Compute, LookerSettings};
    use image::RgbImage;
    use std::sync::atomic::{AtomicU32, Ordering};
    use walkaround_conformance::ManualClock;
    use walkaround_domain::UnitRect;
    use walkaround_inference::{Engine, EngineError, FirstLook};
    use walkaround_vision::findings::Segmentation;
    use walkaround_vision::mask::ClassSpec;
    use walkaround_vision::quality::QualityPolicy;

    /// Segmenters that can, or cannot, be loaded.
    struct Segmenters {
        load: bool,
        asked: Arc<AtomicU32>,
        quality: QualityPolicy,
    }

    impl Engine for Segmenters {
        fn bundle_name(&self) -> &'static str {
            "test"
        }
        fn bundle_version(&self) -> &'static str {
            "1"
        }
        fn classes(&self) -> &[ClassSpec] {
            &[]
        }
        fn quality(&self) -> &QualityPolicy {
            &self.quality
        }
        fn long_side(&self) -> u32 {
            8
        }
        fn first_look(&mut self, _: &[&RgbImage]) -> Result<Vec<FirstLook>, EngineError> {
            panic!("nobody asks")
        }
        fn segment(
            &mut self,
            photos: &[(&RgbImage, UnitRect)],
        ) -> Result<Vec<Segmentation>, EngineError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match self.load {
                true => Ok(vec![Segmentation::default(); photos.len()]),
                false => Err(EngineError::Run {
                    network: "segmenter".to_owned(),
                    cause: "no memory".to_owned(),
                }),
            }
        }
    }

    fn looker(load: bool) -> (Looker, Arc<AtomicU32>) {
        let asked = Arc::default();
        let engine = Segmenters {
            load,
            asked: Arc::clone(&asked),
            quality: QualityPolicy {
                sharpness_min: 0.0,
                luma_min: 0.0,
                luma_max: 255.0,
                clipped_max: 1.0,
            },
        };
        let settings = LookerSettings {
            compute: Compute::Inline,
            ..LookerSettings::default()
        };
        let looker = Looker::new(Box::new(engine), settings, Arc::new(ManualClock::new()));
        (looker, asked)
    }

    #[tokio::test]
    async fn a_heavy_look_is_measured_once_and_one_that_fails_leaves_the_gpu_lane() {
        for (load, wanted) in [(true, Some(Duration::ZERO)), (false, None)] {
            let (looker, asked) = looker(load);
            let inline_look = InlineLook::when_asked();
            assert_eq!(inline_look.time(&looker).await, wanted);
            let once = asked.load(Ordering::Relaxed);
            assert!(once > 0);
            assert_eq!(inline_look.time(&looker).await, wanted);
            assert_eq!(asked.load(Ordering::Relaxed), once, "measured again");
        }
    }
}
