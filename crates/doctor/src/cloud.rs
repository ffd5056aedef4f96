//! Looking at the stack on AWS.

use super::bundle;
use super::capacity::{definition, queue_and_environments, waiting};
use super::finding::CheckResult;
use super::lane::{self, LaneBounds};
use super::queues::{QueueFacts, Reasons, gather, queue};
use super::workers::{WorkerFacts, exits, workers};
use crate::failure::Failure;
use std::time::Duration;
use walkaround_aws::{Alarm, EventSource, Health};
use walkaround_bootstrap::aws::AwsStack;
use walkaround_client::{CloudClient, StackChoice, StackClient};
use walkaround_inference::Device;
use walkaround_ports::{PortError, PortErrorKind, QueueName};
use walkaround_settings::SettingsError;
use walkaround_settings::aws::{
    INTAKE_QUEUE, JOB_DEFINITION, JOB_PREFIX, JOB_QUEUE, SEGMENTATION_QUEUE, TABLE,
};

const TAKERS: &str = "check the triage function: its event source, its log, its concurrency";
const WORKER_TAKERS: &str = "see the lines on workers and Batch below";
const STARTER: &str = "the scaler starts and ends workers every minute: check its log and its schedule";
/// Time between two ticks of the scaler: the rate of `ScalerRule` in infra/pipeline.yaml.
const SCALER_TICK: Duration = Duration::from_secs(60);
const DEPLOY: &str = "set the variable to the value that the deployed stack gives, or deploy it";

/// All checks.
pub(super) async fn checks(args: &StackChoice) -> Result<Vec<CheckResult>, Failure> {
    let client = match CloudClient::connect(&args.connection()).await {
        Ok(client) => client,
        Err(failure) => {
            let (check, fix) = match failure {
                Failure::Usage(_) => (
                    "settings",
                    "correct what the line names; docs/settings.md lists the settings",
                ),
                _ => ("credentials", "do what the line says, then run doctor again"),
            };
            return Ok(vec![CheckResult::fail(check, failure.to_string(), fix)]);
        }
    };
    let health = client.health();
    let mut results = Vec::new();
    results.extend(super::local::unknown(&walkaround_settings::unknown_settings()));
    match health.identity().await {
        Ok(who) => results.push(CheckResult::ok(
            "credentials",
            format!("account {}, {}", who.account, who.arn),
        )),
        Err(error) => {
            results.push(credentials(&error));
            // Nothing else would answer otherwise.
            if error.kind == PortErrorKind::Denied || error.kind == PortErrorKind::Unavailable {
                return Ok(results);
            }
        }
    }
    let waiting = queues_and_records(&client, &mut results).await;
    results.push(event_source(&client).await);
    results.extend(active_bundle(client.stack()).await);
    results.extend(batch(&client, waiting).await);
    results.push(alarms(client.stack(), health).await);
    Ok(results)
}

