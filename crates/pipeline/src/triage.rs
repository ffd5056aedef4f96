//! Triage: screens out unusable and clean photos, and chooses a lane for the rest.

use crate::consumer::{Disposition, Handler};
use crate::inspector::{Answering, Inspector, PhotoInProgress};
use crate::invocation::InvocationDeadline;
use crate::lane_monitor::LaneMonitor;
use crate::processor::{Attempt, OpenPhoto, PhotoRequest, ProcessingError, RequestProcessor, proceed};
use crate::shutdown::ShutdownSignal;
use crate::store::VersionedInspection;
use crate::take_back::TAKEN_BACK_ATTRIBUTE;
use crate::telemetry::PipelineEvent;
use async_trait::async_trait;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::OnceCell;
use tracing::{debug, error, info};
use walkaround_domain::routing::{InlineCost, Routed, RoutingPolicy, route, route_given_back};
use walkaround_domain::{Event, Lane, Phase};
use walkaround_messages::{Intake, parse_intake, request_json};
use walkaround_ports::{Delivery, OutMessage, Queue, REDRIVEN, TRACE_ATTRIBUTE};

/// A photo that was routed to the GPU lane longer ago than this is sent again when it is requested again.
const RESEND_AFTER: Duration = Duration::from_secs(15 * 60);

/// Triage of the intake queue.
pub struct Triage {
    /// Fetches, inspects and settles photos.
    pub processor: RequestProcessor,
    /// Queue of the GPU lane.
    pub segmentation: Arc<dyn Queue>,
    /// Load of the lanes.
    pub lane_monitor: Arc<LaneMonitor>,
    /// Bounds and prices of routing.
    pub routing: RoutingPolicy,
    /// Time of one segmentation in this process.
    pub inline_segmentation: InlineSegmentationCost,
    /// When the present invocation ends.
    pub end: Arc<InvocationDeadline>,
}

/// Time of one segmentation in this process.
pub enum InlineSegmentationCost {
    /// Known.
    Known(Duration),
    /// This process has no segmenters.
    Never,
    /// Measured at the first suspect photo: until then a process need not load its segmenters. None if that failed: then
    /// this process has no inline lane.
    WhenAsked(OnceCell<Option<Duration>>),
}

impl InlineSegmentationCost {
    /// Not known yet; see [`InlineSegmentationCost::WhenAsked`].
    pub fn when_asked() -> Self {
        Self::WhenAsked(OnceCell::new())
    }

    async fn time(&self, inspector: &Inspector) -> Option<Duration> {
        match self {
            Self::Known(time) => Some(*time),
            Self::Never => None,
            Self::WhenAsked(cell) => *cell.get_or_init(|| measured(inspector)).await,
        }
    }
}

/// A network that cannot be loaded here must not fail photos that the GPU lane can process.
async fn measured(inspector: &Inspector) -> Option<Duration> {
    match inspector.measure_segment().await {
        Ok(time) => {
            info!(
                segmentation_ms = time.as_secs_f64() * 1e3,
                "segmentation measured"
            );
            Some(time)
        }
        Err(error) => {
            error!(%error, "no segmentation in this process, all suspect photos go to the GPU lane");
            None
        }
    }
}

/// An attempt at one photo, and the bundle that it began with.
struct TriageAttempt<'a> {
    answering: Answering,
    photo: PhotoRequest<'a>,
}

impl TriageAttempt<'_> {
    /// Whether the photo was taken back from the GPU lane.
    fn was_taken_back(&self) -> bool {
        let attributes = &self.photo.attempt.delivery.attributes;
        attributes.contains_key(TAKEN_BACK_ATTRIBUTE)
    }
}

#[async_trait]
impl Handler for Triage {
    async fn handle(&self, delivery: &Delivery, stop: &ShutdownSignal) -> Disposition {
        let intakes = match parse_intake(&delivery.body, &delivery.attributes) {
            Ok(intakes) => intakes,
            Err(unreadable) => return self.processor.park(delivery, &unreadable.to_string()).await,
        };
        let mut handled = Disposition::Ack;
        let mut begun = false;
        for intake in intakes {
            let request = match intake {
                Intake::Inspect(request) => request,
                Intake::Nothing { why } => {
                    debug!(message = %delivery.message_id, %why, "no photo");
                    self.processor.telemetry.record(PipelineEvent::NoPhoto(why));
                    continue;
                }
            };
            // A message that is returned half done sends its photos to the GPU lane again: once begun, it is finished
            // within the drain budget.
            let begins = (!begun).then_some(stop);
            let attempt = Attempt::new(delivery, self.processor.settler.clock.ticks());
            let mut triage = TriageAttempt {
                answering: self.processor.inspector.answering(&request),
                photo: PhotoRequest::new(request, &attempt),
            };
            let work = Box::pin(self.whole(&mut triage, begins));
            let one = match self.processor.within(&self.end, stop, &attempt, work).await {
                Ok(()) => Disposition::Ack,
                Err(error) => {
                    let request = triage.photo.request;
                    self.processor.handle_error(error, request, &attempt).await
                }
            };
            // A message with several photos comes back when one of them has to; the others are then final.
            match one {
                Disposition::Retry(delay) => handled = Disposition::Retry(delay),
                Disposition::Ack => begun = true,
            }
        }
        handled
    }
}

