//! AWS Batch: whether jobs can start, and why those that wait do.
//!
//! Batch's own words come first: it names a job that blocks its queue by a code in the job's status reason. Where it
//! says nothing, what a worker asks for is compared with what the environments may start.
//! See <https://docs.aws.amazon.com/batch/latest/userguide/job_stuck_in_runnable.html>.

use super::finding::CheckResult;
use super::workers::batch_problem;
use std::time::Duration;
use walkaround_aws::{EnvironmentHealth, JobQueueHealth, WorkerNeeds};
use walkaround_client::format::{counted, duration};
use walkaround_domain::Timestamp;
use walkaround_ports::{WorkerJob, WorkerJobState};

/// A job that waits longer than a machine needs to start is stuck.
const STUCK_AFTER: Duration = Duration::from_secs(10 * 60);
/// Share of an instance's memory that jobs get: the rest is the system's and the agent's.
const MEMORY_FOR_JOBS: f64 = 0.93;

/// Instance types with one NVIDIA GPU or more: name, vCPUs, GiB, GPUs.
const TYPES: [(&str, u32, u32, u32); 23] = [
    ("g4dn.xlarge", 4, 16, 1),
    ("g4dn.2xlarge", 8, 32, 1),
    ("g4dn.4xlarge", 16, 64, 1),
    ("g4dn.8xlarge", 32, 128, 1),
    ("g4dn.12xlarge", 48, 192, 4),
    ("g4dn.16xlarge", 64, 256, 1),
    ("g4dn.metal", 96, 384, 8),
    ("g5.xlarge", 4, 16, 1),
    ("g5.2xlarge", 8, 32, 1),
    ("g5.4xlarge", 16, 64, 1),
    ("g5.8xlarge", 32, 128, 1),
    ("g5.12xlarge", 48, 192, 4),
    ("g5.16xlarge", 64, 256, 1),
    ("g5.24xlarge", 96, 384, 4),
    ("g5.48xlarge", 192, 768, 8),
    ("g6.xlarge", 4, 16, 1),
    ("g6.2xlarge", 8, 32, 1),
    ("g6.4xlarge", 16, 64, 1),
    ("g6.8xlarge", 32, 128, 1),
    ("g6.12xlarge", 48, 192, 4),
    ("g6.16xlarge", 64, 256, 1),
    ("g6.24xlarge", 96, 384, 4),
    ("g6.48xlarge", 192, 768, 8),
];

/// Judges the job queue and its environments.
pub(super) fn queue_and_environments(queue: &JobQueueHealth) -> Vec<CheckResult> {
    let mut results = vec![job_queue(queue)];
    results.extend(queue.environments.iter().map(environment));
    results
}

fn job_queue(queue: &JobQueueHealth) -> CheckResult {
    let check = "job queue";
    let reason = queue.reason.as_deref().unwrap_or("no reason given");
    if !queue.enabled {
        return CheckResult::fail(
            check,
            "disabled: none of its jobs starts",
            "enable it (UpdateJobQueue --state ENABLED)",
        );
    }
    if queue.status == "INVALID" {
        return CheckResult::fail(
            check,
            format!("invalid: {reason}"),
            "fix what the reason names, or deploy the stack again",
        );
    }
    if queue.environments.is_empty() {
        return CheckResult::fail(
            check,
            "has no compute environment",
            "deploy the GPU capacity's stack again",
        );
    }
    CheckResult::ok(check, format!("enabled, {}", queue.status.to_lowercase()))
}

fn environment(e: &EnvironmentHealth) -> CheckResult {
    let check = format!("environment {}", e.name);
    if !e.enabled {
        return CheckResult::fail(
            check,
            "disabled: it starts no machine",
            "enable it (UpdateComputeEnvironment --state ENABLED)",
        );
    }
    let reason = e.reason.as_deref().unwrap_or_default();
    if let Some((what, fix)) = batch_problem(reason) {
        return CheckResult::fail(check, format!("{what}: {reason}"), fix);
    }
    match e.status.as_str() {
        "INVALID" => CheckResult::fail(
            check,
            format!("invalid: {reason}"),
            "fix what the reason names (roles, subnets, security groups, image), then update it",
        ),
        "VALID" if e.has_newer_image => CheckResult::warn(
            check,
            "enabled, valid; AWS has a newer machine image (driver, security fixes) than its machines",
            "set MachineImageRefresh of infra/gpu.yaml to another value, and deploy",
        ),
        "VALID" => CheckResult::ok(check, "enabled, valid"),
        other => CheckResult::warn(
            check,
            format!("{}: {reason}", other.to_lowercase()),
            "wait until it is valid",
        ),
    }
}

