//! Workers: signs of life, and how they end.

use super::finding::Finding;
use crate::client::backend::Backend;
use crate::client::words::{counted, duration};
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{WorkerJob, WorkerJobState};

/// A worker is silent when it missed this many signs of life.
const BEATS_MISSED_MAX: u32 = 4;
/// Failed ends one after the other that are a loop.
const LOOP: usize = 3;
/// Time for a worker to load its networks and beat for the first time.
const START_GRACE: Duration = Duration::from_secs(60);
/// Ends before this long ago are history.
const LATELY: Duration = Duration::from_secs(24 * 3600);

/// What is seen of the workers.
#[derive(Debug, Clone, Default)]
pub(super) struct WorkerFacts {
    pub jobs: Vec<WorkerJob>,
    /// Last sign of life by worker.
    pub beats: BTreeMap<String, Timestamp>,
    pub now: Timestamp,
    /// A sign of life older than this is stale.
    pub beat_age_max: Duration,
    /// Messages that wait for a worker.
    pub waiting: u64,
    /// What starts workers, in words that say what to do.
    pub starter: &'static str,
}

impl WorkerFacts {
    /// What a stack shows of its workers.
    pub(super) async fn gather(
        stack: &dyn Backend,
        (waiting, starter): (u64, &'static str),
    ) -> Result<Self, Failure> {
        let now = stack.clock().now();
        let beats = stack.records()?.heartbeats(Timestamp(0)).await?;
        Ok(Self {
            jobs: stack.jobs().await?,
            beats: beats.into_iter().map(|beat| (beat.worker, beat.at)).collect(),
            now,
            beat_age_max: stack.settings().heartbeat * BEATS_MISSED_MAX,
            waiting,
            starter,
        })
    }
}

/// Judges all workers.
pub(super) fn workers(facts: &WorkerFacts) -> Vec<Finding> {
    vec![signs_of_life(facts), ends(facts)]
}

fn signs_of_life(facts: &WorkerFacts) -> Finding {
    let check = "workers";
    let running: Vec<&WorkerJob> = facts
        .jobs
        .iter()
        .filter(|job| job.state == WorkerJobState::Running)
        .collect();
    let silent = |job: &WorkerJob| -> Option<Duration> {
        match facts.beats.get(&job.id) {
            Some(beat) => Some(facts.now.since(*beat)).filter(|age| *age > facts.beat_age_max),
            None => {
                Some(facts.now.since(job.created_at)).filter(|age| *age > START_GRACE.max(facts.beat_age_max))
            }
        }
    };
    let stale: Vec<String> = running
        .iter()
        .filter_map(|job| Some(format!("{} for {}", job.id, duration(silent(job)?))))
        .collect();
    if let Some(first) = stale.first() {
        return Finding::fail(
            check,
            format!(
                "{} of {} gave no sign of life: {first}",
                stale.len(),
                counted(running.len(), "running worker")
            ),
            facts.starter,
        );
    }
    let starting = facts
        .jobs
        .iter()
        .filter(|j| j.state == WorkerJobState::Starting)
        .count();
    // A worker that somebody started by hand has no job.
    let beating = facts
        .beats
        .values()
        .filter(|beat| facts.now.since(**beat) <= facts.beat_age_max)
        .count();
    if facts.waiting > 0 && running.len() + starting + beating == 0 {
        let waiting = usize::try_from(facts.waiting).unwrap_or(usize::MAX);
        return Finding::fail(
            check,
            format!("{} for the GPU lane, and no worker", counted(waiting, "message")),
            facts.starter,
        );
    }
    Finding::ok(
        check,
        format!("{} running, {starting} starting", running.len().max(beating)),
    )
}

/// How the workers that ended last ended.
fn ends(facts: &WorkerFacts) -> Finding {
    let check = "worker exits";
    let mut jobs: Vec<&WorkerJob> = facts
        .jobs
        .iter()
        .filter(|job| facts.now.since(job.created_at) <= LATELY)
        .collect();
    jobs.sort_by_key(|job| std::cmp::Reverse((job.created_at, job.id.clone())));
    let mut failed: Vec<Ending> = Vec::new();
    for job in jobs {
        match &job.state {
            // One that waits says nothing yet; one that runs may end as those before.
            WorkerJobState::Starting | WorkerJobState::Running => {}
            WorkerJobState::Ended { exit } => {
                match ending(*exit, job.reason.as_deref().unwrap_or_default()) {
                    Some(ending) => failed.push(ending),
                    None => break,
                }
            }
        }
    }
    let Some(last) = failed.first() else {
        return Finding::ok(
            check,
            "the last worker that ended did so as it should, or none has",
        );
    };
    let what = &last.what;
    if failed.len() < LOOP {
        return Finding::warn(check, format!("the last worker ended {what}"), last.fix);
    }
    let same = failed.iter().filter(|e| e.what == *what).count();
    Finding::fail(
        check,
        format!(
            "a crash loop: the last {} workers failed, {same} of them {what}",
            failed.len()
        ),
        last.fix,
    )
}

struct Ending {
    what: String,
    fix: &'static str,
}

/// What a failed end means; none for one that is as it should be, or that somebody wanted.
fn ending(exit: Option<i32>, reason: &str) -> Option<Ending> {
    let said = |what: &str, fix| {
        Some(Ending {
            what: what.to_owned(),
            fix,
        })
    };
    if ["CannotPullContainer", "ImageNotFound", "CannotPullImage"]
        .iter()
        .any(|word| reason.contains(word))
    {
        return said(
            "because its image cannot be pulled: missing in the registry, or not allowed",
            "push the image that the job definition names, and check the execution role and the way to ECR",
        );
    }
    if reason.contains("OutOfMemory") {
        return said(
            "because it ran out of memory",
            "give the job definition more memory, or lower WALKAROUND_WORKER_IN_FLIGHT and WALKAROUND_DECODE_MIB",
        );
    }
    match exit {
        Some(0) | None => None,
        // Killed: by whoever ended it.
        Some(137 | 143) => None,
        Some(1) => said("with code 1: it failed", "its log says why"),
        Some(2) => said(
            "with code 2: a setting or the command line is wrong",
            "its log names the variable; correct it where the worker's environment is set",
        ),
        Some(69) => said(
            "with code 69: the device or the ONNX Runtime library is not there",
            "check WALKAROUND_DEVICE, the GPU driver and the image's ONNX Runtime; WALKAROUND_DEVICE=cpu runs without a GPU",
        ),
        Some(75) => said(
            "with code 75: it stalled, nothing finished for WALKAROUND_STALL_EXIT_S",
            "look at its log for the photo or the store that it waited for; Batch starts another one",
        ),
        Some(78) => said(
            "with code 78: the bundle cannot be used",
            "`walkaround bundle check` says why; `walkaround bundle rollback NAME` goes back to the version before",
        ),
        Some(code @ (132 | 134 | 135 | 136 | 139)) => said(
            &format!("with code {code}: it crashed"),
            "its log ends where; the image's ONNX Runtime has to fit driver and processor",
        ),
        Some(code) => said(&format!("with code {code}"), "its log says why"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    const NOW: Timestamp = Timestamp(1_000_000_000);

    fn job(id: &str, state: WorkerJobState, age_s: u64) -> WorkerJob {
        WorkerJob {
            id: id.to_owned(),
            state,
            created_at: NOW - Duration::from_secs(age_s),
            reason: None,
        }
    }

    fn ended(exit: Option<i32>, age_s: u64, reason: &str) -> WorkerJob {
        let mut job = job(&format!("w-{age_s}"), WorkerJobState::Ended { exit }, age_s);
        job.reason = Some(reason.to_owned());
        job
    }

    fn facts(jobs: Vec<WorkerJob>, beats: &[(&str, u64)], waiting: u64) -> WorkerFacts {
        let beat = |(id, age): &(&str, u64)| ((*id).to_owned(), NOW - Duration::from_secs(*age));
        WorkerFacts {
            jobs,
            beats: beats.iter().map(beat).collect(),
            now: NOW,
            beat_age_max: Duration::from_secs(60),
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
                "3 messages for the GPU lane, and no worker",
            ),
            (facts(vec![], &[("by hand", 5)], 3), Level::Ok, "1 running"),
            (facts(vec![running(500)], &[("w", 59)], 3), Level::Ok, "1 running"),
            (
                facts(vec![running(500)], &[("w", 120)], 0),
                Level::Fail,
                "w for 2 min",
            ),
            (facts(vec![running(59)], &[], 0), Level::Ok, "1 running"),
            (facts(vec![running(61)], &[], 0), Level::Fail, "w for 1 min 1 s"),
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
            (three(Some(137)), Level::Ok, ""),
            (three(Some(1)), Level::Fail, "code 1"),
            (three(Some(2)), Level::Fail, "a setting"),
            (three(Some(69)), Level::Fail, "device"),
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
        for (jobs, level, words) in cases {
            let found = ends(&facts(jobs.clone(), &[], 0));
            assert_eq!(found.level, level, "{jobs:?}: {found:?}");
            assert!(found.what.contains(words), "{words}: {found:?}");
        }
    }
}
