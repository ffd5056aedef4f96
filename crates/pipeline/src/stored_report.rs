//! Reports of inspections, read back.

use sha2::{Digest, Sha256};
use walkaround_domain::BlobRef;
use walkaround_messages::PhotoReport;
use walkaround_ports::{BlobAddress, Blobs, PortCall, PortError, PortErrorKind};

/// Largest report that is read, in bytes.
pub const REPORT_BYTES_MAX: u64 = 64 << 20;

/// Reads the report that a record names.
///
/// # Errors
/// [`PortError`]; `NotFound` where it is gone, `Corrupt` where it cannot be read or is not the one that the record names.
pub async fn read_report(blobs: &dyn Blobs, report: &BlobRef) -> Result<PhotoReport, PortError> {
    let at = BlobAddress::from(report);
    let bytes = blobs.get(&at, REPORT_BYTES_MAX).await?;
    let corrupt = |why: &dyn std::fmt::Display| {
        let call = PortCall::new("blobs", "get");
        PortError::new(call, PortErrorKind::Corrupt, format!("{at}: {why}"))
    };
    if <[u8; 32]>::from(Sha256::digest(&bytes)) != report.sha256 {
        return Err(corrupt(&"it is not the report that its record names"));
    }
    serde_json::from_slice(&bytes).map_err(|error| corrupt(&error))
}

/// The same; none where it is gone or cannot be read.
///
/// # Errors
/// [`PortError`] of a store that does not answer.
pub async fn report_if_there(blobs: &dyn Blobs, report: &BlobRef) -> Result<Option<PhotoReport>, PortError> {
    match read_report(blobs, report).await {
        Ok(report) => Ok(Some(report)),
        Err(error)
            if matches!(
                error.kind,
                PortErrorKind::NotFound | PortErrorKind::Corrupt | PortErrorKind::TooLarge
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}
