//! The shipped templates, deployed: each property is looked up on what was made, as a green deployment proves little.
//! What an emulator drops without a word is asserted, too: once it keeps it, the test says so, and it can be looked up
//! there as well.
//!
//! ministack takes storage, pipeline and operations (it refuses AWS Batch and metric math in CloudFormation); moto takes
//! all four.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod gpu;
mod pipeline;
mod place;
mod storage;

use gpu::{capacity_is_as_written, service_role, worker_is_as_written, workers_start};
use pipeline::{
    alarm_subscriptions, alarms, configuration, event_source_is_as_written, functions_are_as_written,
    logs_end, rules_are_as_written,
};
use place::{PREFIX, Place};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use walkaround_emulators::{ACCOUNT, Ministack, Moto, REGION};

/// The scaler has nobody to ask for workers here, and the monitor's code is an empty file.
const ASLEEP: [(&str, &str); 2] = [("ScalerSchedule", "DISABLED"), ("CanarySchedule", "DISABLED")];

#[test]
fn storage_on_ministack() {
    let ministack = Ministack::start();
    let mut place = Place::at(ministack.endpoint());
    place.deploy("storage", &[]);
    storage::buckets_are_encrypted(&place);
    storage::buckets_are_private(&place);
    assert_eq!(storage::versioned(&place), ["PhotosBucket", "BundlesBucket"]);
    let intake = place.output("IntakeQueueArn").to_owned();
    assert_eq!(
        storage::notified(&place),
        BTreeMap::from([(intake, vec!["s3:ObjectCreated:*".to_owned()])])
    );
    storage::queues_are_as_written(&place);
    storage::table_is_the_codes(&place);
    a_photo_reaches_intake(&place, "aws:s3");
    let dead = &storage::queue(&place, "IntakeDeadQueueUrl")["RedriveAllowPolicy"];
    assert!(
        dead.contains("byQueue") && dead.contains(&format!("{PREFIX}-intake\"")),
        "{dead}"
    );
    let policy = &storage::queue(&place, "IntakeQueueUrl")["Policy"];
    assert!(
        policy.contains("s3.amazonaws.com") && policy.contains(place.output("PhotosBucket")),
        "{policy}"
    );

    // Dropped by ministack.
    assert_eq!(storage::with_lifecycle(&place), [""; 0]);
    assert_eq!(storage::ttl_and_recovery(&place), (false, false));
    assert_eq!(storage::topic_key(&place), None);
}

#[test]
fn pipeline_on_ministack() {
    let ministack = Ministack::start();
    let mut place = Place::at(ministack.endpoint());
    place.deploy("storage", &[]);
    let endpoint = [("EndpointUrl", "http://127.0.0.1:1")];
    place.deploy("pipeline", &[&ASLEEP[..], &endpoint].concat());
    functions_are_as_written(&place);
    let triage = configuration(&place, "TriageFunction");
    assert_eq!(
        triage["Environment"]["Variables"]["AWS_ENDPOINT_URL"],
        "http://127.0.0.1:1"
    );
    assert_eq!(
        (
            &triage["TracingConfig"]["Mode"],
            // ministack keeps numbers that come from a parameter as text.
            triage["EphemeralStorage"]["Size"].to_string().trim_matches('"')
        ),
        (&json!("Active"), "1024")
    );
    assert_eq!(
        triage["LoggingConfig"]["LogGroup"],
        format!("/walkaround/{PREFIX}/triage")
    );
    event_source_is_as_written(&place);
    rules_are_as_written(&place);
    logs_end(
        &place,
        &[("triage", 30), ("scaler", 30), ("notifier", 30), ("monitor", 30)],
    );
    // Dropped by ministack.
    let scaler = place.output("ScalerFunction");
    let asynchronous = place.lambda(&format!("2019-09-25/functions/{scaler}/event-invoke-config"));
    assert!(asynchronous["MaximumRetryAttempts"].is_null(), "{asynchronous}");
    let topic = place.output("AlarmTopicArn");
    assert_eq!(
        alarms(&place),
        BTreeMap::from([("segmentation-age".to_owned(), json!([topic]))])
    );
    let notifier = configuration(&place, "NotifierFunction")["FunctionArn"]
        .as_str()
        .unwrap()
        .to_owned();
    assert_eq!(alarm_subscriptions(&place), [("lambda".to_owned(), notifier)]);
}

