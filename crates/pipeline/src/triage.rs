//! Triage: the cheap look that stops unusable and clean photos, and the choice of lane for the rest.

use crate::consumer::{Handled, Handler};
use crate::desk::{Desk, PhotoRequest, PhotoTask, Trouble, encode_trouble};
use crate::invocation::InvocationEnd;
use crate::ledger::Entry;
use crate::looker::{InHand, Looker};
use crate::situation::Situation;
use crate::stop::Stop;
use crate::take_back::TAKEN_BACK_ATTRIBUTE;
use crate::telemetry::Happened;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tracing::{debug, error, info};
use walkaround_domain::routing::{InlineCost, Routed, RoutingPolicy, route, route_given_back};
use walkaround_domain::{Event, Lane, Phase};
use walkaround_messages::{Intake, parse_intake, request_json};
use walkaround_ports::{Delivery, OutMessage, Queue, REDRIVEN, TRACE_ATTRIBUTE};

/// A photo that was routed to the GPU lane longer ago than this is sent again when somebody asks for it again.
const RESEND_AFTER: Duration = Duration::from_secs(15 * 60);

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
    photo: PhotoRequest<'a>,
}

impl Sitting<'_> {
    /// Whether the GPU lane gave the photo back.
    fn was_given_back(&self) -> bool {
        let attributes = &self.photo.task.delivery.attributes;
        attributes.contains_key(TAKEN_BACK_ATTRIBUTE)
    }
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
            let request = match intake {
                Intake::Inspect(request) => request,
                Intake::Nothing { why } => {
                    debug!(message = %delivery.message_id, %why, "no photo");
                    self.desk.telemetry.tell(Happened::NoPhoto(why));
                    continue;
                }
            };
            // Given back half done, a message has its photos of the GPU lane sent and looked at again: one
            // that is begun is finished, within the budget.
            let begins = (!begun).then_some(stop);
            let task = PhotoTask::new(delivery, self.desk.settler.clock.ticks());
            let mut sitting = Sitting {
                looker: self.desk.looker.get(),
                photo: PhotoRequest::new(request, &task),
            };
            let work = Box::pin(self.whole(&mut sitting, begins));
            let one = match self.desk.within((&self.end, stop), &task, work).await {
                Ok(()) => Handled::Settled,
                Err(trouble) => {
                    let request = sitting.photo.request;
                    self.desk.handle_trouble(trouble, request, &task).await
                }
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
    /// Until the request has an inspection that is of its photo and for its purpose.
    async fn whole(&self, at: &mut Sitting<'_>, stop: Option<&Stop>) -> Result<(), Trouble> {
        self.desk.identify(&mut at.photo).await?;
        loop {
            match self.one(at, stop).await {
                Err(Trouble::Differs(difference)) => {
                    at.photo.part_ways(difference).map_err(Trouble::Differs)?;
                }
                Ok(()) => return self.desk.note_other_bytes(&at.photo).await,
                Err(trouble) => return Err(trouble),
            }
        }
    }

    async fn one(&self, at: &mut Sitting<'_>, stop: Option<&Stop>) -> Result<(), Trouble> {
        let entry = self.desk.take_up(&at.looker, &mut at.photo).await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.desk.settler.publish(entry).await?);
        }
        if entry.is_routed_to(Lane::Gpu) && !self.is_taken_back(at).await {
            return self.send_again(at, &entry).await;
        }
        if stop.is_some_and(Stop::is_set) {
            return Err(Trouble::Draining);
        }
        let task = at.photo.task;
        let (mut entry, _permit) = self.desk.begin(entry, task, &at.looker).await?;
        if stop.is_some_and(Stop::is_set) {
            return Err(Trouble::Draining);
        }
        let file = self.desk.fetch(&at.looker, &mut at.photo).await?;
        entry.fetched = Some(file.sha256);
        if self.desk.reuse(&at.looker, &entry, (file, task)).await? {
            return Ok(());
        }
        let prepared = self.desk.prepare(&at.looker, &mut at.photo).await?;
        let mut photo = match prepared {
            Ok(photo) => photo,
            Err(finished) => return self.desk.settle(entry, finished, at.photo.task).await,
        };
        if !photo.usable() {
            return self.finish(at, entry, photo).await;
        }
        if stop.is_some_and(Stop::is_set) {
            return Err(Trouble::Draining);
        }
        let look = at.looker.first_look(&mut photo).await?;
        self.situation.saw(look.suspect);
        if !look.suspect {
            return self.finish(at, entry, photo).await;
        }
        let routed = self.route(at).await;
        match routed.lane {
            Lane::Gpu => self.to_gpu(at, entry, routed).await,
            Lane::Inline => {
                at.looker.segment(&mut photo).await?;
                let entry = with_route(entry, routed, self.desk.settler.clock.now());
                self.finish(at, entry, photo).await
            }
        }
    }

    /// Whether a photo that was routed to the GPU lane is better routed again: the lane gave it back, or nobody works
    /// there, and nobody will soon.
    async fn is_taken_back(&self, at: &Sitting<'_>) -> bool {
        let gpu = self.situation.load().await.gpu;
        let out = gpu.is_some_and(|gpu| gpu.strands_photos(self.routing.cold_start));
        (out || at.was_given_back()) && self.inline_look.time(&at.looker).await.is_some()
    }

    /// The record says that the photo was sent, but the message may have been lost with the process that wrote it. Not
    /// so where another message asks for the same photo shortly after: the first one is still there to send it. One that
    /// was redriven may be that first one.
    async fn send_again(&self, at: &Sitting<'_>, entry: &Entry) -> Result<(), Trouble> {
        let now = self.desk.settler.clock.now();
        let routed_at = entry.inspection.routed_at.unwrap_or_default();
        let delivery = at.photo.task.delivery;
        let is_another = delivery.receive_count <= 1
            && delivery.sent_at > routed_at
            && now.since(routed_at) < RESEND_AFTER
            && ![TAKEN_BACK_ATTRIBUTE, REDRIVEN]
                .iter()
                .any(|name| delivery.attributes.contains_key(*name));
        if is_another {
            info!(inspection = %entry.inspection.request.id, "already on its way in the GPU lane");
            return Ok(());
        }
        self.send(at).await
    }

    async fn route(&self, at: &Sitting<'_>) -> Routed {
        let clock = &self.desk.settler.clock;
        let load = self.situation.load().await;
        let cost = InlineCost {
            look: self.inline_look.time(&at.looker).await,
            time_left: self.end.left(clock.ticks()),
        };
        let deadline = at.photo.request.deadline.map(|d| d.since(clock.now()));
        let routed = route(&load, cost, deadline, &self.routing);
        if routed.lane == Lane::Gpu && at.was_given_back() {
            return route_given_back(cost, &self.routing).unwrap_or(routed);
        }
        routed
    }

    async fn finish(&self, at: &Sitting<'_>, entry: Entry, photo: InHand) -> Result<(), Trouble> {
        let name = entry.inspection.request.photo.to_string();
        let finished = at.looker.finish(photo, name).await.map_err(encode_trouble)?;
        self.desk.settle(entry, finished, at.photo.task).await
    }

    /// The record first, the message second: a crash in between is mended when the intake message returns.
    async fn to_gpu(&self, at: &Sitting<'_>, entry: Entry, routed: Routed) -> Result<(), Trouble> {
        let event = Event::Route {
            lane: routed.lane,
            reason: routed.reason,
        };
        let now = self.desk.settler.clock.now();
        let sha256 = at.photo.file.map(|file| file.sha256);
        let (entry, _) = self
            .desk
            .settler
            .ledger
            .apply(entry, (&event, now), &|next| {
                next.photo_history.photo_sha256 = sha256;
            })
            .await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.desk.settler.publish(entry).await?);
        }
        self.send(at).await
    }

    /// Sends the request as it came, its URL with the query that the record has lost, and under its trace.
    async fn send(&self, at: &Sitting<'_>) -> Result<(), Trouble> {
        let kept = [TRACE_ATTRIBUTE, TAKEN_BACK_ATTRIBUTE].into_iter();
        let kept = kept.filter_map(|name| at.photo.task.delivery.attributes.get_key_value(name));
        let message = OutMessage {
            body: request_json(&at.photo.request),
            attributes: kept.map(|(n, v)| (n.clone(), v.clone())).collect(),
            ..OutMessage::default()
        };
        let answers = self.segmentation.send(vec![message]).await?;
        match answers.into_iter().next() {
            Some(Ok(())) => {
                self.situation.sent();
                self.desk.telemetry.tell(Happened::SentToGpu);
                Ok(())
            }
            Some(Err(error)) => Err(error.into()),
            None => Err(Trouble::Unrecordable("the queue gave no answer".into())),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::looker::{Compute, LookerSettings};
    use image::RgbImage;
    use std::sync::atomic::{AtomicU32, Ordering};
    use walkaround_conformance::ManualClock;
    use walkaround_domain::UnitRect;
    use walkaround_inference::{Engine, EngineError, FirstLook};
    use walkaround_vision::mask::{ClassSpec, ProbabilityMap};
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
        ) -> Result<Vec<Vec<ProbabilityMap>>, EngineError> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            match self.load {
                true => Ok(vec![Vec::new(); photos.len()]),
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
