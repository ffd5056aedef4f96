//! The operator's side of the local stack.

use crate::open::LocalStack;
use crate::options::{INTAKE, INTAKE_DEAD, SEGMENTATION, SEGMENTATION_DEAD};
use crate::parked::{PARKED_PAGE_MAX, Parked, Redrive as Which};
use async_trait::async_trait;
use std::time::Duration;
use walkaround_ports::{
    AddressKind, BlobAddress, InspectionCounts, Operations, ParkedMessage, ParkedPage, PortCall, PortError,
    PortErrorKind, QueueName, Redrive, Redriven, StoredRecord, WorkerJob,
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

const fn queue_name(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Intake => INTAKE,
        QueueName::Segmentation => SEGMENTATION,
    }
}

const fn dead_letters(queue: QueueName) -> &'static str {
    match queue {
        QueueName::Intake => INTAKE_DEAD,
        QueueName::Segmentation => SEGMENTATION_DEAD,
    }
}

#[async_trait]
impl Operations for LocalStack {
    async fn parked(&self, queue: QueueName, after: Option<&str>) -> Result<ParkedPage, PortError> {
        if let Some(after) = after.filter(|after| after.parse::<u64>().is_err()) {
            return Err(invalid(
                "parked",
                format!("`{after}` is not a cursor of parked messages"),
            ));
        }
        let page = LocalStack::parked(self, dead_letters(queue), after, PARKED_PAGE_MAX).await?;
        Ok(ParkedPage {
            next: page.last().map(|last| last.message_id.clone()),
            messages: page
                .into_iter()
                .map(|parked| message(queue_name(queue), parked))
                .collect(),
            unseen: 0,
        })
    }

    async fn parked_count(&self, queue: QueueName) -> Result<u64, PortError> {
        LocalStack::parked_count(self, dead_letters(queue)).await
    }

    async fn redrive(&self, queue: QueueName, which: &Redrive) -> Result<Redriven, PortError> {
        let dead = dead_letters(queue);
        let mut done = Redriven::default();
        match which {
            Redrive::All => done.moved = LocalStack::redrive(self, dead, Which::All).await?,
            Redrive::Ids(ids) => {
                // Before anything is moved.
                if let Some(id) = ids.iter().find(|id| id.parse::<u32>().is_err()) {
                    return Err(invalid(
                        "redrive",
                        format!("`{id}` is not an id that `parked` shows"),
                    ));
                }
                for id in ids {
                    let moved = LocalStack::redrive(self, dead, Which::One(id.clone())).await?;
                    done.moved += moved;
                    if moved == 0 {
                        done.missing.push(id.clone());
                    }
                }
            }
        }
        Ok(done)
    }

    async fn inspection_counts(&self) -> Result<InspectionCounts, PortError> {
        let now = self.inner.clock.now();
        Ok(InspectionCounts {
            day: None,
            standing: self.counts().await?,
            last_minute: Some(self.finished_since(now - MINUTE).await?),
            last_hour: Some(self.finished_since(now - HOUR).await?),
        })
    }

    /// As they are written down: opening the capacity would take the workers over from `up`.
    async fn jobs(&self) -> Result<Vec<WorkerJob>, PortError> {
        LocalStack::jobs(self).await
    }

    async fn latest(&self, max: usize) -> Result<Vec<StoredRecord>, PortError> {
        self.recent_records(max).await
    }

    async fn events_published(&self) -> Result<Option<u64>, PortError> {
        self.last_event().await.map(Some)
    }

    async fn locate(&self, at: &BlobAddress, _: AddressKind) -> Result<String, PortError> {
        let path = self.blob_file(at)?;
        Ok(std::path::absolute(&path).unwrap_or(path).display().to_string())
    }

    async fn bucket_trouble(&self, bucket: &str) -> Result<Option<String>, PortError> {
        self.folder_trouble(bucket).await
    }
}

fn invalid(operation: &'static str, detail: String) -> PortError {
    PortError::new(
        PortCall::new("operations", operation),
        PortErrorKind::Invalid,
        detail,
    )
}

fn message(queue: &str, parked: Parked) -> ParkedMessage {
    ParkedMessage {
        id: parked.message_id,
        queue: parked.from.unwrap_or_else(|| queue.to_owned()),
        reason: parked.reason,
        sent_at: parked.sent_at,
        parked_at: Some(parked.parked_at),
        attributes: parked.attributes,
        body: parked.body,
    }
}
