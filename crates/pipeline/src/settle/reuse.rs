//! Reusing the result of another inspection of the same photo, by its digest, and the same bundle.
//!
//! The result is copied: report and marked picture are stored again under the new inspection's keys, so that they live as
//! long as the record that names them, even if the other inspection is deleted.

use super::{NewBlob, Settler};
use crate::inspector::Inspector;
use crate::store::{InspectionStoreError, VersionedInspection};
use std::collections::BTreeMap;
use std::time::Duration;
use tracing::{info, warn};
use walkaround_domain::{
    BlobRef, Event, Inspection, InspectionId, Outcome, Overlays, Phase, ReasonCode, Verdict,
};
use walkaround_messages::PhotoReport;
use walkaround_ports::{PortError, ResultKey};

/// Largest report or marked picture that is copied, in bytes; a larger one is made again.
const COPY_BYTES_MAX: u64 = 64 << 20;

/// A result that was taken from another inspection.
pub struct Reused {
    /// The verdict.
    pub verdict: Verdict,
    /// Why the photo is unusable, if it is.
    pub reasons: Vec<ReasonCode>,
    /// The total time, in milliseconds.
    pub timings_ms: BTreeMap<String, f64>,
}

impl Settler {
    /// Settles an inspection with the result that another one of the same bytes and networks has; none when there is no
    /// such result, or it cannot be read. `inspector` says which results have to have an
    /// overlay, and which get a review task. Where there is no result
    /// this costs one small read of the records.
    ///
    /// # Errors
    /// [`InspectionStoreError`]; the message must come back.
    pub async fn reuse(
        &self,
        entry: &VersionedInspection,
        key: &ResultKey,
        inspector: &Inspector,
        total: Duration,
    ) -> Result<Option<Reused>, InspectionStoreError> {
        let (id, overlays) = (&entry.inspection.request.id, inspector.overlays());
        let found = match self.find(id, key, overlays).await {
            Ok(found) => found,
            Err(error) => {
                warn!(inspection = %id, %error, "no result can be reused, the photo is inspected");
                None
            }
        };
        let Some((verdict, source, outcome)) = found else {
            return Ok(None);
        };
        let name = entry.inspection.request.photo.to_string();
        let overlay = overlays.wants(verdict);
        let outcome = match self.copy(id, outcome, overlay, &name).await {
            Ok(outcome) => outcome,
            Err(error) => {
                warn!(inspection = %id, %source, %error, "a result cannot be copied, the photo is inspected");
                return Ok(None);
            }
        };
        let total = (total.as_secs_f64() * 1e5).round() / 100.0;
        let mut outcome = Outcome {
            timings_ms: BTreeMap::from([("total".to_owned(), total)]),
            worker: self.worker.clone(),
            reused_from: Some(source.clone()),
            ..outcome
        };
        let policy = &inspector.bundle().review;
        outcome.drawn = self
            .put_task(&entry.inspection, verdict, &outcome, policy)
            .await?;
        self.finish(entry.clone(), &Event::Complete { verdict }, &|next| {
            next.outcome = Some(outcome.clone());
            next.photo_history.photo_sha256 = None;
        })
        .await?;
        info!(inspection = %id, from = %source, "the result of the same photo was reused");
        Ok(Some(Reused {
            verdict,
            reasons: outcome.reasons.iter().map(|reason| reason.code).collect(),
            timings_ms: outcome.timings_ms,
        }))
    }

    /// Names an inspection as the one that has the result of these bytes and networks. Only reuse depends on it.
    pub async fn keep_result(&self, key: &ResultKey, id: &InspectionId) {
        if let Err(error) = self.store.keep_result(key, id, self.clock.now()).await {
            warn!(inspection = %id, %error, "the result cannot be kept for reuse");
        }
    }

    async fn find(
        &self,
        id: &InspectionId,
        key: &ResultKey,
        overlays: Overlays,
    ) -> Result<Option<(Verdict, InspectionId, Outcome)>, PortError> {
        let Some(source) = self.store.result_of(key).await?.filter(|source| source != id) else {
            return Ok(None);
        };
        let Some(entry) = self.store.read(&source).await? else {
            return Ok(None);
        };
        let usable = usable(entry.inspection, key, overlays);
        Ok(usable.map(|(verdict, outcome)| (verdict, source, outcome)))
    }

    /// The outcome with blobs of its own. The report names the photo as it was asked for here.
    async fn copy(
        &self,
        id: &InspectionId,
        mut outcome: Outcome,
        overlay: bool,
        photo: &str,
    ) -> Result<Outcome, CopyError> {
        let bundle = outcome.bundle.clone();
        if let Some(report) = &outcome.report {
            let mut document: PhotoReport = serde_json::from_slice(&self.read_blob(report).await?)?;
            photo.clone_into(&mut document.photo);
            let document = serde_json::to_vec(&document)?;
            outcome.report = Some(self.put(id, &bundle, NewBlob::report(&document)).await?);
        }
        outcome.overlay = match outcome.overlay.filter(|_| overlay) {
            None => None,
            Some(picture) => {
                let jpeg = self.read_blob(&picture).await?;
                Some(self.put(id, &bundle, NewBlob::overlay(&jpeg)).await?)
            }
        };
        Ok(outcome)
    }

    async fn read_blob(&self, blob: &BlobRef) -> Result<Vec<u8>, PortError> {
        self.blobs.get(&blob.into(), COPY_BYTES_MAX).await
    }
}

/// The result of an inspection, if it is of these bytes and networks, and complete.
fn usable(inspection: Inspection, key: &ResultKey, overlays: Overlays) -> Option<(Verdict, Outcome)> {
    let Phase::Done { verdict } = inspection.phase else {
        return None;
    };
    let outcome = inspection.outcome?;
    let same = outcome.photo_sha256 == Some(key.photo_sha256) && outcome.bundle == key.bundle;
    // A photo that could be decoded has an overlay where one is wanted.
    let wanted = overlays.wants(verdict);
    let whole = outcome.report.is_some() && (!wanted || outcome.size.is_none() || outcome.overlay.is_some());
    (same && whole).then_some((verdict, outcome))
}

#[derive(Debug, thiserror::Error)]
enum CopyError {
    #[error(transparent)]
    Port(#[from] PortError),
    #[error("its report cannot be read: {0}")]
    Report(#[from] serde_json::Error),
}
