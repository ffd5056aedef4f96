//! Workers: heartbeats, and how they end.

mod job_diagnosis;

use super::finding::CheckResult;
use crate::failure::Failure;
#[cfg(feature = "aws")]
pub(super) use job_diagnosis::batch_problem;
use job_diagnosis::{JobDiagnosis, diagnose};
use std::time::Duration;
use walkaround_bootstrap::BEATS_MISSED_MAX;
use walkaround_client::format::{counted, duration};
use walkaround_client::{StackClient, stalled_after};
use walkaround_domain::Timestamp;
use walkaround_messages::parse_heartbeat;
use walkaround_pipeline::scaler::is_unresponsive;
use walkaround_ports::{Heartbeat, WorkerJob, WorkerJobState};

/// Failed ends one after the other that are a loop.
const LOOP: usize = 3;
/// Workers that were there last this long ago are history.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// What is seen of the workers.
#[derive(Debug, Clone, Default)]
pub(super) struct WorkerFacts {
    pub jobs: Vec<WorkerJob>,
    /// Last heartbeat of each worker.
    pub beats: Vec<Heartbeat>,
    pub now: Timestamp,
    /// A heartbeat older than this is stale.
    pub beat_age_max: Duration,
    /// A worker that works and finished nothing for this long does not get on.
    pub stalled_after: Duration,
    /// Until its first one a worker may take this long.
    pub start_grace: Duration,
    /// Messages that wait for a worker.
    pub waiting: u64,
    /// What starts workers, in words that say what to do.
    pub starter: &'static str,
}

impl WorkerFacts {
    /// What a stack shows of its workers.
    pub(super) async fn gather(
        stack: &dyn StackClient,
        jobs: Vec<WorkerJob>,
        waiting: u64,
        starter: &'static str,
    ) -> Result<Self, Failure> {
        let (settings, now) = (stack.settings(), stack.clock().now());
        Ok(Self {
            jobs,
            beats: stack.records()?.heartbeats(now - LATELY).await?,
            now,
            beat_age_max: settings.heartbeat * BEATS_MISSED_MAX,
            stalled_after: stalled_after(settings),
            start_grace: settings.start_grace,
            waiting,
            starter,
        })
    }

    /// When a job was last seen to be there: a retried one begins after the last sign of its life before.
    fn last_seen(&self, job: &WorkerJob) -> Timestamp {
        let beats = self.beats.iter().filter(|beat| beat.worker == job.id);
        beats.map(|beat| beat.at).fold(job.since, Timestamp::max)
    }
}

/// Judges all workers.
pub(super) fn workers(facts: &WorkerFacts) -> Vec<CheckResult> {
    vec![signs_of_life(facts), ends(facts)]
}

/// Judges only how workers ended, where their heartbeats are not to be had.
pub(super) fn exits(jobs: &[WorkerJob], now: Timestamp) -> CheckResult {
    ends(&WorkerFacts {
        jobs: jobs.to_vec(),
        now,
        ..WorkerFacts::default()
    })
}

fn signs_of_life(facts: &WorkerFacts) -> CheckResult {
    let check = "workers";
    let running: Vec<&WorkerJob> = facts
        .jobs
        .iter()
        .filter(|job| job.state == WorkerJobState::Running)
        .collect();
    let recent = facts
        .beats
        .iter()
        .filter(|beat| facts.now.since(beat.at) <= facts.beat_age_max);
    let recent: Vec<Heartbeat> = recent.cloned().collect();
    // As the scaler judges, which ends those.
    let stale: Vec<String> = running
        .iter()
        .filter(|job| is_unresponsive(job, &recent, facts.start_grace, facts.now))
        .map(|job| {
            format!(
                "{} for {}",
                job.id,
                duration(facts.now.since(facts.last_seen(job)))
            )
        })
        .collect();
    if let Some(first) = stale.first() {
        return CheckResult::fail(
            check,
            format!(
                "{} of {} sent no heartbeat: {first}",
                stale.len(),
                counted(running.len(), "running worker")
            ),
            facts.starter,
        );
    }
    if let Some(stalled) = without_progress(facts, &recent) {
        return CheckResult::fail(
            check,
            stalled,
            "its log says what it waits for; it ends with 75 after WALKAROUND_STALL_EXIT_S and is replaced",
        );
    }
    let starting = facts
        .jobs
        .iter()
        .filter(|j| j.state == WorkerJobState::Starting)
        .count();
    // A worker that somebody started by hand has no job.
    if facts.waiting > 0 && running.len() + starting + recent.len() == 0 {
        let waiting = usize::try_from(facts.waiting).unwrap_or(usize::MAX);
        return CheckResult::fail(
            check,
            format!(
                "{} for the GPU lane, but no worker runs",
                counted(waiting, "message")
            ),
            facts.starter,
        );
    }
    CheckResult::ok(
        check,
        format!("{} running, {starting} starting", running.len().max(recent.len())),
    )
}