/// Judges what a worker asks for, none when there is no such definition, by the environments that are known.
pub(super) fn definition(needs: Option<&WorkerNeeds>, environments: &[EnvironmentHealth]) -> CheckResult {
    let check = "job definition";
    let Some(needs) = needs else {
        return CheckResult::fail(
            check,
            "no active job definition has this name",
            "set WALKAROUND_JOB_DEFINITION to the deployed one, or deploy the GPU capacity's stack",
        );
    };
    let asks = format!(
        "{} vCPUs, {} MiB, {} GPUs",
        needs.vcpus, needs.memory_mib, needs.gpus
    );
    let managed = environments.iter().filter(|e| !e.instance_types.is_empty());
    let managed: Vec<&EnvironmentHealth> = managed.collect();
    if managed.is_empty() || managed.iter().any(|e| fits(needs, e).is_ok()) {
        return CheckResult::ok(check, format!("{} ({asks})", needs.image));
    }
    let why: Vec<String> = managed
        .iter()
        .filter_map(|e| Some(format!("{}: {}", e.name, fits(needs, e).err()?)))
        .collect();
    CheckResult::fail(
        check,
        format!(
            "asks for {asks}, which no environment provides: {}",
            why.join("; ")
        ),
        "lower the requirements of the job definition, or allow larger instance types or more vCPUs",
    )
}

/// Whether an environment can start a machine for a worker. What is not known here fits.
fn fits(needs: &WorkerNeeds, e: &EnvironmentHealth) -> Result<(), String> {
    if let Some(most) = e.vcpus_max
        && most < needs.vcpus
    {
        return Err(format!("at most {most} vCPUs in all"));
    }
    let mut known = Vec::new();
    for name in &e.instance_types {
        let of: Vec<_> = TYPES
            .iter()
            .filter(|(t, ..)| t == name || t.split('.').next() == Some(name.as_str()))
            .collect();
        if of.is_empty() {
            return Ok(());
        }
        known.extend(of);
    }
    type Has = fn(&&&(&str, u32, u32, u32)) -> u32;
    let memory: Has = |t| (f64::from(t.2 * 1024) * MEMORY_FOR_JOBS) as u32;
    let whole = |t: &&&(&str, u32, u32, u32)| {
        t.1 >= needs.vcpus && memory(t) >= needs.memory_mib && t.3 >= needs.gpus
    };
    if known.is_empty() || known.iter().any(|t| whole(&t)) {
        return Ok(());
    }
    let most = |has: Has| known.iter().map(|t| has(&t)).max().unwrap_or_default();
    let short = [
        ("vCPUs", needs.vcpus, most(|t| t.1)),
        ("MiB for jobs", needs.memory_mib, most(memory)),
        ("GPUs", needs.gpus, most(|t| t.3)),
    ];
    let lacking = short.iter().find(|(_, asked, most)| asked > most);
    Err(match lacking {
        Some((what, _, most)) => format!("no instance type has more than {most} {what}"),
        None => "no instance type has all of it together".to_owned(),
    })
}

/// Judges the jobs that wait.
pub(super) fn waiting(jobs: &[WorkerJob], now: Timestamp) -> CheckResult {
    let check = "waiting jobs";
    let starting = jobs.iter().filter(|job| job.state == WorkerJobState::Starting);
    let starting: Vec<(&WorkerJob, Duration)> = starting.map(|job| (job, now.since(job.since))).collect();
    let longest = starting
        .iter()
        .map(|(_, waited)| *waited)
        .max()
        .unwrap_or_default();
    let count = counted(starting.len(), "job");
    // Batch's reason counts at once; silence only after a while.
    for (job, _) in &starting {
        let reason = job.reason.as_deref().unwrap_or_default();
        if let Some((what, fix)) = batch_problem(reason) {
            return CheckResult::fail(check, format!("{count} stuck: {what}: {reason}"), fix);
        }
    }
    if longest <= STUCK_AFTER {
        return CheckResult::ok(check, format!("{count} starting"));
    }
    let reason = starting.iter().find_map(|(job, _)| job.reason.clone());
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    CheckResult::fail(
        check,
        format!("{count} stuck, the longest for {}{reason}", duration(longest)),
        "the lines above name the cause; if not, check the quota of G and VT instances in Service Quotas, the \
         subnets' route to ECS and ECR, and the instance role",
    )
}

#[cfg(test)]
mod tests;
