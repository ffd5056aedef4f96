//! Why an inspection is not opened again.

use super::{Obstacle, Purpose, ReopenPass, Reopened, Reopener};
use crate::store::VersionedInspection;
use walkaround_domain::{InspectionRequest, Phase, PhotoRef};
use walkaround_messages::derived_id;
use walkaround_ports::{PortError, PortErrorKind};

impl Reopener {
    /// Why an inspection is not opened; none when it can be.
    pub(super) async fn refusal(&self, entry: &VersionedInspection, pass: &ReopenPass) -> Option<Reopened> {
        let phase = &entry.inspection.phase;
        let stands_elsewhere = match pass.purpose {
            Purpose::Retry => !matches!(phase, Phase::Failed { .. }),
            Purpose::Remake => !matches!(phase, Phase::Done { .. }),
        };
        if stands_elsewhere {
            return Some(Reopened::NotFailed(phase.as_str()));
        }
        match self.has_result(pass, entry).await {
            Ok(true) => return Some(Reopened::Cannot(Obstacle::ResultStored)),
            Ok(false) => {}
            // A store that is away has lost nothing.
            Err(error) => return Some(Reopened::Error(error.to_string())),
        }
        url_obstacle(&entry.inspection.request, pass).map(Reopened::Cannot)
    }

    /// Whether all that the record names is stored, where that is asked for.
    pub(super) async fn has_result(
        &self,
        pass: &ReopenPass,
        entry: &VersionedInspection,
    ) -> Result<bool, PortError> {
        let outcome = match (pass.purpose, &entry.inspection.outcome) {
            (Purpose::Remake, Some(outcome)) => outcome,
            (Purpose::Remake, None) | (Purpose::Retry, _) => return Ok(false),
        };
        for blob in [&outcome.report, &outcome.overlay].into_iter().flatten() {
            let found = self.blobs.head(&blob.into()).await;
            match found {
                Ok(None) => return Ok(false),
                Err(error) if error.kind == PortErrorKind::NotFound => return Ok(false),
                found => found?,
            };
        }
        Ok(true)
    }
}

fn url_obstacle(request: &InspectionRequest, pass: &ReopenPass) -> Option<Obstacle> {
    match &pass.url {
        Some(url) => {
            let other = PhotoRef::Url(url.clone()).without_query() != request.photo;
            other.then(|| Obstacle::OtherUrl(request.photo.clone()))
        }
        None => may_be_signed(request).then_some(Obstacle::SignedUrl),
    }
}

/// Whether the URL of a record may have been signed. It has no query; where the id is that of the bare URL, the request had none
/// either.
pub(crate) fn may_be_signed(request: &InspectionRequest) -> bool {
    matches!(request.photo, PhotoRef::Url(_)) && derived_id(&request.photo) != request.id
}
