//! A review task as a document.

use crate::Unreadable;
use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::moment::rfc3339;
use crate::review::fields::{at, inspection_id, one_of, reviewer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use walkaround_domain::{ReviewTask, TaskReason, TaskState};

/// A review task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskDocument {
    /// Version of this document: 1.
    pub version: u32,
    /// Which inspection.
    pub inspection_id: String,
    /// The most pressing reason.
    pub reason: String,
    /// The others.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub also: Vec<String>,
    /// Probability with which an inspection like this one gets a task.
    pub inclusion: f64,
    /// Urgency, 0 to 9.
    pub priority: u8,
    /// When it was written or opened again, RFC 3339.
    pub created_at: String,
    /// `open`, `claimed` or `done`.
    pub state: String,
    /// Who has it, if claimed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_by: Option<String>,
    /// When the claim ends, RFC 3339.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claimed_until: Option<String>,
    /// Round of the inspection.
    #[serde(default)]
    pub round: u32,
    /// The last revision that it has taken account of.
    #[serde(default)]
    pub reviewed: u32,
    /// Who asked for somebody else's decision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub escalated_by: Option<String>,
    /// The vehicle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle_id: Option<String>,
    /// Classes of the findings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<String>,
}

/// The document of a task.
pub fn task_body(task: &ReviewTask) -> String {
    to_text(&TaskDocument::from(task))
}

/// Reads the document of a task.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_task(body: &str) -> Result<ReviewTask, Unreadable> {
    from_text::<TaskDocument>(body)?.try_into()
}

impl From<&ReviewTask> for TaskDocument {
    fn from(task: &ReviewTask) -> Self {
        let claim = match &task.state {
            TaskState::Claimed { by, until } => Some((by.to_string(), rfc3339(*until))),
            TaskState::Open | TaskState::Done => None,
        };
        let (claimed_by, claimed_until) = claim.unzip();
        Self {
            version: VERSION,
            inspection_id: task.inspection.to_string(),
            reason: task.reason.as_str().to_owned(),
            also: task.also.iter().map(ToString::to_string).collect(),
            inclusion: finite(task.inclusion),
            priority: task.priority,
            created_at: rfc3339(task.created_at),
            state: task.state.as_str().to_owned(),
            claimed_by,
            claimed_until,
            round: task.round,
            reviewed: task.reviewed,
            escalated_by: task.escalated_by.as_ref().map(ToString::to_string),
            vehicle_id: task.vehicle_id.clone(),
            classes: task.classes.iter().cloned().collect(),
        }
    }
}

impl TryFrom<TaskDocument> for ReviewTask {
    type Error = Unreadable;

    fn try_from(wire: TaskDocument) -> Result<Self, Unreadable> {
        check_version(u64::from(wire.version))?;
        let state = match (wire.state.as_str(), wire.claimed_by, wire.claimed_until) {
            ("open", ..) => TaskState::Open,
            ("done", ..) => TaskState::Done,
            ("claimed", Some(by), Some(until)) => TaskState::Claimed {
                by: reviewer("claimed_by", by)?,
                until: at("claimed_until", &until)?,
            },
            _ => {
                return Err(Unreadable::new(
                    "state: expected open, done or claimed (with claimed_by and claimed_until)",
                ));
            }
        };
        let also = wire.also.iter().map(|word| reason(word));
        Ok(Self {
            inspection: inspection_id(wire.inspection_id)?,
            reason: reason(&wire.reason)?,
            also: also.collect::<Result<BTreeSet<_>, _>>()?,
            inclusion: wire.inclusion,
            priority: wire.priority,
            created_at: at("created_at", &wire.created_at)?,
            state,
            round: wire.round,
            reviewed: wire.reviewed,
            escalated_by: wire
                .escalated_by
                .map(|by| reviewer("escalated_by", by))
                .transpose()?,
            vehicle_id: wire.vehicle_id,
            classes: wire.classes.into_iter().collect(),
        })
    }
}

fn reason(word: &str) -> Result<TaskReason, Unreadable> {
    TaskReason::parse(word).ok_or_else(|| one_of("reason", TaskReason::ALL.map(TaskReason::as_str)))
}
