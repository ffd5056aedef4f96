//! GPU workers as AWS Batch jobs.
//!
//! A worker is a job named `<prefix>-<milliseconds>-<number>`; its id is the job's, which Batch gives the process as
//! `AWS_BATCH_JOB_ID`, so heartbeats carry it.
//!
//! **Who is there** ([`fleet`]): live jobs are listed status by status, in the order that jobs go through, so that
//! one that moves on meanwhile is seen at least once. (Filtering by name would answer every job of a week, a
//! hundred a page: with a filter, Batch ignores the status.) Ended ones come from the jobs asked for in the last
//! day, newest first; that list has every status and also catches a job that went back to the queue for another
//! attempt between two lists. Then all are described, a hundred at a time: reasons, exit codes and attempts are
//! only given there in full. A job that waits has Batch's reason (`MISCONFIGURATION:...`) where there is one.
//!
//! **Starting** tags the job with the prefix, which rights to end jobs can ask for: a job's ARN is known to nobody
//! beforehand, and its definition's tags do not become its own. It is not idempotent on Batch, so a submission whose
//! answer is lost is never sent again: the next listing of the fleet shows what became of it. Only throttling, which
//! says that nothing happened, is tried again. (Batch asks for `batch:TagResource` on queue and definition beside
//! `batch:SubmitJob`.)
//!
//! **Ending** is `TerminateJob` in every state: it cancels what has not begun. `CancelJob` does nothing to a job
//! that has begun meanwhile, and says that all is well.

mod fleet;

use crate::fault::port_error;
use async_trait::async_trait;
use aws_sdk_batch::Client;
use aws_sdk_batch::config::retry::RetryConfig;
use std::sync::Arc;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_ports::{Clock, GpuCapacity, PortCall, PortError, PortErrorKind, WorkerJob};

/// The tag that a worker carries: its value is the prefix of the names.
const TAG: &str = "walkaround";
/// Most workers of one start.
const START_MAX: u32 = 100;
/// Times that one submission is tried while Batch throttles.
const SUBMIT_TRIES_MAX: u32 = 3;
/// Wait before the second try; doubled before the third.
const SUBMIT_WAIT: Duration = Duration::from_millis(250);
/// Longest reason that Batch takes, in characters.
const REASON_CHARS_MAX: usize = 1024;

/// Which jobs are workers, and how they are started.
#[derive(Clone)]
pub struct AwsBatchConfig {
    /// Job queue: name or ARN.
    pub job_queue: String,
    /// Job definition: name, name with revision, or ARN.
    pub job_definition: String,
    /// Begin of the names of all workers of this stack, and the value of their tag `walkaround`: letters, digits, `-`
    /// and `_`, 64 at most.
    pub name_prefix: String,
}

/// Workers on AWS Batch.
#[derive(Clone)]
pub struct BatchCapacity {
    client: Client,
    settings: AwsBatchConfig,
    clock: Arc<dyn Clock>,
}

impl BatchCapacity {
    /// Workers in a job queue.
    pub fn new(client: Client, settings: AwsBatchConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            client,
            settings,
            clock,
        }
    }

    fn what(&self) -> String {
        format!("job queue {}", self.settings.job_queue)
    }

    /// Submits one job, once: its id.
    async fn submit_once(&self, name: &str) -> Result<String, PortError> {
        let at = PortCall::new("capacity", "start");
        let submit = self
            .client
            .submit_job()
            .job_name(name)
            .job_queue(&self.settings.job_queue)
            .job_definition(&self.settings.job_definition)
            .tags(TAG, &self.settings.name_prefix)
            .customize()
            .config_override(aws_sdk_batch::Config::builder().retry_config(RetryConfig::disabled()));
        let answer = submit
            .send()
            .await
            .map_err(|e| port_error(at, &self.what(), &e))?;
        answer.job_id.ok_or_else(|| {
            let detail = format!("{}: an answer without a job id", self.what());
            at.error(PortErrorKind::Unavailable, detail)
        })
    }

    async fn submit(&self, name: &str) -> Result<String, PortError> {
        let mut wait = SUBMIT_WAIT;
        for _ in 1..SUBMIT_TRIES_MAX {
            match self.submit_once(name).await {
                Err(error) if error.kind == PortErrorKind::Throttled => self.clock.sleep(wait).await,
                outcome => return outcome,
            }
            wait *= 2;
        }
        self.submit_once(name).await
    }
}

#[async_trait]
impl GpuCapacity for BatchCapacity {
    async fn fleet(&self) -> Result<Vec<WorkerJob>, PortError> {
        self.workers().await
    }

    async fn start(&self, count: u32) -> Result<Vec<String>, PortError> {
        if !(1..=START_MAX).contains(&count) {
            let detail = format!("{count} workers: 1 to {START_MAX}");
            return Err(PortCall::new("capacity", "start").error(PortErrorKind::Invalid, detail));
        }
        let batch = format!("{}-{}", self.settings.name_prefix, self.clock.now().0);
        let mut ids = Vec::new();
        for number in 1..=count {
            match self.submit(&format!("{batch}-{number}")).await {
                Ok(id) => ids.push(id),
                Err(error) if ids.is_empty() => return Err(error),
                Err(error) => {
                    warn!(accepted = ids.len(), asked = count, %error, "not all workers were accepted");
                    break;
                }
            }
        }
        Ok(ids)
    }

    async fn end(&self, id: &str, reason: &str) -> Result<(), PortError> {
        let at = PortCall::new("capacity", "end");
        let missing = || at.error(PortErrorKind::NotFound, format!("no worker `{id}`"));
        if self.find(at, id).await?.ok_or_else(missing)?.ends() {
            return Ok(());
        }
        // Batch does not take an empty reason.
        let reason = if reason.is_empty() {
            "no reason given"
        } else {
            reason
        };
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        let terminate = self.client.terminate_job().job_id(id).reason(reason);
        let Err(error) = terminate.send().await else {
            info!(worker = id, "worker asked to exit");
            return Ok(());
        };
        let error = port_error(at, &format!("job {id}"), &error);
        // It may have ended on its own since it was read.
        let over = error.kind == PortErrorKind::Invalid && self.find(at, id).await?.is_none_or(|f| f.ends());
        if over { Ok(()) } else { Err(error) }
    }
}
