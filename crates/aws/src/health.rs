//! What `doctor` asks AWS: who am I, do functions take messages, how long do messages wait, can Batch start workers, what
//! alarms.
//!
//! Every question is one or two calls that only read, and answers in plain facts; what they mean is decided elsewhere.

use crate::Aws;
use crate::fault::{one_line, port_error};
use aws_config::SdkConfig;
use aws_sdk_batch::types::{CeState, ComputeEnvironmentDetail, JqState, ResourceType};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, StateValue, Statistic};
use aws_sdk_sqs::types::QueueAttributeName;
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_ports::{PortCall, PortError, PortErrorKind};

/// Most alarms that are reported.
const ALARMS_MAX: i32 = 50;
/// Most sources of events of one queue that are reported.
const SOURCES_MAX: i32 = 20;
/// How far back the age of a queue's oldest message is looked for. SQS sends it every minute; after a queue has slept,
/// up to 15 minutes pass before the first one.
const AGE_LOOK_BACK: Duration = Duration::from_secs(15 * 60);
/// What Batch says of a machine image that has a newer one.
const IMAGE_OUTDATED: &str = "UPDATE_AVAILABLE";
/// Seconds of one figure of CloudWatch.
const AGE_PERIOD_S: i32 = 60;

/// Whose credentials are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Account.
    pub account: String,
    /// User or role.
    pub arn: String,
}

/// A Lambda function that takes messages from a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventSource {
    /// The function's name.
    pub function: String,
    /// `Enabled`, `Disabled`, `Creating`, ...
    pub state: String,
    /// Result of the last poll of the queue, where Lambda reports one.
    pub last_result: Option<String>,
}

impl EventSource {
    /// Whether it takes no messages, and will not by itself.
    pub fn is_off(&self) -> bool {
        matches!(self.state.as_str(), "Disabled" | "Disabling" | "Deleting")
    }
}

/// A queue of worker jobs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobQueueHealth {
    /// Whether it takes and starts jobs.
    pub enabled: bool,
    /// `VALID`, `INVALID`, `UPDATING`, ...
    pub status: String,
    /// Batch's words for it.
    pub reason: Option<String>,
    /// Where its jobs run, first choice first.
    pub environments: Vec<EnvironmentHealth>,
}

/// A compute environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvironmentHealth {
    /// Its name.
    pub name: String,
    /// Whether it starts machines.
    pub enabled: bool,
    /// `VALID`, `INVALID`, ...
    pub status: String,
    /// Batch's words for it.
    pub reason: Option<String>,
    /// Instance types or families that it may start; empty where it starts none by itself.
    pub instance_types: Vec<String>,
    /// Most vCPUs at once, where it starts machines.
    pub vcpus_max: Option<u32>,
    /// Whether AWS has a newer machine image than that of its machines. Batch says so once it has started some:
    /// <https://docs.aws.amazon.com/batch/latest/userguide/managing-ami-versions.html>.
    pub has_newer_image: bool,
}

/// What one worker asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WorkerNeeds {
    /// Image with tag or digest.
    pub image: String,
    /// vCPUs.
    pub vcpus: u32,
    /// MiB.
    pub memory_mib: u32,
    /// GPUs.
    pub gpus: u32,
}

/// An alarm that is raised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alarm {
    /// Its name.
    pub name: String,
    /// CloudWatch's words.
    pub reason: String,
}

/// Questions to AWS.
#[derive(Debug, Clone)]
pub struct Health {
    aws: Aws,
    cloudwatch: aws_sdk_cloudwatch::Client,
    lambda: aws_sdk_lambda::Client,
    sts: aws_sdk_sts::Client,
}

impl Health {
    /// The clients of a process, and with the same settings those that only this asks.
    pub fn new(aws: &Aws, config: &SdkConfig) -> Self {
        Self {
            aws: aws.clone(),
            cloudwatch: aws_sdk_cloudwatch::Client::new(config),
            lambda: aws_sdk_lambda::Client::new(config),
            sts: aws_sdk_sts::Client::new(config),
        }
    }

    /// Whose credentials these are.
    ///
    /// # Errors
    /// `Denied`: none, or none that AWS takes.
    pub async fn identity(&self) -> Result<Identity, PortError> {
        let answer = self.sts.get_caller_identity().send().await;
        let answer = answer.map_err(|e| port_error(PortCall::new("sts", "identity"), "credentials", &e))?;
        Ok(Identity {
            account: answer.account.unwrap_or_default(),
            arn: answer.arn.unwrap_or_default(),
        })
    }

