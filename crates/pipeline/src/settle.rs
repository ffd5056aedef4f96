//! Settling: the result to blobs, the review task written where one is due, the record final, the event published, and
//! only then an acknowledgement.
//!
//! Each step can be done twice: blobs are write-once under keys derived from the inspection, the task is merged
//! into the one that is stored, the final write is conditional, the event's id is stable. A crash between any two of them ends in redelivery, which does
//! what is missing.

mod reuse;
mod task;

pub use reuse::Reused;

use crate::canary::Observations;
use crate::inspector::EncodedResult;
use crate::processor::PhotoFailure;
use crate::report::timings_ms;
use crate::store::{Boxed, InspectionStore, InspectionStoreError, VersionedInspection};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::record::FINDINGS_ON_RECORD_MAX;
use walkaround_domain::{
    BlobRef, BundleId, Event, FindingSummary, Inspection, InspectionId, Outcome, PhotoQuality,
};
use walkaround_messages::finished_event;
use walkaround_ports::{
    BlobAddress, Blobs, Clock, OutEvent, PortCall, PortError, PortErrorKind, Publisher, PutOutcome, Reviews,
};

/// Settles inspections.
#[derive(Clone)]
pub struct Settler {
    /// Where inspections are stored.
    pub store: InspectionStore,
    /// Where results go.
    pub blobs: Arc<dyn Blobs>,
    /// Where review tasks go.
    pub reviews: Arc<dyn Reviews>,
    /// Where events go.
    pub publisher: Arc<dyn Publisher>,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// Bucket of the results.
    pub bucket: String,
    /// Function or worker with its device, for the record.
    pub worker: String,
}

/// A file of a result, to be stored.
struct NewBlob<'a> {
    name: &'static str,
    content_type: &'static str,
    bytes: &'a [u8],
}

impl<'a> NewBlob<'a> {
    const fn report(bytes: &'a [u8]) -> Self {
        Self {
            name: "report.json",
            content_type: "application/json",
            bytes,
        }
    }

    const fn overlay(bytes: &'a [u8]) -> Self {
        Self {
            name: "overlay.jpg",
            content_type: "image/jpeg",
            bytes,
        }
    }
}

impl Settler {
    /// Where what is seen of a canary is noted.
    pub fn observations(&self) -> Observations {
        Observations {
            blobs: Arc::clone(&self.blobs),
            bucket: self.bucket.clone(),
        }
    }

    /// Settles an inspection that has a result.
    ///
    /// # Errors
    /// [`InspectionStoreError`]; the message must come back.
    pub async fn done(
        &self,
        entry: VersionedInspection,
        finished: EncodedResult,
        total: Duration,
    ) -> Result<(), InspectionStoreError> {
        let id = entry.inspection.request.id.clone();
        let report = NewBlob::report(&finished.report);
        let report = self.put(&id, &finished.bundle, report).await?;
        let overlay = match &finished.overlay {
            Some(jpeg) => Some(self.put(&id, &finished.bundle, NewBlob::overlay(jpeg)).await?),
            None => None,
        };
        let event = Event::Complete {
            verdict: finished.result.verdict,
        };
        let mut outcome = Outcome {
            report: Some(report),
            overlay,
            worker: self.worker.clone(),
            ..outcome(&finished, total)
        };
        let verdict = finished.result.verdict;
        outcome.drawn = self
            .put_task(&entry.inspection, verdict, &outcome, &finished.review)
            .await?;
        self.finish(entry, &event, &|next| {
            next.outcome = Some(outcome.clone());
            next.photo_history.photo_sha256 = None;
        })
        .await
    }

    /// Settles an inspection that failed for good; `bundle` was in use.
    ///
    /// # Errors
    /// [`InspectionStoreError`]; the message must come back.
    pub async fn failed(
        &self,
        entry: VersionedInspection,
        failure: PhotoFailure,
        bundle: BundleId,
    ) -> Result<(), InspectionStoreError> {
        let PhotoFailure { code, detail } = failure;
        self.finish(entry, &Event::Fail { code, detail }, &|next| {
            next.history.failed_with = Some(bundle.clone());
        })
        .await
    }

