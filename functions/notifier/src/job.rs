//! A worker that failed: EventBridge's "Batch Job State Change".
//!
//! See <https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html>. The event of a failed job comes when
//! Batch tries no more. One cause a job queue and kind of end: ten workers that fail the same way are one cause.

use crate::arn::Arn;
use crate::cause::{Cause, Notification, Severity};
use serde_json::Value;
use walkaround_bootstrap::blocked::Blocked;
use walkaround_bootstrap::exit_diagnosis::diagnose;
use walkaround_ports::EndCause;

const DOCTOR: &str = "walkaround doctor --stack aws";

/// What a failed job means.
pub(crate) fn notification(event: &Value) -> Notification {
    let job = &event["detail"];
    match event["detail-type"].as_str() {
        Some("Batch Job State Change") => {}
        Some("Batch Job Queue Blocked") => return Notification::Raise(blocked(job)),
        _ => return Notification::Ignore("an event of AWS Batch that is not about a job"),
    }
    if job["status"] != "FAILED" {
        return Notification::Ignore("a job that did not fail");
    }
    let reason = job["statusReason"].as_str().unwrap_or_default();
    if EndCause::of(reason) == Some(EndCause::InstanceLost) {
        return Notification::Ignore("a Spot instance that was taken back is no fault");
    }
    Notification::Raise(cause(job, reason))
}

fn cause(job: &Value, reason: &str) -> Cause {
    let text = |name: &str| job[name].as_str().unwrap_or_default();
    let queue = Arn::parse(text("jobQueue"));
    let queue_name = queue.map_or(text("jobQueue"), |arn| arn.name());
    let exit = exit_code(job);
    let words = [reason, container_reason(job)].join(" ");
    let meant = diagnose(exit, &words);
    let ended = exit.map_or("without an exit code".to_owned(), |code| {
        format!("with code {code}")
    });
    let said = if words.trim().is_empty() {
        String::new()
    } else {
        format!(" AWS Batch says: {words}")
    };
    Cause {
        key: format!("job/{queue_name}/{}", meant.kind),
        title: format!("A worker failed: {}", meant.meaning),
        what: format!(
            "Job {} of queue {queue_name} ended {ended}.{said}",
            text("jobName")
        ),
        link: Arn::parse(text("jobArn"))
            .or(queue)
            .map_or_else(String::new, |arn| arn.job(text("jobId"))),
        // Why a job did not start is what doctor knows most about.
        first_step: match exit {
            Some(_) => meant.first_step.to_owned(),
            None => format!("{DOCTOR}; {}", meant.first_step),
        },
        severity: Severity::Fault,
        ends: false,
    }
}

/// What blocks the queue: the job at its head cannot start. The event comes at once, where a failed job would never come.
/// Its reason begins with a code: <https://docs.aws.amazon.com/batch/latest/userguide/batch-job-queue-blocked-events.html>.
fn blocked(job: &Value) -> Cause {
    let text = |name: &str| job[name].as_str().unwrap_or_default();
    let queue = Arn::parse(text("jobQueue"));
    let queue_name = queue.map_or(text("jobQueue"), |arn| arn.name());
    let reason = text("statusReason");
    let blocked = Blocked::of(reason);
    let meaning = blocked.map_or("the job queue is blocked", Blocked::meaning);
    let first_step = blocked.map_or("do what the reason says", Blocked::first_step);
    Cause {
        key: format!(
            "blocked/{queue_name}/{}",
            blocked.map_or("other", Blocked::as_str)
        ),
        title: format!("No worker can start: {meaning}"),
        what: format!(
            "Job {} at the head of queue {queue_name} cannot start, and neither can the jobs behind it. AWS Batch \
             says: {reason}",
            text("jobName")
        ),
        link: Arn::parse(text("jobArn"))
            .or(queue)
            .map_or_else(String::new, |arn| arn.job(text("jobId"))),
        first_step: format!("{DOCTOR}; {first_step}"),
        severity: Severity::Fault,
        ends: false,
    }
}

/// Exit code of the last attempt.
fn exit_code(job: &Value) -> Option<i32> {
    let last = job["attempts"].as_array().and_then(|attempts| attempts.last());
    let attempt = last.and_then(|attempt| attempt["container"]["exitCode"].as_i64());
    let code = job["container"]["exitCode"].as_i64().or(attempt);
    code.and_then(|code| i32::try_from(code).ok())
}

