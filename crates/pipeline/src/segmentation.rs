//! The handler of a worker: what it does with a message of the segmentation queue.

use crate::consumer::{Disposition, Handler};
use crate::invocation::InvocationDeadline;
use crate::processor::{Attempt, OpenPhoto, PhotoRequest, ProcessingError, RequestProcessor, proceed};
use crate::shutdown::ShutdownSignal;
use async_trait::async_trait;
use walkaround_domain::identity::Difference;
use walkaround_inference::Vehicle;
use walkaround_messages::{Intake, parse_intake};
use walkaround_ports::Delivery;

/// The worker's handler.
pub struct Segmentation {
    /// Fetches, inspects and settles photos.
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
            .within(&InvocationDeadline::never(), stop, &attempt, work)
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
        let Some(entry) = self.processor.unless_final(entry).await? else {
            return Ok(());
        };
        let inspector = self.processor.inspector.get();
        let opened = self.processor.open(entry, &inspector, at, Some(stop)).await?;
        let Some(OpenPhoto {
            entry,
            mut photo,
            permit: _permit,
        }) = opened
        else {
            return Ok(());
        };
        proceed(Some(stop))?;
        if photo.usable() {
            let screening = inspector.screen(&mut photo).await?;
            // Triage already found this photo suspect: its gate runs again only for the record.
            if screening.vehicle != Vehicle::Absent {
                inspector.segment(&mut photo).await?;
            }
        }
        self.processor.finish(&inspector, entry, photo, at).await
    }

    /// Another worker settled other bytes of the same photo first: its result stands.
    async fn publish_what_stands(&self, at: &PhotoRequest<'_>) -> Result<(), ProcessingError> {
        let entry = self.processor.resume(&at.request, at.attempt.delivery).await?;
        Ok(self.processor.settler.publish(entry).await?)
    }
}