#[test]
fn operations_on_ministack() {
    let ministack = Ministack::start();
    let mut place = Place::at(ministack.endpoint());
    place.deploy("storage", &[]);
    place.deploy("pipeline", &ASLEEP);
    place.deploy("operations", &[("GpuStack", "false"), ("MetricMath", "false")]);
    let topic = json!([place.output("AlarmTopicArn")]);
    let expected = [
        "alarm-delivery",
        "canary-rolled-back",
        "event-delivery",
        "intake-age",
        "intake-dead",
        "model-drift",
        "notifier-dropped",
        "scaler-duration",
        "segmentation-age",
        "segmentation-dead",
        "triage-duration",
        "triage-throttles",
    ];
    assert_eq!(
        alarms(&place),
        expected.map(|name| (name.to_owned(), topic.clone())).into()
    );
    for program in ["triage", "scaler", "notifier", "monitor"] {
        let name = json!({"DeliveryStreamName": format!("{PREFIX}-{program}")});
        let stream = place.ask("firehose", "Firehose_20150804.DescribeDeliveryStream", &name);
        let stream = &stream["DeliveryStreamDescription"];
        let to = &stream["Destinations"][0]["ExtendedS3DestinationDescription"];
        assert_eq!(
            to["BucketARN"],
            format!("arn:aws:s3:::{}", place.output("LogsBucket"))
        );
        assert_eq!(to["CompressionFormat"], "GZIP");
        assert!(
            to["Prefix"]
                .as_str()
                .unwrap()
                .starts_with(&format!("program={program}/year=")),
            "{to}"
        );
        let group = json!({"logGroupName": format!("/walkaround/{PREFIX}/{program}")});
        let filters = place.ask("logs", "Logs_20140328.DescribeSubscriptionFilters", &group);
        assert_eq!(
            filters["subscriptionFilters"][0]["destinationArn"],
            stream["DeliveryStreamARN"]
        );
    }
    let board = json!({"DashboardName": PREFIX});
    let board = place.ask("monitoring", "GraniteServiceVersion20100801.GetDashboard", &board);
    let body: Value = serde_json::from_str(board["DashboardBody"].as_str().unwrap()).unwrap();
    assert!(body["widgets"].as_array().unwrap().len() >= 12, "{body}");
    assert!(!body.to_string().contains("${"), "every name is filled in");
}

#[test]
fn photos_told_by_eventbridge_on_ministack() {
    let ministack = Ministack::start();
    let mut place = Place::at(ministack.endpoint());
    place.deploy("storage", &[("PhotoEvents", "EventBridge")]);
    assert_eq!(storage::notified(&place), BTreeMap::new());
    a_photo_reaches_intake(&place, "Object Created");
}

/// A creation that fails after everything that outlives its stack was made leaves nothing in the way of the next one.
#[test]
fn storage_is_made_again_after_it_failed_half_way_on_ministack() {
    let ministack = Ministack::start();
    let mut place = Place::at(ministack.endpoint());
    let planted = storage::template_that_fails();
    let why = place.refused("storage", &planted);
    assert!(why.contains("Planted"), "{why}");
    assert_eq!(storage::left(&place), [""; 0], "what the failed creation left");
    place.deploy("storage", &[]);
    // With `Retain` everything would be left: what this test is for.
    let second = Ministack::start();
    let mut other = Place::at(second.endpoint());
    let _ = other.refused("storage", &planted.replace("RetainExceptOnCreate", "Retain"));
    assert!(storage::left(&other).len() >= 5, "{:?}", storage::left(&other));
}

#[test]
fn photos_below_a_prefix_and_other_accounts_on_ministack() {
    let ministack = Ministack::start();
    let mut place = Place::at(ministack.endpoint());
    let accounts = "111122223333,444455556666";
    place.deploy(
        "storage",
        &[
            ("PhotoPrefix", "in/"),
            ("SenderAccounts", accounts),
            ("SubscriberAccounts", accounts),
        ],
    );
    let call = place.aws.s3.get_bucket_notification_configuration();
    let call = call.bucket(place.output("PhotosBucket")).send();
    let told = format!("{:?}", place.runtime.block_on(call).unwrap());
    assert!(told.contains("in/"), "{told}");
    let policy = &storage::queue(&place, "IntakeQueueUrl")["Policy"];
    assert!(
        policy.contains("111122223333") && policy.contains("444455556666"),
        "{policy}"
    );
    a_photo_reaches_intake(&place, "aws:s3");
}

#[test]
fn photos_in_a_bucket_that_is_there_on_ministack() {
    let ministack = Ministack::start();
    let mut place = Place::at(ministack.endpoint());
    place.deploy("storage", &[("ExistingPhotosBucket", "code")]);
    assert_eq!(place.output("PhotosBucket"), "code");
    let buckets = place
        .runtime
        .block_on(place.aws.s3.list_buckets().send())
        .unwrap();
    assert_eq!(
        buckets.buckets().len(),
        4,
        "its own three, and the one that was there"
    );
    let policy = &storage::queue(&place, "IntakeQueueUrl")["Policy"];
    assert!(policy.contains("arn:aws:s3:::code"), "{policy}");
}

