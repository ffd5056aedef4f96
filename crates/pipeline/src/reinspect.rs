//! Done inspections that are superseded: each photo is asked for again, under an id made from the old one and the reason.
//!
//! The old record stays as it is. To ask again for the same reason is harmless: it is the same new inspection.

use crate::reopen::may_be_signed;
use std::sync::Arc;
use walkaround_domain::supersede::superseding;
use walkaround_domain::{Inspection, InspectionId, Phase};
use walkaround_messages::{request_json, superseding_id};
use walkaround_ports::{OutMessage, PortError, Queue, Records};

/// Most inspections of one call of [`Reinspector::send`].
pub const REINSPECT_MAX: usize = 10;

/// Asks for inspections that supersede others.
pub struct Reinspector {
    /// Records.
    pub records: Arc<dyn Records>,
    /// Where requests go.
    pub intake: Arc<dyn Queue>,
    /// Why, for the labels of the new inspections.
    pub reason: String,
    /// Only says what would be done.
    pub dry_run: bool,
}

/// What became of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reinspected {
    /// The request for this inspection is in the queue, or would be.
    Sent(InspectionId),
    /// This inspection is there already: it was asked for before, for the same reason.
    Known(InspectionId),
    /// It is not done: there is nothing to supersede.
    NotDone,
    /// Its URL may have been signed, and records keep URLs without their query.
    SignedUrl,
    /// Its labels leave no room for two more.
    Labels,
    /// The queue did not take the request.
    NotSent(String),
}

impl Reinspector {
    /// Asks for the photos of these inspections again, at most [`REINSPECT_MAX`]; what became of each, in the same order.
    ///
    /// # Errors
    /// [`PortError`]: whether they were sent is unknown; to send them again is harmless.
    pub async fn send(&self, old: &[Inspection]) -> Result<Vec<Reinspected>, PortError> {
        let (mut outcomes, mut messages, mut sent) = (Vec::new(), Vec::new(), Vec::new());
        for inspection in old.iter().take(REINSPECT_MAX) {
            let id = superseding_id(&inspection.request.id, &self.reason);
            let outcome = match self.obstacle(inspection, &id).await? {
                Some(obstacle) => obstacle,
                None => match superseding(&inspection.request, id.clone(), &self.reason) {
                    None => Reinspected::Labels,
                    Some(request) => {
                        messages.push(OutMessage {
                            body: request_json(&request),
                            ..OutMessage::default()
                        });
                        sent.push(outcomes.len());
                        Reinspected::Sent(id)
                    }
                },
            };
            outcomes.push(outcome);
        }
        if self.dry_run || messages.is_empty() {
            return Ok(outcomes);
        }
        let answers = self.intake.send(messages).await?;
        for (at, answer) in sent.into_iter().zip(answers) {
            if let Err(error) = answer {
                outcomes[at] = Reinspected::NotSent(error.to_string());
            }
        }
        Ok(outcomes)
    }

    async fn obstacle(
        &self,
        inspection: &Inspection,
        id: &InspectionId,
    ) -> Result<Option<Reinspected>, PortError> {
        if !matches!(inspection.phase, Phase::Done { .. }) {
            return Ok(Some(Reinspected::NotDone));
        }
        if may_be_signed(&inspection.request) {
            return Ok(Some(Reinspected::SignedUrl));
        }
        let known = self.records.read(id).await?.is_some();
        Ok(known.then(|| Reinspected::Known(id.clone())))
    }
}
