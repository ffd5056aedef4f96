//! A worker that failed: EventBridge's "Batch Job State Change".
//!
//! See <https://docs.aws.amazon.com/batch/latest/userguide/batch_job_events.html>. The event of a failed job comes when
//! Batch tries no more. One cause a job queue and exit code: ten workers that fail the same way are one cause.

use crate::arn::Arn;
use crate::cause::{Cause, Heard, Severity};
use serde_json::Value;

/// How Batch words the loss of an instance; with Spot capacity that is nobody's fault.
const RECLAIMED: &str = "Host EC2";
/// How the scaler words that it ended a worker (`walkaround_pipeline::scaler::END_REASON`).
const SILENT: &str = "no sign of life";
/// How Batch words a job that ran longer than its definition allows.
const OVER_TIME: &str = "timeout";
const DOCTOR: &str = "walkaround doctor --stack aws";

/// What a failed job means.
pub(crate) fn heard(event: &Value) -> Heard {
    let job = &event["detail"];
    if event["detail-type"] != "Batch Job State Change" {
        return Heard::Nothing("an event of AWS Batch that is not about a job");
    }
    if job["status"] != "FAILED" {
        return Heard::Nothing("a job that did not fail");
    }
    let reason = job["statusReason"].as_str().unwrap_or_default();
    if reason.starts_with(RECLAIMED) {
        return Heard::Nothing("a Spot instance that was taken back is no fault");
    }
    Heard::Tell(cause(job, reason))
}

fn cause(job: &Value, reason: &str) -> Cause {
    let text = |name: &str| job[name].as_str().unwrap_or_default();
    let queue = Arn::parse(text("jobQueue"));
    let queue_name = queue.map_or(text("jobQueue"), |arn| arn.name());
    let exit = exit_code(job);
    let (kind, (meaning, first_step)) = explained_by(reason, exit);
    let ended = exit.map_or("without an exit code".to_owned(), |code| {
        format!("with code {code}")
    });
    let said = [reason, container_reason(job)].join(" ");
    let said = if said.trim().is_empty() {
        String::new()
    } else {
        format!(" AWS Batch says: {said}")
    };
    Cause {
        key: format!("job/{queue_name}/{kind}"),
        title: format!("A worker failed: {meaning}"),
        what: format!(
            "Job {} of queue {queue_name} ended {ended}.{said}",
            text("jobName")
        ),
        link: Arn::parse(text("jobArn"))
            .or(queue)
            .map_or_else(String::new, |arn| arn.job(text("jobId"))),
        first_step: first_step.to_owned(),
        severity: Severity::Fault,
        ends: false,
    }
}

/// Exit code of the last attempt.
fn exit_code(job: &Value) -> Option<i64> {
    let last = job["attempts"].as_array().and_then(|attempts| attempts.last());
    let attempt = last.and_then(|attempt| attempt["container"]["exitCode"].as_i64());
    job["container"]["exitCode"].as_i64().or(attempt)
}

fn container_reason(job: &Value) -> &str {
    job["container"]["reason"].as_str().unwrap_or_default()
}

/// What kind of end it was, what it means and what to try first. Who was told to end exits with 0 or is killed: then the
/// reason says more than the code.
fn explained_by(reason: &str, exit: Option<i64>) -> (String, (&'static str, &'static str)) {
    if reason.contains(SILENT) {
        let first = "It hung, or could not write its heartbeat: read the end of the job's log, and compare \
                     WALKAROUND_START_GRACE_S with the time that it needs to load its networks.";
        return (
            "silent".to_owned(),
            ("it gave no sign of life, and the scaler ended it", first),
        );
    }
    if reason.to_ascii_lowercase().contains(OVER_TIME) {
        let first = "A worker that always has work may run this long: raise JobTimeoutS of infra/gpu.yaml, or let it be.";
        return (
            "timeout".to_owned(),
            ("it ran longer than its job definition allows", first),
        );
    }
    let kind = exit.map_or("none".to_owned(), |code| code.to_string());
    (kind, explained(exit))
}

/// What an exit code of the worker means, and what to try first.
fn explained(exit: Option<i64>) -> (&'static str, &'static str) {
    match exit {
        Some(0) => (
            "it was told to end",
            "See who ended it: AWS Batch's reason names them.",
        ),
        Some(1) => (
            "it says why in its log",
            "Read the last lines of the job's log (tab Logging of the job).",
        ),
        Some(2) => (
            "a setting is missing or wrong",
            "The last line of the job's log names the variable: correct it in the job definition (make deploy).",
        ),
        Some(69) => (
            "the device is not there",
            "Does the compute environment have GPU instances with the GPU image type? The job's log says what is \
             missing: driver, library or version.",
        ),
        Some(75) => (
            "it stalled",
            "It finished no photo for too long, again and again. Look at the last inspection in the job's log, and at \
             walkaround status --stack aws.",
        ),
        Some(78) => (
            "the bundle or a setting was refused",
            "Take the previous bundle: walkaround bundle rollback NAME --stack aws. Then check the new one: \
             walkaround bundle check DIR.",
        ),
        Some(134 | 139) => (
            "it crashed",
            "Read the job's log; keep the photo of the last inspection in it.",
        ),
        Some(137) => (
            "it was killed",
            "Most often memory: compare the job's memory with WALKAROUND_DECODE_MIB and the size of the bundle.",
        ),
        Some(143) => (
            "it was told to end",
            "See who ended it: the scaler says so in its log, with the reason.",
        ),
        Some(_) => (
            "with an exit code of no known meaning",
            "Read the last lines of the job's log.",
        ),
        None => ("it did not start", DOCTOR),
    }
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
        match heard(event) {
            Heard::Tell(cause) => cause,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn exit_codes_are_explained_and_are_causes_of_their_own() {
        let cases = [
            (json!(1), "job/workers/1", "log", "last lines"),
            (json!(2), "job/workers/2", "setting", "variable"),
            (json!(69), "job/workers/69", "device", "GPU"),
            (json!(75), "job/workers/75", "stalled", "status"),
            (json!(78), "job/workers/78", "bundle or a setting", "rollback"),
            (json!(137), "job/workers/137", "killed", "memory"),
            (json!(99), "job/workers/99", "no known meaning", "log"),
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
            (
                json!(0),
                "no sign of life",
                "job/workers/silent",
                "no sign of life",
            ),
            (
                json!(137),
                "no sign of life",
                "job/workers/silent",
                "no sign of life",
            ),
            (
                json!(137),
                "Job attempt duration exceeded timeout",
                "job/workers/timeout",
                "longer",
            ),
            (json!(0), "ended by hand", "job/workers/0", "told to end"),
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
            heard(&reclaimed),
            Heard::Nothing("a Spot instance that was taken back is no fault")
        );
        let mut running = failed(&json!(1), "");
        running["detail"]["status"] = json!("RUNNING");
        assert_eq!(heard(&running), Heard::Nothing("a job that did not fail"));
    }
}
