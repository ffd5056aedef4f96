//! The steps that triage and the segmentation worker share: from the stored inspection to the decoded photo, and from the
//! output of the networks to the settled result.

use super::canary::not_ended_by;
use super::{Permit, PhotoRequest, ProcessingError, RequestProcessor, Stage, encode_error};
use crate::inspector::{Answering, EncodedResult, Inspector, PhotoInProgress};
use crate::shutdown::ShutdownSignal;
use crate::store::VersionedInspection;

/// A decoded photo, or the result of one that cannot be decoded.
pub enum DecodeOutcome {
    /// It goes on to the networks.
    Decoded(PhotoInProgress),
    /// It is unusable.
    Refused(EncodedResult),
}

/// A decoded photo and its stored inspection.
pub struct OpenPhoto {
    /// The inspection.
    pub entry: VersionedInspection,
    /// The photo.
    pub photo: PhotoInProgress,
    /// Held until the photo is settled or sent on.
    pub permit: Permit,
}

/// The error that ends an attempt when the signal is set.
///
/// # Errors
/// [`ProcessingError::ShuttingDown`].
pub fn proceed(stop: Option<&ShutdownSignal>) -> Result<(), ProcessingError> {
    match stop {
        Some(stop) if stop.is_set() => Err(ProcessingError::ShuttingDown),
        _ => Ok(()),
    }
}

impl RequestProcessor {
    /// The inspection, unless it is final: then its event is published, if it was not.
    ///
    /// # Errors
    /// [`ProcessingError`] when the event could not be published.
    pub async fn unless_final(
        &self,
        entry: VersionedInspection,
    ) -> Result<Option<VersionedInspection>, ProcessingError> {
        if !entry.inspection.phase.is_final() {
            return Ok(Some(entry));
        }
        self.settler.publish(entry).await?;
        Ok(None)
    }

    /// Begins an attempt, fetches the photo and decodes it. None when that settled the inspection: with the result of
    /// another one of the same bytes, or because the photo cannot be decoded.
    ///
    /// # Errors
    /// [`ProcessingError`] when the photo is not available, the result could not be stored, or `stop` is set.
    pub async fn open(
        &self,
        entry: VersionedInspection,
        answering: &Answering,
        at: &mut PhotoRequest<'_>,
        stop: Option<&ShutdownSignal>,
    ) -> Result<Option<OpenPhoto>, ProcessingError> {
        let (attempt, inspector) = (at.attempt, &*answering.inspector);
        not_ended_by(answering, &entry, attempt)?;
        let (mut entry, permit) = self.begin(entry, attempt, answering).await?;
        proceed(stop)?;
        let file = self.fetch(inspector, at).await?;
        // In the worker, the photo may have changed since triage fetched it: the record is of the bytes fetched here.
        entry.fetched = Some(file.sha256);
        if self.reuse(inspector, &entry, file, attempt).await? {
            return Ok(None);
        }
        match self.prepare(inspector, at).await? {
            DecodeOutcome::Decoded(photo) => Ok(Some(OpenPhoto { entry, photo, permit })),
            DecodeOutcome::Refused(finished) => {
                self.settle(entry, finished, at, answering).await?;
                Ok(None)
            }
        }
    }

    /// Fetches and decodes the photo. The URL is the message's: the record's has lost its query.
    ///
    /// # Errors
    /// [`ProcessingError`] when the photo is not available.
    pub async fn prepare(
        &self,
        inspector: &Inspector,
        at: &mut PhotoRequest<'_>,
    ) -> Result<DecodeOutcome, ProcessingError> {
        let (bytes, file) = self.take_file(inspector, at).await?;
        at.attempt.reached(Stage::Looking);
        match inspector.prepare(bytes, file).await {
            Ok(photo) => Ok(DecodeOutcome::Decoded(photo)),
            Err(reason) => {
                let name = at.request.photo.to_string();
                let finished = inspector.refused(reason, file, &name);
                Ok(DecodeOutcome::Refused(finished.map_err(encode_error)?))
            }
        }
    }

    /// Makes report and marked picture of what the networks found, and settles the inspection.
    ///
    /// # Errors
    /// [`ProcessingError`] when the result could not be encoded or stored.
    pub async fn finish(
        &self,
        answering: &Answering,
        entry: VersionedInspection,
        photo: PhotoInProgress,
        at: &PhotoRequest<'_>,
    ) -> Result<(), ProcessingError> {
        let name = entry.inspection.request.photo.to_string();
        let finished = answering.inspector.finish(photo, name).await;
        self.settle(entry, finished.map_err(encode_error)?, at, answering)
            .await
    }
}
