//! The local stack for its clients.

use super::backend::{
    Backend, InspectionCounts, ParkedMessage, ParkedPage, PollIntervals, RecentThroughput, Redrive, Redriven,
};
use crate::args::QueueArg;
use crate::doctor::up::problem;
use crate::failure::Failure;
use crate::local::stack::Stack;
use async_trait::async_trait;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use walkaround_local::{
    INTAKE, INTAKE_DEAD, PARKED_PAGE_MAX, Parked, Redrive as Which, SEGMENTATION, SEGMENTATION_DEAD, Tally,
};
use walkaround_ports::{BlobAddress, Blobs, Clock, Queue, Records, StateStore, StoredRecord, WorkerJob};
use walkaround_settings::Settings;

/// A local stack.
pub(crate) struct LocalClient(pub Stack);

const fn names(queue: QueueArg) -> (&'static str, &'static str) {
    match queue {
        QueueArg::Intake => (INTAKE, INTAKE_DEAD),
        QueueArg::Segmentation => (SEGMENTATION, SEGMENTATION_DEAD),
    }
}

#[async_trait]
impl Backend for LocalClient {
    fn name(&self) -> &'static str {
        "local"
    }

    fn settings(&self) -> &Settings {
        &self.0.settings
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.0.clock)
    }

    fn pace(&self) -> PollIntervals {
        PollIntervals {
            results: Duration::from_millis(300),
            parked: Duration::from_secs(2),
            status: Duration::from_secs(1),
            records_max: usize::MAX,
            clock_slack: Duration::ZERO,
        }
    }

    fn queue(&self, queue: QueueArg) -> Result<Arc<dyn Queue>, Failure> {
        Ok(self.0.local.queue(names(queue).0)?)
    }

    fn records(&self) -> Result<Arc<dyn Records>, Failure> {
        Ok(self.0.local.records())
    }

    fn state(&self) -> Result<Arc<dyn StateStore>, Failure> {
        Ok(self.0.local.state())
    }

    fn blobs(&self) -> Arc<dyn Blobs> {
        self.0.local.blobs()
    }

    async fn parked(&self, queue: QueueArg, after: Option<&str>) -> Result<ParkedPage, Failure> {
        let (name, dead) = names(queue);
        let page = self.0.local.parked(dead, after, PARKED_PAGE_MAX).await?;
        Ok(ParkedPage {
            next: page.last().map(|last| last.message_id.clone()),
            messages: page.into_iter().map(|parked| message(name, parked)).collect(),
            unseen: 0,
        })
    }

    async fn parked_count(&self, queue: QueueArg) -> Result<u64, Failure> {
        Ok(self.0.local.parked_count(names(queue).1).await?)
    }

    async fn redrive(&self, queue: QueueArg, which: &Redrive) -> Result<Redriven, Failure> {
        let dead = names(queue).1;
        let mut done = Redriven::default();
        match which {
            Redrive::All => done.moved = self.0.local.redrive(dead, Which::All).await?,
            Redrive::Ids(ids) => {
                // Before anything is moved.
                for id in ids {
                    id.parse::<u32>()
                        .map_err(|_| Failure::usage(format!("`{id}` is no number that `parked` shows")))?;
                }
                for id in ids {
                    let moved = self.0.local.redrive(dead, Which::One(id.clone())).await?;
                    done.moved += moved;
                    if moved == 0 {
                        done.missing.push(id.clone());
                    }
                }
            }
        }
        Ok(done)
    }

    async fn nobody_takes(&self) -> Option<String> {
        let root = self.0.local.root().display();
        // A lock that cannot be read says nothing.
        match self.0.local.running_up().ok()? {
            None => Some(format!(
                "no `walkaround up` runs on {root}: start one, and they are looked at"
            )),
            Some(running) => {
                let error = problem(&running, self.0.clock.now())?;
                Some(format!(
                    "the `walkaround up` of {root} {error}: `walkaround doctor` says more"
                ))
            }
        }
    }

    async fn counts(&self) -> Result<InspectionCounts, Failure> {
        let now = self.0.clock.now();
        let local = &self.0.local;
        let minute = local.finished_since(now - Duration::from_secs(60)).await?;
        let hour = local.finished_since(now - Duration::from_secs(3600)).await?;
        let all = local.counts().await?;
        let of = |counts: &[Tally], phase: &str| -> u64 {
            let here = counts.iter().filter(|t| t.phase == phase);
            here.map(|t| t.records).sum()
        };
        let done = all.iter().filter(|t| t.phase == "done");
        Ok(InspectionCounts {
            day: None,
            pending: ["accepted", "routed"]
                .into_iter()
                .map(|phase| (phase.to_owned(), of(&all, phase)))
                .collect(),
            verdicts: done
                .map(|t| (t.verdict.clone().unwrap_or_default(), t.records))
                .collect::<BTreeMap<_, _>>(),
            failed: of(&all, "failed"),
            recent: Some(RecentThroughput {
                done_minute: of(&minute, "done"),
                done_hour: of(&hour, "done"),
                failed_hour: of(&hour, "failed"),
            }),
            done_per_minute: None,
        })
    }

    /// As they are written down: opening the capacity would take the workers over from `up`.
    async fn jobs(&self) -> Result<Vec<WorkerJob>, Failure> {
        Ok(self.0.local.jobs().await?)
    }

    async fn latest(&self, max: usize) -> Result<Vec<StoredRecord>, Failure> {
        Ok(self.0.local.recent_records(max).await?)
    }

    async fn place(&self, at: &BlobAddress, _link: bool) -> Result<String, Failure> {
        let path = self.0.local.blob_file(at)?;
        Ok(std::path::absolute(&path).unwrap_or(path).display().to_string())
    }
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
