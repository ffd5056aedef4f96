//! The command line of `walkaround review`.

use super::client::{StackArgs, inspection_id};
use clap::{ArgGroup, Args as ClapArgs, Subcommand};
use std::path::PathBuf;
use walkaround_domain::review::UnusableReason;
use walkaround_domain::{InspectionId, Reviewer, TaskReason};

#[derive(Debug, ClapArgs)]
pub(crate) struct ReviewArgs {
    #[command(subcommand)]
    pub command: ReviewCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ReviewCommand {
    /// List the tasks that are not done, the most urgent first, then the oldest
    List(ListTasksArgs),
    /// Show the task of an inspection and what its reviews come to
    Show(ShowReviewArgs),
    /// Claim a task for ten minutes: that of an inspection, or the next one
    Claim(ClaimArgs),
    /// Decide on the report of an inspection
    Decide(DecideArgs),
    /// Show the reviews of an inspection, the first one first
    History(HistoryArgs),
    /// Ask for a person's decision on an inspection
    Ask(AskArgs),
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ListTasksArgs {
    #[command(flatten)]
    pub stack: StackArgs,
    /// Only tasks whose most pressing reason is this: asked, damage_not_located, unusable_at_return, disagreement,
    /// near_threshold or audit
    #[arg(long, value_parser = reason)]
    pub reason: Option<TaskReason>,
    /// Largest number of tasks to print
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..=200))]
    pub limit: u16,
    /// Continue where the page before ended: the text that it printed last
    #[arg(long, value_name = "PLACE")]
    pub after: Option<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ShowReviewArgs {
    /// Id of the inspection
    #[arg(value_name = "ID", value_parser = inspection_id)]
    pub id: InspectionId,
    #[command(flatten)]
    pub stack: StackArgs,
}

/// Who reviews.
#[derive(Debug, ClapArgs)]
pub(crate) struct ByArgs {
    /// Name of the reviewer
    #[arg(long, value_name = "NAME", env = "WALKAROUND_REVIEWER", value_parser = reviewer)]
    pub by: Reviewer,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct ClaimArgs {
    /// Id of the inspection [default: the next task]
    #[arg(value_name = "ID", value_parser = inspection_id)]
    pub id: Option<InspectionId>,
    #[command(flatten)]
    pub by: ByArgs,
    /// The next task whose most pressing reason is this
    #[arg(long, value_parser = reason, conflicts_with = "id")]
    pub reason: Option<TaskReason>,
    /// Keep a claimed task for another ten minutes
    #[arg(long, requires = "id", conflicts_with = "release")]
    pub extend: bool,
    /// Give a claimed task back
    #[arg(long, requires = "id")]
    pub release: bool,
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
#[command(group = ArgGroup::new("decision").required(true).args(["confirm", "unusable", "escalate", "undo", "file"]))]
pub(crate) struct DecideArgs {
    /// Id of the inspection
    #[arg(value_name = "ID", value_parser = inspection_id)]
    pub id: InspectionId,
    #[command(flatten)]
    pub by: ByArgs,
    /// The report is right
    #[arg(long)]
    pub confirm: bool,
    /// The photo cannot be judged: blurred, too_dark, too_bright, no_vehicle, obstructed or other
    #[arg(long, value_name = "WHY", value_parser = unusable)]
    pub unusable: Option<UnusableReason>,
    /// Somebody else has to decide
    #[arg(long)]
    pub escalate: bool,
    /// An earlier revision does not count
    #[arg(long, value_name = "REVISION")]
    pub undo: Option<u32>,
    /// JSON document of a decision, as in docs/messages.md; `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Reason in words, at most 2,000 bytes
    #[arg(long, value_name = "TEXT")]
    pub note: Option<String>,
    /// Revision that the decision is to have; the same decision with the same revision is stored once [default: one more
    /// than the last]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub revision: Option<u32>,
    /// SHA-256 of the report that was looked at [default: that of the present report]
    #[arg(long, value_name = "SHA256", value_parser = digest)]
    pub based_on: Option<Digest>,
    #[command(flatten)]
    pub stack: StackArgs,
}

/// A SHA-256.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Digest(pub [u8; 32]);

#[derive(Debug, ClapArgs)]
pub(crate) struct HistoryArgs {
    /// Id of the inspection
    #[arg(value_name = "ID", value_parser = inspection_id)]
    pub id: InspectionId,
    #[command(flatten)]
    pub stack: StackArgs,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct AskArgs {
    /// Id of the inspection
    #[arg(value_name = "ID", value_parser = inspection_id)]
    pub id: InspectionId,
    #[command(flatten)]
    pub stack: StackArgs,
}

pub(super) fn reason(text: &str) -> Result<TaskReason, String> {
    TaskReason::parse(text).ok_or_else(|| one_of(&TaskReason::ALL.map(TaskReason::as_str)))
}

fn unusable(text: &str) -> Result<UnusableReason, String> {
    UnusableReason::parse(text).ok_or_else(|| one_of(&UnusableReason::ALL.map(UnusableReason::as_str)))
}

fn one_of(words: &[&str]) -> String {
    format!("expected one of {}", words.join(", "))
}

fn reviewer(text: &str) -> Result<Reviewer, String> {
    Reviewer::new(text).map_err(|e| e.to_string())
}

fn digest(text: &str) -> Result<Digest, String> {
    walkaround_messages::parse_digest(text)
        .map(Digest)
        .map_err(|e| e.to_string())
}
