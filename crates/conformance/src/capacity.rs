//! Cases of GPU capacity.

use crate::suite::{Broken, Capabilities, Case, Keep, Outcome, Report, cases, ensure, run};
use crate::time::TimeDriver;
use std::collections::BTreeSet;
use std::sync::Arc;
use walkaround_ports::{GpuCapacity, PortErrorKind, WorkerJob, WorkerJobState};

/// Fresh capacity without jobs. Its workers run until they are ended.
pub struct CapacityUnderTest {
    /// The port.
    pub capacity: Arc<dyn GpuCapacity>,
    /// Most workers that it runs at once, where it bounds them itself; 3 to 99.
    pub workers_max: Option<u32>,
    /// Its time.
    pub time: Arc<dyn TimeDriver>,
    /// Whatever has to stay.
    pub keep: Keep,
}

const CASES: &[Case<CapacityUnderTest>] = cases![
    nothing_runs_at_first,
    started_job_runs_and_ends,
    jobs_are_ended_one_by_one,
    end_of_an_ended_job_changes_nothing,
    end_of_an_unknown_job_is_an_error,
    count_out_of_bounds_is_invalid,
    never_more_than_the_most,
];

/// Runs every case of capacity.
pub async fn capacity_suite<F: Future<Output = CapacityUnderTest>>(
    make: impl Fn() -> F,
    capabilities: &Capabilities,
) -> Report {
    run("capacity", CASES, make, capabilities).await
}

/// Looks before a case says that a job does not change.
const LOOKS_MAX: usize = 500;

fn live(fleet: &[WorkerJob]) -> BTreeSet<String> {
    let live = fleet.iter().filter(|job| !ended(job));
    live.map(|job| job.id.clone()).collect()
}

fn ended(job: &WorkerJob) -> bool {
    matches!(job.state, WorkerJobState::Ended { .. })
}

/// Looks until the job is as wanted.
async fn wait_for(
    t: &CapacityUnderTest,
    id: &str,
    wanted: fn(&WorkerJob) -> bool,
) -> Result<WorkerJob, Broken> {
    let mut last = None;
    for _ in 0..LOOKS_MAX {
        last = t.capacity.fleet().await?.into_iter().find(|job| job.id == id);
        match last {
            Some(job) if wanted(&job) => return Ok(job),
            _ => t.time.pause().await,
        }
    }
    Err(Broken(format!("`{id}` stays {last:?}")))
}

/// Ends every job, so that a case leaves nothing running.
async fn end_all(t: &CapacityUnderTest) -> Outcome {
    for id in live(&t.capacity.fleet().await?) {
        t.capacity.end(&id, "the case is over").await?;
        wait_for(t, &id, ended).await?;
    }
    Ok(())
}

async fn nothing_runs_at_first(t: CapacityUnderTest) -> Outcome {
    let fleet = t.capacity.fleet().await?;
    ensure!(fleet.is_empty(), "fleet: {fleet:?}");
    Ok(())
}

async fn started_job_runs_and_ends(t: CapacityUnderTest) -> Outcome {
    let ids = t.capacity.start(1).await?;
    ensure!(ids.len() == 1, "started: {ids:?}");
    let fleet = t.capacity.fleet().await?;
    ensure!(live(&fleet) == ids.iter().cloned().collect(), "fleet: {fleet:?}");
    wait_for(&t, &ids[0], |job| job.state == WorkerJobState::Running).await?;
    t.capacity.end(&ids[0], "no more work").await?;
    // It stays to be seen for a while: `wait_for` only ends when the ended job is in the fleet.
    let job = wait_for(&t, &ids[0], ended).await?;
    let reason = job.reason.unwrap_or_default();
    ensure!(reason.contains("no more work"), "reason: `{reason}`");
    Ok(())
}

async fn jobs_are_ended_one_by_one(t: CapacityUnderTest) -> Outcome {
    let ids = t.capacity.start(3).await?;
    let distinct: BTreeSet<String> = ids.iter().cloned().collect();
    ensure!(distinct.len() == 3, "started: {ids:?}");
    t.capacity.end(&ids[1], "one too many").await?;
    wait_for(&t, &ids[1], ended).await?;
    let left = live(&t.capacity.fleet().await?);
    let expected: BTreeSet<String> = [ids[0].clone(), ids[2].clone()].into();
    ensure!(left == expected, "left: {left:?}");
    end_all(&t).await
}

async fn end_of_an_ended_job_changes_nothing(t: CapacityUnderTest) -> Outcome {
    let ids = t.capacity.start(1).await?;
    t.capacity.end(&ids[0], "first reason").await?;
    let before = wait_for(&t, &ids[0], ended).await?;
    t.capacity.end(&ids[0], "second reason").await?;
    let after = wait_for(&t, &ids[0], ended).await?;
    ensure!(before == after, "{before:?} became {after:?}");
    Ok(())
}

async fn end_of_an_unknown_job_is_an_error(t: CapacityUnderTest) -> Outcome {
    let kind = t.capacity.end("nobody", "a test").await.err().map(|e| e.kind);
    ensure!(kind == Some(PortErrorKind::NotFound), "{kind:?}");
    Ok(())
}

async fn count_out_of_bounds_is_invalid(t: CapacityUnderTest) -> Outcome {
    for count in [0, 101] {
        let kind = t.capacity.start(count).await.err().map(|e| e.kind);
        ensure!(kind == Some(PortErrorKind::Invalid), "start({count}): {kind:?}");
    }
    ensure!(t.capacity.fleet().await?.is_empty(), "something was started");
    Ok(())
}

async fn never_more_than_the_most(t: CapacityUnderTest) -> Outcome {
    let Some(workers_max) = t.workers_max else {
        return Err(Broken(
            "no bound is given: the table has to skip this case".to_owned(),
        ));
    };
    let asking: Vec<_> = (0..4)
        .map(|_| {
            let capacity = t.capacity.clone();
            tokio::spawn(async move { capacity.start(workers_max).await })
        })
        .collect();
    let mut accepted = 0;
    for one in asking {
        accepted += one.await??.len();
    }
    let running = live(&t.capacity.fleet().await?).len();
    let most = workers_max as usize;
    ensure!(
        running == most && accepted == most,
        "{accepted} accepted, {running} live, at most {most}"
    );
    end_all(&t).await
}
