//! What an event means for people: one [`Cause`] each, or a reason why it is not told.
//!
//! Pure: an event in, causes out. [`heard`] tells the kinds of events apart; `job`, `topic` and `dead_letter` know one
//! each. Texts are made of names, numbers and AWS's own reasons, cut short and without the queries of URLs; the body of
//! a message never gets into one.

use crate::{dead_letter, job, topic};
use serde_json::Value;

/// Longest text of one part, in characters: five times that, fully escaped, still fits Slack's 3,000.
const TEXT_CHARS_MAX: usize = 580;
/// Longest key and title.
pub(crate) const NAME_CHARS_MAX: usize = 120;
/// Most records of one event that are read. Lambda hands over 10,000 at most from a queue, one from a topic.
const RECORDS_MAX: usize = 10_000;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Photos wait, or fail.
    Fault,
    /// Nothing is broken yet.
    Warning,
    /// It is over.
    Resolved,
}

/// Something that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cause {
    /// Names what it is about: told once in a window.
    pub(crate) key: String,
    /// In a few words.
    pub(crate) title: String,
    /// What happened.
    pub(crate) what: String,
    /// Where to look.
    pub(crate) link: String,
    /// What to try first.
    pub(crate) first_step: String,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// Whether its end is an event of its own.
    pub(crate) ends: bool,
}

/// What one record of an event means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Notification {
    /// Tell it.
    Raise(Cause),
    /// What `of` told is over: tell it if that was told.
    Resolve {
        /// Key of the cause.
        of: String,
        /// What to tell.
        cause: Cause,
    },
    /// Not for people, and why.
    Ignore(&'static str),
}

impl Cause {
    /// Cuts every text to what may be shown.
    pub(crate) fn tidy(self) -> Self {
        Self {
            key: cut(&self.key, NAME_CHARS_MAX * 2),
            title: cut(&self.title, NAME_CHARS_MAX),
            what: cut(&self.what, TEXT_CHARS_MAX),
            link: self.link,
            first_step: cut(&self.first_step, TEXT_CHARS_MAX),
            severity: self.severity,
            ends: self.ends,
        }
    }
}

/// What an event means, record by record.
pub(crate) fn heard(event: &Value) -> Vec<Notification> {
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    let heard = match (event["source"].as_str(), records.first()) {
        (Some("aws.batch"), _) => vec![job::heard(event)],
        (None, Some(first)) if first["eventSource"] == "aws:sqs" => {
            dead_letter::heard(&records[..records.len().min(RECORDS_MAX)])
        }
        (None, Some(first)) if first["EventSource"] == "aws:sns" => records
            .iter()
            .take(RECORDS_MAX)
            .map(|record| topic::heard(&record["Sns"]))
            .collect(),
        _ => vec![Notification::Ignore("of no known kind")],
    };
    heard.into_iter().map(tidied).collect()
}

fn tidied(heard: Notification) -> Notification {
    match heard {
        Notification::Raise(cause) => Notification::Raise(cause.tidy()),
        Notification::Resolve { of, cause } => Notification::Resolve {
            of: cut(&of, NAME_CHARS_MAX * 2),
            cause: cause.tidy(),
        },
        Notification::Ignore(why) => Notification::Ignore(why),
    }
}

/// A text on one line, without the queries of URLs (they may be signed), cut to `max` characters.
fn cut(text: &str, max: usize) -> String {
    let words: Vec<&str> = text.split_whitespace().map(without_query).collect();
    let line = words.join(" ");
    if line.chars().count() <= max {
        return line;
    }
    line.chars().take(max - 1).chain(['…']).collect()
}

fn without_query(word: &str) -> &str {
    match word
        .find("://")
        .and_then(|scheme| word[scheme..].find('?').map(|query| scheme + query))
    {
        Some(query) => &word[..query],
        None => word,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_short_single_lines_without_queries() {
        assert_eq!(cut("a\n b\tc ", 10), "a b c");
        assert_eq!(
            cut("photo https://photos.example/1.jpg?sig=abc gone", 99),
            "photo https://photos.example/1.jpg gone"
        );
        let long = cut(&"ü".repeat(1000), 20);
        assert_eq!(long.chars().count(), 20);
        assert!(long.ends_with("ü…"), "{long}");
    }

    #[test]
    fn what_is_not_known_is_said_to_be() {
        for event in [
            Value::Null,
            serde_json::json!({"Records": []}),
            serde_json::json!({"source": "aws.ec2"}),
        ] {
            assert_eq!(
                heard(&event),
                [Notification::Ignore("of no known kind")],
                "{event}"
            );
        }
    }

    fn sample(name: &str) -> Vec<Notification> {
        let path = format!("{}/../../events/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path}: {e}"));
        heard(&serde_json::from_str(&text).unwrap())
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
            let heard = sample(event);
            let [Notification::Raise(cause)] = heard.as_slice() else {
                panic!("{event}: {heard:?}")
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
        let heard = sample("alarm-resolved");
        let [Notification::Resolve { of, cause }] = heard.as_slice() else {
            panic!("{heard:?}")
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
        let heard = format!("{:?}", sample("dead-letter"));
        assert!(!heard.contains("photos"), "{heard}");
    }
}
