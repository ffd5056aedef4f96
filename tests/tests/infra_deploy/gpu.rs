//! What infra/gpu.yaml makes, property by property.

use crate::pipeline::configuration;
use crate::place::Place;
use std::collections::BTreeMap;
use std::sync::Arc;
use walkaround_aws::{AwsBatchConfig, BatchCapacity};
use walkaround_emulators::{ACCOUNT, REGION};
use walkaround_ports::{GpuCapacity, SystemClock};

/// moto wants a role that is there; AWS has one of its own.
pub(crate) fn service_role(place: &Place) -> String {
    let answer = place.form(
        "iam",
        "Action=CreateRole&Version=2010-05-08&RoleName=batch&AssumeRolePolicyDocument=%7B%7D",
    );
    assert!(answer.contains("<RoleName>batch</RoleName>"), "{answer}");
    format!("arn:aws:iam::{ACCOUNT}:role/batch")
}

/// Spot first, then on-demand, both from nothing.
pub(crate) fn capacity_is_as_written(place: &Place) {
    let (batch, runtime) = (&place.aws.batch, &place.runtime);
    let queues = runtime.block_on(batch.describe_job_queues().send()).unwrap();
    let [queue] = queues.job_queues() else {
        panic!("one job queue")
    };
    assert_eq!(queue.job_queue_name(), Some(place.output("JobQueue")));
    let environments = runtime
        .block_on(batch.describe_compute_environments().send())
        .unwrap();
    let order = queue.compute_environment_order().iter();
    let kinds: Vec<String> = order
        .map(|o| {
            let arn = o.compute_environment();
            let all = environments.compute_environments().iter();
            let one = all
                .filter(|e| e.compute_environment_arn() == arn)
                .collect::<Vec<_>>()[0];
            let resources = one.compute_resources().unwrap();
            assert_eq!(
                (resources.minv_cpus(), resources.maxv_cpus()),
                (Some(0), Some(112))
            );
            let on_demand = resources.r#type().unwrap().as_str() == "EC2";
            let types: &[&str] = if on_demand {
                &["g4dn.xlarge"]
            } else {
                &["g4dn.xlarge", "g5.xlarge"]
            };
            assert_eq!(resources.instance_types(), types);
            assert_eq!(
                resources.ec2_configuration()[0].image_type(),
                Some("ECS_AL2023_NVIDIA")
            );
            assert_eq!(resources.subnets().len(), 3, "a zone each");
            assert!(resources.launch_template().is_some());
            resources.r#type().unwrap().as_str().to_owned()
        })
        .collect();
    assert_eq!(kinds, ["SPOT", "EC2"], "Spot first");
}

/// What a worker is, what it needs, and when it is tried again.
pub(crate) fn worker_is_as_written(place: &Place, image: &str) {
    let (batch, runtime) = (&place.aws.batch, &place.runtime);
    let definitions = runtime.block_on(batch.describe_job_definitions().send()).unwrap();
    let [definition] = definitions.job_definitions() else {
        panic!("one job definition")
    };
    assert_eq!(
        definition.job_definition_name(),
        Some(place.output("JobDefinition"))
    );
    let container = definition.container_properties().unwrap();
    assert_eq!(container.image(), Some(image));
    let needs = container.resource_requirements().iter();
    let needs = needs.map(|r| {
        (
            r.r#type().unwrap().as_str().to_owned(),
            r.value().unwrap().to_owned(),
        )
    });
    let expected = [("GPU", "1"), ("MEMORY", "14000"), ("VCPU", "4")];
    assert_eq!(
        needs.collect::<BTreeMap<_, _>>(),
        expected.map(|(k, v)| (k.to_owned(), v.to_owned())).into()
    );
    let variables: BTreeMap<&str, &str> = container
        .environment()
        .iter()
        .map(|v| (v.name().unwrap(), v.value().unwrap()))
        .collect();
    assert_eq!(
        variables["WALKAROUND_SEGMENTATION_QUEUE"],
        place.output("SegmentationQueueUrl")
    );
    assert_eq!(variables["WALKAROUND_DEVICE"], "cuda");
    assert_eq!(variables["AWS_REGION"], REGION);
    let rules = definition.retry_strategy().unwrap().evaluate_on_exit();
    assert_eq!(
        rules.first().and_then(|r| r.on_status_reason()),
        Some("Host EC2*")
    );
    assert_eq!(rules.last().and_then(|r| r.on_reason()), Some("*"));
}

/// The scaler's adapter starts a worker by the names that the functions are given.
pub(crate) fn workers_start(place: &Place) {
    let scaler = configuration(place, "ScalerFunction");
    let variable = |name: &str| {
        let value = &scaler["Environment"]["Variables"][name];
        value
            .as_str()
            .unwrap_or_else(|| panic!("{name}: {value}"))
            .to_owned()
    };
    let settings = AwsBatchConfig {
        job_queue: variable("WALKAROUND_JOB_QUEUE"),
        job_definition: variable("WALKAROUND_JOB_DEFINITION"),
        name_prefix: variable("WALKAROUND_JOB_PREFIX"),
    };
    let capacity = BatchCapacity::new(place.aws.batch.clone(), settings, Arc::new(SystemClock::new()));
    let fleet = place.runtime.block_on(async {
        let started = capacity.start(2).await.unwrap();
        let fleet = capacity.fleet().await.unwrap();
        (started, fleet)
    });
    let ids: Vec<String> = fleet.1.into_iter().map(|w| w.id).collect();
    assert!(
        fleet.0.iter().all(|id| ids.contains(id)),
        "{:?} in {ids:?}",
        fleet.0
    );
}
