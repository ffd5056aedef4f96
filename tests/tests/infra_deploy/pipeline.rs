//! What infra/pipeline.yaml makes, property by property.

use crate::place::{PREFIX, Place, names};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Output of a function, its time-out, its memory.
const FUNCTIONS: [(&str, u64, u64); 4] = [
    ("TriageFunction", 120, 3008),
    ("ScalerFunction", 45, 256),
    ("NotifierFunction", 60, 256),
    ("MonitorFunction", 900, 512),
];

pub(crate) fn configuration(place: &Place, output: &str) -> Value {
    place.lambda(&format!(
        "2015-03-31/functions/{}/configuration",
        place.output(output)
    ))
}

/// Functions with their times, memory, environment, and a role each.
pub(crate) fn functions_are_as_written(place: &Place) {
    let mut roles: Vec<String> = Vec::new();
    for (output, timeout, memory) in FUNCTIONS {
        let function = configuration(place, output);
        assert_eq!(function["Runtime"], "provided.al2023", "{function}");
        assert_eq!(
            (&function["Timeout"], &function["MemorySize"]),
            (&json!(timeout), &json!(memory))
        );
        roles.push(function["Role"].as_str().unwrap().to_owned());
        let variables = function["Environment"]["Variables"].as_object().unwrap();
        for (name, value) in variables {
            assert!(
                value.is_string(),
                "{output}: {name} is {value}, the SDK reads texts"
            );
        }
        assert_eq!(variables["WALKAROUND_TABLE"], place.output("TableName"));
        assert_eq!(
            variables["WALKAROUND_METRICS_NAMESPACE"],
            format!("Walkaround/{PREFIX}")
        );
    }
    roles.sort();
    roles.dedup();
    assert_eq!(roles.len(), FUNCTIONS.len(), "{roles:?}");
    triage_and_monitor_have_their_settings(place);
    scaler_has_its_settings(place);
}

