//! A photo of the past through another bundle: what it says now, beside what is on the record. Nothing is written.

use crate::inspector::{InspectError, Inspector};
use crate::report::timings_ms;
use crate::stored_report::report_if_there;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use walkaround_domain::{Inspection, Outcome};
use walkaround_messages::PhotoReport;
use walkaround_ports::{Blobs, FetchError, PhotoSource, PortError};

/// Inspects photos of the past.
#[derive(Clone)]
pub struct Replayer {
    /// Where photos are fetched from.
    pub source: Arc<dyn PhotoSource>,
    /// Where the reports of the past are.
    pub blobs: Arc<dyn Blobs>,
    /// The other bundle.
    pub inspector: Arc<Inspector>,
    /// Largest photo, in bytes.
    pub photo_bytes_max: u64,
}

/// A photo that was inspected again.
#[derive(Debug, Clone)]
pub struct ReplayedPhoto {
    /// The report of the past; none when it is gone.
    pub old: Option<PhotoReport>,
    /// The report of the other bundle.
    pub new: PhotoReport,
    /// Milliseconds by stage of the other bundle.
    pub timings_ms: BTreeMap<String, f64>,
}

/// Why a photo was not inspected again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReplayError {
    /// It is not there any more, or may not be fetched any more.
    Gone(String),
    /// Other bytes are in its place.
    Changed,
    /// Something failed that may pass, or a network did on this photo.
    Failed(String),
}

impl Replayer {
    /// Inspects the photo of a done inspection again.
    ///
    /// # Errors
    /// [`ReplayError`].
    pub async fn one(&self, inspection: &Inspection) -> Result<ReplayedPhoto, ReplayError> {
        let outcome = inspection.outcome.as_ref();
        let outcome = outcome.ok_or_else(|| ReplayError::Failed("it is not done".to_owned()))?;
        let photo = &inspection.request.photo;
        let fetched = self.source.fetch(photo, self.photo_bytes_max).await;
        let bytes = fetched.map_err(|error| unfetched(&error))?;
        let again = self
            .inspector
            .inspect_again(bytes, outcome.photo_sha256, photo.to_string());
        let finished = again
            .await
            .map_err(|error: InspectError| ReplayError::Failed(error.to_string()))?;
        let finished = finished.ok_or(ReplayError::Changed)?;
        let new = serde_json::from_slice(&finished.report);
        let mut timings = timings_ms(&finished.result.timings, Duration::ZERO);
        timings.remove("total");
        Ok(ReplayedPhoto {
            old: self.old(outcome).await?,
            new: new.map_err(|error| ReplayError::Failed(format!("its report cannot be read: {error}")))?,
            timings_ms: timings,
        })
    }

    async fn old(&self, outcome: &Outcome) -> Result<Option<PhotoReport>, ReplayError> {
        let Some(report) = &outcome.report else {
            return Ok(None);
        };
        let read = report_if_there(&*self.blobs, report).await;
        read.map_err(|error| ReplayError::Failed(error.to_string()))
    }
}

fn unfetched(error: &FetchError) -> ReplayError {
    let lasting = |error: &PortError| !error.kind.is_transient();
    match error {
        FetchError::Malformed(why)
        | FetchError::NotFound(why)
        | FetchError::Forbidden(why)
        | FetchError::Denied(why)
        | FetchError::TooLarge(why) => ReplayError::Gone(why.clone()),
        FetchError::Port(error) if lasting(error) => ReplayError::Gone(error.detail.clone()),
        FetchError::Unreachable(_) | FetchError::HostBusy(_) | FetchError::Port(_) => {
            ReplayError::Failed(error.to_string())
        }
    }
}
