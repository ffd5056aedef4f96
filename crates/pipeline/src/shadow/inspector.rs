//! One photo through the shadow's bundle, stored beside the result that stands.

use super::results::report_key;
use crate::canary::Observations;
use crate::inspector::{InspectError, Inspector, RunError};
use crate::report::timings_ms;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::canary::{CanaryGroup, Observation, Observed};
use walkaround_domain::review::IfDone;
use walkaround_domain::rollout::Shadow;
use walkaround_domain::{Inspection, InspectionRequest, Phase, ReviewTask, TaskReason, Verdict};
use walkaround_messages::PhotoReport;
use walkaround_ports::{
    BlobAddress, Blobs, Clock, FetchError, PhotoSource, PortError, PutOutcome, Records, Reviews,
};

/// Inspects photos with the shadow's bundle.
pub struct ShadowInspector {
    /// Where photos are fetched from.
    pub source: Arc<dyn PhotoSource>,
    /// The shadow's bundle.
    pub inspector: Arc<Inspector>,
    /// Records, which are read only.
    pub records: Arc<dyn Records>,
    /// Where its reports go.
    pub blobs: Arc<dyn Blobs>,
    /// Where photos go that it sees otherwise.
    pub reviews: Arc<dyn Reviews>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Bucket of the results.
    pub bucket: String,
    /// Largest photo, in bytes.
    pub photo_bytes_max: u64,
    /// What the rollout says of it.
    pub shadow: Shadow,
}

/// What came of a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShadowOutcome {
    /// Its report is stored.
    Stored {
        /// The verdict differs from the one that stands.
        disagrees: bool,
    },
    /// There is nothing to compare with any more: another photo, no record, no result, another round.
    Skipped,
}

/// Why a photo has no report of the shadow.
#[derive(Debug, thiserror::Error)]
pub enum ShadowError {
    /// The photo could not be fetched.
    #[error("the photo cannot be fetched: {0}")]
    Fetch(#[from] FetchError),
    /// A store did not answer.
    #[error(transparent)]
    Port(#[from] PortError),
    /// The bundle failed on this photo, or on every one.
    #[error("the shadow's bundle failed: {0}")]
    Bundle(String),
}

impl ShadowError {
    /// Whether the bundle is at fault.
    pub const fn is_of_bundle(&self) -> bool {
        matches!(self, Self::Bundle(_))
    }
}

impl ShadowInspector {
    /// Inspects a photo and stores its report; a review task where it comes to another verdict.
    ///
    /// # Errors
    /// [`ShadowError`]; the photo is not tried again.
    pub async fn one(&self, settled: &InspectionRequest) -> Result<ShadowOutcome, ShadowError> {
        let Some(record) = self.records.read(&settled.id).await? else {
            return Ok(ShadowOutcome::Skipped);
        };
        let inspection = crate::store::entry(&record)?.inspection;
        let (Phase::Done { verdict }, Some(outcome)) = (&inspection.phase, &inspection.outcome) else {
            return Ok(ShadowOutcome::Skipped);
        };
        let bytes = self.source.fetch(&settled.photo, self.photo_bytes_max).await?;
        // As on the record: the name of a signed URL stays out of the report.
        let name = inspection.request.photo.to_string();
        let again = self.inspector.inspect_again(bytes, outcome.photo_sha256, name);
        let finished = again
            .await
            .map_err(|error| ShadowError::Bundle(in_words(&error)))?;
        let Some(finished) = finished else {
            return Ok(ShadowOutcome::Skipped);
        };
        let mut report: PhotoReport =
            serde_json::from_slice(&finished.report).map_err(|e| ShadowError::Bundle(e.to_string()))?;
        report.timings_ms = timings_ms(&finished.result.timings, Duration::ZERO);
        report.timings_ms.remove("total");
        let body = serde_json::to_vec(&report).map_err(|e| ShadowError::Bundle(e.to_string()))?;
        let at = BlobAddress {
            bucket: self.bucket.clone(),
            key: report_key(&finished.bundle, &inspection),
        };
        let put = self.blobs.put_if_absent(&at, &body, "application/json").await?;
        let disagrees = finished.result.verdict != *verdict;
        if let Some(canary) = &self.shadow.canary {
            let seen = Observation {
                group: CanaryGroup::Canary,
                observed: Observed::Before(finished.result.verdict),
            };
            self.observations().put(canary, &settled.id, &seen, None).await?;
        }
        // The report of the first time stands, and its task with it.
        if disagrees && put != PutOutcome::Conflict {
            self.put_task(&inspection, finished.result.verdict).await?;
        }
        Ok(ShadowOutcome::Stored { disagrees })
    }

    /// The probability with which a photo that it sees otherwise gets a review task.
    fn share(&self) -> f64 {
        self.shadow
            .canary
            .as_ref()
            .map_or(self.shadow.share, |canary| canary.share)
    }

    fn observations(&self) -> Observations {
        Observations {
            blobs: Arc::clone(&self.blobs),
            bucket: self.bucket.clone(),
        }
    }

    /// A person is to see which of the two is right. A photo that the shadow cannot judge is no such case.
    async fn put_task(&self, inspection: &Inspection, verdict: Verdict) -> Result<(), PortError> {
        if verdict == Verdict::Unusable {
            return Ok(());
        }
        let now = self.clock.now();
        let mut task = ReviewTask::open(inspection.request.id.clone(), TaskReason::Disagreement, now);
        task.inclusion = self.share();
        task.round = inspection.history.reopened;
        task.vehicle_id = inspection.request.vehicle_id.clone();
        let findings = inspection.outcome.iter().flat_map(|outcome| &outcome.findings);
        task.classes = findings.map(|finding| finding.class.clone()).collect();
        self.reviews.put_task(&task, IfDone::Keep, now).await?;
        Ok(())
    }
}

fn in_words(error: &InspectError) -> String {
    match error {
        InspectError::Run(RunError::Photo(error) | RunError::Engine(error)) => error.to_string(),
        InspectError::Encode(why) => why.clone(),
    }
}
