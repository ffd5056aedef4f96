//! The handler of a worker: what it does with a message of the segmentation queue.

use crate::consumer::{Disposition, Handler};
use crate::inspector::Answering;
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
        let work = Box::pin(self.whole(&mut at, stop));
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
    /// A photo that a canary fails on is answered by the bundle before.
    async fn whole(&self, at: &mut PhotoRequest<'_>, stop: &ShutdownSignal) -> Result<(), ProcessingError> {
        let mut answering = self.processor.inspector.answering(&at.request);
        loop {
            match self.one(at, &answering, stop).await {
                Err(error) => self.processor.fall_back(error, &mut answering)?,
                Ok(()) => return Ok(()),
            }
        }
    }

    async fn one(
        &self,
        at: &mut PhotoRequest<'_>,
        answering: &Answering,
        stop: &ShutdownSignal,
    ) -> Result<(), ProcessingError> {
        let attempt = at.attempt;
        let entry = self.processor.resume(&at.request, attempt.delivery).await?;
        let Some(entry) = self.processor.unless_final(entry).await? else {
            return Ok(());
        };
        let opened = self.processor.open(entry, answering, at, Some(stop)).await?;
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
            let (inspector, processor) = (&answering.inspector, &self.processor);
            let screening = processor.within_canary(answering, inspector.screen(&mut photo));
            let screening = screening.await?;
            // Triage already found this photo suspect: its gate runs again only for the record.
            if screening.vehicle != Vehicle::Absent {
                let segmented = processor.within_canary(answering, inspector.segment(&mut photo));
                segmented.await?;
            }
        }
        self.processor.finish(answering, entry, photo, at).await
    }

    /// Another worker settled other bytes of the same photo first: its result stands.
    async fn publish_what_stands(&self, at: &PhotoRequest<'_>) -> Result<(), ProcessingError> {
        let entry = self.processor.resume(&at.request, at.attempt.delivery).await?;
        Ok(self.processor.settler.publish(entry).await?)
    }
}
