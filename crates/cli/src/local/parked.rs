//! `walkaround parked` and `walkaround redrive`: messages that could not be finished, and sending them back.

use super::rows::{ROWS_MAX, print_line, print_table, queues, table};
use super::stack::{Stack, runtime};
use super::words::{clock_time, counted};
use crate::args::{ParkedArgs, Printed, RedriveArgs};
use crate::failure::Failure;
use comfy_table::Cell;
use serde_json::json;
use std::process::ExitCode;
use walkaround_embedded::{PARKED_PAGE_MAX, Parked, Redrive};
use walkaround_messages::{Intake, parse_intake, rfc3339};

pub(crate) fn run(args: &ParkedArgs) -> Result<ExitCode, Failure> {
    let stack = Stack::existing(args.stack.root.as_deref())?;
    runtime()?.block_on(list(args, &stack))
}

async fn list(args: &ParkedArgs, stack: &Stack) -> Result<ExitCode, Failure> {
    let mut table = table(&["id", "queue", "parked", "photo", "reason"]);
    let mut messages = 0;
    for (queue, dead) in queues(args.queue) {
        let mut after: Option<String> = None;
        loop {
            let page = stack
                .embedded
                .parked(dead, after.as_deref(), PARKED_PAGE_MAX)
                .await?;
            let Some(last) = page.last() else { break };
            after = Some(last.message_id.clone());
            for message in &page {
                messages += 1;
                match args.stack.format {
                    Printed::Json => print_line(document(queue, message))?,
                    Printed::Table if messages <= ROWS_MAX => {
                        table.add_row(row(queue, message));
                    }
                    Printed::Table => {}
                }
            }
        }
    }
    if args.stack.format == Printed::Table {
        if messages > 0 {
            print_table(table)?;
        }
        print_line(format!("{} parked", counted(messages, "message")))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The inspections that a parked message asks for: id and photo, for people. None when it cannot be read.
pub(super) fn asked_for(message: &Parked) -> Vec<(String, String)> {
    let intakes = parse_intake(&message.body, &message.attributes).unwrap_or_default();
    let requests = intakes.into_iter().filter_map(|intake| match intake {
        Intake::Inspect(request) => Some((request.id.to_string(), request.photo.to_string())),
        Intake::Nothing { .. } => None,
    });
    requests.collect()
}

fn row(queue: &str, message: &Parked) -> Vec<Cell> {
    let photos: Vec<String> = asked_for(message).into_iter().map(|(_, photo)| photo).collect();
    vec![
        Cell::new(&message.message_id),
        Cell::new(message.from.as_deref().unwrap_or(queue)),
        Cell::new(clock_time(message.parked_at)),
        Cell::new(if photos.is_empty() {
            "unreadable".to_owned()
        } else {
            photos.join(", ")
        }),
        Cell::new(message.reason.as_deref().unwrap_or("not known")),
    ]
}

fn document(queue: &str, message: &Parked) -> serde_json::Value {
    let ids: Vec<String> = asked_for(message).into_iter().map(|(id, _)| id).collect();
    json!({
        "message_id": message.message_id,
        "queue": message.from.as_deref().unwrap_or(queue),
        "reason": message.reason,
        "inspections": ids,
        "sent_at": rfc3339(message.sent_at),
        "parked_at": rfc3339(message.parked_at),
        "attributes": message.attributes,
        "body": message.body,
    })
}

pub(crate) fn redrive(args: &RedriveArgs) -> Result<ExitCode, Failure> {
    let stack = Stack::existing(args.root.as_deref())?;
    runtime()?.block_on(send_back(args, &stack))
}

async fn send_back(args: &RedriveArgs, stack: &Stack) -> Result<ExitCode, Failure> {
    let mut moved = 0;
    let mut missing = Vec::new();
    if args.all {
        for (_, dead) in queues(args.queue) {
            moved += stack.embedded.redrive(dead, Redrive::All).await?;
        }
    }
    for id in &args.ids {
        let mut found = 0;
        for (_, dead) in queues(args.queue) {
            found += stack.embedded.redrive(dead, Redrive::One(id.to_string())).await?;
        }
        if found == 0 {
            missing.push(id.to_string());
        }
        moved += found;
    }
    let moved = usize::try_from(moved).unwrap_or(usize::MAX);
    print_line(format!("{} sent back", counted(moved, "message")))?;
    if missing.is_empty() {
        return Ok(ExitCode::SUCCESS);
    }
    Err(anyhow::anyhow!("not parked: {}", missing.join(", ")).into())
}
