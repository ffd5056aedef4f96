//! The end of an attempt: the result is stored and published, and those who watch are told.

use super::error::store_error;
use super::{Attempt, PhotoRequest, ProcessingError, RequestProcessor, Stage};
use crate::inspector::{Answering, EncodedResult, FileDigest, Inspector};
use crate::report::timings_ms;
use crate::store::VersionedInspection;
use crate::telemetry::{PipelineEvent, Settled};
use tracing::info;
use walkaround_domain::BundleId;
use walkaround_ports::ResultKey;

impl RequestProcessor {
    /// Settles an inspection with the result that another one of the same bytes and bundle has; false when there is
    /// none, and the photo has to be inspected.
    ///
    /// # Errors
    /// [`ProcessingError`] when it could not be stored.
    pub async fn reuse(
        &self,
        inspector: &Inspector,
        entry: &VersionedInspection,
        file: FileDigest,
        attempt: &Attempt<'_>,
    ) -> Result<bool, ProcessingError> {
        attempt.reached(Stage::Storing);
        let key = result_key(&file, &inspector.bundle().id);
        let total = self.settler.clock.ticks().saturating_sub(attempt.begin);
        let reused = self.settler.reuse(entry, &key, inspector, total).await;
        let Some(reused) = reused.map_err(store_error)? else {
            return Ok(false);
        };
        self.telemetry.record(PipelineEvent::Settled(&Settled {
            verdict: reused.verdict,
            reasons: reused.reasons,
            lane: entry.inspection.route.as_ref().map(|(lane, _)| *lane),
            bundle: key.bundle,
            timings_ms: reused.timings_ms,
            photo_bytes: file.bytes,
        }));
        Ok(true)
    }

    /// Stores the result of an attempt and publishes it. Behind everything that the photo needs, it is named to the shadow, and what
    /// is seen of a canary is noted. A result that was [reused](Self::reuse) is not: the networks saw these bytes before.
    ///
    /// # Errors
    /// [`ProcessingError`] when it could not be stored.
    pub async fn settle(
        &self,
        entry: VersionedInspection,
        finished: EncodedResult,
        at: &PhotoRequest<'_>,
        answering: &Answering,
    ) -> Result<(), ProcessingError> {
        let attempt = at.attempt;
        attempt.reached(Stage::Storing);
        let total = self.settler.clock.ticks().saturating_sub(attempt.begin);
        let id = entry.inspection.request.id.clone();
        let key = result_key(&finished.photo, &finished.bundle);
        let settled = Settled {
            verdict: finished.result.verdict,
            reasons: finished.result.reasons.iter().map(|reason| reason.code).collect(),
            lane: entry.inspection.route.as_ref().map(|(lane, _)| *lane),
            bundle: finished.bundle.clone(),
            timings_ms: timings_ms(&finished.result.timings, total),
            photo_bytes: finished.photo.bytes,
        };
        self.settler
            .done(entry, finished, total)
            .await
            .map_err(store_error)?;
        self.settler.keep_result(&key, &id).await;
        info!(inspection = %id, verdict = %settled.verdict, "settled");
        self.telemetry.record(PipelineEvent::Settled(&settled));
        answering.succeeded();
        self.settler.observations().note(&id, &settled, answering).await;
        if let Some(shadow) = &self.shadow {
            shadow.offer(&at.request);
        }
        Ok(())
    }
}

fn result_key(file: &FileDigest, bundle: &BundleId) -> ResultKey {
    ResultKey {
        photo_sha256: file.sha256,
        bundle: bundle.clone(),
    }
}
