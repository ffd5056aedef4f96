//! Reviews as documents, and the event that reports one.

mod decision;
pub(crate) mod fields;

use crate::Unreadable;
use crate::document::{VERSION, check_version, from_text, to_text};
use crate::moment::rfc3339;
pub use decision::{AddedDocument, CorrectionDocument, CorrectionKind, DecisionDocument, parse_decision};
pub use fields::parse_digest;
use fields::{at, inspection_id, reviewer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use walkaround_domain::review::Reviewed;
use walkaround_domain::{Decision, Review, hex};

/// The `type` of the event of a review.
pub const REVIEWED: &str = "inspection.reviewed";

/// A review. Coordinates are pixels of the upright original.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReviewDocument {
    /// Version of this document: 1.
    pub version: u32,
    /// Which inspection.
    pub inspection_id: String,
    /// 1 for the first, one more for each later one.
    pub revision: u32,
    /// Who decided.
    pub by: String,
    /// When, RFC 3339.
    pub at: String,
    /// SHA-256 of the report that was decided on, hexadecimal.
    pub based_on: String,
    /// What was decided.
    pub decision: DecisionDocument,
    /// In the reviewer's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What the reviews of one report come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ReviewedDocument {
    /// `unreviewed`, `confirmed`, `corrected` or `unusable`.
    pub judgement: &'static str,
    /// The revision that says so; 0 when there is none.
    pub revision: u32,
    /// Who decided so.
    pub by: Option<String>,
    /// When, RFC 3339.
    pub at: Option<String>,
    /// Whether somebody asked for another person's decision, and has none yet.
    pub escalated: bool,
}

impl From<&Reviewed> for ReviewedDocument {
    fn from(state: &Reviewed) -> Self {
        Self {
            judgement: state.judgement.as_str(),
            revision: state.revision,
            by: state.by.as_ref().map(ToString::to_string),
            at: state.at.map(rfc3339),
            escalated: state.escalated_by.is_some(),
        }
    }
}

/// The event of a review, ready to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReviewedEvent {
    /// Stable: the same review has the same id, however often it is published.
    pub id: String,
    /// The document; the same text for the same review.
    pub body: String,
    /// For subscription filters: `type` and `decision`.
    pub attributes: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct EventDocument {
    version: u32,
    event_id: String,
    r#type: String,
    review: ReviewDocument,
}

/// The event of a review.
pub fn reviewed_event(review: &Review) -> ReviewedEvent {
    let id = review.event_id();
    let document = EventDocument {
        version: VERSION,
        event_id: id.clone(),
        r#type: REVIEWED.to_owned(),
        review: review.into(),
    };
    ReviewedEvent {
        id,
        body: to_text(&document),
        attributes: BTreeMap::from([
            ("type".to_owned(), REVIEWED.to_owned()),
            ("decision".to_owned(), review.decision.as_str().to_owned()),
        ]),
    }
}

/// Reads the event of a review: its id and the review.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_reviewed_event(body: &str) -> Result<(String, Review), Unreadable> {
    let event: EventDocument = from_text(body)?;
    check_version(u64::from(event.version))?;
    if event.r#type != REVIEWED {
        return Err(Unreadable::new(format!("type: expected {REVIEWED}")));
    }
    let review = Review::try_from(event.review).map_err(|e| e.within("review"))?;
    Ok((event.event_id, review))
}

/// The document of a review.
pub fn review_body(review: &Review) -> String {
    to_text(&ReviewDocument::from(review))
}

/// Reads the document of a review.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_review(body: &str) -> Result<Review, Unreadable> {
    from_text::<ReviewDocument>(body)?.try_into()
}

impl From<&Review> for ReviewDocument {
    fn from(review: &Review) -> Self {
        Self {
            version: VERSION,
            inspection_id: review.inspection.to_string(),
            revision: review.revision,
            by: review.by.to_string(),
            at: rfc3339(review.at),
            based_on: hex(&review.based_on),
            decision: (&review.decision).into(),
            note: review.note.clone(),
        }
    }
}

impl TryFrom<ReviewDocument> for Review {
    type Error = Unreadable;

    fn try_from(wire: ReviewDocument) -> Result<Self, Unreadable> {
        check_version(u64::from(wire.version))?;
        Ok(Self {
            inspection: inspection_id(wire.inspection_id)?,
            revision: wire.revision,
            by: reviewer("by", wire.by)?,
            at: at("at", &wire.at)?,
            based_on: parse_digest(&wire.based_on).map_err(|e| e.within("based_on"))?,
            decision: Decision::try_from(wire.decision).map_err(|e| e.within("decision"))?,
            note: wire.note,
        })
    }
}
