//! Jobs listed, described, and read as workers.

use super::BatchCapacity;
use crate::fault::{one_line, port_error};
use aws_sdk_batch::types::{JobDetail, JobStatus, JobSummary, KeyValuesPair};
use std::collections::BTreeSet;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{PortCall, PortError, PortErrorKind, WorkerJob, WorkerJobState};

/// Statuses of jobs that are not over, in the order that jobs go through them.
const LIVE: [JobStatus; 5] = [
    JobStatus::Submitted,
    JobStatus::Pending,
    JobStatus::Runnable,
    JobStatus::Starting,
    JobStatus::Running,
];
/// Most pages of one status, of up to 1,000 jobs each.
const LIVE_PAGES_MAX: usize = 10;
/// Most pages of jobs asked for lately, of up to 100 each. What is beyond is not reported.
const RECENT_PAGES_MAX: usize = 10;
/// How far back ended jobs are looked for, by when they were asked for.
const RECENT: Duration = Duration::from_secs(24 * 60 * 60);
/// How long an ended job is reported.
const ENDED_TOLD_FOR: Duration = Duration::from_secs(60 * 60);
/// Most jobs of one `DescribeJobs`.
const DESCRIBE_MAX: usize = 100;

const AT: PortCall = PortCall::new("capacity", "fleet");

/// Which jobs one listing answers.
enum Which {
    Status(JobStatus),
    /// Every status, newest first.
    CreatedAfter(Timestamp),
}

impl BatchCapacity {
    pub(super) async fn workers(&self) -> Result<Vec<WorkerJob>, PortError> {
        let now = self.clock.now();
        let mut ids = BTreeSet::new();
        for status in LIVE {
            let which = Which::Status(status);
            let (jobs, more) = self.list(&which, LIVE_PAGES_MAX).await?;
            if more {
                let detail = format!("{}: more than {LIVE_PAGES_MAX} pages of live jobs", self.what());
                return Err(AT.error(PortErrorKind::Invalid, detail));
            }
            ids.extend(jobs.into_iter().filter_map(|job| job.job_id));
        }
        let which = Which::CreatedAfter(now - RECENT);
        let (jobs, _) = self.list(&which, RECENT_PAGES_MAX).await?;
        let recent = jobs.into_iter().filter(|job| !ended_long_ago(job, now));
        ids.extend(recent.filter_map(|job| job.job_id));
        let ids: Vec<String> = ids.into_iter().collect();
        let mut workers = Vec::new();
        for some in ids.chunks(DESCRIBE_MAX) {
            workers.extend(self.describe(AT, some).await?.iter().map(worker));
        }
        Ok(workers)
    }

    /// Workers of this stack among the jobs of the queue, and whether there is a further page.
    async fn list(&self, which: &Which, pages_max: usize) -> Result<(Vec<JobSummary>, bool), PortError> {
        let (mut jobs, mut token) = (Vec::new(), None);
        for _ in 0..pages_max {
            let list = self
                .client
                .list_jobs()
                .job_queue(&self.settings.job_queue)
                .set_next_token(token);
            let list = match which {
                Which::Status(status) => list.job_status(status.clone()),
                Which::CreatedAfter(moment) => list.filters(
                    KeyValuesPair::builder()
                        .name("AFTER_CREATED_AT")
                        .values(moment.0.to_string())
                        .build(),
                ),
            };
            let answer = list.send().await.map_err(|e| port_error(AT, &self.what(), &e))?;
            let page = answer.job_summary_list.unwrap_or_default().into_iter();
            jobs.extend(page.filter(|job| job.job_name().is_some_and(|name| self.is_ours(name))));
            token = answer.next_token.filter(|t| !t.is_empty());
            if token.is_none() {
                return Ok((jobs, false));
            }
        }
        Ok((jobs, true))
    }

