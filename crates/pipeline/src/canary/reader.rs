//! What is seen of a canary, with what people say of its photos.

use super::observations::Observations;
use crate::review::report_digest;
use crate::store::InspectionStore;
use std::sync::Arc;
use walkaround_domain::canary::{Canary, Evidence};
use walkaround_domain::review::{reviewed, true_verdict};
use walkaround_domain::{InspectionId, Phase, Verdict};
use walkaround_ports::{PortError, Records, Reviews};

/// Most photos whose reviews are read in one pass: each costs two reads.
const REVIEWS_MAX: usize = 500;

/// Reads the evidence of a canary.
#[derive(Clone)]
pub struct EvidenceReader {
    /// What was seen.
    pub observations: Observations,
    /// Inspections.
    pub records: Arc<dyn Records>,
    /// What people say of them.
    pub reviews: Arc<dyn Reviews>,
}

impl EvidenceReader {
    /// All that was seen of a canary.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn read(&self, canary: &Canary) -> Result<Evidence, PortError> {
        let (mut evidence, damaged) = self.observations.read(canary).await?;
        if canary.policy.precision_min.is_some() {
            for id in damaged.iter().rev().take(REVIEWS_MAX) {
                self.add_review(&mut evidence, id).await?;
            }
        }
        Ok(evidence)
    }

    /// What people say of a photo that the canary called damaged: it counts where it was drawn for review.
    async fn add_review(&self, evidence: &mut Evidence, id: &InspectionId) -> Result<(), PortError> {
        let store = InspectionStore::new(Arc::clone(&self.records));
        let Some(entry) = store.read(id).await? else {
            return Ok(());
        };
        let inspection = entry.inspection;
        let (Phase::Done { verdict }, Some(outcome)) = (&inspection.phase, &inspection.outcome) else {
            return Ok(());
        };
        let (Some(drawn), Some(digest)) = (outcome.drawn, report_digest(&inspection)) else {
            return Ok(());
        };
        let history = self.reviews.history(id).await?;
        let judgement = reviewed(&history, &digest).judgement;
        let truth = true_verdict(&judgement, *verdict, outcome.findings.len());
        evidence.add_review(drawn.inclusion, truth.map(|truth| truth == Verdict::Damaged));
        Ok(())
    }
}
