//! `walkaround review decide`.

use super::error::failure;
use crate::args::{DecideArgs, Printed};
use crate::client::open;
use crate::client::table::{print_document, print_line};
use crate::failure::Failure;
use anyhow::{Context, anyhow};
use serde_json::json;
use std::fs::File;
use std::io::Read;
use walkaround_client::IfMissing;
use walkaround_domain::{Decision, Review, ReviewTask};
use walkaround_messages::{ReviewDocument, ReviewedDocument, TaskDocument, parse_decision};
use walkaround_pipeline::review::{DecisionRequest, report_digest};

/// Largest document of a decision, in bytes: far more than one within its bounds has.
const DECISION_BYTES_MAX: u64 = 1 << 20;

pub(super) async fn run(args: &DecideArgs) -> Result<(), Failure> {
    let decision = decision(args)?;
    let stack = open(&args.stack, IfMissing::Fail).await?;
    // Before anything is stored: without a topic nobody would hear of the decision.
    stack.publisher()?;
    let service = stack.reviews()?;
    // What was not given is what stands now: whoever decides meanwhile makes this one a conflict.
    let read = service.read(&args.id).await.map_err(failure)?;
    let based_on = match args.based_on {
        Some(digest) => digest.0,
        None => report_digest(&read.inspection).ok_or_else(|| {
            let phase = read.inspection.phase.as_str();
            anyhow!("inspection {} is {phase}: it has no report to decide on", args.id)
        })?,
    };
    let last = read.history.last().map_or(0, |review| review.revision);
    let request = DecisionRequest {
        inspection: args.id.clone(),
        revision: args.revision.unwrap_or(last + 1),
        by: args.by.by.clone(),
        based_on,
        decision,
        note: args.note.clone(),
    };
    let decided = service.decide(request).await.map_err(failure)?;
    let reviewed = ReviewedDocument::from(&decided.reviewed);
    match args.stack.format {
        Printed::Json => print_document(document(&decided.review, &reviewed, decided.task.as_ref()))?,
        Printed::Table => print_line(format!(
            "{}: revision {} stored, {}",
            args.id, decided.review.revision, reviewed.judgement
        ))?,
    }
    Ok(())
}

fn decision(args: &DecideArgs) -> Result<Decision, Failure> {
    if let Some(why) = args.unusable {
        return Ok(Decision::Unusable(why));
    }
    if let Some(revision) = args.undo {
        return Ok(Decision::Undo(revision));
    }
    if args.escalate {
        return Ok(Decision::Escalate);
    }
    let Some(path) = &args.file else {
        return Ok(Decision::Confirm);
    };
    let read = |reader: &mut dyn Read| {
        let mut text = String::new();
        let bytes = reader.take(DECISION_BYTES_MAX + 1).read_to_string(&mut text)?;
        Ok::<_, std::io::Error>((text, bytes as u64))
    };
    let named = path.display();
    let (text, bytes) = if path.as_os_str() == "-" {
        read(&mut std::io::stdin().lock())
    } else {
        File::open(path).and_then(|mut file| read(&mut file))
    }
    .with_context(|| format!("cannot read {named}"))?;
    if bytes > DECISION_BYTES_MAX {
        return Err(Failure::usage(format!(
            "{named}: more than {DECISION_BYTES_MAX} bytes"
        )));
    }
    parse_decision(&text).map_err(|e| Failure::usage(format!("{named}: {e}")))
}

/// A stored review with what it comes to, as a document.
fn document(review: &Review, reviewed: &ReviewedDocument, task: Option<&ReviewTask>) -> serde_json::Value {
    json!({
        "review": ReviewDocument::from(review),
        "reviewed": reviewed,
        "task": task.map(TaskDocument::from),
    })
}
