//! `walkaround parked` and `walkaround redrive`: messages that could not be finished, and sending them back.

use super::open;
use super::table::{ROWS_MAX, cell, print_document, print_line, print_notice, print_table, queues, table};
use crate::args::{ParkedArgs, Printed, RedriveArgs};
use crate::failure::Failure;
use comfy_table::Cell;
use serde_json::json;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::format::{clock_time, counted};
use walkaround_client::{IfMissing, StackClient, requested_photos};
use walkaround_messages::rfc3339;
use walkaround_ports::{ParkedMessage, Redrive, Redriven};

/// SQS itself moves a message that was delivered too often, and does not say why.
const NO_REASON: &str = "unknown: delivered too often; the logs say why";

pub(crate) fn run(args: &ParkedArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        list(args, &*stack).await
    })
}

async fn list(args: &ParkedArgs, stack: &dyn StackClient) -> Result<ExitCode, Failure> {
    let mut table = table(&["id", "queue", "parked", "photo", "reason"]);
    let operations = stack.operations();
    let (mut messages, mut unseen) = (0, 0);
    for queue in queues(args.queue) {
        let mut after: Option<String> = None;
        loop {
            let page = operations
                .parked(*queue, after.as_deref())
                .await
                .map_err(Failure::of_port)?;
            unseen += page.unseen;
            for message in &page.messages {
                messages += 1;
                match args.stack.format {
                    Printed::Json => print_document(document(message))?,
                    Printed::Table if messages <= ROWS_MAX => {
                        table.add_row(row(message));
                    }
                    Printed::Table => {}
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    if args.stack.format == Printed::Table {
        if messages > 0 {
            print_table(table)?;
        }
        print_line(format!("{} parked", counted(messages, "message")))?;
    }
    if unseen > 0 {
        let line =
            format!("walkaround: this is a sample: about {unseen} more messages were not read this time");
        print_notice(line)?;
    }
    Ok(ExitCode::SUCCESS)
}

fn row(message: &ParkedMessage) -> Vec<Cell> {
    let photos: Vec<String> = requested_photos(message)
        .into_iter()
        .map(|(_, photo)| photo)
        .collect();
    vec![
        cell(&message.id),
        cell(&message.queue),
        cell(message.parked_at.map_or_else(String::new, clock_time)),
        cell(if photos.is_empty() {
            "unreadable".to_owned()
        } else {
            photos.join(", ")
        }),
        cell(message.reason.as_deref().unwrap_or(NO_REASON)),
    ]
}

fn document(message: &ParkedMessage) -> serde_json::Value {
    let ids: Vec<String> = requested_photos(message).into_iter().map(|(id, _)| id).collect();
    json!({
        "message_id": message.id,
        "queue": message.queue,
        "reason": message.reason,
        "inspections": ids,
        "sent_at": rfc3339(message.sent_at),
        "parked_at": message.parked_at.map(rfc3339),
        "attributes": message.attributes,
        "body": message.body,
    })
}

pub(crate) fn redrive(args: &RedriveArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        send_back(args, &*stack).await
    })
}

async fn send_back(args: &RedriveArgs, stack: &dyn StackClient) -> Result<ExitCode, Failure> {
    let mut which = if args.all {
        Redrive::All
    } else {
        Redrive::Ids(args.ids.clone())
    };
    let operations = stack.operations();
    let mut sent = Redriven::default();
    for queue in queues(args.queue) {
        let done = operations
            .redrive(*queue, &which)
            .await
            .map_err(Failure::of_port)?;
        sent.moved += done.moved;
        sent.more |= done.more;
        sent.refused.extend(done.refused);
        // What is not in one queue is looked for in the next.
        if !args.all {
            sent.missing.clone_from(&done.missing);
            which = Redrive::Ids(done.missing);
        }
        if which == Redrive::Ids(Vec::new()) {
            break;
        }
    }
    // Where all that were asked for were met, nobody cares what else there is.
    sent.more &= args.all || !sent.missing.is_empty();
    match args.stack.format {
        Printed::Json => print_document(outcome(&sent))?,
        Printed::Table => {
            let moved = usize::try_from(sent.moved).unwrap_or(usize::MAX);
            let more = if args.all && sent.more {
                "; there may be more: run the same command again to continue"
            } else {
                ""
            };
            print_line(format!("{} sent back{more}", counted(moved, "message")))?;
        }
    }
    match left(&sent) {
        None => Ok(ExitCode::SUCCESS),
        Some(line) => Err(anyhow::anyhow!(line).into()),
    }
}

fn outcome(sent: &Redriven) -> serde_json::Value {
    let refused = sent.refused.iter();
    let refused: Vec<_> = refused
        .map(|r| json!({"message_id": r.id, "why": r.why}))
        .collect();
    json!({"sent_back": sent.moved, "missing": sent.missing, "refused": refused, "more": sent.more})
}

/// What was not sent back though it was asked for; none when nothing.
fn left(sent: &Redriven) -> Option<String> {
    let mut parts = Vec::new();
    if let Some(first) = sent.refused.first() {
        let others = match sent.refused.len() {
            1 => String::new(),
            n => format!(" and {} more", n - 1),
        };
        parts.push(format!(
            "still parked, because the queue did not accept them: {}{others}: {}",
            first.id, first.why
        ));
    }
    if !sent.missing.is_empty() {
        let ids = sent.missing.join(", ");
        parts.push(if sent.more {
            format!(
                "not among the parked messages that were read: {ids}; run the same command again to read others"
            )
        } else {
            format!("not parked: {ids}")
        });
    }
    (!parts.is_empty()).then(|| parts.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_ports::RefusedMessage;

    #[test]
    fn what_is_refused_is_not_called_missing() {
        let refusal = |id: &str| RefusedMessage {
            id: id.to_owned(),
            why: "a bad character".to_owned(),
        };
        let mut sent = Redriven {
            moved: 2,
            ..Redriven::default()
        };
        assert_eq!(left(&sent), None);
        sent.refused = vec![refusal("a"), refusal("b")];
        let line = left(&sent).unwrap();
        assert!(
            line.contains("did not accept them: a and 1 more: a bad character"),
            "{line}"
        );
        assert!(!line.contains("not parked"), "{line}");
        sent.missing = vec!["c".to_owned()];
        assert!(left(&sent).unwrap().ends_with("; not parked: c"));
        sent.more = true;
        assert!(!left(&sent).unwrap().contains("not parked"));
        assert_eq!(outcome(&sent)["refused"][1]["message_id"], "b");
    }
}