/// Workers that send heartbeats and finish nothing.
fn without_progress(facts: &WorkerFacts, recent: &[Heartbeat]) -> Option<String> {
    let stalled: Vec<String> = recent
        .iter()
        .filter_map(|beat| parse_heartbeat(&beat.body).ok())
        .filter(|beat| beat.in_flight > 0)
        .filter_map(|beat| {
            let without = beat.at.since(beat.progressed_at?);
            (without > facts.stalled_after).then(|| format!("{} for {}", beat.worker, duration(without)))
        })
        .collect();
    let first = stalled.first()?;
    Some(format!(
        "{} of {} finished no photo: {first}",
        stalled.len(),
        counted(recent.len(), "worker")
    ))
}

/// How the workers that ended last ended.
fn ends(facts: &WorkerFacts) -> CheckResult {
    let check = "worker exits";
    let seen = facts.jobs.iter().map(|job| (facts.last_seen(job), job));
    let mut jobs: Vec<(Timestamp, &WorkerJob)> =
        seen.filter(|(at, _)| facts.now.since(*at) <= LATELY).collect();
    jobs.sort_by_key(|(at, job)| std::cmp::Reverse((*at, job.id.as_str())));
    let mut failed: Vec<JobDiagnosis> = Vec::new();
    for (_, job) in jobs {
        match &job.state {
            // One that waits says nothing yet; one that runs may end as those before.
            WorkerJobState::Starting | WorkerJobState::Running => {}
            WorkerJobState::Ended { exit } => {
                match diagnose(*exit, job.reason.as_deref().unwrap_or_default()) {
                    Some(diagnosis) => failed.push(diagnosis),
                    None => break,
                }
            }
        }
    }
    let Some(last) = failed.first() else {
        return CheckResult::ok(
            check,
            "the last worker that ended did so normally, or none has ended",
        );
    };
    let what = &last.what;
    if failed.len() < LOOP {
        return CheckResult::warn(check, format!("the last worker ended {what}"), last.fix);
    }
    let same = failed.iter().filter(|e| e.what == *what).count();
    CheckResult::fail(
        check,
        format!(
            "a crash loop: the last {} workers failed, {same} of them {what}",
            failed.len()
        ),
        last.fix,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use walkaround_ports::EndCause;

    const END_REASON: &str = EndCause::Unresponsive.as_str();

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn job(id: &str, state: WorkerJobState, age_s: u64) -> WorkerJob {
        WorkerJob {
            id: id.to_owned(),
            state,
            since: NOW - Duration::from_secs(age_s),
            reason: None,
        }
    }

    fn ended(exit: Option<i32>, age_s: u64, reason: &str) -> WorkerJob {
        let mut job = job(&format!("w-{age_s}"), WorkerJobState::Ended { exit }, age_s);
        job.reason = Some(reason.to_owned());
        job
    }

    fn facts(jobs: Vec<WorkerJob>, beats: &[(&str, u64)], waiting: u64) -> WorkerFacts {
        let beat = |(id, age): &(&str, u64)| Heartbeat {
            worker: (*id).to_owned(),
            at: NOW - Duration::from_secs(*age),
            body: String::new(),
        };
        WorkerFacts {
            jobs,
            beats: beats.iter().map(beat).collect(),
            now: NOW,
            beat_age_max: Duration::from_secs(60),
            stalled_after: Duration::from_secs(150),
            start_grace: Duration::from_secs(90),
            waiting,
            starter: "start",
        }
    }

    #[test]
    fn silence_and_absence_are_told() {
        let running = |age| job("w", WorkerJobState::Running, age);
        let cases = [
            (facts(vec![], &[], 0), Level::Ok, "0 running"),
            (
                facts(vec![], &[], 3),
                Level::Fail,
                "3 messages for the GPU lane, but no worker runs",
            ),
            (facts(vec![], &[("by hand", 5)], 3), Level::Ok, "1 running"),
            (facts(vec![running(500)], &[("w", 59)], 3), Level::Ok, "1 running"),
            (
                facts(vec![running(500)], &[("w", 120)], 0),
                Level::Fail,
                "w for 2 min",
            ),
            (facts(vec![running(89)], &[], 0), Level::Ok, "1 running"),
            (facts(vec![running(91)], &[], 0), Level::Fail, "w for 1 min 31 s"),
            // Another attempt of a job: the heartbeat is that of the one before.
            (facts(vec![running(30)], &[("w", 500)], 0), Level::Ok, "1 running"),
            (
                facts(vec![running(95)], &[("w", 500)], 0),
                Level::Fail,
                "w for 1 min 35 s",
            ),
            (
                facts(vec![job("w", WorkerJobState::Starting, 500)], &[], 3),
                Level::Ok,
                "1 starting",
            ),
        ];
        for (facts, level, words) in cases {
            let found = signs_of_life(&facts);
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.what.contains(words), "{words}: {found:?}");
        }
    }

    #[test]
    fn crash_loops_are_told_by_what_the_exit_codes_mean() {
        let three = |exit| vec![ended(exit, 1, ""), ended(exit, 2, ""), ended(exit, 3, "")];
        let pull = "CannotPullContainerError: not found";
        let cases = [
            (vec![], Level::Ok, ""),
            (three(Some(0)), Level::Ok, ""),
            (three(Some(1)), Level::Fail, "code 1"),
            (three(Some(2)), Level::Fail, "a setting"),
            (three(Some(69)), Level::Fail, "device"),
            (three(Some(70)), Level::Fail, "its engine is faulty"),
            (three(Some(75)), Level::Fail, "stalled"),
            (three(Some(78)), Level::Fail, "bundle"),
            (three(Some(139)), Level::Fail, "crashed"),
            (vec![ended(Some(78), 1, "")], Level::Warn, "bundle"),
            // The last one was fine.
            (
                vec![
                    ended(Some(0), 1, ""),
                    ended(Some(78), 2, ""),
                    ended(Some(78), 3, ""),
                ],
                Level::Ok,
                "",
            ),
            (vec![ended(None, 1, pull)], Level::Warn, "image cannot be pulled"),
            (
                vec![ended(Some(137), 1, "OutOfMemoryError: container killed")],
                Level::Warn,
                "memory",
            ),
            // Yesterday's.
            (vec![ended(Some(78), 90_000, "")], Level::Ok, ""),
        ];
        judge(cases);
    }

    #[test]
    fn an_end_without_a_code_of_its_own_is_judged_by_its_reason() {
        let three = |exit, reason| {
            vec![
                ended(exit, 1, reason),
                ended(exit, 2, reason),
                ended(exit, 3, reason),
            ]
        };
        let never = "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - The job resource requirement is higher";
        let spawn = "cannot start `walkaround`: No such file or directory";
        let cases = [
            (
                three(None, "ended by signal 9"),
                Level::Fail,
                "(ended by signal 9)",
            ),
            (three(None, spawn), Level::Fail, "No such file"),
            (three(None, ""), Level::Fail, "no reason given"),
            (
                three(None, never),
                Level::Fail,
                "than any allowed instance type has",
            ),
            (
                three(Some(137), "Essential container in task exited"),
                Level::Fail,
                "code 137: it was killed",
            ),
            (
                three(Some(143), "stopped by hand"),
                Level::Fail,
                "asked to end (stopped by hand)",
            ),
            (
                three(Some(137), "Job attempt duration exceeded timeout"),
                Level::Fail,
                "than its job definition allows",
            ),
            (three(Some(137), END_REASON), Level::Fail, "no heartbeat"),
            (three(Some(0), END_REASON), Level::Fail, "no heartbeat"),
            (three(None, "Host EC2 (instance i-1) terminated."), Level::Ok, ""),
            (
                three(Some(137), "Host EC2 (instance i-1) terminated."),
                Level::Ok,
                "",
            ),
            (three(None, "up is stopping; ended by signal 15"), Level::Ok, ""),
            (three(None, "exit code unknown: it was adopted"), Level::Ok, ""),
            // Wanted or not, what it ended with counts.
            (
                three(Some(78), "up is stopping; exit code 78"),
                Level::Fail,
                "bundle",
            ),
        ];
        judge(cases);
    }

    #[test]
    fn a_worker_that_ran_for_days_has_ended_lately() {
        let mut facts = facts(vec![ended(Some(78), 200_000, "")], &[("w-200000", 60)], 0);
        assert_eq!(ends(&facts).level, Level::Warn);
        facts.beats.clear();
        assert_eq!(ends(&facts).level, Level::Ok);
    }

    fn judge<const N: usize>(cases: [(Vec<WorkerJob>, Level, &str); N]) {
        for (jobs, level, words) in cases {
            let found = ends(&facts(jobs.clone(), &[], 0));
            assert_eq!(found.level, level, "{jobs:?}: {found:?}");
            assert!(found.what.contains(words), "{words}: {found:?}");
        }
    }
}
