//! The segmentation: what a worker does with a message of the segmentation queue.

use crate::consumer::{Disposition, Handler};
use crate::invocation::InvocationDeadline;
use crate::processor::{Attempt, PhotoRequest, ProcessingError, RequestProcessor, encode_error};
use crate::shutdown::ShutdownSignal;
use async_trait::async_trait;
use walkaround_domain::identity::Difference;
use walkaround_inference::Vehicle;
use walkaround_messages::{Intake, parse_intake};
use walkaround_ports::Delivery;

/// The worker's handler.
pub struct Segmentation {
    /// Photo, networks, results.
    pub processor: RequestProcessor,
}

#[async_trait]
impl Handler for Segmentation {
    async fn handle(&self, delivery: &Delivery, stop: &ShutdownSignal) -> Disposition {
        let request = match parse_intake(&delivery.body, &delivery.attributes) {
            Ok(intakes) => match intakes.into_iter().next() {
                Some(Intake::Inspect(request)) => request,
                _ => {
                    return self
                        .processor
                        .park(delivery, "no request in a message of the segmentation queue")
                        .await;
                }
            },
            Err(unreadable) => return self.processor.park(delivery, &unreadable.to_string()).await,
        };
        let attempt = Attempt::new(delivery, self.processor.settler.clock.ticks());
        let mut at = PhotoRequest::new(request, &attempt);
        let work = Box::pin(self.one(&mut at, stop));
        let ended = self
            .processor
            .within((&InvocationDeadline::never(), stop), &attempt, work)
            .await;
        let result = match ended {
            Err(ProcessingError::IdConflict(Difference::Bytes)) => self.publish_what_stands(&at).await,
            result => result,
        };
        match result {
            Ok(()) => Disposition::Ack,
            Err(error) => self.processor.handle_error(error, at.request, &attempt).await,
        }
    }
}

impl Segmentation {
    async fn one(&self, at: &mut PhotoRequest<'_>, stop: &ShutdownSignal) -> Result<(), ProcessingError> {
        let attempt = at.attempt;
        let entry = self.processor.resume(&at.request, attempt.delivery).await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.processor.settler.publish(entry).await?);
        }
        let inspector = self.processor.inspector.get();
        let (mut entry, _permit) = self.processor.begin(entry, attempt, &inspector).await?;
        if stop.is_set() {
            return Err(ProcessingError::ShuttingDown);
        }
        let file = self.processor.fetch(&inspector, at).await?;
        // The photo may have changed since triage fetched it: what is looked at here is what the record is of.
        entry.fetched = Some(file.sha256);
        if self.processor.reuse(&inspector, &entry, (file, attempt)).await? {
            return Ok(());
        }
        let prepared = self.processor.prepare(&inspector, at).await?;
        let mut photo = match prepared {
            Ok(photo) => photo,
            Err(finished) => return self.processor.settle(entry, finished, attempt).await,
        };
        if stop.is_set() {
            return Err(ProcessingError::ShuttingDown);
        }
        if photo.usable() {
            let look = inspector.screen(&mut photo).await?;
            // Triage already suspected this photo: its gate is asked again only for the record.
            if look.vehicle != Vehicle::Absent {
                inspector.segment(&mut photo).await?;
            }
        }
        let name = entry.inspection.request.photo.to_string();
        let finished = inspector.finish(photo, name).await.map_err(encode_error)?;
        self.processor.settle(entry, finished, attempt).await
    }

    /// Another worker looked at other bytes of the same photo and was first: its result stands.
    async fn publish_what_stands(&self, at: &PhotoRequest<'_>) -> Result<(), ProcessingError> {
        let entry = self.processor.resume(&at.request, at.attempt.delivery).await?;
        Ok(self.processor.settler.publish(entry).await?)
    }
}
