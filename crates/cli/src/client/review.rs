//! `walkaround review`: tasks, claims, decisions.

mod decide;
mod error;

use super::open;
use super::table::{cell, print_document, print_line, print_notice, print_table, table};
use crate::args::{
    AskArgs, ClaimArgs, HistoryArgs, ListTasksArgs, Printed, ReviewArgs, ReviewCommand, ShowReviewArgs,
    StackArgs,
};
use crate::failure::Failure;
use anyhow::anyhow;
use error::failure;
use serde_json::json;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::IfMissing;
use walkaround_client::format::clock_time;
use walkaround_domain::{Decision, Review, ReviewTask, Reviewer, TaskReason, TaskState};
use walkaround_messages::{ReviewedDocument, TaskDocument, review_body, task_body};
use walkaround_pipeline::review::{ClaimOutcome, ReviewService, TaskSearch};

pub(crate) fn run(args: &ReviewArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        match &args.command {
            ReviewCommand::List(args) => list(args).await?,
            ReviewCommand::Show(args) => show(args).await?,
            ReviewCommand::Claim(args) => return claim(args).await,
            ReviewCommand::Decide(args) => decide::run(args).await?,
            ReviewCommand::History(args) => history(args).await?,
            ReviewCommand::Ask(args) => ask(args).await?,
        }
        Ok(ExitCode::SUCCESS)
    })
}

async fn service(args: &StackArgs) -> Result<ReviewService, Failure> {
    open(args, IfMissing::Fail).await?.reviews()
}

async fn list(args: &ListTasksArgs) -> Result<(), Failure> {
    let reviews = service(&args.stack).await?.reviews;
    let page = reviews
        .open_tasks(args.reason, args.after.as_deref(), usize::from(args.limit))
        .await?;
    match args.stack.format {
        Printed::Json => {
            for task in &page.tasks {
                print_document(task_body(task))?;
            }
        }
        Printed::Table => {
            print_tasks(&page.tasks)?;
            let counts = reviews.task_counts().await?;
            let counts = counts.iter().map(|count| {
                let more = if count.more { "+" } else { "" };
                format!("{} {}{more}", count.reason, count.tasks)
            });
            let counts: Vec<String> = counts.collect();
            if !counts.is_empty() {
                print_line(format!("not done: {}", counts.join(", ")))?;
            }
        }
    }
    if let Some(next) = page.next {
        print_notice(format!("walkaround: there are more: --after '{next}'"))?;
    }
    Ok(())
}

fn print_tasks(tasks: &[ReviewTask]) -> Result<(), Failure> {
    if tasks.is_empty() {
        return Ok(print_line("no tasks")?);
    }
    let mut table = table(&["since", "reason", "state", "vehicle", "classes", "inspection"]);
    for task in tasks {
        let classes: Vec<&str> = task.classes.iter().map(String::as_str).collect();
        table.add_row([
            cell(clock_time(task.created_at)),
            cell(reasons(task)),
            cell(state(task)),
            cell(task.vehicle_id.as_deref().unwrap_or_default()),
            cell(classes.join(" ")),
            cell(&task.inspection),
        ]);
    }
    Ok(print_table(table)?)
}

fn reasons(task: &ReviewTask) -> String {
    let reasons: Vec<&str> = task.reasons().map(TaskReason::as_str).collect();
    reasons.join(" ")
}

fn state(task: &ReviewTask) -> String {
    match &task.state {
        TaskState::Open => "open".to_owned(),
        TaskState::Claimed { by, until } => format!("claimed by {by} until {}", clock_time(*until)),
        TaskState::Done => "done".to_owned(),
    }
}