    /// Publishes a final inspection whose event may not have been published, and stores that it was.
    ///
    /// # Errors
    /// [`PortError`]; the message must come back.
    pub async fn publish(&self, entry: VersionedInspection) -> Result<(), PortError> {
        if entry.inspection.published_at.is_some() {
            return Ok(());
        }
        if let Some(event) = out_event(&entry.inspection) {
            self.publisher.publish(&event).await?;
            self.store.mark_published(entry, self.clock.now()).await?;
        }
        Ok(())
    }

    /// Boxed, as the changes of the store are.
    fn finish<'a>(
        &'a self,
        entry: VersionedInspection,
        event: &'a Event,
        complete: &'a (dyn Fn(&mut Inspection) + Sync),
    ) -> Boxed<'a, Result<(), InspectionStoreError>> {
        Box::pin(async move {
            let request = entry.inspection.request.clone();
            let id = request.id.clone();
            let now = self.clock.now();
            let settled = match self.store.advance_with(entry, event, now, complete).await {
                Ok(settled) => settled.entry,
                // Another process settled it first: the first final state stands.
                Err(InspectionStoreError::Illegal(_)) => match self.store.read(&id).await? {
                    Some(current) => self.store.join(current, &request, None, self.clock.now()).await?,
                    None => return Ok(()),
                },
                Err(error) => return Err(error),
            };
            self.publish(settled).await?;
            Ok(())
        })
    }

    async fn put(
        &self,
        id: &InspectionId,
        bundle: &BundleId,
        blob: NewBlob<'_>,
    ) -> Result<BlobRef, PortError> {
        let NewBlob {
            name,
            content_type,
            bytes,
        } = blob;
        let sha256: [u8; 32] = Sha256::digest(bytes).into();
        let folder = format!("inspections/{id}/{}-{}", bundle.name, bundle.version);
        let plain = format!("{folder}/{name}");
        // The same bundle on another device may differ in the last digit: it gets its own key.
        let own = format!("{folder}/{}-{name}", &walkaround_domain::hex(&sha256)[..16]);
        for key in [plain, own] {
            let at = BlobAddress {
                bucket: self.bucket.clone(),
                key,
            };
            match self.blobs.put_if_absent(&at, bytes, content_type).await? {
                PutOutcome::Created | PutOutcome::Identical => {
                    return Ok(BlobRef {
                        bucket: at.bucket,
                        key: at.key,
                        sha256,
                        bytes: bytes.len() as u64,
                        content_type: content_type.to_owned(),
                    });
                }
                PutOutcome::Conflict => {}
            }
        }
        let detail = format!("other bytes are stored under the digest of {name} of {id}");
        Err(PortError::new(
            PortCall::new("blobs", "put_if_absent"),
            PortErrorKind::Corrupt,
            detail,
        ))
    }
}

/// The outcome for the record, but for its blobs and the worker.
fn outcome(finished: &EncodedResult, total: Duration) -> Outcome {
    let result = &finished.result;
    let mut findings: Vec<&walkaround_domain::Finding> = result.findings.iter().collect();
    findings.sort_by_key(|f| std::cmp::Reverse(f.area_px));
    Outcome {
        reasons: result.reasons.clone(),
        size: result.photo.as_ref().map(|p| p.original),
        photo_sha256: Some(finished.photo.sha256),
        quality: result.photo.as_ref().map(|p| PhotoQuality {
            sharpness: p.quality.sharpness,
            luma_mean: p.quality.luma_mean,
        }),
        gate: result.screening.and_then(|f| f.gate),
        findings: findings
            .into_iter()
            .take(FINDINGS_ON_RECORD_MAX)
            .map(summary)
            .collect(),
        bundle: finished.bundle.clone(),
        timings_ms: timings_ms(&result.timings, total),
        ..Outcome::default()
    }
}

fn summary(finding: &walkaround_domain::Finding) -> FindingSummary {
    FindingSummary {
        class: finding.class.clone(),
        probability: finding.probability,
        area_px: finding.area_px,
        area_share: finding.area_share,
        bbox: finding.bbox,
    }
}

/// The event of a final phase; none before it.
fn out_event(inspection: &Inspection) -> Option<OutEvent> {
    let event = finished_event(inspection)?;
    Some(OutEvent {
        id: event.id,
        body: event.body,
        attributes: event.attributes,
    })
}