#[test]
fn all_stacks_on_moto() {
    let moto = Moto::start();
    let mut place = Place::at(moto.endpoint());
    place.deploy("storage", &[]);
    storage::buckets_are_encrypted(&place);
    storage::queues_are_as_written(&place);
    storage::table_is_the_codes(&place);
    place.deploy("pipeline", &ASLEEP);
    functions_are_as_written(&place);
    event_source_is_as_written(&place);
    rules_are_as_written(&place);
    let service_role = service_role(&place);
    let image = "registry.example/worker:v1";
    let secret = format!("arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:photo-header-AbCdEf");
    place.deploy(
        "gpu",
        &[
            ("WorkerImageUri", image),
            ("ServiceRoleArn", &service_role),
            // moto does not split the default of a list, and makes lists of empty texts.
            ("InstanceTypes", "g4dn.xlarge,g5.xlarge"),
            ("OnDemandInstanceTypes", "g4dn.xlarge"),
            ("OnnxRuntimePath", "/opt/onnxruntime/libonnxruntime.so"),
            ("PhotoHosts", "photos.example"),
            ("PhotoHeaderSecretArn", &secret),
        ],
    );
    capacity_is_as_written(&place);
    worker_is_as_written(&place, image);
    workers_start(&place);
    place.deploy("operations", &[]);
    let programs = [
        ("triage", 30),
        ("scaler", 30),
        ("notifier", 30),
        ("monitor", 30),
        ("worker", 30),
        ("delivery", 14),
    ];
    logs_end(&place, &programs);

    // Dropped by moto.
    // Asked by hand: without a configuration, moto's answers are not what the SDK reads.
    for (what, words) in [("notification", "Queue"), ("versioning", "Enabled")] {
        let answer = place.get("s3", &format!("{}?{what}", place.output("PhotosBucket")));
        assert!(answer.contains("Response") && !answer.contains(words), "{answer}");
    }
    assert_eq!(storage::with_lifecycle(&place), [""; 0]);
    assert_eq!(storage::ttl_and_recovery(&place), (false, false));
    assert!(!storage::queue(&place, "IntakeQueueUrl").contains_key("Policy"));
    assert_eq!(alarms(&place), BTreeMap::new());
    assert_eq!(alarm_subscriptions(&place), []);
    let streams = place.ask("firehose", "Firehose_20150804.ListDeliveryStreams", &json!({}));
    assert_eq!(streams["DeliveryStreamNames"], json!([]));
}

#[test]
fn a_network_of_endpoints_on_moto() {
    let moto = Moto::start();
    let mut place = Place::at(moto.endpoint());
    place.deploy("storage", &[]);
    let service_role = service_role(&place);
    let parameters = [
        ("Network", "Endpoints"),
        ("WorkerImageUri", "registry.example/worker:v1"),
        ("ServiceRoleArn", &service_role),
        ("InstanceTypes", "g4dn.xlarge,g5.xlarge"),
        ("OnDemandInstanceTypes", "g4dn.xlarge"),
    ];
    place.deploy("gpu", &parameters);
    let endpoints = place.form("ec2", "Action=DescribeVpcEndpoints&Version=2016-11-15");
    for service in [
        "s3",
        "dynamodb",
        "sqs",
        "sns",
        "ecr.api",
        "ecr.dkr",
        "ecs",
        "ecs-agent",
        "ecs-telemetry",
        "logs",
    ] {
        let name = format!(".{service}<");
        assert!(endpoints.contains(&name), "{service} in {endpoints}");
    }
    let gateways = place.form("ec2", "Action=DescribeInternetGateways&Version=2016-11-15");
    assert!(!gateways.contains(PREFIX), "no way to the internet: {gateways}");
}

/// A photo that is put into the bucket arrives in a message that names it.
fn a_photo_reaches_intake(place: &Place, form: &str) {
    let key = "in/a b+ü.jpg";
    let put = place
        .aws
        .s3
        .put_object()
        .bucket(place.output("PhotosBucket"))
        .key(key);
    place.runtime.block_on(put.body(vec![1].into()).send()).unwrap();
    let mut seen = Vec::new();
    // Besides the photo there may be S3's own test message.
    for _ in 0..10 {
        let receive = place
            .aws
            .sqs
            .receive_message()
            .queue_url(place.output("IntakeQueueUrl"));
        let receive = receive.max_number_of_messages(10).wait_time_seconds(3);
        let answer = place.runtime.block_on(receive.send()).unwrap();
        seen.extend(
            answer
                .messages()
                .iter()
                .filter_map(|m| m.body().map(str::to_owned)),
        );
        if seen
            .iter()
            .any(|m| m.contains(form) && m.contains(place.output("PhotosBucket")))
        {
            return;
        }
    }
    panic!("no message about {key}: {seen:?}");
}