async fn show(args: &ShowReviewArgs) -> Result<(), Failure> {
    let read = service(&args.stack)
        .await?
        .read(&args.id)
        .await
        .map_err(failure)?;
    let reviewed = ReviewedDocument::from(&read.reviewed);
    if args.stack.format == Printed::Json {
        let document = json!({
            "inspection_id": args.id.as_str(),
            "task": read.task.as_ref().map(TaskDocument::from),
            "reviewed": reviewed,
            "revisions": read.history.len(),
        });
        return Ok(print_document(document)?);
    }
    print_line(format!("inspection   {}", args.id))?;
    match &read.task {
        None => print_line("task         none")?,
        Some(task) => print_line(format!("task         {}, {}", state(task), reasons(task)))?,
    }
    let by = read.reviewed.by.as_ref();
    let by = by.map_or_else(String::new, |by| {
        format!(" by {by}, revision {}", reviewed.revision)
    });
    let escalated = if reviewed.escalated { ", escalated" } else { "" };
    print_line(format!("reviewed     {}{by}{escalated}", reviewed.judgement))?;
    Ok(())
}

async fn history(args: &HistoryArgs) -> Result<(), Failure> {
    let read = service(&args.stack)
        .await?
        .read(&args.id)
        .await
        .map_err(failure)?;
    if args.stack.format == Printed::Json {
        for review in &read.history {
            print_document(review_body(review))?;
        }
        return Ok(());
    }
    if read.history.is_empty() {
        return Ok(print_line("no reviews")?);
    }
    let mut table = table(&["revision", "at", "by", "decision", "note"]);
    for review in &read.history {
        table.add_row([
            cell(review.revision),
            cell(clock_time(review.at)),
            cell(&review.by),
            cell(decision(review)),
            cell(review.note.as_deref().unwrap_or_default()),
        ]);
    }
    Ok(print_table(table)?)
}

/// A decision in words.
fn decision(review: &Review) -> String {
    match &review.decision {
        Decision::Confirm | Decision::Escalate => review.decision.as_str().to_owned(),
        Decision::Unusable(why) => format!("unusable: {}", why.as_str()),
        Decision::Undo(revision) => format!("undo {revision}"),
        Decision::Findings(d) => {
            format!(
                "findings: {} corrected, {} added",
                d.findings.len(),
                d.added.len()
            )
        }
    }
}

async fn ask(args: &AskArgs) -> Result<(), Failure> {
    let task = service(&args.stack).await?.ask(&args.id).await.map_err(failure)?;
    print_task(&args.stack, &task)
}

fn print_task(args: &StackArgs, task: &ReviewTask) -> Result<(), Failure> {
    match args.format {
        Printed::Json => print_document(task_body(task))?,
        Printed::Table => print_line(format!("{}: {}, {}", task.inspection, state(task), reasons(task)))?,
    }
    Ok(())
}

async fn claim(args: &ClaimArgs) -> Result<ExitCode, Failure> {
    let service = service(&args.stack).await?;
    let by: &Reviewer = &args.by.by;
    let Some(id) = &args.id else {
        let search = TaskSearch {
            reason: args.reason,
            ..TaskSearch::default()
        };
        return match service.claim_next(by, &search).await.map_err(failure)? {
            Some(task) => {
                print_task(&args.stack, &task)?;
                Ok(ExitCode::SUCCESS)
            }
            None => {
                print_notice("walkaround: no task is open")?;
                Ok(ExitCode::SUCCESS)
            }
        };
    };
    let outcome = match (args.release, args.extend) {
        (true, _) => service.release(id, by).await?,
        (_, true) => service.extend(id, by).await?,
        _ => service.claim(id, by).await?,
    };
    match outcome {
        ClaimOutcome::Task(task) => {
            print_task(&args.stack, &task)?;
            Ok(ExitCode::SUCCESS)
        }
        ClaimOutcome::Refused(why) => Err(Failure::Failed(anyhow!("task of {id}: {why}"))),
        ClaimOutcome::Missing => Err(Failure::Failed(anyhow!(
            "no task of {id}; ask for one with `walkaround review ask {id}`"
        ))),
    }
}