/// The container runtime's words, of the job or of its last attempt.
fn container_reason(job: &Value) -> &str {
    let last = job["attempts"].as_array().and_then(|attempts| attempts.last());
    let attempt = last.and_then(|attempt| attempt["container"]["reason"].as_str());
    job["container"]["reason"]
        .as_str()
        .or(attempt)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn failed(exit: &Value, reason: &str) -> Value {
        json!({"detail-type": "Batch Job State Change", "detail": {
            "jobName": "w-1", "jobId": "j-1", "status": "FAILED", "statusReason": reason,
            "jobQueue": "arn:aws:batch:eu-central-1:111122223333:job-queue/workers",
            "attempts": [{"container": {"exitCode": 75}}, {"container": {"exitCode": exit}}]}})
    }

    fn told(event: &Value) -> Cause {
        match notification(event) {
            Notification::Raise(cause) => cause,
            other => panic!("{other:?}"),
        }
    }

    /// The container runtime refuses an image whose CUDA is newer than the driver: no exit code, not 69.
    #[test]
    fn a_container_that_cannot_start_names_its_cause() {
        let driver = "CannotStartContainerError: Error response from daemon: nvidia-container-cli: requirement error: \
                      unsatisfied condition: cuda>=13.0, please update your driver to a newer version";
        let other = "CannotStartContainerError: Error response from daemon: OCI runtime create failed";
        let pull = "CannotPullContainerError: not found";
        for (reason, key, title) in [
            (driver, "job/workers/driver", "NVIDIA driver is older"),
            (other, "job/workers/container", "could not be started"),
            (pull, "job/workers/image", "could not be pulled"),
        ] {
            let mut event = failed(&Value::Null, "Task failed to start");
            event["detail"]["attempts"] = json!([{"container": {"reason": reason}}]);
            event["detail"]["container"] = json!({"reason": reason});
            let cause = told(&event);
            assert_eq!(cause.key, key);
            assert!(cause.title.contains(title), "{cause:?}");
        }
    }

    #[test]
    fn a_blocked_queue_tells_quota_from_capacity() {
        let blocked = |reason: &str| {
            told(&json!({"detail-type": "Batch Job Queue Blocked", "detail": {
                "jobName": "w-1", "jobId": "j-1", "status": "RUNNABLE", "statusReason": reason,
                "jobQueue": "arn:aws:batch:eu-central-1:111122223333:job-queue/workers"}}))
        };
        let capacity = "CAPACITY:INSUFFICIENT_INSTANCE_CAPACITY";
        for (reason, key, first) in [
            (
                format!("{capacity} - Service cannot fulfill the capacity requested"),
                "capacity",
                "wait",
            ),
            (
                format!("{capacity} - VcpuLimitExceeded: You have requested more vCPU capacity"),
                "quota",
                "Service Quotas",
            ),
            (
                "MISCONFIGURATION:COMPUTE_ENVIRONMENT_MAX_RESOURCE - CE(s) ...".into(),
                "max_vcpus",
                "maximum vCPUs",
            ),
            (
                "MISCONFIGURATION:JOB_RESOURCE_REQUIREMENT - CE(s) ...".into(),
                "needs_too_much",
                "job definition",
            ),
            (
                "MISCONFIGURATION:SERVICE_ROLE_PERMISSIONS - ...".into(),
                "role",
                "service-linked role",
            ),
            ("UNDETERMINED - ...".into(), "other", "the reason"),
        ] {
            let cause = blocked(&reason);
            assert_eq!(cause.key, format!("blocked/workers/{key}"));
            assert!(
                cause.first_step.contains(first) && cause.first_step.contains("doctor"),
                "{cause:?}"
            );
        }
    }

    #[test]
    fn exit_codes_are_explained_and_are_causes_of_their_own() {
        let cases = [
            (json!(1), "job/workers/1", "log", "last lines"),
            (json!(2), "job/workers/2", "setting", "variable"),
            (json!(69), "job/workers/69", "device", "GPU"),
            (json!(70), "job/workers/70", "engine is faulty", "another machine"),
            (json!(75), "job/workers/75", "stalled", "status"),
            (json!(78), "job/workers/78", "bundle", "rollback"),
            (json!(137), "job/workers/137", "killed", "memory"),
            (json!(99), "job/workers/99", "unknown exit code", "log"),
            (Value::Null, "job/workers/none", "not start", "doctor"),
        ];
        for (exit, key, title, first) in cases {
            let cause = told(&failed(&exit, "Essential container in task exited"));
            assert_eq!(cause.key, key);
            assert!(
                cause.title.contains(title) && cause.first_step.contains(first),
                "{exit}: {cause:?}"
            );
            assert!(
                cause.what.contains("w-1") && cause.what.contains("Essential container"),
                "{cause:?}"
            );
        }
    }

    #[test]
    fn a_worker_that_was_told_to_end_is_explained_by_the_reason() {
        let cases = [
            (json!(0), "no heartbeat", "job/workers/silent", "no heartbeat"),
            (json!(137), "no heartbeat", "job/workers/silent", "no heartbeat"),
            (
                json!(137),
                "Job attempt duration exceeded timeout",
                "job/workers/timeout",
                "longer",
            ),
            (json!(0), "ended by hand", "job/workers/0", "asked to end"),
            (
                json!(137),
                "OutOfMemoryError: Container killed due to memory usage",
                "job/workers/memory",
                "out of memory",
            ),
        ];
        for (exit, reason, key, title) in cases {
            let cause = told(&failed(&exit, reason));
            assert!(
                cause.key == key && cause.title.contains(title),
                "{reason}: {cause:?}"
            );
        }
    }

    #[test]
    fn a_reclaimed_instance_and_a_job_that_goes_on_are_not_told() {
        let reclaimed = failed(&json!(137), "Host EC2 (instance i-0123456789abcdef0) terminated.");
        assert_eq!(
            notification(&reclaimed),
            Notification::Ignore("a Spot instance that was taken back is no fault")
        );
        let mut running = failed(&json!(1), "");
        running["detail"]["status"] = json!("RUNNING");
        assert_eq!(
            notification(&running),
            Notification::Ignore("a job that did not fail")
        );
    }
}