fn triage_and_monitor_have_their_settings(place: &Place) {
    let triage = configuration(place, "TriageFunction");
    let variables = &triage["Environment"]["Variables"];
    for (name, output) in [
        ("WALKAROUND_INTAKE_QUEUE", "IntakeQueueUrl"),
        ("WALKAROUND_INTAKE_DEAD_QUEUE", "IntakeDeadQueueUrl"),
        ("WALKAROUND_SEGMENTATION_QUEUE", "SegmentationQueueUrl"),
        ("WALKAROUND_SEGMENTATION_DEAD_QUEUE", "SegmentationDeadQueueUrl"),
        ("WALKAROUND_TOPIC", "TopicArn"),
        ("WALKAROUND_PHOTO_BUCKETS", "PhotosBucket"),
        ("WALKAROUND_RESULTS_BUCKET", "ResultsBucket"),
    ] {
        assert_eq!(variables[name], place.output(output), "{name}");
    }
    assert_eq!(
        variables["WALKAROUND_BUNDLE"],
        format!("s3://{}/demo", place.output("BundlesBucket"))
    );
    for (name, value) in [
        ("WALKAROUND_WORKERS_MAX", "14"),
        ("WALKAROUND_TRIAGE_PROCESSES", "50"),
        ("WALKAROUND_LANE_CACHE_S", "20"),
        ("WALKAROUND_SCALE_EVERY_S", "60"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
    let monitor = configuration(place, "MonitorFunction");
    for name in ["WALKAROUND_RESULTS_BUCKET", "WALKAROUND_BUNDLE"] {
        let as_triage = &variables[name];
        assert_eq!(&monitor["Environment"]["Variables"][name], as_triage, "{name}");
    }
}

fn scaler_has_its_settings(place: &Place) {
    let scaler = configuration(place, "ScalerFunction");
    let variables = &scaler["Environment"]["Variables"];
    for (name, value) in [
        ("WALKAROUND_WORKERS_MIN", "0"),
        ("WALKAROUND_WORKERS_MAX", "14"),
        ("WALKAROUND_START_GRACE_S", "780"),
    ] {
        assert_eq!(variables[name], value, "{name}");
    }
}

/// Intake feeds triage, with partial answers.
pub(crate) fn event_source_is_as_written(place: &Place) {
    let sources = place.lambda("2015-03-31/event-source-mappings/");
    let [source] = sources["EventSourceMappings"].as_array().unwrap().as_slice() else {
        panic!("one event source: {sources}");
    };
    assert_eq!(source["EventSourceArn"], place.output("IntakeQueueArn"));
    assert!(
        source["FunctionArn"]
            .as_str()
            .unwrap()
            .ends_with(place.output("TriageFunction"))
    );
    assert_eq!(
        (&source["BatchSize"], &source["MaximumBatchingWindowInSeconds"]),
        (&json!(10), &json!(1))
    );
    assert_eq!(
        source["FunctionResponseTypes"],
        json!(["ReportBatchItemFailures"])
    );
    assert_eq!(plain(&source["ScalingConfig"]["MaximumConcurrency"]), "50");
}

/// A number, which the emulators give as one or as a text: parameters are texts to them.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Rules with the function that each wakes, which lets itself be woken.
pub(crate) fn rules_are_as_written(place: &Place) {
    let made = place.ask("events", "AWSEvents.ListRules", &json!({}));
    let expected = BTreeMap::from([
        (format!("{PREFIX}-blocked-queue"), "NotifierFunction"),
        (format!("{PREFIX}-canary"), "MonitorFunction"),
        (format!("{PREFIX}-failed-job"), "NotifierFunction"),
        (format!("{PREFIX}-monitor"), "MonitorFunction"),
        (format!("{PREFIX}-scaler"), "ScalerFunction"),
        (format!("{PREFIX}-segmentation-age"), "ScalerFunction"),
    ]);
    assert_eq!(
        names(&made["Rules"], "Name"),
        expected.keys().cloned().collect::<Vec<_>>()
    );
    for rule in made["Rules"].as_array().unwrap() {
        let function = place.output(expected[rule["Name"].as_str().unwrap()]);
        let targets = place.ask(
            "events",
            "AWSEvents.ListTargetsByRule",
            &json!({"Rule": rule["Name"]}),
        );
        assert!(
            targets["Targets"][0]["Arn"].as_str().unwrap().ends_with(function),
            "{targets}"
        );
        let policy = place.lambda(&format!("2015-03-31/functions/{function}/policy"));
        let policy = policy["Policy"].as_str().unwrap();
        assert!(policy.contains(rule["Arn"].as_str().unwrap()), "{policy}");
    }
    for (name, schedule, input) in [
        ("scaler", "rate(1 minute)", None),
        ("monitor", "rate(1 hour)", None),
        ("canary", "rate(1 minute)", Some(r#"{"pass":"canary"}"#)),
    ] {
        let name = format!("{PREFIX}-{name}");
        let targets = place.ask("events", "AWSEvents.ListTargetsByRule", &json!({"Rule": name}));
        assert_eq!(targets["Targets"][0]["Input"].as_str(), input, "{targets}");
        let mut rules = made["Rules"].as_array().unwrap().iter();
        let rule = rules.find(|rule| rule["Name"] == name.as_str()).unwrap();
        assert_eq!(rule["ScheduleExpression"], schedule);
    }
}

/// Log groups of these programs, kept for this many days.
pub(crate) fn logs_end(place: &Place, expected: &[(&str, u64)]) {
    let answer = place.ask("logs", "Logs_20140328.DescribeLogGroups", &json!({}));
    let made: BTreeMap<String, u64> = answer["logGroups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|g| {
            (
                g["logGroupName"].as_str().unwrap().to_owned(),
                g["retentionInDays"].as_u64().unwrap_or(0),
            )
        })
        .collect();
    let expected = expected
        .iter()
        .map(|(name, days)| (format!("/walkaround/{PREFIX}/{name}"), *days));
    assert_eq!(made, expected.collect());
}

/// Alarms by name, with the topic that each notifies.
pub(crate) fn alarms(place: &Place) -> BTreeMap<String, Value> {
    let answer = place.ask(
        "monitoring",
        "GraniteServiceVersion20100801.DescribeAlarms",
        &json!({}),
    );
    let all = answer["MetricAlarms"].as_array().unwrap().iter();
    let pairs = all.map(|a| {
        let name = a["AlarmName"].as_str().unwrap();
        (
            name.strip_prefix(PREFIX).unwrap()[1..].to_owned(),
            a["AlarmActions"].clone(),
        )
    });
    pairs.collect()
}

/// (protocol, endpoint) of what is subscribed to alarms.
pub(crate) fn alarm_subscriptions(place: &Place) -> Vec<(String, String)> {
    let call = place.aws.sns.list_subscriptions_by_topic();
    let answer = place
        .runtime
        .block_on(call.topic_arn(place.output("AlarmTopicArn")).send());
    let all = answer.unwrap().subscriptions.unwrap_or_default().into_iter();
    all.map(|s| (s.protocol.unwrap_or_default(), s.endpoint.unwrap_or_default()))
        .collect()
}
