//! The stored record: `Inspection` to and from the domain.
//!
//! While an inspection is routed, its phase and its route say the same; the document says it once, as
//! `route`.

use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::request::moment;
use crate::review::parse_digest;
use crate::{Unreadable, v1};
use walkaround_domain::record::PhotoHistory;
use walkaround_domain::{
    AttemptFailure, AttemptHistory, BlobRef, BundleId, Drawn, FailureCode, FindingSummary, Inspection,
    InspectionId, InspectionRequest, Lane, Outcome, Phase, PhotoQuality, PixelBox, Reason, ReasonCode, Size,
    TaskReason, Verdict, hex,
};

/// The document of a record.
pub fn record_body(inspection: &Inspection) -> String {
    to_text(&v1::Inspection::from(inspection))
}

/// Reads the document of a record.
///
/// # Errors
/// When it is no record, or one of a version that is not known here.
pub fn parse_record(body: &str) -> Result<Inspection, Unreadable> {
    from_text::<v1::Inspection>(body)?.try_into()
}

impl From<&Inspection> for v1::Inspection {
    fn from(inspection: &Inspection) -> Self {
        let mut wire = Self {
            version: VERSION,
            inspection_id: inspection.request.id.to_string(),
            request: Some((&inspection.request).into()),
            phase: inspection.phase.as_str().to_owned(),
            verdict: None,
            failure: None,
            route: inspection
                .route
                .as_ref()
                .map(|(lane, reason)| route(*lane, reason)),
            outcome: inspection.outcome.as_ref().map(Into::into),
            accepted_at: Some(inspection.accepted_at.into()),
            routed_at: inspection.routed_at.map(Into::into),
            finished_at: inspection.finished_at.map(Into::into),
            published_at: inspection.published_at.map(Into::into),
            attempts: inspection.attempts,
            history: wire_history(&inspection.history),
            photo_history: wire_photo_history(&inspection.photo_history),
        };
        match &inspection.phase {
            Phase::Accepted => {}
            Phase::Routed { lane, reason } => wire.route = Some(route(*lane, reason)),
            Phase::Done { verdict } => wire.verdict = Some(verdict.as_str().to_owned()),
            Phase::Failed { code, detail } => {
                wire.failure = Some(v1::Failure {
                    code: code.as_str().to_owned(),
                    detail: detail.clone(),
                });
            }
        }
        wire
    }
}

impl TryFrom<v1::Inspection> for Inspection {
    type Error = Unreadable;

    fn try_from(wire: v1::Inspection) -> Result<Self, Unreadable> {
        check_version(u64::from(wire.version))?;
        let mut asked = wire.request.ok_or_else(|| missing("request"))?;
        // The record's own id stands, should its request have none.
        asked.inspection_id.get_or_insert(wire.inspection_id);
        let request = InspectionRequest::try_from(asked).map_err(|e| e.within("request"))?;
        let route = match wire.route {
            None => None,
            Some(v1::Route { lane, reason }) => Some((known("route.lane", &lane, Lane::parse)?, reason)),
        };
        let phase = match (wire.phase.as_str(), &route, wire.verdict, wire.failure) {
            ("accepted", ..) => Phase::Accepted,
            ("routed", Some((lane, reason)), ..) => Phase::Routed {
                lane: *lane,
                reason: reason.clone(),
            },
            ("done", _, Some(verdict), _) => Phase::Done {
                verdict: known("verdict", &verdict, Verdict::parse)?,
            },
            ("failed", _, _, Some(failure)) => Phase::Failed {
                code: known("failure.code", &failure.code, FailureCode::parse)?,
                detail: failure.detail,
            },
            _ => {
                return Err(Unreadable::new(
                    "phase: expected accepted, routed (with route), done (with verdict) or failed (with failure)",
                ));
            }
        };
        Ok(Self {
            request,
            phase,
            route,
            outcome: wire.outcome.map(TryInto::try_into).transpose()?,
            accepted_at: moment("accepted_at", wire.accepted_at)?.ok_or_else(|| missing("accepted_at"))?,
            routed_at: moment("routed_at", wire.routed_at)?,
            finished_at: moment("finished_at", wire.finished_at)?,
            published_at: moment("published_at", wire.published_at)?,
            attempts: wire.attempts,
            history: wire.history.map_or(Ok(AttemptHistory::default()), history)?,
            photo_history: wire
                .photo_history
                .map_or(Ok(PhotoHistory::default()), photo_history)?,
        })
    }
}