    /// The functions that take messages from a queue.
    ///
    /// # Errors
    /// As SQS and Lambda.
    pub async fn event_sources(&self, queue_url: &str) -> Result<Vec<EventSource>, PortError> {
        let at = PortCall::new("lambda", "event_sources");
        let list = self
            .lambda
            .list_event_source_mappings()
            .event_source_arn(self.queue_arn(queue_url).await?)
            .max_items(SOURCES_MAX);
        let answer = list.send().await.map_err(|e| port_error(at, queue_url, &e))?;
        let mappings = answer.event_source_mappings.unwrap_or_default();
        Ok(mappings
            .into_iter()
            .map(|mapping| EventSource {
                function: function_name(mapping.function_arn().unwrap_or_default()),
                state: mapping.state.unwrap_or_default(),
                last_result: mapping.last_processing_result,
            })
            .collect())
    }

    async fn queue_arn(&self, queue_url: &str) -> Result<String, PortError> {
        let at = PortCall::new("queue", "arn");
        let queue = self.aws.sqs.get_queue_attributes().queue_url(queue_url);
        let answer = queue.attribute_names(QueueAttributeName::QueueArn).send().await;
        let answer = answer.map_err(|e| port_error(at, queue_url, &e))?;
        let arn = answer
            .attributes()
            .and_then(|a| a.get(&QueueAttributeName::QueueArn));
        arn.cloned().ok_or_else(|| {
            let detail = format!("{queue_url}: the service returned no ARN");
            at.error(PortErrorKind::Unavailable, detail)
        })
    }

