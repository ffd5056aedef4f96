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
    /// Inspects a photo as triage and a worker do between them; none where its bytes are others than those of `sha256`. `name`
    /// is the photo's, for the report.
    ///
    /// # Errors
    /// [`InspectError`]; whatever is wrong with the photo is a verdict.
    pub async fn inspect_again(
        &self,
        bytes: Vec<u8>,
        sha256: Option<[u8; 32]>,
        name: String,
    ) -> Result<Option<EncodedResult>, InspectError> {
        let (bytes, file) = self.digest(bytes).await;
        if sha256 != Some(file.sha256) {
            return Ok(None);
        }
        let mut photo = match self.prepare(bytes, file).await {
            Ok(photo) => photo,
            Err(reason) => {
                let refused = self.refused(reason, file, &name);
                return refused.map(Some).map_err(InspectError::Encode);
            }
        };
        if photo.usable() {
            let screening = self.screen(&mut photo).await?;
            if screening.suspect && screening.vehicle != Vehicle::Absent {
                self.segment(&mut photo).await?;
            }
        }
        let finished = self.finish(photo, name).await;
        finished.map(Some).map_err(InspectError::Encode)
    }
}
