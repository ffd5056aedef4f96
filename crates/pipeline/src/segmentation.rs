//! The heavy look: what a worker does with a message of the segmentation queue.

use crate::consumer::{Handled, Handler};
use crate::desk::{Desk, PhotoTask, Trouble, encode_trouble};
use crate::stop::Stop;
use async_trait::async_trait;
use walkaround_domain::InspectionRequest;
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
        match self.one(request.clone(), &task, stop).await {
            Ok(()) => Handled::Settled,
            Err(trouble) => self.desk.handle_trouble(trouble, request, &task).await,
        }
    }
}

impl Segmentation {
    async fn one(
        &self,
        request: InspectionRequest,
        task: &PhotoTask<'_>,
        stop: &Stop,
    ) -> Result<(), Trouble> {
        let photo = request.photo.clone();
        let entry = self.desk.take_up(request, task.delivery).await?;
        if entry.inspection.phase.is_final() {
            return Ok(self.desk.settler.publish(entry).await?);
        }
        let looker = self.desk.looker.get();
        let (entry, _permit) = self.desk.begin(entry, task, &looker).await?;
        if stop.is_set() {
            return Err(Trouble::Draining);
        }
        let mut photo = match self.desk.prepare(&looker, (&photo, task)).await? {
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
}
