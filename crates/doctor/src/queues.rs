//! Queues: whether they are there, whether somebody takes from them, what is parked.

use super::finding::CheckResult;
use crate::failure::Failure;
use std::collections::BTreeMap;
use std::time::Duration;
use walkaround_client::StackClient;
use walkaround_client::format::{counted, duration};
use walkaround_ports::{Depth, QueueName};

/// A message that waits longer than this is reported.
const AGE_MAX: Duration = Duration::from_secs(10 * 60);
/// Reasons of parked messages that are reported.
const REASONS_MAX: usize = 3;

/// What is seen of a queue.
#[derive(Debug, Clone, Default)]
pub(super) struct QueueFacts {
    /// `intake` or `segmentation`.
    pub name: &'static str,
    pub depth: Depth,
    /// Why it is not known how long the oldest message waits, where that was asked in vain.
    pub age_unknown: Option<String>,
    /// Messages in its dead-letter queue.
    pub parked: u64,
    /// Why they are there, as far as it was looked.
    pub reasons: Vec<String>,
}

/// What is asked of parked messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reasons {
    /// How many there are. SQS shows a message only to whoever takes a lease of it: a write, which hides the message from
    /// others and from the alarm's count. A doctor only reads.
    #[cfg_attr(
        not(feature = "aws"),
        expect(dead_code, reason = "only the stack on AWS has it")
    )]
    Counted,
    /// Also why they are there.
    Read,
}

/// What a stack shows of a queue.
pub(super) async fn gather(
    stack: &dyn StackClient,
    queue: QueueName,
    of_parked: Reasons,
) -> Result<QueueFacts, Failure> {
    let depth = stack.queue(queue)?.depth().await?;
    let operations = stack.operations();
    let parked = operations.parked_count(queue).await.map_err(Failure::of_port)?;
    let mut reasons = Vec::new();
    if parked > 0 && of_parked == Reasons::Read {
        let page = operations.parked(queue, None).await.map_err(Failure::of_port)?;
        reasons.extend(page.messages.into_iter().filter_map(|message| message.reason));
    }
    Ok(QueueFacts {
        name: queue.as_str(),
        depth,
        age_unknown: None,
        parked,
        reasons,
    })
}

/// Judges one queue. `takers` are those who should take from it, in words.
pub(super) fn queue(facts: &QueueFacts, takers: &str) -> Vec<CheckResult> {
    let QueueFacts { name, depth, .. } = facts;
    let check = format!("{name} queue");
    let waiting = depth.ready + depth.delayed;
    let state = format!("{waiting} waiting, {} in flight", depth.leased);
    let old = depth.oldest_age.filter(|age| *age > AGE_MAX);
    let mut results = vec![match old {
        None if depth.oldest_age.is_none() && depth.ready > 0 && depth.leased == 0 => CheckResult::warn(
            check,
            match &facts.age_unknown {
                Some(why) => format!("{state}; how long they have waited is unknown: {why}"),
                None => format!("{state}; how long they have waited is not known yet"),
            },
            format!("run doctor again in a minute; if they still wait, {takers}"),
        ),
        None => CheckResult::ok(check, state),
        Some(age) if depth.leased == 0 => CheckResult::fail(
            check,
            format!(
                "{state}, the oldest for {}: no consumer is reading it",
                duration(age)
            ),
            takers,
        ),
        Some(age) => CheckResult::warn(
            check,
            format!("{state}, the oldest for {}: a backlog", duration(age)),
            "`walkaround status --watch` shows whether it shrinks; if not, allow more workers \
             (WALKAROUND_WORKERS_MAX)",
        ),
    }];
    let check = format!("{name} parked");
    results.push(match facts.parked {
        0 => CheckResult::ok(check, "none"),
        parked => {
            let n = usize::try_from(parked).unwrap_or(usize::MAX);
            CheckResult::warn(
                check,
                format!(
                    "{} parked{}",
                    counted(n, "message"),
                    most_frequent(&facts.reasons)
                ),
                "`walkaround parked` shows them; fix the cause, then `walkaround redrive --all`",
            )
        }
    });
    results
}

fn most_frequent(reasons: &[String]) -> String {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut counts: Vec<(&str, usize)> = counts.into_iter().collect();
    counts.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
    let told: Vec<String> = counts
        .iter()
        .take(REASONS_MAX)
        .map(|(reason, n)| format!("{n} × {reason}"))
        .collect();
    if told.is_empty() {
        return String::new();
    }
    format!(": {}", told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;

    fn judged(ready: u64, leased: u64, age_s: Option<u64>) -> CheckResult {
        let facts = QueueFacts {
            name: "intake",
            depth: Depth {
                ready,
                leased,
                delayed: 0,
                oldest_age: age_s.map(Duration::from_secs),
            },
            ..QueueFacts::default()
        };
        queue(&facts, "start `walkaround up`").remove(0)
    }

    #[test]
    fn an_old_message_that_nobody_takes_is_a_failure_and_a_backlog_a_warning() {
        assert_eq!(judged(0, 0, None).level, Level::Ok);
        assert_eq!(judged(9, 0, Some(599)).level, Level::Ok);
        assert_eq!(judged(9, 3, Some(601)).level, Level::Warn);
        assert_eq!(judged(9, 3, None).level, Level::Ok);
        let unknown = judged(9, 0, None);
        assert_eq!(unknown.level, Level::Warn);
        assert!(
            unknown
                .what
                .contains("how long they have waited is not known yet"),
            "{unknown:?}"
        );
        let stuck = judged(9, 0, Some(601));
        assert_eq!(stuck.level, Level::Fail);
        assert!(stuck.what.contains("10 min 1 s") && stuck.fix.as_deref() == Some("start `walkaround up`"));
    }

    #[test]
    fn parked_messages_are_told_by_their_most_frequent_reasons() {
        let reasons = ["b", "a", "b", "c", "d", "d", "b"].map(str::to_owned).to_vec();
        let facts = QueueFacts {
            name: "intake",
            parked: 9,
            reasons,
            ..QueueFacts::default()
        };
        let parked = queue(&facts, "").remove(1);
        assert_eq!(parked.level, Level::Warn);
        assert_eq!(parked.what, "9 messages parked: 3 × b; 2 × d; 1 × a");
    }
}
