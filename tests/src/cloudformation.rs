//! Stacks from the shipped templates (`infra/`) in an emulator, and clients of it.
//!
//! CloudFormation answers before a stack is made: [`deploy`] asks until it is, and says why when it is not.

use aws_config::SdkConfig;
use aws_sdk_cloudformation::Client;
use aws_sdk_cloudformation::error::DisplayErrorContext;
use aws_sdk_cloudformation::types::{Capability, Parameter, Stack, StackStatus};
use aws_sdk_sqs::config::Credentials;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;
use tokio::runtime::Runtime;
use walkaround_aws::{Aws, Connection};
use walkaround_emulators::{CREDENTIALS, REGION};
use walkaround_messages::utc_day;
use walkaround_ports::{Clock, SystemClock};

/// Looks at a stack that is being made, and the time between two: a minute in all.
const LOOKS_MAX: u32 = 240;
const LOOK_EVERY: Duration = Duration::from_millis(250);

/// Makes a stack of the emulator at an address from a template file, and gives its outputs.
///
/// # Panics
/// When the stack cannot be made: with the reason of each resource that failed.
pub fn deploy(
    runtime: &Runtime,
    endpoint: &str,
    template: &Path,
    name: &str,
    parameters: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let body = std::fs::read_to_string(template).unwrap_or_else(|e| panic!("{}: {e}", template.display()));
    let set = parameters.iter().map(|(key, value)| {
        Parameter::builder()
            .parameter_key(*key)
            .parameter_value(*value)
            .build()
    });
    let set: Vec<Parameter> = set.collect();
    runtime.block_on(async {
        let client = Client::new(&config(endpoint, &Connection::default()).await);
        let create = client
            .create_stack()
            .stack_name(name)
            .template_body(body)
            .set_parameters(Some(set));
        let created = create.capabilities(Capability::CapabilityIam).send().await;
        created.unwrap_or_else(|e| panic!("{}: {}", template.display(), DisplayErrorContext(&e)));
        let stack = made(&client, name).await;
        let outputs = stack.outputs.unwrap_or_default().into_iter();
        outputs
            .filter_map(|o| Some((o.output_key?, o.output_value?)))
            .collect()
    })
}

/// Makes a stack that fails, waits until it is undone, deletes it, and returns what failed.
///
/// # Panics
/// When it does not fail, or cannot be undone.
pub fn fails(
    runtime: &Runtime,
    endpoint: &str,
    body: &str,
    name: &str,
    parameters: &[(&str, &str)],
) -> String {
    let set = parameters.iter().map(|(key, value)| {
        Parameter::builder()
            .parameter_key(*key)
            .parameter_value(*value)
            .build()
    });
    let set: Vec<Parameter> = set.collect();
    runtime.block_on(async {
        let client = Client::new(&config(endpoint, &Connection::default()).await);
        let create = client.create_stack().stack_name(name).template_body(body);
        let created = create.set_parameters(Some(set)).send().await;
        created.unwrap_or_else(|e| panic!("{name}: {}", DisplayErrorContext(&e)));
        until(&client, name, Some(StackStatus::RollbackComplete)).await;
        let why = reasons(&client, name).await;
        let deleted = client.delete_stack().stack_name(name).send().await;
        deleted.unwrap_or_else(|e| panic!("{name}: {}", DisplayErrorContext(&e)));
        until(&client, name, None).await;
        why
    })
}