    /// How long the oldest message of a queue has waited, as CloudWatch last received it; none when it has no recent value.
    /// SQS leaves out what was received three times and more.
    ///
    /// # Errors
    /// As CloudWatch.
    pub async fn oldest_age(&self, queue_url: &str, now: Timestamp) -> Result<Option<Duration>, PortError> {
        let at = PortCall::new("cloudwatch", "oldest_age");
        let moment = |t: Timestamp| DateTime::from_millis(i64::try_from(t.0).unwrap_or(i64::MAX));
        let name = queue_url.rsplit('/').next().unwrap_or(queue_url);
        let ask = self
            .cloudwatch
            .get_metric_statistics()
            .namespace("AWS/SQS")
            .metric_name("ApproximateAgeOfOldestMessage")
            .dimensions(Dimension::builder().name("QueueName").value(name).build())
            .start_time(moment(now - AGE_LOOK_BACK))
            .end_time(moment(now))
            .period(AGE_PERIOD_S)
            .statistics(Statistic::Maximum);
        let answer = ask.send().await;
        let answer = answer.map_err(|e| port_error(at, &format!("the age of queue {name}"), &e))?;
        // They come in no order.
        let last = answer
            .datapoints()
            .iter()
            .max_by_key(|point| point.timestamp().map(DateTime::secs));
        let age = last.and_then(|point| point.maximum());
        Ok(age.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()))
    }

    /// The job queue and its compute environments; none when there is no such queue.
    ///
    /// # Errors
    /// As Batch.
    pub async fn job_queue(&self, name: &str) -> Result<Option<JobQueueHealth>, PortError> {
        let at = PortCall::new("capacity", "job_queue");
        let what = format!("job queue {name}");
        let answer = self.aws.batch.describe_job_queues().job_queues(name).send().await;
        let answer = answer.map_err(|e| port_error(at, &what, &e))?;
        let Some(queue) = answer.job_queues().first() else {
            return Ok(None);
        };
        let order = queue.compute_environment_order();
        let names: Vec<String> = order
            .iter()
            .filter_map(|o| o.compute_environment().map(str::to_owned))
            .collect();
        let mut environments = Vec::new();
        if !names.is_empty() {
            let describe = self
                .aws
                .batch
                .describe_compute_environments()
                .set_compute_environments(Some(names.clone()));
            let answer = describe.send().await.map_err(|e| port_error(at, &what, &e))?;
            environments = answer.compute_environments.unwrap_or_default();
        }
        environments.sort_by_key(|e| {
            let named = |name: &String| {
                Some(name.as_str()) == e.compute_environment_arn()
                    || Some(name.as_str()) == e.compute_environment_name()
            };
            names.iter().position(named)
        });
        Ok(Some(JobQueueHealth {
            enabled: queue.state() == Some(&JqState::Enabled),
            status: queue.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
            reason: queue.status_reason().map(one_line).filter(|r| !r.is_empty()),
            environments: environments.iter().map(environment).collect(),
        }))
    }

    /// What a worker of a job definition (name, name with revision, ARN) asks for; none when there is no such one.
    ///
    /// # Errors
    /// As Batch.
    pub async fn worker_needs(&self, definition: &str) -> Result<Option<WorkerNeeds>, PortError> {
        let at = PortCall::new("capacity", "job_definition");
        let describe = self.aws.batch.describe_job_definitions();
        // A bare name means its latest active revision; anything more exact names one.
        let describe = match definition.contains(':') {
            true => describe.job_definitions(definition),
            false => describe.job_definition_name(definition).status("ACTIVE"),
        };
        let answer = describe.send().await;
        let answer = answer.map_err(|e| port_error(at, &format!("job definition {definition}"), &e))?;
        let latest = answer
            .job_definitions
            .unwrap_or_default()
            .into_iter()
            .filter(|d| d.status() != Some("INACTIVE"))
            .max_by_key(|d| d.revision());
        let Some(container) = latest.as_ref().and_then(|d| d.container_properties()) else {
            return Ok(None);
        };
        let need = |kind: &ResourceType| {
            let all = container.resource_requirements();
            let one = all.iter().find(|r| r.r#type() == Some(kind));
            // Fractions of a vCPU exist on Fargate only.
            one.and_then(|r| r.value()?.parse().ok()).unwrap_or_default()
        };
        Ok(Some(WorkerNeeds {
            image: container.image().unwrap_or_default().to_owned(),
            vcpus: need(&ResourceType::Vcpu),
            memory_mib: need(&ResourceType::Memory),
            gpus: need(&ResourceType::Gpu),
        }))
    }

    /// Raised alarms whose names begin with `prefix`.
    ///
    /// # Errors
    /// As CloudWatch.
    pub async fn alarms(&self, prefix: &str) -> Result<Vec<Alarm>, PortError> {
        let describe = self
            .cloudwatch
            .describe_alarms()
            .state_value(StateValue::Alarm)
            .alarm_name_prefix(prefix)
            .max_records(ALARMS_MAX);
        let answer = describe.send().await;
        let answer = answer.map_err(|e| port_error(PortCall::new("cloudwatch", "alarms"), "alarms", &e))?;
        let alarms = answer.metric_alarms().iter();
        Ok(alarms
            .filter(|alarm| alarm.state_value() == Some(&StateValue::Alarm))
            .map(|alarm| Alarm {
                name: alarm.alarm_name().unwrap_or_default().to_owned(),
                reason: one_line(alarm.state_reason().unwrap_or("no reason given")),
            })
            .collect())
    }

    /// Checks that a table is there and serves.
    ///
    /// # Errors
    /// `NotFound`, `Denied`, else as the service.
    pub async fn table(&self, name: &str) -> Result<(), PortError> {
        let at = PortCall::new("records", "describe");
        let answer = self.aws.dynamodb.describe_table().table_name(name).send().await;
        let answer = answer.map_err(|e| port_error(at, &format!("table {name}"), &e))?;
        let status = answer.table().and_then(|t| t.table_status());
        match status.map(|s| s.as_str()) {
            Some("ACTIVE" | "UPDATING") => Ok(()),
            other => {
                let detail = format!("table {name}: its status is {}", other.unwrap_or("not given"));
                Err(at.error(PortErrorKind::Unavailable, detail))
            }
        }
    }
}

/// The name in the ARN of a function.
fn function_name(arn: &str) -> String {
    let name = arn.split(":function:").nth(1).unwrap_or(arn);
    name.split(':').next().unwrap_or(name).to_owned()
}

fn environment(e: &ComputeEnvironmentDetail) -> EnvironmentHealth {
    let resources = e.compute_resources();
    EnvironmentHealth {
        name: e.compute_environment_name().unwrap_or_default().to_owned(),
        enabled: e.state() == Some(&CeState::Enabled),
        status: e.status().map(|s| s.as_str().to_owned()).unwrap_or_default(),
        reason: e.status_reason().map(one_line).filter(|r| !r.is_empty()),
        instance_types: resources.map(|r| r.instance_types().to_vec()).unwrap_or_default(),
        vcpus_max: resources.and_then(|r| u32::try_from(r.maxv_cpus()?).ok()),
        has_newer_image: resources.is_some_and(|r| {
            let images = r.ec2_configuration().iter();
            images
                .filter_map(|image| image.batch_image_status())
                .any(|s| s == IMAGE_OUTDATED)
        }),
    }
}
