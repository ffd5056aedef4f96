//! Reviews under test, and what their cases share.

use crate::suite::{Broken, Keep};
use std::sync::Arc;
use walkaround_domain::{Decision, InspectionId, Review, ReviewTask, Reviewer, TaskReason, Timestamp};
use walkaround_ports::Reviews;

/// When the cases begin.
pub(super) const NOW: Timestamp = Timestamp(1_795_305_600_123);

/// Fresh, empty reviews.
pub struct ReviewsUnderTest {
    /// The port.
    pub reviews: Arc<dyn Reviews>,
    /// Whatever has to stay.
    pub keep: Keep,
}

pub(super) fn id(text: &str) -> Result<InspectionId, Broken> {
    InspectionId::new(text).map_err(|e| Broken(e.to_string()))
}

pub(super) fn reviewer(name: &str) -> Result<Reviewer, Broken> {
    Reviewer::new(name).map_err(|e| Broken(e.to_string()))
}

pub(super) fn review(inspection: &str, revision: u32, by: &str) -> Result<Review, Broken> {
    Ok(Review {
        inspection: id(inspection)?,
        revision,
        by: reviewer(by)?,
        at: NOW,
        based_on: [7; 32],
        decision: Decision::Confirm,
        note: None,
    })
}

pub(super) fn task(inspection: &str, reason: TaskReason) -> Result<ReviewTask, Broken> {
    Ok(ReviewTask::open(id(inspection)?, reason, NOW))
}
