//! The done inspections of a stretch of time, for a run that keeps something of each.

use crate::StackClient;
use walkaround_bootstrap::Failure;
use walkaround_domain::{Inspection, InspectionId};
use walkaround_pipeline::past::{PastPhotos, PastQuery, Window};

/// Most inspections of one run: what is kept of each is held in memory.
const INSPECTIONS_MAX: usize = 300_000;

/// Hands over every inspection of the window that is done; gives those whose records cannot be read.
///
/// # Errors
/// Usage: the window has too many. A port failed.
pub(super) async fn each_done(
    stack: &dyn StackClient,
    window: Window,
    mut take: impl FnMut(Inspection) + Send,
) -> Result<Vec<InspectionId>, Failure> {
    let mut photos = PastPhotos::new(stack.records()?, PastQuery::all(window));
    let mut unreadable = Vec::new();
    let mut seen = 0;
    while let Some(page) = photos.next().await? {
        seen += page.inspections.len() + page.unreadable.len();
        if seen > INSPECTIONS_MAX {
            let line = format!("more than {INSPECTIONS_MAX} inspections: choose a shorter time");
            return Err(Failure::usage(line));
        }
        unreadable.extend(page.unreadable);
        page.inspections.into_iter().for_each(&mut take);
    }
    Ok(unreadable)
}
