//! The durable record of one inspection, whole.

use crate::geometry::{PixelBox, Size};
use crate::inspection::Phase;
use crate::photo::InspectionRequest;
use crate::time::Timestamp;
use crate::verdict::Reason;
use std::collections::BTreeMap;

/// A stored blob and the digest of its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobRef {
    /// Bucket.
    pub bucket: String,
    /// Key.
    pub key: String,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
    /// Number of bytes.
    pub bytes: u64,
    /// MIME type.
    pub content_type: String,
}

/// A finding without its outline (outline and mask are in the report blob): records stay small.
#[derive(Debug, Clone, PartialEq)]
pub struct FindingSummary {
    /// Damage class.
    pub class: String,
    /// Mean probability over the region.
    pub probability: f32,
    /// Pixels of the original inside the region.
    pub area_px: u64,
    /// Share of the photo.
    pub area_share: f64,
    /// Smallest box around it.
    pub bbox: PixelBox,
}

/// What looking at the photo gave.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Outcome {
    /// Why, when unusable.
    pub reasons: Vec<Reason>,
    /// Size of the upright original, when it could be decoded.
    pub size: Option<Size>,
    /// SHA-256 of the photo's bytes.
    pub photo_sha256: Option<[u8; 32]>,
    /// Highest P(damage) of the gates.
    pub gate: Option<f32>,
    /// Damaged regions, at most [`FINDINGS_ON_RECORD_MAX`].
    pub findings: Vec<FindingSummary>,
    /// The full report: findings with outlines and masks.
    pub report: Option<BlobRef>,
    /// The marked picture.
    pub overlay: Option<BlobRef>,
    /// Name of the bundle that looked.
    pub bundle_name: String,
    /// Its version.
    pub bundle_version: String,
    /// Milliseconds by stage.
    pub timings_ms: BTreeMap<String, f64>,
    /// Who looked: a worker or function, and its device.
    pub worker: String,
}

/// Most findings on a record; the report blob has all of them.
pub const FINDINGS_ON_RECORD_MAX: usize = 50;

/// One inspection.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// What was asked.
    pub request: InspectionRequest,
    /// Where it stands.
    pub phase: Phase,
    /// Lane and reason of the last routing; kept when the phase moves on.
    pub route: Option<(crate::inspection::Lane, String)>,
    /// The result, when done.
    pub outcome: Option<Outcome>,
    /// When the request became durable.
    pub accepted_at: Timestamp,
    /// When a lane was chosen.
    pub routed_at: Option<Timestamp>,
    /// When it became final.
    pub finished_at: Option<Timestamp>,
    /// When its event was published.
    pub published_at: Option<Timestamp>,
    /// Deliveries that it took.
    pub attempts: u32,
}

impl Inspection {
    /// A fresh inspection of an accepted request. Records and events are read by many and kept for long: the
    /// photo's URL stands there without its query, which may be signed. The message keeps it.
    pub fn accepted(request: InspectionRequest, now: Timestamp) -> Self {
        Self {
            request: InspectionRequest {
                photo: request.photo.without_query(),
                ..request
            },
            phase: Phase::Accepted,
            route: None,
            outcome: None,
            accepted_at: now,
            routed_at: None,
            finished_at: None,
            published_at: None,
            attempts: 0,
        }
    }

    /// Stable id of the event that tells of the final phase; none before it.
    pub fn event_id(&self) -> Option<String> {
        self.phase
            .is_final()
            .then(|| format!("{}.{}", self.request.id, self.phase.as_str()))
    }
}