impl Triage {
    /// Repeats until the request has an inspection that is of its photo and for its purpose.
    async fn whole(
        &self,
        at: &mut TriageAttempt<'_>,
        stop: Option<&ShutdownSignal>,
    ) -> Result<(), ProcessingError> {
        self.processor.identify(&mut at.photo).await?;
        loop {
            match self.one(at, stop).await {
                Err(ProcessingError::IdConflict(difference)) => {
                    at.photo
                        .part_ways(difference)
                        .map_err(ProcessingError::IdConflict)?;
                }
                Ok(()) => return self.processor.note_other_bytes(&at.photo).await,
                // A photo that a canary fails on is answered by the bundle before.
                Err(error) => self.processor.fall_back(error, &mut at.answering)?,
            }
        }
    }

    async fn one(
        &self,
        at: &mut TriageAttempt<'_>,
        stop: Option<&ShutdownSignal>,
    ) -> Result<(), ProcessingError> {
        let entry = self
            .processor
            .load_or_create(&at.answering.inspector, &mut at.photo)
            .await?;
        let Some(entry) = self.processor.unless_final(entry).await? else {
            return Ok(());
        };
        if entry.is_routed_to(Lane::Gpu) && !self.should_reroute(at).await {
            return self.send_again(at, &entry).await;
        }
        proceed(stop)?;
        let opened = self
            .processor
            .open(entry, &at.answering, &mut at.photo, stop)
            .await?;
        let Some(OpenPhoto {
            entry,
            mut photo,
            permit: _permit,
        }) = opened
        else {
            return Ok(());
        };
        if !photo.usable() {
            return self.finish(at, entry, photo).await;
        }
        proceed(stop)?;
        let inspector = &at.answering.inspector;
        let screening = inspector.screen(&mut photo);
        let screening = self.processor.within_canary(&at.answering, screening).await?;
        self.lane_monitor.saw(screening.suspect);
        if !screening.suspect {
            return self.finish(at, entry, photo).await;
        }
        let routed = self.route(at).await;
        match routed.lane {
            Lane::Gpu => self.to_gpu(at, entry, routed).await,
            Lane::Inline => {
                let segmented = inspector.segment(&mut photo);
                self.processor.within_canary(&at.answering, segmented).await?;
                let entry = with_route(entry, routed, self.processor.settler.clock.now());
                self.finish(at, entry, photo).await
            }
        }
    }

    /// Whether a photo that was routed to the GPU lane should be routed again: it was taken back, or the lane has no workers
    /// and will not have any soon.
    async fn should_reroute(&self, at: &TriageAttempt<'_>) -> bool {
        let gpu = self.lane_monitor.load().await.gpu;
        let out = gpu.is_some_and(|gpu| gpu.strands_photos(self.routing.cold_start));
        (out || at.was_taken_back())
            && self
                .inline_segmentation
                .time(&self.processor.inspector.get())
                .await
                .is_some()
    }

    /// The record says that the photo was sent, but the process may have crashed before it sent the message. Not so where
    /// another message requests the same photo shortly after: the first message is still there to send it. One that was
    /// redriven may be that first message.
    async fn send_again(
        &self,
        at: &TriageAttempt<'_>,
        entry: &VersionedInspection,
    ) -> Result<(), ProcessingError> {
        let now = self.processor.settler.clock.now();
        let routed_at = entry.inspection.routed_at.unwrap_or_default();
        let delivery = at.photo.attempt.delivery;
        let is_another = delivery.receive_count <= 1
            && delivery.sent_at > routed_at
            && now.since(routed_at) < RESEND_AFTER
            && ![TAKEN_BACK_ATTRIBUTE, REDRIVEN]
                .iter()
                .any(|name| delivery.attributes.contains_key(*name));
        if is_another {
            info!(inspection = %entry.inspection.request.id, "already in the GPU lane");
            return Ok(());
        }
        self.send(at).await
    }