/// None where nothing happened.
fn wire_photo_history(history: &PhotoHistory) -> Option<v1::PhotoHistory> {
    (*history != PhotoHistory::default()).then(|| v1::PhotoHistory {
        photo_sha256: history.photo_sha256.as_ref().map(|digest| hex(digest)),
        compared_at: history.compared_at.map(Into::into),
        other_bytes: history.other_bytes.as_ref().map(ToString::to_string),
        completions: history.completions,
    })
}

fn photo_history(wire: v1::PhotoHistory) -> Result<PhotoHistory, Unreadable> {
    Ok(PhotoHistory {
        photo_sha256: optional_digest("photo_history.photo_sha256", wire.photo_sha256)?,
        compared_at: moment("photo_history.compared_at", wire.compared_at)?,
        other_bytes: optional_id("photo_history.other_bytes", wire.other_bytes)?,
        completions: wire.completions,
    })
}

/// None where nothing happened: most records never fail.
fn wire_history(history: &AttemptHistory) -> Option<v1::AttemptHistory> {
    let last = history.last_failure.as_ref();
    (*history != AttemptHistory::default()).then(|| v1::AttemptHistory {
        reopened: history.reopened,
        last_failure: last.map(|failure| v1::Failure {
            code: failure.code.as_str().to_owned(),
            detail: failure.detail.clone(),
        }),
        last_failure_at: last.map(|failure| failure.at.into()),
        unfinished_starts: history.unfinished_starts,
        unfinished_starts_alone: history.unfinished_starts_alone,
        failed_with: history.failed_with.as_ref().map(Into::into),
    })
}

fn history(wire: v1::AttemptHistory) -> Result<AttemptHistory, Unreadable> {
    let at = moment("history.last_failure_at", wire.last_failure_at)?.unwrap_or_default();
    let last_failure = wire.last_failure.map(|failure| {
        Ok(AttemptFailure {
            code: known("history.last_failure.code", &failure.code, FailureCode::parse)?,
            detail: failure.detail,
            at,
        })
    });
    Ok(AttemptHistory {
        reopened: wire.reopened,
        last_failure: last_failure.transpose()?,
        unfinished_starts: wire.unfinished_starts,
        unfinished_starts_alone: wire.unfinished_starts_alone,
        failed_with: wire.failed_with.map(Into::into),
    })
}

impl From<&Outcome> for v1::Outcome {
    fn from(outcome: &Outcome) -> Self {
        Self {
            reasons: outcome.reasons.iter().map(Into::into).collect(),
            size: outcome.size.map(|s| v1::Size {
                width: s.width,
                height: s.height,
            }),
            photo_sha256: outcome.photo_sha256.as_ref().map(|digest| hex(digest)),
            gate: outcome.gate.map(finite_f32),
            findings: outcome.findings.iter().map(Into::into).collect(),
            report: outcome.report.as_ref().map(Into::into),
            overlay: outcome.overlay.as_ref().map(Into::into),
            bundle: Some((&outcome.bundle).into()),
            timings_ms: outcome
                .timings_ms
                .iter()
                .map(|(stage, ms)| (stage.clone(), finite(*ms)))
                .collect(),
            worker: outcome.worker.clone(),
            reused_from: outcome.reused_from.as_ref().map(ToString::to_string),
            quality: outcome.quality.map(|quality| v1::PhotoQuality {
                sharpness: finite_f32(quality.sharpness),
                luma_mean: finite_f32(quality.luma_mean),
            }),
            drawn: outcome.drawn.map(|drawn| v1::Drawn {
                inclusion: finite(drawn.inclusion),
                reason: drawn.reason.as_str().to_owned(),
            }),
        }
    }
}

impl TryFrom<v1::Outcome> for Outcome {
    type Error = Unreadable;

    fn try_from(wire: v1::Outcome) -> Result<Self, Unreadable> {
        let photo_sha256 = optional_digest("outcome.photo_sha256", wire.photo_sha256)?;
        Ok(Self {
            reasons: wire
                .reasons
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            size: wire.size.map(|s| Size::new(s.width, s.height)),
            photo_sha256,
            gate: wire.gate,
            findings: wire.findings.into_iter().map(Into::into).collect(),
            report: wire.report.map(TryInto::try_into).transpose()?,
            overlay: wire.overlay.map(TryInto::try_into).transpose()?,
            bundle: wire.bundle.unwrap_or_default().into(),
            timings_ms: wire.timings_ms,
            worker: wire.worker,
            reused_from: optional_id("outcome.reused_from", wire.reused_from)?,
            quality: wire.quality.map(|quality| PhotoQuality {
                sharpness: quality.sharpness,
                luma_mean: quality.luma_mean,
            }),
            drawn: wire.drawn.as_ref().map(drawn).transpose()?,
        })
    }
}

