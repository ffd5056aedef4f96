//! Messages of a dead-letter queue, as an event source hands them over: how many in which queue. Their bodies are not
//! read.

use crate::arn::Arn;
use crate::cause::{Cause, Notification, Severity};
use serde_json::Value;
use std::collections::BTreeMap;

/// One cause a queue.
pub(crate) fn notifications(records: &[Value]) -> Vec<Notification> {
    let mut queues: BTreeMap<&str, usize> = BTreeMap::new();
    for record in records {
        *queues
            .entry(record["eventSourceARN"].as_str().unwrap_or("unnamed"))
            .or_default() += 1;
    }
    queues
        .into_iter()
        .map(|(arn, messages)| Notification::Raise(cause(arn, messages)))
        .collect()
}

fn cause(queue: &str, messages: usize) -> Cause {
    let arn = Arn::parse(queue);
    let name = arn.map_or(queue, |arn| arn.name());
    let (count, lie) = if messages == 1 {
        ("1 message".to_owned(), "lies")
    } else {
        (format!("{messages} messages"), "lie")
    };
    Cause {
        key: format!("dead/{name}"),
        title: "Messages were parked".to_owned(),
        what: format!("{count} {lie} in the dead-letter queue {name}. Nothing is lost: each waits there with its reason."),
        link: arn.map_or_else(String::new, |arn| arn.queue()),
        first_step: "Read the reasons: walkaround parked --stack aws. When the cause is gone: walkaround redrive --stack aws."
            .to_owned(),
        severity: Severity::Fault,
        ends: false,
    }
}
