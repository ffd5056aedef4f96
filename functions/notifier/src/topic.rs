//! What comes by the alarm topic: CloudWatch alarms (JSON), AWS Budgets (plain text), anything else.
//!
//! What is neither is sent by its subject only: a note that nobody reads is worse than one that says little.

use crate::arn::Arn;
use crate::cause::{Cause, Notification, Severity};
use serde_json::Value;

/// Parts an alarm's description: what it means, and after it what to try first.
const FIRST_STEP: &str = "First thing to try";
const DOCTOR: &str = "walkaround doctor --stack aws";
const BUDGETS: &str = "https://console.aws.amazon.com/billing/home#/budgets";

/// What one notification means.
pub(crate) fn notification(sns: &Value) -> Notification {
    let text = |name: &str| sns[name].as_str().unwrap_or_default();
    let message: Option<Value> = serde_json::from_str(text("Message")).ok();
    match message {
        Some(alarm) if alarm["AlarmName"].is_string() => of_alarm(&alarm, text("TopicArn")),
        Some(failed) if failed["requestContext"]["condition"].is_string() => {
            Notification::Raise(of_function(&failed))
        }
        _ if text("Message").starts_with("AWS Budget") => Notification::Raise(of_budget(text("Message"))),
        _ => Notification::Raise(of_note(text("Subject"), text("TopicArn"))),
    }
}

fn of_alarm(alarm: &Value, topic: &str) -> Notification {
    let text = |name: &str| alarm[name].as_str().unwrap_or_default();
    let name = text("AlarmName");
    let arn = Arn::parse(text("AlarmArn")).or(Arn::parse(topic));
    let link = arn.map_or_else(String::new, |arn| arn.alarm(name));
    let key = format!("alarm/{name}");
    let (meaning, first_step) = described(text("AlarmDescription"), &alarm["Trigger"]);
    match text("NewStateValue") {
        "ALARM" => Notification::Raise(Cause {
            key,
            title: format!("Alarm {name}"),
            what: [meaning, text("NewStateReason")].join(" "),
            link,
            first_step: first_step.to_owned(),
            severity: Severity::Fault,
            ends: true,
        }),
        "OK" => Notification::Resolve {
            cause: Cause {
                // A change of state that comes twice is sent once.
                key: format!("{key}/over/{}", text("StateChangeTime")),
                title: format!("Resolved: {name}"),
                what: text("NewStateReason").to_owned(),
                link,
                first_step: "Nothing; the alarm is over.".to_owned(),
                severity: Severity::Resolved,
                ends: false,
            },
            of: key,
        },
        _ => Notification::Ignore("an alarm without data"),
    }
}

/// What an alarm means, and what to try first: from its description, or else from what it watches.
fn described<'a>(description: &'a str, trigger: &Value) -> (&'a str, &'a str) {
    if let Some((meaning, first)) = description.split_once(FIRST_STEP) {
        let first = first.trim_start_matches([' ', '-', ':']).trim_end();
        return (meaning.trim_end(), if first.is_empty() { DOCTOR } else { first });
    }
    let text = |name: &str| trigger[name].as_str().unwrap_or_default();
    let (meaning, first_step) = watched(text("Namespace"), text("MetricName")).unwrap_or(("", DOCTOR));
    (
        if description.is_empty() {
            meaning
        } else {
            description
        },
        first_step,
    )
}