    /// At most [`DESCRIBE_MAX`] jobs in full, those of other names left out.
    pub(super) async fn describe(&self, at: PortCall, ids: &[String]) -> Result<Vec<JobDetail>, PortError> {
        let describe = self.client.describe_jobs().set_jobs(Some(ids.to_vec()));
        let answer = describe
            .send()
            .await
            .map_err(|e| port_error(at, &self.what(), &e))?;
        let mut jobs = answer.jobs.unwrap_or_default();
        jobs.retain(|job| job.job_id().is_some() && job.job_name().is_some_and(|name| self.is_ours(name)));
        Ok(jobs)
    }

    /// A worker of this stack, and whether it was asked to end; none when Batch knows no such worker.
    pub(super) async fn find(&self, at: PortCall, id: &str) -> Result<Option<Found>, PortError> {
        let jobs = self.describe(at, &[id.to_owned()]).await?;
        Ok(jobs.into_iter().next().map(|job| Found {
            end_requested: job.is_terminated() == Some(true),
            worker: worker(&job),
        }))
    }

    /// Whether a name is `<prefix>-<digits>-<digits>`: `fleet` must not take in the jobs of `fleet-eu`.
    fn is_ours(&self, name: &str) -> bool {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let rest = name
            .strip_prefix(&self.settings.name_prefix)
            .and_then(|rest| rest.strip_prefix('-'));
        let parts = rest.and_then(|rest| rest.split_once('-'));
        parts.is_some_and(|(time, number)| digits(time) && digits(number))
    }
}

/// A worker as Batch knows it.
pub(super) struct Found {
    end_requested: bool,
    worker: WorkerJob,
}

impl Found {
    pub(super) fn ends(&self) -> bool {
        self.end_requested || matches!(self.worker.state, WorkerJobState::Ended { .. })
    }
}

fn ended_long_ago(job: &JobSummary, now: Timestamp) -> bool {
    let over = matches!(job.status(), Some(JobStatus::Succeeded | JobStatus::Failed));
    // A job that was cancelled before it began may have no time of its end.
    let ended = moment(job.stopped_at().or(job.created_at()));
    over && now.since(ended) > ENDED_TOLD_FOR
}

/// A job as a worker. A running one counts from when its present attempt began, not from when it was asked for:
/// it may have waited for hours, and whoever waits for its first heartbeat must not hold that against it. One that
/// waits again counts from the end of its last attempt: it may have worked for hours before. One that is over counts
/// from its end.
pub(super) fn worker(job: &JobDetail) -> WorkerJob {
    let state = match job.status() {
        Some(JobStatus::Running) => WorkerJobState::Running,
        Some(JobStatus::Succeeded | JobStatus::Failed) => WorkerJobState::Ended { exit: exit(job) },
        // A status that is not known here is taken as live: too few workers rather than two fleets.
        _ => WorkerJobState::Starting,
    };
    let since = match state {
        WorkerJobState::Running => job.started_at(),
        WorkerJobState::Starting => job.attempts().last().and_then(|a| a.stopped_at()),
        WorkerJobState::Ended { .. } => job.stopped_at(),
    };
    WorkerJob {
        id: job.job_id().unwrap_or_default().to_owned(),
        state,
        since: moment(since.or(job.created_at())),
        reason: reason(job),
    }
}

/// Exit code of the last attempt.
fn exit(job: &JobDetail) -> Option<i32> {
    let last = job.attempts().last().and_then(|a| a.container());
    let last = last.and_then(|c| c.exit_code());
    job.container().and_then(|c| c.exit_code()).or(last)
}

/// Batch's words for the status, then those for the container, then how many attempts there were.
fn reason(job: &JobDetail) -> Option<String> {
    let mut words: Vec<String> = Vec::new();
    let container = job.container().and_then(|c| c.reason());
    for said in [job.status_reason(), container].into_iter().flatten() {
        let said = one_line(said);
        if !said.is_empty() && !words.contains(&said) {
            words.push(said);
        }
    }
    if job.attempts().len() > 1 {
        words.push(format!("{} attempts", job.attempts().len()));
    }
    (!words.is_empty()).then(|| words.join("; "))
}

fn moment(milliseconds: Option<i64>) -> Timestamp {
    Timestamp(milliseconds.and_then(|ms| u64::try_from(ms).ok()).unwrap_or(0))
}
