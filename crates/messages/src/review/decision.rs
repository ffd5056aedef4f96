//! A decision as a document. Outlines have the form that they have in the report.

use super::fields::one_of;
use crate::Unreadable;
use crate::document::from_text;
use crate::report::PolygonDocument;
use serde::{Deserialize, Serialize};
use walkaround_domain::review::{AddedFinding, Correction, FindingsDecision, RejectReason, UnusableReason};
use walkaround_domain::{Decision, Point, Polygon};

/// What a reviewer decides.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum DecisionDocument {
    /// The report is right.
    Confirm,
    /// The report is right but for this.
    Findings {
        /// A finding that is not named stands as it was found.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        findings: Vec<CorrectionDocument>,
        /// What the report does not have.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        added: Vec<AddedDocument>,
    },
    /// The photo cannot be judged.
    Unusable {
        /// `blurred`, `too_dark`, `too_bright`, `no_vehicle`, `obstructed` or `other`.
        why: String,
    },
    /// Somebody else has to decide.
    Escalate,
    /// An earlier revision does not count.
    Undo {
        /// Which.
        revision: u32,
    },
}

/// What becomes of one finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CorrectionDocument {
    /// Its place in the report's `findings`, from 0.
    pub finding: u32,
    /// What becomes of it.
    #[serde(flatten)]
    pub correction: CorrectionKind,
}

/// What becomes of a finding.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum CorrectionKind {
    /// It is damage, as found.
    Accept,
    /// It is no damage.
    Reject {
        /// `dirt`, `reflection`, `shadow`, `part_of_car` or `other`.
        why: String,
    },
    /// It is damage of another class.
    Reclassify {
        /// Which.
        class: String,
    },
    /// It is damage, and this is its outline.
    Reshape {
        /// At least one.
        polygons: Vec<PolygonDocument>,
    },
}

/// Damage that the report does not have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AddedDocument {
    /// Its class.
    pub class: String,
    /// At least one.
    pub polygons: Vec<PolygonDocument>,
}

/// Reads a decision alone, as clients send it.
///
/// # Errors
/// When it is none. Its bounds are not checked: see [`Decision::check`].
pub fn parse_decision(body: &str) -> Result<Decision, Unreadable> {
    from_text::<DecisionDocument>(body)?.try_into()
}

impl From<&Decision> for DecisionDocument {
    fn from(decision: &Decision) -> Self {
        match decision {
            Decision::Confirm => Self::Confirm,
            Decision::Escalate => Self::Escalate,
            Decision::Undo(revision) => Self::Undo { revision: *revision },
            Decision::Unusable(why) => Self::Unusable {
                why: why.as_str().to_owned(),
            },
            Decision::Findings(decision) => Self::Findings {
                findings: decision
                    .findings
                    .iter()
                    .map(|(place, c)| correction(*place, c))
                    .collect(),
                added: decision.added.iter().map(Into::into).collect(),
            },
        }
    }
}

impl TryFrom<DecisionDocument> for Decision {
    type Error = Unreadable;

    fn try_from(wire: DecisionDocument) -> Result<Self, Unreadable> {
        Ok(match wire {
            DecisionDocument::Confirm => Self::Confirm,
            DecisionDocument::Escalate => Self::Escalate,
            DecisionDocument::Undo { revision } => Self::Undo(revision),
            DecisionDocument::Unusable { why } => Self::Unusable(
                UnusableReason::parse(&why)
                    .ok_or_else(|| one_of("why", UnusableReason::ALL.map(|r| r.as_str())))?,
            ),
            DecisionDocument::Findings { findings, added } => {
                let mut decision = FindingsDecision::default();
                for CorrectionDocument { finding, correction } in findings {
                    let named = format!("finding {finding}");
                    let correction = Correction::try_from(correction).map_err(|e| e.within(&named))?;
                    if decision.findings.insert(finding, correction).is_some() {
                        return Err(Unreadable::new(format!("{named} is named twice")));
                    }
                }
                decision.added = added.into_iter().map(Into::into).collect();
                Self::Findings(decision)
            }
        })
    }
}

fn correction(finding: u32, correction: &Correction) -> CorrectionDocument {
    let correction = match correction {
        Correction::Accept => CorrectionKind::Accept,
        Correction::Reject(why) => CorrectionKind::Reject {
            why: why.as_str().to_owned(),
        },
        Correction::Reclassify(class) => CorrectionKind::Reclassify { class: class.clone() },
        Correction::Reshape(polygons) => CorrectionKind::Reshape {
            polygons: polygons.iter().map(to_wire).collect(),
        },
    };
    CorrectionDocument { finding, correction }
}

impl TryFrom<CorrectionKind> for Correction {
    type Error = Unreadable;

    fn try_from(wire: CorrectionKind) -> Result<Self, Unreadable> {
        Ok(match wire {
            CorrectionKind::Accept => Self::Accept,
            CorrectionKind::Reject { why } => Self::Reject(
                RejectReason::parse(&why)
                    .ok_or_else(|| one_of("why", RejectReason::ALL.map(|r| r.as_str())))?,
            ),
            CorrectionKind::Reclassify { class } => Self::Reclassify(class),
            CorrectionKind::Reshape { polygons } => {
                Self::Reshape(polygons.into_iter().map(from_wire).collect())
            }
        })
    }
}

impl From<&AddedFinding> for AddedDocument {
    fn from(finding: &AddedFinding) -> Self {
        Self {
            class: finding.class.clone(),
            polygons: finding.polygons.iter().map(to_wire).collect(),
        }
    }
}

impl From<AddedDocument> for AddedFinding {
    fn from(wire: AddedDocument) -> Self {
        Self {
            class: wire.class,
            polygons: wire.polygons.into_iter().map(from_wire).collect(),
        }
    }
}

fn to_wire(polygon: &Polygon) -> PolygonDocument {
    let number = |x: f32| if x.is_finite() { x } else { 0.0 };
    let ring = |points: &[Point]| points.iter().map(|p| [number(p.x), number(p.y)]).collect();
    PolygonDocument {
        outer: ring(&polygon.outer),
        holes: polygon.holes.iter().map(|hole| ring(hole)).collect(),
    }
}

fn from_wire(wire: PolygonDocument) -> Polygon {
    let ring = |points: Vec<[f32; 2]>| points.into_iter().map(|[x, y]| Point { x, y }).collect();
    Polygon {
        outer: ring(wire.outer),
        holes: wire.holes.into_iter().map(ring).collect(),
    }
}
