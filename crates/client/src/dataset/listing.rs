//! The done inspections of a stretch of time, day by day and page by page.

use crate::{StackClient, inspection};
use walkaround_bootstrap::Failure;
use walkaround_domain::{Inspection, Phase, Timestamp};
use walkaround_messages::utc_day;
use walkaround_ports::{RECORDS_PAGE_MAX, RecordQuery};

const DAY_MS: u64 = 86_400_000;
/// Longest stretch, in days.
pub(super) const DAYS_MAX: u64 = 400;
/// Most inspections of one run: what is kept of each is held in memory.
pub(super) const INSPECTIONS_MAX: usize = 300_000;

/// A stretch of time, by acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From this moment on.
    pub since: Timestamp,
    /// Up to this moment, which is not part of it.
    pub until: Timestamp,
}

/// Hands over every inspection of the window that is done.
///
/// # Errors
/// Usage: the window is too long, or has too many. A port failed, or a record cannot be read.
pub(super) async fn each_done(
    stack: &dyn StackClient,
    window: Window,
    mut take: impl FnMut(Inspection) + Send,
) -> Result<(), Failure> {
    let first = window.since.0 / DAY_MS;
    let last = window.until.0.saturating_sub(1) / DAY_MS;
    if last.saturating_sub(first) >= DAYS_MAX {
        let line = format!("--since and --until are more than {DAYS_MAX} days apart: export in parts");
        return Err(Failure::usage(line));
    }
    let records = stack.records()?;
    let mut seen = 0;
    for day in first..=last {
        let query = RecordQuery::Day(utc_day(Timestamp(day * DAY_MS)));
        let mut after: Option<String> = None;
        loop {
            let page = records.list(&query, after.as_deref(), RECORDS_PAGE_MAX).await?;
            for record in &page.records {
                let inspection = inspection(record)?;
                let at = inspection.accepted_at;
                let inside = window.since <= at && at < window.until;
                if inside && matches!(inspection.phase, Phase::Done { .. }) {
                    seen += 1;
                    if seen > INSPECTIONS_MAX {
                        let line = format!("more than {INSPECTIONS_MAX} inspections: choose a shorter time");
                        return Err(Failure::usage(line));
                    }
                    take(inspection);
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    Ok(())
}