impl From<&BundleId> for v1::Bundle {
    fn from(bundle: &BundleId) -> Self {
        Self {
            name: bundle.name.clone(),
            version: bundle.version.clone(),
        }
    }
}

impl From<v1::Bundle> for BundleId {
    fn from(wire: v1::Bundle) -> Self {
        Self::new(wire.name, wire.version)
    }
}

impl From<&Reason> for v1::Reason {
    fn from(reason: &Reason) -> Self {
        Self {
            code: reason.code.as_str().to_owned(),
            detail: reason.detail.clone(),
        }
    }
}

impl TryFrom<v1::Reason> for Reason {
    type Error = Unreadable;

    fn try_from(wire: v1::Reason) -> Result<Self, Unreadable> {
        let code = known("outcome.reasons.code", &wire.code, ReasonCode::parse)?;
        Ok(Self::new(code, wire.detail))
    }
}

impl From<&FindingSummary> for v1::Finding {
    fn from(finding: &FindingSummary) -> Self {
        let PixelBox { x, y, width, height } = finding.bbox;
        Self {
            class: finding.class.clone(),
            probability: finite_f32(finding.probability),
            // The pixel limit of photos is far below 32 bits.
            area_px: u32::try_from(finding.area_px).unwrap_or(u32::MAX),
            area_share: finite(finding.area_share),
            bbox: Some(v1::PixelBox { x, y, width, height }),
        }
    }
}

impl From<v1::Finding> for FindingSummary {
    fn from(wire: v1::Finding) -> Self {
        let v1::PixelBox { x, y, width, height } = wire.bbox.unwrap_or_default();
        Self {
            class: wire.class,
            probability: wire.probability,
            area_px: u64::from(wire.area_px),
            area_share: wire.area_share,
            bbox: PixelBox { x, y, width, height },
        }
    }
}

impl From<&BlobRef> for v1::Blob {
    fn from(blob: &BlobRef) -> Self {
        Self {
            bucket: blob.bucket.clone(),
            key: blob.key.clone(),
            sha256: hex(&blob.sha256),
            // Reports and overlays are built in memory, far below 4 GiB.
            bytes: u32::try_from(blob.bytes).unwrap_or(u32::MAX),
            content_type: blob.content_type.clone(),
        }
    }
}

impl TryFrom<v1::Blob> for BlobRef {
    type Error = Unreadable;

    fn try_from(wire: v1::Blob) -> Result<Self, Unreadable> {
        Ok(Self {
            sha256: digest("outcome.blob.sha256", &wire.sha256)?,
            bucket: wire.bucket,
            key: wire.key,
            bytes: u64::from(wire.bytes),
            content_type: wire.content_type,
        })
    }
}

fn route(lane: Lane, reason: &str) -> v1::Route {
    v1::Route {
        lane: lane.as_str().to_owned(),
        reason: reason.to_owned(),
    }
}

/// JSON has no other numbers.
fn finite_f32(value: f32) -> f32 {
    if value.is_finite() { value } else { 0.0 }
}

fn drawn(wire: &v1::Drawn) -> Result<Drawn, Unreadable> {
    let fits = wire.inclusion > 0.0 && wire.inclusion <= 1.0;
    if !fits {
        return Err(Unreadable::new(
            "outcome.drawn.inclusion: expected a number above 0 and at most 1",
        ));
    }
    Ok(Drawn {
        inclusion: wire.inclusion,
        reason: known("outcome.drawn.reason", &wire.reason, TaskReason::parse)?,
    })
}

fn missing(field: &str) -> Unreadable {
    Unreadable::new(format!("{field}: missing"))
}

fn known<T>(field: &str, word: &str, parse: impl Fn(&str) -> Option<T>) -> Result<T, Unreadable> {
    parse(word).ok_or_else(|| Unreadable::new(format!("{field}: an unknown value")))
}

fn optional_digest(field: &str, text: Option<String>) -> Result<Option<[u8; 32]>, Unreadable> {
    text.map(|text| digest(field, &text)).transpose()
}

fn optional_id(field: &str, text: Option<String>) -> Result<Option<InspectionId>, Unreadable> {
    let read =
        |text| InspectionId::new(text).map_err(|_| Unreadable::new(format!("{field}: not an inspection id")));
    text.map(read).transpose()
}

fn digest(field: &str, text: &str) -> Result<[u8; 32], Unreadable> {
    parse_digest(text).map_err(|e| e.within(field))
}
