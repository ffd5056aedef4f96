//! `walkaround retry`: failed inspections, tried again.

use super::open;
use super::table::{
    ROWS_MAX, cell, photo_name, print_document, print_line, print_notice, print_table, table,
};
use crate::args::{Printed, RetryArgs};
use crate::failure::Failure;
use comfy_table::Table;
use serde_json::json;
use std::process::ExitCode;
use std::time::Duration;
use walkaround_bootstrap::process::runtime;
use walkaround_client::format::counted;
use walkaround_client::{IfMissing, StackClient};
use walkaround_messages::utc_day;
use walkaround_pipeline::reopen::{
    LeftWhy, Purpose, ReopenError, ReopenPass, ReopenSummary, ReopenedOne, Reopener, Which,
};
use walkaround_pipeline::store::InspectionStore;
use walkaround_ports::{Clock, QueueName};

/// Days that are looked through when none is named, today included.
const DAYS_MAX: u32 = 30;

pub(crate) fn run(args: &RetryArgs) -> Result<ExitCode, Failure> {
    if args.url.is_some() && args.ids.len() != 1 {
        return Err(Failure::usage("--url works only with one inspection"));
    }
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        retry(args, &*stack).await
    })
}

async fn retry(args: &RetryArgs, stack: &dyn StackClient) -> Result<ExitCode, Failure> {
    let records = stack.records()?;
    let reopener = Reopener {
        store: InspectionStore::new(records.clone()),
        records,
        blobs: stack.blobs(),
        intake: stack.queue(QueueName::Intake)?,
        clock: stack.clock(),
    };
    let pass = ReopenPass {
        limit: usize::from(args.limit),
        dry_run: args.dry_run,
        purpose: if args.lost {
            Purpose::Remake
        } else {
            Purpose::Retry
        },
        url: args.url.clone(),
    };
    let mut table = table(&["inspection", "photo", "failed as", "outcome"]);
    let mut hear = |one: ReopenedOne| match args.stack.format {
        Printed::Json => print_document(document(&one)),
        Printed::Table => {
            row(&mut table, &one);
            Ok(())
        }
    };
    let ended = reopener
        .run(&which(args, &*stack.clock()), &pass, &mut hear)
        .await;
    if args.stack.format == Printed::Table && table.row_count() > 0 {
        print_table(table)?;
    }
    let summary = ended.map_err(|error| match error {
        ReopenError::Port(error) => Failure::from(error),
        ReopenError::Output(error) => Failure::from(error),
    })?;
    let line = line(&summary, args);
    match args.stack.format {
        Printed::Table => print_line(line)?,
        // Standard output has documents only.
        Printed::Json => print_notice(line)?,
    }
    Ok(if is_bad(&summary) {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// Whether an inspection that was to be tried again is not. Nothing found by a filter is no failure: nothing needed doing.
fn is_bad(summary: &ReopenSummary) -> bool {
    summary.errors > 0 || !summary.left.is_empty()
}

fn which(args: &RetryArgs, clock: &dyn Clock) -> Which {
    if !args.ids.is_empty() {
        return Which::Ids(args.ids.clone());
    }
    let day = |back: u32| utc_day(clock.now() - Duration::from_secs(86_400) * back);
    let days = match &args.day {
        Some(day) => vec![day.clone()],
        None => (0..DAYS_MAX).map(day).collect(),
    };
    if args.lost {
        return Which::Done { days };
    }
    Which::Failed {
        days,
        code: args.code,
        bundle: args.bundle.clone(),
    }
}

fn document(one: &ReopenedOne) -> serde_json::Value {
    let (state, why) = one.what.described();
    json!({
        "inspection_id": one.id.as_str(),
        "photo": one.photo.as_ref().map(ToString::to_string),
        "code": one.code.map(|code| code.as_str()),
        "state": state,
        "why": why,
    })
}

fn row(table: &mut Table, one: &ReopenedOne) {
    if table.row_count() >= ROWS_MAX {
        return;
    }
    let (state, why) = one.what.described();
    let outcome = state.replace('_', " ") + &why.map_or_else(String::new, |why| format!(": {why}"));
    table.add_row([
        cell(&one.id),
        cell(one.photo.as_ref().map_or_else(String::new, photo_name)),
        cell(one.code.map_or("", |code| code.as_str())),
        cell(outcome),
    ]);
}

/// Why inspections were left as they are, and what to do.
const fn left(why: LeftWhy, lost: bool) -> &'static str {
    match why {
        LeftWhy::NotFailed if lost => "not done, so that it has no result to lose",
        LeftWhy::NotFailed => "not failed, nothing to do",
        LeftWhy::ResultStored => "the result is stored, nothing to do",
        LeftWhy::Unknown => "no such inspection, see `walkaround list`",
        LeftWhy::OtherUrl => "the URL given is not that of the photo",
        LeftWhy::SignedUrl => {
            "the URL may have been signed and is not kept, give it with `retry ID --url URL`"
        }
    }
}

fn line(summary: &ReopenSummary, args: &RetryArgs) -> String {
    let done = if args.dry_run {
        "would be tried again"
    } else {
        "tried again"
    };
    let mut text = format!("{} {done}", counted(summary.opened, "inspection"));
    if summary.opened == 0 && !is_bad(summary) {
        let what = if args.lost {
            "lost result"
        } else {
            "failed inspection"
        };
        text.push_str(&format!(": no {what} matches"));
    }
    for (why, count) in &summary.left {
        text.push_str(&format!(", {count} left: {}", left(*why, args.lost)));
    }
    if summary.errors > 0 {
        text.push_str(&format!(", {} NOT REACHED", summary.errors));
    }
    if summary.more {
        text.push_str("; there are more: run the same command again to continue");
    }
    if args.ids.is_empty() && args.day.is_none() {
        text.push_str(&format!(
            " (accepted in the last {DAYS_MAX} days; --day selects any day)"
        ));
    }
    text
}
