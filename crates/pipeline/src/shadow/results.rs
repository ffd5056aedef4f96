//! The shadow's reports, by bundle and by the day on which their photos were accepted.

use crate::stored_report::REPORT_BYTES_MAX;
use std::sync::Arc;
use walkaround_domain::{BundleId, Inspection, InspectionId};
use walkaround_messages::{PhotoReport, utc_day};
use walkaround_ports::{BlobAddress, Blobs, PortError, PortErrorKind};

/// Reports of one page.
const PAGE: usize = 100;
/// How the key of a report ends.
const END: &str = ".json";

/// The key of the shadow's report of an inspection. A second round of it has a report of its own.
pub fn report_key(bundle: &BundleId, inspection: &Inspection) -> String {
    let day = utc_day(inspection.accepted_at);
    let folder = folder(bundle, &day);
    let id = &inspection.request.id;
    match inspection.history.reopened {
        0 => format!("{folder}{id}{END}"),
        round => format!("{folder}{id}/{round}{END}"),
    }
}

fn folder(bundle: &BundleId, day: &str) -> String {
    format!("shadow/{}/{}/{day}/", bundle.name, bundle.version)
}

/// A report of the shadow.
#[derive(Debug, Clone, PartialEq)]
pub struct ShadowResult {
    /// Which inspection.
    pub inspection: InspectionId,
    /// Its round.
    pub round: u32,
    /// The report, with the times of its run.
    pub report: PhotoReport,
}

/// Reads the reports of a bundle, page by page.
pub struct ShadowResults {
    /// Where they are.
    pub blobs: Arc<dyn Blobs>,
    /// Bucket of the results.
    pub bucket: String,
    /// Whose.
    pub bundle: BundleId,
}

impl ShadowResults {
    /// The reports of a day (`2026-11-22`) from behind a key on, and the key to go on behind; none when these were the last. A
    /// report that cannot be read is left out.
    ///
    /// # Errors
    /// [`PortError`].
    pub async fn page(
        &self,
        day: &str,
        after: Option<&str>,
    ) -> Result<(Vec<ShadowResult>, Option<String>), PortError> {
        let prefix = BlobAddress {
            bucket: self.bucket.clone(),
            key: folder(&self.bundle, day),
        };
        let keys = match self.blobs.list(&prefix, after, PAGE).await {
            // Nothing was ever stored in this bucket.
            Err(error) if error.kind == PortErrorKind::NotFound => Vec::new(),
            keys => keys?,
        };
        let last = keys.last().cloned();
        let full = keys.len() == PAGE;
        let mut results = Vec::new();
        for key in keys {
            let Some((inspection, round)) = named(&key, &prefix.key) else {
                continue;
            };
            let at = BlobAddress {
                bucket: self.bucket.clone(),
                key,
            };
            let bytes = match self.blobs.get(&at, REPORT_BYTES_MAX).await {
                // Pruned meanwhile.
                Err(error) if error.kind == PortErrorKind::NotFound => continue,
                bytes => bytes?,
            };
            if let Ok(report) = serde_json::from_slice(&bytes) {
                results.push(ShadowResult {
                    inspection,
                    round,
                    report,
                });
            }
        }
        Ok((results, last.filter(|_| full)))
    }
}

/// The inspection and round that a key names.
fn named(key: &str, folder: &str) -> Option<(InspectionId, u32)> {
    let rest = key.strip_prefix(folder)?.strip_suffix(END)?;
    let (id, round) = match rest.split_once('/') {
        Some((id, round)) => (id, round.parse().ok()?),
        None => (rest, 0),
    };
    Some((InspectionId::new(id).ok()?, round))
}

#[cfg(test)]
mod tests {
    use super::*;
    use walkaround_domain::{InspectionRequest, PhotoRef, Timestamp};

    #[test]
    fn a_key_names_inspection_and_round() {
        let id = InspectionId::new("walk-1").expect("an id");
        let request = InspectionRequest::of(id.clone(), PhotoRef::File("a.jpg".to_owned()));
        let mut inspection = Inspection::accepted(request, Timestamp(1_795_305_600_000));
        let bundle = BundleId::new("demo", "2");
        let key = report_key(&bundle, &inspection);
        assert_eq!(key, "shadow/demo/2/2026-11-22/walk-1.json");
        let folder = folder(&bundle, "2026-11-22");
        assert_eq!(named(&key, &folder), Some((id.clone(), 0)));
        inspection.history.reopened = 3;
        let key = report_key(&bundle, &inspection);
        assert_eq!(named(&key, &folder), Some((id, 3)));
        for other in [
            "shadow/demo/2/2026-11-22/x",
            "shadow/demo/3/2026-11-22/walk-1.json",
            "",
        ] {
            assert_eq!(named(other, &folder), None, "{other}");
        }
    }
}
