//! What an event means for people: one cause each, or a reason why it is not sent.
//!
//! Pure: an event in, causes out. [`notifications`] distinguishes the kinds of events; `job`, `topic` and
//! `dead_letter` know one each.

use crate::cause::Notification;
use crate::{dead_letter, job, topic};
use serde_json::Value;

/// Most records of one event that are read. Lambda hands over 10,000 at most from a queue, one from a topic.
const RECORDS_MAX: usize = 10_000;

/// What an event means, record by record.
pub(crate) fn notifications(event: &Value) -> Vec<Notification> {
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let found = match (event["source"].as_str(), records.first()) {
        (Some("aws.batch"), _) => vec![job::notification(event)],
        (None, Some(first)) if first["eventSource"] == "aws:sqs" => {
            dead_letter::notifications(&records[..records.len().min(RECORDS_MAX)])
        }
        (None, Some(first)) if first["EventSource"] == "aws:sns" => records
            .iter()
            .take(RECORDS_MAX)
            .map(|record| topic::notification(&record["Sns"]))
            .collect(),
        _ => vec![Notification::Ignore("of an unknown kind")],
    };
    found.into_iter().map(Notification::tidy).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::Severity;

    #[test]
    fn an_event_of_an_unknown_kind_is_ignored() {
        for event in [
            Value::Null,
            serde_json::json!({"Records": []}),
            serde_json::json!({"source": "aws.ec2"}),
        ] {
            assert_eq!(
                notifications(&event),
                [Notification::Ignore("of an unknown kind")],
                "{event}"
            );
        }
    }

    fn sample(name: &str) -> Vec<Notification> {
        let path = format!("{}/../../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        notifications(&serde_json::from_str(&text).unwrap())
    }

    /// Event, key, severity, and words of title, text, link and first step.
    type Case = (&'static str, &'static str, Severity, [&'static str; 4]);

    const CASES: &[Case] = &[
        (
            "batch-job-failed",
            "job/walkaround-workers/78",
            Severity::Fault,
            [
                "the bundle cannot be used",
                "Job walkaround-worker-1 of queue walkaround-workers ended with code 78.",
                "eu-central-1.console.aws.amazon.com/batch/home?region=eu-central-1#jobs/detail/4c7599ae-",
                "walkaround bundle rollback",
            ],
        ),
        (
            "alarm",
            "alarm/walkaround-segmentation-age",
            Severity::Fault,
            [
                "Alarm walkaround-segmentation-age",
                "A photo waits too long for a GPU worker. Threshold Crossed",
                "cloudwatch/home?region=eu-central-1#alarmsV2:alarm/walkaround-segmentation-age",
                "walkaround doctor.",
            ],
        ),
        (
            "dead-letter",
            "dead/walkaround-intake-dead",
            Severity::Fault,
            [
                "Messages were parked",
                "1 message lies in the dead-letter queue walkaround-intake-dead",
                "sqs/v3/home?region=eu-central-1#/queues/https%3A%2F%2Fsqs.eu-central-1.amazonaws.com%2F",
                "walkaround parked",
            ],
        ),
        (
            "budget",
            "budget/walkaround/ACTUAL/> $400.00",
            Severity::Warning,
            [
                "Budget walkaround",
                "ACTUAL cost $412.06 is over the threshold (> $400.00) of a budget of $500.00",
                "billing/home#/budgets",
                "WALKAROUND_WORKERS_MAX",
            ],
        ),
    ];

    #[test]
    fn sample_events_have_their_causes() {
        for (event, key, severity, [title, what, link, first_step]) in CASES {
            let found = sample(event);
            let [Notification::Raise(cause)] = found.as_slice() else {
                panic!("{event}: {found:?}")
            };
            assert_eq!((cause.key.as_str(), cause.severity), (*key, *severity), "{event}");
            assert_eq!(cause.ends, *event == "alarm", "{event}");
            for (text, part) in [
                (&cause.title, title),
                (&cause.what, what),
                (&cause.link, link),
                (&cause.first_step, first_step),
            ] {
                assert!(text.contains(part), "{event}: `{part}` is not in `{text}`");
            }
        }
    }

    #[test]
    fn the_end_of_an_alarm_names_its_beginning() {
        let found = sample("alarm-resolved");
        let [Notification::Resolve { of, cause }] = found.as_slice() else {
            panic!("{found:?}")
        };
        assert_eq!(of, "alarm/walkaround-segmentation-age");
        assert_eq!(cause.severity, Severity::Resolved);
        assert!(
            cause.title.starts_with("Resolved: walkaround-segmentation-age"),
            "{cause:?}"
        );
    }

    #[test]
    fn no_cause_repeats_a_body() {
        let found = format!("{:?}", sample("dead-letter"));
        assert!(!found.contains("photos"), "{found}");
    }
}
