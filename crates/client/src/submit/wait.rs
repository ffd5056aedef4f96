//! Waiting for results: records are read in turn until every one is final, parked, or out of time.

use super::standing::Watched;
use crate::{StackClient, inspection, requested_photos};
use std::collections::{HashMap, VecDeque};
use std::time::Duration;
use walkaround_bootstrap::Failure;
use walkaround_domain::{Inspection, Timestamp};
use walkaround_ports::{QueueName, StoredRecord};

/// Records read in one round.
const READS_PER_ROUND: usize = 500;

/// Why there is no result of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoResult<'a> {
    /// Its message was parked for this reason.
    Parked(&'a str),
    /// None came within this time.
    TimedOut(Duration),
}

/// Told how the waiting gets on. Photos come in any order, with their place in the submission.
pub trait WaitProgress {
    /// A photo has its result.
    ///
    /// # Errors
    /// It cannot be shown: the waiting stops. So with the others.
    fn result(&mut self, place: usize, record: &StoredRecord, inspection: &Inspection)
    -> std::io::Result<()>;

    /// A photo has none, and nobody waits for it any longer.
    ///
    /// # Errors
    /// As [`WaitProgress::result`].
    fn no_result(&mut self, place: usize, watched: &Watched, why: NoResult<'_>) -> std::io::Result<()>;

    /// Nothing takes photos from the intake queue, and why; once for each cause.
    ///
    /// # Errors
    /// As [`WaitProgress::result`].
    fn consumer_problem(&mut self, why: &str) -> std::io::Result<()>;
}

/// Waits for the results of one submission.
pub struct Waiting<'a> {
    stack: &'a dyn StackClient,
    /// Messages parked before belong to an earlier submission.
    since: Timestamp,
    progress: &'a mut dyn WaitProgress,
    /// With their place in the submission.
    pending: VecDeque<(usize, Watched)>,
    next_parked_check: Duration,
    /// What was said last of who takes photos in.
    problem: Option<String>,
}

impl<'a> Waiting<'a> {
    /// Of a submission that began at `since`.
    pub fn new(
        stack: &'a dyn StackClient,
        watched: Vec<Watched>,
        since: Timestamp,
        progress: &'a mut dyn WaitProgress,
    ) -> Self {
        Self {
            stack,
            since,
            progress,
            pending: watched.into_iter().enumerate().collect(),
            next_parked_check: stack.clock().ticks() + stack.poll_intervals().parked,
            problem: None,
        }
    }

    /// Waits until each photo has its result or none; how long that took.
    ///
    /// # Errors
    /// The stack does not answer.
    pub async fn run(mut self, timeout: Duration) -> Result<Duration, Failure> {
        let clock = self.stack.clock();
        let start = clock.ticks();
        // At once: without it a wait for nothing looks like a wait.
        self.check_consumers().await?;
        while !self.pending.is_empty() && clock.ticks() - start < timeout {
            let before = self.pending.len();
            self.read_records().await?;
            if clock.ticks() >= self.next_parked_check {
                self.check_parked().await?;
                self.check_consumers().await?;
            }
            if self.pending.len() == before {
                clock.sleep(self.stack.poll_intervals().results).await;
            }
        }
        for (at, watched) in std::mem::take(&mut self.pending) {
            self.progress
                .no_result(at, &watched, NoResult::TimedOut(timeout))?;
        }
        Ok(clock.ticks() - start)
    }

    async fn read_records(&mut self) -> Result<(), Failure> {
        let records = self.stack.records()?;
        for _ in 0..self.pending.len().min(READS_PER_ROUND) {
            let Some((at, mut watched)) = self.pending.pop_front() else {
                break;
            };
            if let Some(record) = records.read(&watched.id).await? {
                let inspection = inspection(&record)?;
                if watched.is_result(&inspection) {
                    self.progress.result(at, &record, &inspection)?;
                    continue;
                }
            }
            self.pending.push_back((at, watched));
        }
        Ok(())
    }

    /// Reports when no consumer reads the intake queue, once for each cause.
    async fn check_consumers(&mut self) -> Result<(), Failure> {
        let problem = self.stack.consumer_problem().await;
        if let Some(why) = &problem
            && self.problem != problem
        {
            self.progress.consumer_problem(why)?;
        }
        self.problem = problem;
        Ok(())
    }

    async fn check_parked(&mut self) -> Result<(), Failure> {
        let start = self.stack.clock().ticks();
        let mut reasons: HashMap<String, String> = HashMap::new();
        let since = self.since - self.stack.poll_intervals().clock_slack;
        for queue in QueueName::ALL {
            let mut after: Option<String> = None;
            loop {
                let page = self
                    .stack
                    .operations()
                    .parked(queue, after.as_deref())
                    .await
                    .map_err(Failure::of_port)?;
                for message in &page.messages {
                    if message.parked_at.unwrap_or(message.sent_at) < since {
                        continue;
                    }
                    let reason = message.reason.clone().unwrap_or_default();
                    for (id, _) in requested_photos(message) {
                        reasons.insert(id, reason.clone());
                    }
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
        for (at, watched) in std::mem::take(&mut self.pending) {
            match reasons.get(watched.request.id.as_str()) {
                Some(reason) => self.progress.no_result(at, &watched, NoResult::Parked(reason))?,
                None => self.pending.push_back((at, watched)),
            }
        }
        // Many parked messages make a long check: it takes a tenth of the time at most.
        let took = self.stack.clock().ticks() - start;
        self.next_parked_check =
            self.stack.clock().ticks() + self.stack.poll_intervals().parked.max(took * 10);
        Ok(())
    }
}