    async fn route(&self, at: &TriageAttempt<'_>) -> Routed {
        let clock = &self.processor.settler.clock;
        let load = self.lane_monitor.load().await;
        let cost = InlineCost {
            segmentation: self
                .inline_segmentation
                .time(&self.processor.inspector.get())
                .await,
            time_left: self.end.left(clock.ticks()),
        };
        let deadline = at.photo.request.deadline.map(|d| d.since(clock.now()));
        let routed = route(&load, cost, deadline, &self.routing);
        if routed.lane == Lane::Gpu && at.was_taken_back() {
            return route_given_back(cost, &self.routing).unwrap_or(routed);
        }
        routed
    }

    async fn finish(
        &self,
        at: &TriageAttempt<'_>,
        entry: VersionedInspection,
        photo: PhotoInProgress,
    ) -> Result<(), ProcessingError> {
        self.processor
            .finish(&at.answering, entry, photo, &at.photo)
            .await
    }

    /// The record first, the message second: a crash in between is fixed when the intake message returns.
    async fn to_gpu(
        &self,
        at: &TriageAttempt<'_>,
        entry: VersionedInspection,
        routed: Routed,
    ) -> Result<(), ProcessingError> {
        let event = Event::Route {
            lane: routed.lane,
            reason: routed.reason,
        };
        let now = self.processor.settler.clock.now();
        let sha256 = at.photo.file.map(|file| file.sha256);
        let store = &self.processor.settler.store;
        let stored = store
            .advance_with(entry, &event, now, &|next| {
                next.photo_history.photo_sha256 = sha256;
            })
            .await?;
        match self.processor.unless_final(stored.entry).await? {
            Some(_) => self.send(at).await,
            None => Ok(()),
        }
    }

    /// Sends the request as received: with the query of its URL, which the record has lost, and its trace.
    async fn send(&self, at: &TriageAttempt<'_>) -> Result<(), ProcessingError> {
        let kept = [TRACE_ATTRIBUTE, TAKEN_BACK_ATTRIBUTE].into_iter();
        let kept = kept.filter_map(|name| at.photo.attempt.delivery.attributes.get_key_value(name));
        let message = OutMessage {
            body: request_json(&at.photo.request),
            attributes: kept.map(|(n, v)| (n.clone(), v.clone())).collect(),
            ..OutMessage::default()
        };
        let answers = self.segmentation.send(vec![message]).await?;
        match answers.into_iter().next() {
            Some(Ok(())) => {
                self.lane_monitor.sent();
                self.processor.telemetry.record(PipelineEvent::SentToGpu);
                Ok(())
            }
            Some(Err(error)) => Err(error.into()),
            None => Err(ProcessingError::StoreUnavailable(
                "the queue did not answer".into(),
            )),
        }
    }
}

/// The inline lane settles at once: its route is stored with the final record, in one write.
fn with_route(
    mut entry: VersionedInspection,
    routed: Routed,
    now: walkaround_domain::Timestamp,
) -> VersionedInspection {
    if matches!(entry.inspection.phase, Phase::Accepted | Phase::Routed { .. }) {
        entry.inspection.route = Some((routed.lane, routed.reason));
        entry.inspection.routed_at = Some(now);
    }
    entry
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspector::{Compute, InspectorSettings};
    use image::RgbImage;
    use std::sync::atomic::{AtomicU32, Ordering};
    use walkaround_conformance::ManualClock;
    use walkaround_domain::review::NO_REVIEWS;
    use walkaround_domain::{ReviewPolicy, UnitRect};
    use walkaround_inference::{Engine, EngineError, Screening};
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
        fn review(&self) -> &ReviewPolicy {
            &NO_REVIEWS
        }
        fn long_side(&self) -> u32 {
            8
        }
        fn screen(&mut self, _: &[&RgbImage]) -> Result<Vec<Screening>, EngineError> {
            panic!("not screened here")
        }
        fn segment(&mut self, photos: &[(&RgbImage, UnitRect)]) -> Result<Vec<Segmentation>, EngineError> {
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

    fn inspector(load: bool) -> (Inspector, Arc<AtomicU32>) {
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
        let settings = InspectorSettings {
            compute: Compute::Inline,
            ..InspectorSettings::default()
        };
        let inspector = Inspector::new(Box::new(engine), settings, Arc::new(ManualClock::new()));
        (inspector, asked)
    }

    #[tokio::test]
    async fn a_segmentation_is_measured_once_and_a_failing_one_leaves_the_gpu_lane() {
        for (load, wanted) in [(true, Some(Duration::ZERO)), (false, None)] {
            let (inspector, asked) = inspector(load);
            let inline_segmentation = InlineSegmentationCost::when_asked();
            assert_eq!(inline_segmentation.time(&inspector).await, wanted);
            let once = asked.load(Ordering::Relaxed);
            assert!(once > 0);
            assert_eq!(inline_segmentation.time(&inspector).await, wanted);
            assert_eq!(asked.load(Ordering::Relaxed), once, "measured again");
        }
    }
}
