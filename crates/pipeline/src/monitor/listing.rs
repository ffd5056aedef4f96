//! The records of one day, as parts of windows.

use crate::review::report_digest;
use crate::stored_report::report_if_there;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;
use tracing::warn;
use walkaround_domain::monitor::ReviewedPhoto;
use walkaround_domain::record::FINDINGS_ON_RECORD_MAX;
use walkaround_domain::review::{Judgement, reviewed};
use walkaround_domain::{BundleId, Drawn, Inspection, Outcome, Phase, Verdict};
use walkaround_messages::monitor::{Cell, hour_of};
use walkaround_messages::parse_record;
use walkaround_ports::{
    Blobs, PortCall, PortError, PortErrorKind, RecordQuery, Records, Reviews, StoredRecord,
};

/// Records of one page.
const PAGE: usize = 500;
/// Most pages of one day: ten million records.
const PAGES_MAX: usize = 20_000;
/// Photos whose reviews are read at once.
const REVIEWS_AT_ONCE: usize = 16;

/// What the records of one day come to.
#[derive(Default)]
pub(super) struct DayListing {
    /// By hour and bundle.
    pub(super) cells: BTreeMap<(u64, BundleId), Cell>,
    /// Inspections that are not finished.
    pub(super) open: u64,
    /// Records that were read.
    pub(super) records: u64,
}

/// A photo that was drawn, and its place.
struct DrawnPhoto {
    key: (u64, BundleId),
    drawn: Drawn,
    verdict: Verdict,
    inspection: Inspection,
}

/// What people say of it.
struct Said {
    photo: DrawnPhoto,
    classes: Vec<String>,
    judgement: Judgement,
}

/// What a listing reads from.
pub(super) struct DayReader<'a> {
    /// Inspections.
    pub(super) records: &'a dyn Records,
    /// What people say of them.
    pub(super) reviews: &'a Arc<dyn Reviews>,
    /// Reports.
    pub(super) blobs: &'a Arc<dyn Blobs>,
    /// The label of requests that names the source of a photo.
    pub(super) source_label: &'a str,
}

impl DayReader<'_> {
    /// Lists the records of a day.
    pub(super) async fn list(&self, day: &str) -> Result<DayListing, PortError> {
        let query = RecordQuery::Day(day.to_owned());
        let (mut listing, mut after) = (DayListing::default(), None::<String>);
        for _ in 0..PAGES_MAX {
            let page = self.records.list(&query, after.as_deref(), PAGE).await?;
            let drawn = self.take(&mut listing, day, &page.records);
            self.take_reviews(&mut listing, drawn).await?;
            after = page.next;
            if after.is_none() {
                return Ok(listing);
            }
        }
        let detail = format!("{day} has more than {} records", PAGES_MAX * PAGE);
        Err(PortError::new(
            PortCall::new("records", "list"),
            PortErrorKind::Invalid,
            detail,
        ))
    }

    /// Counts a page; the photos of it that were drawn for review.
    fn take(&self, listing: &mut DayListing, day: &str, records: &[StoredRecord]) -> Vec<DrawnPhoto> {
        let mut drawn = Vec::new();
        for record in records {
            listing.records += 1;
            let inspection = match parse_record(&record.body) {
                Ok(inspection) => inspection,
                Err(unreadable) => {
                    warn!(inspection = %record.id, %unreadable, "a record is left out of the monitor");
                    continue;
                }
            };
            let Some(finished_at) = inspection.finished_at.filter(|_| inspection.phase.is_final()) else {
                listing.open += 1;
                continue;
            };
            let bundle = match &inspection.outcome {
                Some(outcome) => outcome.bundle.clone(),
                None => inspection.history.failed_with.clone().unwrap_or_default(),
            };
            let key = (hour_of(finished_at), bundle.clone());
            let cell = listing.cells.entry(key.clone()).or_insert_with(|| Cell {
                day: day.to_owned(),
                bundle,
                ..Cell::default()
            });
            cell.figures.add(&inspection, self.source_label);
            let (Phase::Done { verdict }, Some(outcome)) = (&inspection.phase, &inspection.outcome) else {
                continue;
            };
            if let Some(draw) = outcome.drawn {
                drawn.push(DrawnPhoto {
                    key,
                    drawn: draw,
                    verdict: *verdict,
                    inspection,
                });
            }
        }
        drawn
    }

    async fn take_reviews(&self, listing: &mut DayListing, drawn: Vec<DrawnPhoto>) -> Result<(), PortError> {
        let mut reading = JoinSet::new();
        let mut waiting = drawn.into_iter();
        loop {
            while reading.len() < REVIEWS_AT_ONCE
                && let Some(photo) = waiting.next()
            {
                let (reviews, blobs) = (Arc::clone(self.reviews), Arc::clone(self.blobs));
                reading.spawn(said(reviews, blobs, photo));
            }
            let Some(said) = reading.join_next().await else {
                return Ok(());
            };
            let said = said.map_err(|error| {
                let at = PortCall::new("reviews", "history");
                PortError::new(at, PortErrorKind::Unavailable, error.to_string())
            })??;
            if let Some(cell) = listing.cells.get_mut(&said.photo.key) {
                let reviewed = ReviewedPhoto {
                    verdict: said.photo.verdict,
                    classes: &said.classes,
                    judgement: &said.judgement,
                };
                cell.judged.add(&said.photo.drawn, Some(&reviewed));
            }
        }
    }
}

async fn said(
    reviews: Arc<dyn Reviews>,
    blobs: Arc<dyn Blobs>,
    photo: DrawnPhoto,
) -> Result<Said, PortError> {
    let history = reviews.history(&photo.inspection.request.id).await?;
    let report = report_digest(&photo.inspection);
    let mut judgement = report
        .map(|digest| reviewed(&history, &digest).judgement)
        .unwrap_or_default();
    let outcome = photo.inspection.outcome.as_ref();
    let mut classes = outcome.map(classes_on_record).unwrap_or_default();
    if let (Judgement::Corrected(decision), Some(outcome)) = (&judgement, outcome)
        && !decision.findings.is_empty()
        && !one_class(&classes)
    {
        // A decision names findings by their place in the report; a record has them by size, and not all.
        // A store that does not answer ends the pass, and the next one makes up for it: to count only what needs no report would
        // count what is right and leave out what is wrong.
        let read = match &outcome.report {
            Some(report) => report_if_there(&*blobs, report).await?,
            None => None,
        };
        if let Some(report) = read {
            classes = report.findings.into_iter().map(|finding| finding.class).collect();
        } else {
            let id = &photo.inspection.request.id;
            warn!(inspection = %id, "its report is gone or cannot be read, its reviews do not count");
            judgement = Judgement::Unreviewed;
        }
    }
    Ok(Said {
        photo,
        classes,
        judgement,
    })
}

fn classes_on_record(outcome: &Outcome) -> Vec<String> {
    outcome.findings.iter().map(|f| f.class.clone()).collect()
}

/// Whether every finding has the same class, so that their order does not matter.
fn one_class(classes: &[String]) -> bool {
    classes.len() < FINDINGS_ON_RECORD_MAX && classes.windows(2).all(|pair| pair[0] == pair[1])
}