/// Waits until the stack is in this state, or gone.
async fn until(client: &Client, name: &str, wanted: Option<StackStatus>) {
    let mut seen = None;
    for _ in 0..LOOKS_MAX {
        let answer = client.describe_stacks().stack_name(name).send().await;
        let stacks = answer.ok().and_then(|a| a.stacks).unwrap_or_default();
        seen = stacks.first().and_then(|s| s.stack_status().cloned());
        if seen == wanted || (wanted.is_none() && seen == Some(StackStatus::DeleteComplete)) {
            return;
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
    panic!("stack {name} is {seen:?}, not {wanted:?}");
}

/// Waits until the stack is there.
async fn made(client: &Client, name: &str) -> Stack {
    for _ in 0..LOOKS_MAX {
        let answer = client.describe_stacks().stack_name(name).send().await;
        let stacks = answer.expect("stacks are described").stacks.unwrap_or_default();
        let stack = stacks.into_iter().next().expect("the stack is there");
        match stack.stack_status() {
            Some(StackStatus::CreateComplete) => return stack,
            Some(StackStatus::CreateInProgress) => tokio::time::sleep(LOOK_EVERY).await,
            other => panic!("stack {name}: {other:?}\n{}", reasons(client, name).await),
        }
    }
    panic!("stack {name} is not made after {:?}", LOOK_EVERY * LOOKS_MAX);
}

/// What failed in a stack, a line each.
async fn reasons(client: &Client, name: &str) -> String {
    let answer = client.describe_stack_events().stack_name(name).send().await;
    let events = answer
        .expect("events are described")
        .stack_events
        .unwrap_or_default();
    let failed = events.iter().filter(|e| {
        e.resource_status()
            .is_some_and(|s| s.as_str().ends_with("FAILED"))
    });
    let lines = failed.map(|e| {
        let reason = e.resource_status_reason().unwrap_or_default();
        format!("{}: {reason}", e.logical_resource_id().unwrap_or_default())
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// Settings of clients of the emulator at an address, whatever the environment says.
async fn config(endpoint: &str, connection: &Connection) -> SdkConfig {
    let connection = Connection {
        region: Some(REGION.to_owned()),
        endpoint_url: Some(endpoint.to_owned()),
        ..connection.clone()
    };
    let credentials = Credentials::new(CREDENTIALS.0, CREDENTIALS.1, None, None, "emulator");
    connection.loader().credentials_provider(credentials).load().await
}

/// Clients of the emulator at an address, whatever the environment says.
pub async fn clients(endpoint: &str, connection: &Connection) -> Aws {
    Aws::new(&config(endpoint, connection).await)
}

/// Makes a bucket.
///
/// # Panics
/// When it cannot be made.
pub async fn bucket(aws: &Aws, name: &str) {
    // Buckets of the emulators' region have to say so.
    let place = aws_sdk_s3::types::CreateBucketConfiguration::builder().location_constraint(REGION.into());
    let create = aws.s3.create_bucket().bucket(name);
    let made = create.create_bucket_configuration(place.build()).send().await;
    made.unwrap_or_else(|e| panic!("bucket {name}: {}", DisplayErrorContext(&e)));
}

/// The days that records of a running test may be listed under: today, and what was today an hour ago.
pub fn days() -> BTreeSet<String> {
    let now = SystemClock::new().now();
    [now, now - Duration::from_secs(3600)].map(utc_day).into()
}

/// Numbers of an event source mapping.
pub(crate) struct Mapping {
    /// Messages of one invocation (`BatchSize`).
    pub(crate) batch: u32,
    /// Seconds that an invocation waits for more (`BatchWindowS`).
    pub(crate) window_s: u32,
    /// Invocations at once (`TriageConcurrency`).
    pub(crate) concurrency: u32,
}

/// ministack keeps the numbers that a template takes from its parameters as text, and its poller compares them with
/// numbers; AWS converts. So every mapping is given the wanted ones again, as numbers.
///
/// # Panics
/// When the emulator refuses.
pub(crate) async fn numbers_as_numbers(endpoint: &str, wanted: &Mapping) {
    let client = reqwest::Client::new();
    let mappings = format!("{endpoint}/2015-03-31/event-source-mappings/");
    let get = client.get(&mappings).send().await.expect("the emulator answers");
    let listed: serde_json::Value =
        serde_json::from_slice(&get.bytes().await.expect("an answer")).expect("JSON");
    for mapping in listed["EventSourceMappings"].as_array().expect("a list") {
        let uuid = mapping["UUID"].as_str().expect("a name");
        let numbers = serde_json::json!({
            "BatchSize": wanted.batch,
            "MaximumBatchingWindowInSeconds": wanted.window_s,
            "ScalingConfig": {"MaximumConcurrency": wanted.concurrency},
        });
        let put = client.put(format!("{mappings}{uuid}")).body(numbers.to_string());
        let status = put.send().await.expect("the emulator answers").status();
        assert!(status.is_success(), "{status}");
    }
}
