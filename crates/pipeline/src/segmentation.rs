//! The heavy look: what a worker does with a message of the segmentation queue.

use crate::consumer::{Handled, Handler};
use crate::desk::{Desk, PhotoRequest, PhotoTask, Trouble, encode_trouble};
use crate::invocation::InvocationEnd;
use crate::stop::Stop;
use async_trait::async_trait;
use walkaround_domain::identity::Difference;
use walkaround_inference::Vehicle;
use walkaround_messages::{Intake, parse_intake};
use walkaround_ports::Delivery;

/// The worker's handler.
pub struct Segmentation {
    /// Photo, networks, results.
    pub desk: Desk,
}

#[async_trait]
impl Handler for Segmentation {
    async fn handle(&self, delivery: &Delivery, stop: &Stop) -> Handled {
        let request = match parse_intake(&delivery.body, &delivery.attributes) {
            Ok(intakes) => match intakes.into_iter().next() {
                Some(Intake::Inspect(request)) => request,
                _ => {
                    return self
                        .desk
                        .park(delivery, "no request in a message of the segmentation queue")
                        .await;
                }
            },
            Err(unreadable) => return self.desk.park(delivery, &unreadable.to_string()).await,
        };
        let task = PhotoTask::new(delivery, self.desk.settler.clock.ticks());
        let mut at = PhotoRequest::new(request, &task);
        let work = Box::pin(self.one(&mut at, stop));
        let ended = self
            .desk
            .within((&InvocationEnd::never(), stop), &task, work)
            .await;
        let looked = match ended {
            Err(Trouble::Differs(Difference::Bytes)) => self.publish_what_stands(&at).await,
            looked => looked,
        };
        match looked {
            Ok(()) => Handled::Settled,
            Err(trouble) => self.desk.handle_trouble(trouble, at.request, &task).await,
        }
    }
}

impl Segmentation {
    async fn one(&self, at: &mut PhotoRequest<'_>, stop: &Stop) -> Result<(), Trouble> {
        let task = at.task;
        let entry = self.desk.resume(&at.request, task.delivery).await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.desk.settler.publish(entry).await?);
        }
        let looker = self.desk.looker.get();
        let (mut entry, _permit) = self.desk.begin(entry, task, &looker).await?;
        if stop.is_set() {
            return Err(Trouble::Draining);
        }
        let file = self.desk.fetch(&looker, at).await?;
        // The photo may have changed since triage fetched it: what is looked at here is what the record is of.
        entry.fetched = Some(file.sha256);
        if self.desk.reuse(&looker, &entry, (file, task)).await? {
            return Ok(());
        }
        let prepared = self.desk.prepare(&looker, at).await?;
        let mut photo = match prepared {
            Ok(photo) => photo,
            Err(finished) => return self.desk.settle(entry, finished, task).await,
        };
        if stop.is_set() {
            return Err(Trouble::Draining);
        }
        if photo.usable() {
            let look = looker.first_look(&mut photo).await?;
            // Triage already suspected this photo: its gate is asked again only for the record.
            if look.vehicle != Vehicle::Absent {
                looker.segment(&mut photo).await?;
            }
        }
        let name = entry.inspection.request.photo.to_string();
        let finished = looker.finish(photo, name).await.map_err(encode_trouble)?;
        self.desk.settle(entry, finished, task).await
    }

    /// Another worker looked at other bytes of the same photo and was first: its result stands.
    async fn publish_what_stands(&self, at: &PhotoRequest<'_>) -> Result<(), Trouble> {
        let entry = self.desk.resume(&at.request, at.task.delivery).await?;
        Ok(self.desk.settler.publish(entry).await?)
    }
}
