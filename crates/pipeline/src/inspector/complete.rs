//! All steps of one photo in sequence, for callers that settle nothing: a replay, a shadow.

use super::{EncodedResult, Inspector, RunError};
use walkaround_inference::Vehicle;

/// Why a photo has no result.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// A network failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// Report or overlay could not be encoded.
    #[error("{0}")]
    Encode(String),
}

impl Inspector {
    /// Inspects a photo as triage and a worker do between them; `name` is the photo's, for the report.
    ///
    /// # Errors
    /// [`InspectError`]; whatever is wrong with the photo is a verdict.
    pub async fn inspect(&self, bytes: Vec<u8>, name: String) -> Result<EncodedResult, InspectError> {
        let (bytes, file) = self.digest(bytes).await;
        let mut photo = match self.prepare(bytes, file).await {
            Ok(photo) => photo,
            Err(reason) => return self.refused(reason, file, &name).map_err(InspectError::Encode),
        };
        if photo.usable() {
            let screening = self.screen(&mut photo).await?;
            if screening.suspect && screening.vehicle != Vehicle::Absent {
                self.segment(&mut photo).await?;
            }
        }
        self.finish(photo, name).await.map_err(InspectError::Encode)
    }
}
