//! `walkaround bundle rollout`: which bundles see photos, and what is seen of a canary.

use super::folders::answering;
use crate::args::{Printed, RolloutArgs};
use crate::client::open;
use crate::client::table::{cell, print_document, print_line, print_table, table};
use crate::failure::Failure;
use serde::Serialize;
use std::path::Path;
use std::process::ExitCode;
use walkaround_bootstrap::process::runtime;
use walkaround_client::format::clock_time;
use walkaround_client::{IfMissing, StackClient};
use walkaround_domain::BundleId;
use walkaround_domain::canary::{Canary, CanaryDecision, Evidence};
use walkaround_domain::rollout::Rollout;
use walkaround_messages::{EvidenceDocument, GroupDocument, RolloutDocument};
use walkaround_pipeline::canary::{EvidenceReader, Observations};
use walkaround_pipeline::rollout::read_rollout;

pub(super) fn run(args: &RolloutArgs) -> Result<ExitCode, Failure> {
    runtime()?.block_on(async {
        let stack = open(&args.stack, IfMissing::Fail).await?;
        let rollout = read_rollout(&*stack.state()?).await?;
        print_rollout(&*stack, &rollout, args.stack.format).await?;
        Ok(ExitCode::SUCCESS)
    })
}

/// What is printed for machines.
#[derive(Serialize)]
struct Shown {
    /// The bundle that answers.
    answers: String,
    #[serde(flatten)]
    rollout: RolloutDocument,
    /// What is seen of the canary.
    #[serde(skip_serializing_if = "Option::is_none")]
    evidence: Option<EvidenceDocument>,
    /// What the policy says of it now.
    #[serde(skip_serializing_if = "Option::is_none")]
    decision: Option<String>,
}

/// Prints a rollout, with what is seen of its canary.
pub(super) async fn print_rollout(
    stack: &dyn StackClient,
    rollout: &Rollout,
    format: Printed,
) -> Result<(), Failure> {
    let answers: BundleId = match stack.active_bundle().await? {
        Some(active) => active,
        None => answering(stack, rollout).await?.bundle,
    };
    let evidence = match &rollout.canary {
        Some(canary) => Some(evidence_of(stack, canary).await?),
        None => None,
    };
    let decision = rollout
        .running_canary()
        .zip(evidence.as_ref())
        .map(|(canary, evidence)| {
            canary
                .policy
                .decide(evidence, stack.clock().now().since(canary.since))
        });
    if format == Printed::Json {
        let shown = Shown {
            answers: answers.to_string(),
            rollout: rollout.into(),
            evidence: evidence.as_ref().map(EvidenceDocument::from),
            decision: decision.as_ref().map(in_words),
        };
        return Ok(print_document(serde_json::to_string(&shown)?)?);
    }
    print_line(format!("{answers} answers"))?;
    match &rollout.shadow {
        None => print_line("no shadow")?,
        Some(shadow) => print_line(format!(
            "{} sees {} % of the settled photos since {}",
            shadow.bundle,
            shadow.share * 100.0,
            clock_time(shadow.since)
        ))?,
    }
    match (&rollout.canary, &evidence) {
        (Some(canary), Some(evidence)) => print_canary(canary, evidence, decision.as_ref()),
        _ => Ok(print_line("no canary")?),
    }
}

async fn evidence_of(stack: &dyn StackClient, canary: &Canary) -> Result<Evidence, Failure> {
    let reader = EvidenceReader {
        observations: Observations {
            blobs: stack.blobs(),
            bucket: stack.settings().results_bucket.clone(),
        },
        records: stack.records()?,
        reviews: stack.reviews()?.reviews,
    };
    Ok(reader.read(canary).await?)
}

fn in_words(decision: &CanaryDecision) -> String {
    match decision {
        CanaryDecision::Wait(why) => format!("goes on: {why}"),
        CanaryDecision::RollBack(why) => format!("to be rolled back: {why}"),
        CanaryDecision::Promote(why) => format!("to be promoted: {why}"),
    }
}

fn print_canary(
    canary: &Canary,
    evidence: &Evidence,
    decision: Option<&CanaryDecision>,
) -> Result<(), Failure> {
    let (bundle, since) = (&canary.bundle, clock_time(canary.since));
    let share = canary.share * 100.0;
    match &canary.end {
        None => print_line(format!(
            "canary {bundle} answers for {share} % of the vehicles since {since}"
        ))?,
        Some(end) => print_line(format!(
            "canary {bundle} {} {}: {}",
            end.how.as_str().replace('_', " "),
            clock_time(end.at),
            end.why
        ))?,
    }
    if let Some(decision) = decision {
        print_line(in_words(decision))?;
    }
    let shown = EvidenceDocument::from(evidence);
    let mut groups = table(&[
        "photos of",
        "answered",
        "damaged",
        "clean",
        "unusable",
        "failed",
        "times",
    ]);
    for (name, group) in [("the canary", &shown.canary), ("others", &shown.control)] {
        groups.add_row([
            cell(name),
            cell(group.answered),
            cell(group.damaged),
            cell(group.clean),
            cell(group.unusable),
            cell(group.failed),
            cell(times(group)),
        ]);
    }
    print_table(groups)?;
    print_line(format!(
        "another verdict than before on {} of {} photos",
        shown.flips, shown.pairs
    ))?;
    if let Some(precision) = shown.precision {
        let reviewed = shown.reviewed;
        print_line(format!(
            "{:.1} % of what it calls damaged is, by {reviewed} reviewed photos",
            precision * 100.0
        ))?;
    }
    Ok(())
}

fn times(group: &GroupDocument) -> String {
    let each = group.times.iter().map(|time| {
        let lane = time.lane.as_deref().unwrap_or("triage");
        format!("{} ({lane}) {:.0} ms", time.step, time.ms)
    });
    each.collect::<Vec<_>>().join(", ")
}

/// Refuses a folder where bundles are in a registry.
pub(super) fn require_local(folder: Option<&Path>, stack: &dyn StackClient) -> Result<(), Failure> {
    if folder.is_some() && stack.name() != "local" {
        return Err(Failure::usage(
            "--bundle works only with --stack local: on AWS bundles are in the registry",
        ));
    }
    Ok(())
}
