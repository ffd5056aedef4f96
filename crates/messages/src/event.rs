//! The event that reports a final inspection to the back office.

use crate::document::{VERSION, check_version, from_text, to_text};
use crate::{Unreadable, v1};
use std::collections::BTreeMap;
use walkaround_domain::{Inspection, Phase, PhotoRef};

/// Folder of the photos that a deployment's smoke test puts into the photos bucket, at the beginning of a key or below
/// the prefix that the bucket reports: inspected like any other, but subscribers of events never hear of them.
pub const SMOKE_FOLDER: &str = "walkaround-smoke/";

/// An event, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FinishedEvent {
    /// Stable: the same final inspection has the same id, however often it is published.
    pub id: String,
    /// The document, `InspectionFinished` in JSON; the same text for the same record.
    pub body: String,
    /// For subscription filters: `type`, `phase`, and `verdict`, `lane`, `failure` where there is one.
    pub attributes: BTreeMap<String, String>,
}

/// The event of an inspection; none before it is final, and none for a photo of a [smoke test](SMOKE_FOLDER).
pub fn finished_event(inspection: &Inspection) -> Option<FinishedEvent> {
    if is_smoke_photo(&inspection.request.photo) {
        return None;
    }
    let id = inspection.event_id()?;
    let kind = format!("inspection.{}", inspection.phase.as_str());
    let mut told = v1::Inspection::from(inspection);
    // Published again after a crash, the event must read the same: whether it was published before is not part of it.
    told.published_at = None;
    // Nor is what later requests were compared with; only a completion makes another event.
    let completions = inspection.photo_history.completions;
    told.photo_history = (completions > 0).then(|| v1::PhotoHistory {
        completions,
        ..v1::PhotoHistory::default()
    });
    let event = v1::InspectionFinished {
        version: VERSION,
        event_id: id.clone(),
        r#type: kind.clone(),
        inspection: Some(told),
    };
    Some(FinishedEvent {
        id,
        body: to_text(&event),
        attributes: attributes(inspection, kind),
    })
}

fn is_smoke_photo(photo: &PhotoRef) -> bool {
    match photo {
        PhotoRef::S3 { key, .. } => key
            .find(SMOKE_FOLDER)
            .is_some_and(|at| at == 0 || key[..at].ends_with('/')),
        PhotoRef::Url(_) | PhotoRef::File(_) => false,
    }
}

fn attributes(inspection: &Inspection, kind: String) -> BTreeMap<String, String> {
    let mut all = BTreeMap::from([
        ("type".to_owned(), kind),
        ("phase".to_owned(), inspection.phase.as_str().to_owned()),
    ]);
    match &inspection.phase {
        Phase::Done { verdict } => all.insert("verdict".to_owned(), verdict.as_str().to_owned()),
        Phase::Failed { code, .. } => all.insert("failure".to_owned(), code.as_str().to_owned()),
        Phase::Accepted | Phase::Routed { .. } => None,
    };
    if let Some((lane, _)) = &inspection.route {
        all.insert("lane".to_owned(), lane.as_str().to_owned());
    }
    all
}

/// Reads an event: its id and the inspection that it reports.
///
/// # Errors
/// When it is no event, or one of a version that is not known here.
pub fn parse_event(body: &str) -> Result<(String, Inspection), Unreadable> {
    let event: v1::InspectionFinished = from_text(body)?;
    check_version(u64::from(event.version))?;
    let inspection = event
        .inspection
        .ok_or_else(|| Unreadable::new("inspection: missing"))?;
    let inspection = Inspection::try_from(inspection).map_err(|e| e.within("inspection"))?;
    Ok((event.event_id, inspection))
}