/// What a metric of AWS means here where it is too high, and what to try first.
fn watched(namespace: &str, metric: &str) -> Option<(&'static str, &'static str)> {
    Some(match (namespace, metric) {
        ("AWS/DynamoDB", "ThrottledRequests" | "ReadThrottleEvents" | "WriteThrottleEvents") => (
            "DynamoDB throttles calls: messages are returned to their queue and photos take longer, but none is \
             lost.",
            "Compare the table's consumed capacity with its limits (on demand: 40,000 units by default, 1,000 writes a \
             second a partition); lower WALKAROUND_TRIAGE_IN_FLIGHT or the rate of submitting until this is over.",
        ),
        ("AWS/Lambda", "Duration") => (
            "Invocations take nearly as long as their time-out: those that exceed it are ended, and their photos are \
             delivered again.",
            "Find the slow stage on the dashboard (StageTime); give the function more memory or time, or lower \
             WALKAROUND_PHOTO_TIMEOUT_S and WALKAROUND_INLINE_DRAIN_S.",
        ),
        ("AWS/Lambda", "Throttles") => (
            "Lambda has no free concurrency: photos wait in their queue.",
            "Raise TriageConcurrency, or the account's concurrent executions in Service Quotas.",
        ),
        (
            "AWS/Lambda",
            "Errors" | "AsyncEventsDropped" | "DeadLetterErrors" | "DestinationDeliveryFailures",
        ) => (
            "A function fails.",
            "Read the last errors in its log group; walkaround doctor --stack aws says what is missing.",
        ),
        ("AWS/SNS", "NumberOfNotificationsFailed" | "NumberOfNotificationsFailedToRedriveToDlq") => (
            "SNS could not deliver events of results to a subscriber.",
            "Check the subscriptions of the topic: a deleted queue, a policy that does not allow the topic, an \
             endpoint that does not answer. `walkaround list` still has every result.",
        ),
        ("AWS/SNS", "NumberOfNotificationsRedrivenToDlq") => (
            "Events of results are in a subscription's dead-letter queue.",
            "Fix the subscriber, then redrive that queue: events have stable ids, so duplicates are harmless.",
        ),
        ("AWS/Events", "FailedInvocations" | "InvocationsFailedToBeSentToDlq" | "InvocationsSentToDlq") => (
            "EventBridge could not deliver an event: a photo's, a schedule's or a failed job's.",
            "Check the rule's target and its permission; photo events that were not delivered are in the intake's \
             dead-letter queue: \
             walkaround parked --stack aws, then walkaround redrive --stack aws.",
        ),
        _ => return None,
    })
}

/// An event that a function gave up, as Lambda sends it to a failure destination.
/// See <https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>.
fn of_function(failed: &Value) -> Cause {
    let context = &failed["requestContext"];
    let arn = context["functionArn"].as_str().unwrap_or_default();
    let name = arn.split(":function:").nth(1).unwrap_or(arn);
    let name = name.split(':').next().unwrap_or(name);
    let condition = context["condition"].as_str().unwrap_or_default();
    let error = failed["responsePayload"]["errorMessage"]
        .as_str()
        .unwrap_or("no error message");
    Cause {
        key: format!("function/{name}/{condition}"),
        title: format!("Function {name} gave up on an event"),
        what: format!(
            "{condition} after {} invocations: {error}",
            context["approximateInvokeCount"].as_u64().unwrap_or(1)
        ),
        link: Arn::parse(arn).map_or_else(String::new, |arn| arn.function(name)),
        first_step:
            "Read the function's log at that time. If it is the notifier, its webhook was most probably \
                     deleted: correct the secret that AlertSecretArn names."
                .to_owned(),
        severity: Severity::Fault,
        ends: false,
    }
}

/// See <https://docs.aws.amazon.com/cost-management/latest/userguide/budgets-sns-policy.html>: lines of `Name: value`
/// after a few sentences.
fn of_budget(message: &str) -> Cause {
    let line = |wanted: &str| {
        let mut values = message
            .lines()
            .filter_map(|line| line.trim().strip_prefix(wanted)?.strip_prefix(':'));
        values.next().map_or("unnamed", str::trim)
    };
    let (name, kind) = (line("Budget Name"), line("Alert Type"));
    let amount = line(if kind == "FORECASTED" {
        "FORECASTED Amount"
    } else {
        "ACTUAL Amount"
    });
    let (budgeted, threshold) = (line("Budgeted Amount"), line("Alert Threshold"));
    Cause {
        // A budget reports each of its thresholds once a period.
        key: format!("budget/{name}/{kind}/{threshold}"),
        title: format!("Budget {name}"),
        what: format!("{kind} cost {amount} is over the threshold ({threshold}) of a budget of {budgeted}."),
        link: BUDGETS.to_owned(),
        first_step:
            "Compare photos and GPU hours with the cost table of docs/operations.md; WALKAROUND_WORKERS_MAX limits \
             the GPU lane."
                .to_owned(),
        severity: Severity::Warning,
        ends: false,
    }
}