fn credentials(error: &PortError) -> CheckResult {
    let fix = match error.kind {
        // Also no credentials at all: a role's may come later.
        PortErrorKind::Unavailable => {
            "check network, region and endpoint, and set AWS_PROFILE or --profile (or sign in again: `aws sso login`)"
        }
        _ => {
            "set AWS_PROFILE or --profile, sign in again (`aws sso login`), or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        }
    };
    CheckResult::fail("credentials", error.detail.clone(), fix)
}

/// A name that is not set.
fn unset(check: &str, error: &SettingsError) -> CheckResult {
    CheckResult::fail(check, error.to_string(), DEPLOY)
}

/// Judges queues and the table; how many messages wait for a worker.
async fn queues_and_records(client: &CloudClient, results: &mut Vec<CheckResult>) -> u64 {
    let mut waiting = 0;
    for name in QueueName::ALL {
        let takers = match name {
            QueueName::Intake => TAKERS,
            QueueName::Segmentation => WORKER_TAKERS,
        };
        match gather(client, name, Reasons::Counted).await {
            Ok(mut facts) => {
                ask_age(client, name, &mut facts).await;
                if name == QueueName::Segmentation {
                    waiting = facts.depth.ready;
                }
                results.extend(queue(&facts, takers));
            }
            Err(failure) => {
                results.push(CheckResult::failed(
                    format!("{} queue", name.as_str()),
                    &failure,
                    DEPLOY,
                ));
            }
        }
    }
    let stack = client.stack();
    results.push(match stack.settings.aws.require(TABLE) {
        Err(error) => unset("table", &error),
        Ok(table) => match client.health().table(table).await {
            Ok(()) => CheckResult::ok("table", table),
            Err(error) => CheckResult::unanswered("table", &error, DEPLOY),
        },
    });
    waiting
}

/// SQS does not tell how long messages wait; CloudWatch does, where they wait.
async fn ask_age(client: &CloudClient, name: QueueName, facts: &mut QueueFacts) {
    let variable = match name {
        QueueName::Intake => INTAKE_QUEUE,
        QueueName::Segmentation => SEGMENTATION_QUEUE,
    };
    let Some(url) = client.stack().settings.aws.get(variable) else {
        return;
    };
    if facts.depth.ready == 0 {
        return;
    }
    match client.health().oldest_age(url, client.clock().now()).await {
        Ok(age) => facts.depth.oldest_age = age,
        Err(error) => facts.age_unknown = Some(error.detail),
    }
}

async fn event_source(client: &CloudClient) -> CheckResult {
    let check = "triage function";
    let url = match client.stack().settings.aws.require(INTAKE_QUEUE) {
        Ok(url) => url,
        Err(error) => return unset(check, &error),
    };
    match client.health().event_sources(url).await {
        Ok(sources) => triage(&sources),
        Err(error) => CheckResult::unanswered(check, &error, DEPLOY),
    }
}

/// Judges what takes messages from the intake queue.
fn triage(sources: &[EventSource]) -> CheckResult {
    let check = "triage function";
    let Some(source) = sources.iter().find(|s| s.state == "Enabled").or(sources.first()) else {
        return CheckResult::fail(
            check,
            "no function reads the intake queue",
            "deploy the pipeline's stack: it creates the event source",
        );
    };
    let name = &source.function;
    let last = source.last_result.as_deref().unwrap_or_default();
    if last.starts_with("PROBLEM") {
        return CheckResult::fail(
            check,
            format!("{name}: {last}"),
            "fix what the result names: role, queue or key",
        );
    }
    match source.state.as_str() {
        "Enabled" => CheckResult::ok(check, format!("{name} reads the intake queue")),
        "Creating" | "Enabling" | "Updating" => CheckResult::warn(
            check,
            format!("the event source of {name} is {}", source.state.to_lowercase()),
            "wait a minute, then run doctor again",
        ),
        other => CheckResult::fail(
            check,
            format!(
                "the event source of {name} is {}: no consumer is reading the intake queue",
                other.to_lowercase()
            ),
            "enable it (UpdateEventSourceMapping --enabled), or deploy the pipeline's stack again",
        ),
    }
}

async fn active_bundle(stack: &AwsStack) -> Vec<CheckResult> {
    let folder = match stack.bundle().await {
        Ok((folder, _)) => folder,
        Err(failure) => {
            let fix = "`walkaround bundle list` lists the versions; push and activate a version";
            return vec![CheckResult::fail("bundle", failure.to_string(), fix)];
        }
    };
    let (verified, loaded) = bundle::verified(&folder);
    let mut results = vec![verified];
    let Some(loaded) = loaded else { return results };
    // This machine is not the one that inspects photos: its lack of a library proves nothing.
    match bundle::library(stack.settings.onnxruntime.as_deref(), Device::Cpu).1 {
        Some((runtime, device)) => results.push(bundle::self_test(&loaded, &runtime, device)),
        None => results.push(CheckResult::warn(
            "self-test",
            "not run: no ONNX Runtime on this machine",
            "run `make setup`, or name the library with WALKAROUND_ONNXRUNTIME",
        )),
    }
    results
}

async fn batch(client: &CloudClient, waits: u64) -> Vec<CheckResult> {
    let (health, named) = (client.health(), &client.stack().settings.aws);
    let Some(name) = named.get(JOB_QUEUE) else {
        let what = "WALKAROUND_JOB_QUEUE is not set: photos of the GPU lane wait for ever";
        return vec![match waits {
            0 => CheckResult::warn("job queue", what, DEPLOY),
            _ => CheckResult::fail("job queue", what, DEPLOY),
        }];
    };
    let queue = match health.job_queue(name).await {
        Ok(Some(queue)) => Ok(queue),
        Ok(None) => Err(CheckResult::fail(
            "job queue",
            format!("there is no job queue {name}"),
            DEPLOY,
        )),
        Err(error) => Err(CheckResult::unanswered("job queue", &error, DEPLOY)),
    };
    let (environments, mut results) = match queue {
        Ok(queue) => (queue.environments.clone(), queue_and_environments(&queue)),
        Err(finding) => (Vec::new(), vec![finding]),
    };
    results.push(match named.require(JOB_DEFINITION) {
        Err(error) => unset("job definition", &error),
        Ok(name) => match health.worker_needs(name).await {
            Ok(needs) => definition(needs.as_ref(), &environments),
            Err(error) => CheckResult::unanswered("job definition", &error, DEPLOY),
        },
    });
    results.extend(fleet(client, waits).await);
    results
}

/// Jobs that wait, workers, and how they end.
async fn fleet(client: &CloudClient, waits: u64) -> Vec<CheckResult> {
    let jobs = match client.operations().jobs().await.map_err(Failure::of_port) {
        Ok(jobs) => jobs,
        Err(failure) => return vec![CheckResult::failed("workers", &failure, DEPLOY)],
    };
    let now = client.clock().now();
    let bounds = LaneBounds {
        tick: SCALER_TICK,
        cold_start: client.settings().cold_start,
        scaler_expected: true,
        scaler: STARTER,
    };
    let state = lane::check(client, bounds).await;
    let state = state.unwrap_or_else(|failure| CheckResult::failed("gpu lane", &failure, DEPLOY));
    let mut results = vec![waiting(&jobs, now), state];
    match WorkerFacts::gather(client, jobs.clone(), waits, STARTER).await {
        Ok(seen) => results.extend(workers(&seen)),
        // The table does not answer; Batch did.
        Err(failure) => {
            results.push(CheckResult::failed("workers", &failure, DEPLOY));
            results.push(exits(&jobs, now));
        }
    }
    results
}

async fn alarms(stack: &AwsStack, health: &Health) -> CheckResult {
    // Names of one stage begin alike: those of jobs and those of alarms.
    let jobs = stack.settings.aws.get(JOB_PREFIX).unwrap_or_default();
    let prefix = jobs.strip_suffix("worker").unwrap_or(jobs);
    match health.alarms(prefix).await {
        Ok(raised) => judge_alarms(&raised, prefix),
        // Alarms tell of trouble, they are none.
        Err(error) => CheckResult::warn(
            "alarms",
            format!("cannot be read: {}", error.detail),
            "use credentials that may call cloudwatch:DescribeAlarms",
        ),
    }
}

fn judge_alarms(raised: &[Alarm], prefix: &str) -> CheckResult {
    if raised.is_empty() {
        return CheckResult::ok("alarms", format!("none of `{prefix}…` is raised"));
    }
    let each: Vec<String> = raised
        .iter()
        .map(|a| format!("{} ({})", a.name, a.reason))
        .collect();
    CheckResult::fail(
        "alarms",
        format!("raised: {}", each.join("; ")),
        "docs/operations.md says what to try first for each alarm",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    fn source(state: &str, last: Option<&str>) -> EventSource {
        EventSource {
            function: "triage".to_owned(),
            state: state.to_owned(),
            last_result: last.map(str::to_owned),
        }
    }

    #[test]
    fn an_event_source_is_judged_by_its_state_and_last_result() {
        let problem = "PROBLEM: Function call failed";
        let cases = [
            (vec![], Level::Fail, "no function"),
            (vec![source("Enabled", Some("OK"))], Level::Ok, "triage reads"),
            (
                vec![source("Disabled", None), source("Enabled", None)],
                Level::Ok,
                "triage reads",
            ),
            (vec![source("Disabled", None)], Level::Fail, "disabled"),
            (vec![source("Creating", None)], Level::Warn, "creating"),
            (vec![source("Enabled", Some(problem))], Level::Fail, problem),
        ];
        for (sources, level, words) in cases {
            let found = triage(&sources);
            assert_eq!(found.level, level, "{found:?}");
            assert!(found.what.contains(words), "{found:?}");
        }
    }

    #[test]
    fn raised_alarms_are_named() {
        assert_eq!(judge_alarms(&[], "stage-").level, Level::Ok);
        let raised = Alarm {
            name: "stage-intake-age".to_owned(),
            reason: "Threshold Crossed".to_owned(),
        };
        let found = judge_alarms(&[raised], "stage-");
        assert!(found.level == Level::Fail && found.what.contains("stage-intake-age (Threshold Crossed)"));
    }
}
