//! Photos of the past: done inspections of a stretch of time, page by page, the newest day first.

use crate::store::entry;
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::{Inspection, InspectionId, Phase, Timestamp};
use walkaround_messages::utc_day;
use walkaround_ports::{PortError, PortErrorKind, RECORDS_PAGE_MAX, RecordQuery, Records};

/// Longest stretch of time, in days.
pub const PAST_DAYS_MAX: u64 = 3660;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// A stretch of time, by acceptance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// From this moment on.
    pub since: Timestamp,
    /// Up to this moment, which is not part of it.
    pub until: Timestamp,
}

/// Which photos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastQuery {
    /// Accepted within.
    pub window: Window,
    /// Only those with a finding of one of these classes on their record; empty for all.
    pub classes: BTreeSet<String>,
}

impl PastQuery {
    /// All of a stretch of time.
    pub const fn all(window: Window) -> Self {
        Self {
            window,
            classes: BTreeSet::new(),
        }
    }

    /// Whether an inspection is one of them: it is done, and within.
    pub fn wants(&self, inspection: &Inspection) -> bool {
        let Some(outcome) = &inspection.outcome else {
            return false;
        };
        let done = matches!(inspection.phase, Phase::Done { .. });
        let within = (self.window.since..self.window.until).contains(&inspection.accepted_at);
        let mut classes = outcome.findings.iter().map(|finding| &finding.class);
        done && within && (self.classes.is_empty() || classes.any(|class| self.classes.contains(class)))
    }
}

impl Window {
    /// The UTC days that it touches, the last one first; at most [`PAST_DAYS_MAX`].
    pub fn days(&self) -> Vec<String> {
        let mut days = Vec::new();
        let mut at = Timestamp(self.until.0.saturating_sub(1));
        while at >= self.since && (days.len() as u64) < PAST_DAYS_MAX {
            days.push(utc_day(at));
            let midnight = at.0 - at.0 % (DAY.as_secs() * 1000);
            if midnight == 0 {
                break;
            }
            at = Timestamp(midnight - 1);
        }
        days
    }
}

/// A page of them.
#[derive(Debug, Clone, Default)]
pub struct PastPage {
    /// In no particular order.
    pub inspections: Vec<Inspection>,
    /// Records that cannot be read.
    pub unreadable: Vec<InspectionId>,
}

/// Reads them, one page of records at a time.
pub struct PastPhotos {
    records: Arc<dyn Records>,
    query: PastQuery,
    /// The days to come, the next one last.
    days: Vec<String>,
    after: Option<String>,
}

impl PastPhotos {
    /// From the newest day on.
    pub fn new(records: Arc<dyn Records>, query: PastQuery) -> Self {
        let mut days = query.window.days();
        days.reverse();
        Self {
            records,
            query,
            days,
            after: None,
        }
    }

    /// The next page, which may be empty; none after the last one.
    ///
    /// # Errors
    /// [`PortError`]; calling again reads the same page.
    pub async fn next(&mut self) -> Result<Option<PastPage>, PortError> {
        let Some(day) = self.days.last() else {
            return Ok(None);
        };
        let day = RecordQuery::Day(day.clone());
        let found = self
            .records
            .list(&day, self.after.as_deref(), RECORDS_PAGE_MAX)
            .await?;
        let mut page = PastPage::default();
        for record in &found.records {
            match entry(record) {
                Ok(read) if self.query.wants(&read.inspection) => page.inspections.push(read.inspection),
                Ok(_) => {}
                Err(error) if error.kind == PortErrorKind::Corrupt => page.unreadable.push(record.id.clone()),
                Err(error) => return Err(error),
            }
        }
        self.after = found.next;
        if self.after.is_none() {
            self.days.pop();
        }
        Ok(Some(page))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_messages::parse_rfc3339;

    fn days(since: &str, until: &str) -> Vec<String> {
        let at = |text| parse_rfc3339(text).expect("a moment");
        let window = Window {
            since: at(since),
            until: at(until),
        };
        window.days()
    }

    #[test]
    fn the_days_of_a_stretch_are_those_that_it_touches() {
        let noon = "2026-11-22T12:00:00Z";
        assert_eq!(days(noon, "2026-11-22T12:00:01Z"), ["2026-11-22"]);
        assert_eq!(days(noon, "2026-11-23T00:00:00Z"), ["2026-11-22"]);
        let three = ["2026-11-24", "2026-11-23", "2026-11-22"];
        assert_eq!(days(noon, "2026-11-24T00:00:00.001Z"), three);
        assert!(days(noon, noon).is_empty());
        assert_eq!(
            days("1970-01-01T00:00:00Z", "1970-01-01T00:00:01Z"),
            ["1970-01-01"]
        );
        let all = days("1970-01-01T00:00:00Z", noon);
        assert_eq!(all.len() as u64, PAST_DAYS_MAX);
    }
}
