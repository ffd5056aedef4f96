//! Workers on moto's AWS Batch, the independent reading of the API: calls, names, errors. Its jobs succeed at once,
//! so what needs one that runs is in `capacity_answers.rs`.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod common;

use aws_sdk_batch::types::{
    CeType, ComputeEnvironmentOrder, ContainerProperties, JobDefinitionType, JqState, ResourceRequirement,
    ResourceType,
};
use common::aws;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use walkaround_aws::{Aws, AwsBatchConfig, BatchCapacity};
use walkaround_conformance::{Capabilities, CapacityUnderTest, RealTime, capacity_suite};
use walkaround_emulators::{ACCOUNT, Moto, REGION};
use walkaround_ports::{GpuCapacity, PortErrorKind, SystemClock, WorkerJobState};

/// moto checks whether the service role exists; the SDK for IAM would be a crate of its own for one call.
async fn make_role(endpoint: &str) -> String {
    let address = endpoint.trim_start_matches("http://");
    let body = "Action=CreateRole&Version=2010-05-08&RoleName=batch&AssumeRolePolicyDocument=%7B%7D";
    let request = format!(
        "POST / HTTP/1.1\r\nhost: iam.amazonaws.com\r\nconnection: close\r\ncontent-length: {}\r\n\
         content-type: application/x-www-form-urlencoded\r\nauthorization: AWS4-HMAC-SHA256 \
         Credential=test/20261122/{REGION}/iam/aws4_request, SignedHeaders=host, Signature=0\r\n\r\n{body}",
        body.len()
    );
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    format!("arn:aws:iam::{ACCOUNT}:role/batch")
}

/// A compute environment and a job definition; the names of later queues lead to them.
async fn set_up(aws: &Aws, role: &str) -> String {
    let environment = aws
        .batch
        .create_compute_environment()
        .compute_environment_name("workers")
        .r#type(CeType::Unmanaged)
        .service_role(role);
    let environment = environment.send().await.unwrap();
    let need = |kind, value| ResourceRequirement::builder().r#type(kind).value(value).build();
    let container = ContainerProperties::builder()
        .image("worker:0.1.0")
        .resource_requirements(need(ResourceType::Vcpu, "4"))
        .resource_requirements(need(ResourceType::Memory, "8192"))
        .build();
    let definition = aws
        .batch
        .register_job_definition()
        .job_definition_name("worker")
        .r#type(JobDefinitionType::Container)
        .container_properties(container);
    definition.send().await.unwrap();
    environment.compute_environment_arn.unwrap()
}

/// A queue of its own.
async fn capacity(aws: &Aws, environment: &str) -> BatchCapacity {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("gpu-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    let order = ComputeEnvironmentOrder::builder()
        .order(1)
        .compute_environment(environment)
        .build();
    let queue = aws
        .batch
        .create_job_queue()
        .job_queue_name(&name)
        .state(JqState::Enabled)
        .priority(1)
        .compute_environment_order(order);
    queue.send().await.unwrap();
    let settings = AwsBatchConfig {
        job_queue: name,
        job_definition: "worker".to_owned(),
        name_prefix: "walkaround-test".to_owned(),
    };
    BatchCapacity::new(aws.batch.clone(), settings, Arc::new(SystemClock::new()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_moto() {
    let moto = Moto::start();
    let aws = aws(moto.endpoint()).await;
    let environment = set_up(&aws, &make_role(&moto.endpoint()).await).await;
    let make = || async {
        CapacityUnderTest {
            capacity: Arc::new(capacity(&aws, &environment).await),
            workers_max: None,
            time: Arc::new(RealTime {
                unit: Duration::from_millis(200),
                patience: Duration::ZERO,
            }),
            keep: Box::new(()),
        }
    };
    let at_once = "moto's jobs succeed at once without running";
    let capabilities = Capabilities::all()
        .without("started_job_runs_and_ends", at_once)
        .without("jobs_are_ended_one_by_one", at_once)
        .without(
            "never_more_than_the_most",
            "Batch takes any number of jobs; its compute environments bound what runs",
        );
    println!("{}", capacity_suite(make, &capabilities).await.require());
    jobs_that_ended_are_told(&aws, &environment).await;
    a_queue_that_is_not_there_is_told(&aws).await;
}

async fn jobs_that_ended_are_told(aws: &Aws, environment: &str) {
    let capacity = capacity(aws, environment).await;
    let mut ids = capacity.start(3).await.unwrap();
    let mut fleet = capacity.fleet().await.unwrap();
    for _ in 0..100 {
        if fleet
            .iter()
            .all(|job| matches!(job.state, WorkerJobState::Ended { .. }))
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        fleet = capacity.fleet().await.unwrap();
    }
    let over = |state| matches!(state, WorkerJobState::Ended { .. });
    assert!(fleet.iter().all(|job| over(job.state)), "{fleet:?}");
    let mut told: Vec<String> = fleet.into_iter().map(|job| job.id).collect();
    told.sort();
    ids.sort();
    assert_eq!(told, ids);
    let described = aws.batch.describe_jobs().jobs(&ids[0]).send().await.unwrap();
    let prefix = described.jobs()[0].tags().and_then(|tags| tags.get("walkaround"));
    assert_eq!(
        prefix.map(String::as_str),
        Some("walkaround-test"),
        "{described:?}"
    );
}

async fn a_queue_that_is_not_there_is_told(aws: &Aws) {
    let settings = AwsBatchConfig {
        job_queue: "nowhere".to_owned(),
        job_definition: "worker".to_owned(),
        name_prefix: "walkaround-test".to_owned(),
    };
    let capacity = BatchCapacity::new(aws.batch.clone(), settings, Arc::new(SystemClock::new()));
    let error = capacity.fleet().await.unwrap_err();
    assert_eq!(error.kind, PortErrorKind::Invalid);
    assert!(
        error
            .to_string()
            .starts_with("capacity.fleet: job queue nowhere: ClientException: "),
        "{error}"
    );
    let error = capacity.start(1).await.unwrap_err();
    assert!(!error.kind.is_transient(), "{error}");
}