fn of_note(subject: &str, topic: &str) -> Cause {
    let arn = Arn::parse(topic);
    let name = arn.map_or("unnamed", |arn| arn.name().rsplit(':').next().unwrap_or_default());
    let subject = if subject.is_empty() {
        "without a subject"
    } else {
        subject
    };
    Cause {
        key: format!("note/{name}/{subject}"),
        title: format!("A note on {name}"),
        what: format!("A message of an unknown kind: {subject}"),
        link: arn.map_or_else(String::new, |arn| arn.topic(topic)),
        first_step: "See who publishes to this topic.".to_owned(),
        severity: Severity::Warning,
        ends: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_description_gives_the_first_step() {
        let of = |text: &'static str| described(text, &Value::Null);
        assert_eq!(
            of("A photo waits. First thing to try - walkaround status."),
            ("A photo waits.", "walkaround status.")
        );
        assert_eq!(of("A photo waits."), ("A photo waits.", DOCTOR));
        assert_eq!(of("First thing to try: "), ("", DOCTOR));
    }

    #[test]
    fn an_alarm_without_a_first_step_is_understood_by_what_it_watches() {
        for (namespace, metric, meaning, first_step) in [
            (
                "AWS/DynamoDB",
                "WriteThrottleEvents",
                "DynamoDB throttles",
                "capacity",
            ),
            (
                "AWS/Lambda",
                "Duration",
                "nearly as long as their time-out",
                "memory",
            ),
            ("AWS/Lambda", "Throttles", "concurrency", "TriageConcurrency"),
            ("AWS/Lambda", "Errors", "A function fails", "log"),
            (
                "AWS/SNS",
                "NumberOfNotificationsFailed",
                "could not deliver",
                "subscriptions",
            ),
            ("AWS/Events", "FailedInvocations", "EventBridge", "rule's target"),
        ] {
            let trigger = json!({"Namespace": namespace, "MetricName": metric});
            let alarm = json!({"AlarmName": "a", "NewStateValue": "ALARM", "Trigger": trigger});
            let notification = notification(&json!({"Message": alarm.to_string()}));
            let Notification::Raise(cause) = notification else {
                panic!("{notification:?}")
            };
            assert!(cause.what.contains(meaning), "{metric}: {cause:?}");
            assert!(cause.first_step.contains(first_step), "{metric}: {cause:?}");
        }
    }

    #[test]
    fn an_event_that_a_function_gave_up_is_told_without_its_payload() {
        let failed = json!({"requestContext": {"condition": "RetriesExhausted", "approximateInvokeCount": 3,
            "functionArn": "arn:aws:lambda:eu-central-1:111122223333:function:stage-notifier:$LATEST"},
            "requestPayload": {"photo": "hush"}, "responsePayload": {"errorMessage": "no webhook"}});
        let Notification::Raise(cause) = notification(&json!({"Message": failed.to_string()})) else {
            panic!("it is raised")
        };
        assert_eq!(cause.key, "function/stage-notifier/RetriesExhausted");
        assert!(cause.what.contains("3 invocations: no webhook"), "{cause:?}");
        assert!(!format!("{cause:?}").contains("hush"), "{cause:?}");
    }

    #[test]
    fn a_note_of_another_kind_is_told_without_its_body() {
        let sns = json!({"Message": "{\"photo\": \"hush\"}", "Subject": "Hello",
            "TopicArn": "arn:aws:sns:eu-central-1:111122223333:alarms"});
        let Notification::Raise(cause) = notification(&sns) else {
            panic!("it is raised")
        };
        assert!(
            cause.what.contains("Hello") && !format!("{cause:?}").contains("hush"),
            "{cause:?}"
        );
        assert!(cause.title.ends_with("alarms"), "{cause:?}");
    }

    #[test]
    fn an_alarm_without_data_is_not_told() {
        let alarm = json!({"AlarmName": "a", "NewStateValue": "INSUFFICIENT_DATA"}).to_string();
        assert_eq!(
            notification(&json!({"Message": alarm})),
            Notification::Ignore("an alarm without data")
        );
    }
}
