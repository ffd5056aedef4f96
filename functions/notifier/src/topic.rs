//! What comes by the alarm topic: CloudWatch alarms (JSON), AWS Budgets (plain text), anything else.
//!
//! What is neither is told by its subject only: a note that nobody reads is worse than one that says little.

use crate::arn::Arn;
use crate::cause::{Cause, Heard, Severity};
use serde_json::Value;

/// Parts an alarm's description: what it means, and after it what to try first.
const FIRST_STEP: &str = "First thing to try";
const DOCTOR: &str = "walkaround doctor --stack aws";
const BUDGETS: &str = "https://console.aws.amazon.com/billing/home#/budgets";

/// What one notification means.
pub(crate) fn heard(sns: &Value) -> Heard {
    let text = |name: &str| sns[name].as_str().unwrap_or_default();
    let alarm: Option<Value> = serde_json::from_str(text("Message")).ok();
    match alarm {
        Some(alarm) if alarm["AlarmName"].is_string() => of_alarm(&alarm, text("TopicArn")),
        _ if text("Message").starts_with("AWS Budget") => Heard::Tell(of_budget(text("Message"))),
        _ => Heard::Tell(of_note(text("Subject"), text("TopicArn"))),
    }
}

fn of_alarm(alarm: &Value, topic: &str) -> Heard {
    let text = |name: &str| alarm[name].as_str().unwrap_or_default();
    let name = text("AlarmName");
    let arn = Arn::parse(text("AlarmArn")).or(Arn::parse(topic));
    let link = arn.map_or_else(String::new, |arn| arn.alarm(name));
    let key = format!("alarm/{name}");
    let (meaning, first_step) = described(text("AlarmDescription"));
    match text("NewStateValue") {
        "ALARM" => Heard::Tell(Cause {
            key,
            title: format!("Alarm {name}"),
            what: [meaning, text("NewStateReason")].join(" "),
            link,
            first_step: first_step.to_owned(),
            severity: Severity::Fault,
            ends: true,
        }),
        "OK" => Heard::Over {
            cause: Cause {
                // A change of state that comes twice is told once.
                key: format!("{key}/over/{}", text("StateChangeTime")),
                title: format!("Resolved: {name}"),
                what: text("NewStateReason").to_owned(),
                link,
                first_step: "Nothing: it is over.".to_owned(),
                severity: Severity::Resolved,
                ends: false,
            },
            of: key,
        },
        _ => Heard::Nothing("an alarm without data"),
    }
}

/// What an alarm means, and what to try first, from its description.
fn described(description: &str) -> (&str, &str) {
    let Some((meaning, first)) = description.split_once(FIRST_STEP) else {
        return (description, DOCTOR);
    };
    let first = first.trim_start_matches([' ', '-', ':']).trim_end();
    (meaning.trim_end(), if first.is_empty() { DOCTOR } else { first })
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
        // A budget tells each of its thresholds once a period.
        key: format!("budget/{name}/{kind}/{threshold}"),
        title: format!("Budget {name}"),
        what: format!("{kind} cost {amount} is over the threshold ({threshold}) of a budget of {budgeted}."),
        link: BUDGETS.to_owned(),
        first_step:
            "Compare photos and GPU hours with the cost table of docs/operations.md; WALKAROUND_WORKERS_MAX \
                     bounds the GPU lane."
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
        what: format!("Of no known kind: {subject}"),
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
        assert_eq!(
            described("A photo waits. First thing to try - walkaround status."),
            ("A photo waits.", "walkaround status.")
        );
        assert_eq!(described("A photo waits."), ("A photo waits.", DOCTOR));
        assert_eq!(described("First thing to try: "), ("", DOCTOR));
    }

    #[test]
    fn a_note_of_another_kind_is_told_without_its_body() {
        let sns = json!({"Message": "{\"photo\": \"hush\"}", "Subject": "Hello",
            "TopicArn": "arn:aws:sns:eu-central-1:111122223333:alarms"});
        let Heard::Tell(cause) = heard(&sns) else {
            panic!("it is told")
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
            heard(&json!({"Message": alarm})),
            Heard::Nothing("an alarm without data")
        );
    }
}
