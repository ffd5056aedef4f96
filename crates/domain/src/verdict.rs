//! What Walkaround says about one photo, and why.

use std::fmt;

/// The outcome of an inspection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Inspected, no damage found.
    Clean,
    /// At least one finding.
    Damaged,
    /// Cannot be judged; the reasons say why.
    Unusable,
}

impl Verdict {
    /// Every verdict, in the order reports list them.
    pub const ALL: [Self; 3] = [Self::Damaged, Self::Clean, Self::Unusable];

    /// The verdict that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.as_str() == word)
    }

    /// The word used in documents, tables and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Damaged => "damaged",
            Self::Unusable => "unusable",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a photo is unusable, as a stable code for machines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReasonCode {
    /// Too little fine detail: out of focus or shaken.
    Blurred,
    /// Mean brightness too low.
    TooDark,
    /// Mean brightness too high.
    TooBright,
    /// Too many pixels at the very ends of the range.
    Clipped,
    /// The locator found no vehicle.
    NoVehicle,
    /// The file claims a supported format and cannot be decoded.
    Unreadable,
    /// The file ends before the picture does.
    CutShort,
    /// Not a picture format that is read here.
    UnsupportedFormat,
    /// More bytes or pixels than the limits allow.
    TooLarge,
    /// Too few pixels to judge.
    TooSmall,
    /// Far too wide or too tall.
    OddAspect,
    /// A gate is sure of damage, and no segmenter can say where.
    DamageNotLocated,
}

impl ReasonCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::Blurred,
        Self::TooDark,
        Self::TooBright,
        Self::Clipped,
        Self::NoVehicle,
        Self::Unreadable,
        Self::CutShort,
        Self::UnsupportedFormat,
        Self::TooLarge,
        Self::TooSmall,
        Self::OddAspect,
        Self::DamageNotLocated,
    ];

    /// The code that a document names.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|c| c.as_str() == word)
    }

    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Blurred => "blurred",
            Self::TooDark => "too_dark",
            Self::TooBright => "too_bright",
            Self::Clipped => "clipped",
            Self::NoVehicle => "no_vehicle",
            Self::Unreadable => "unreadable",
            Self::CutShort => "cut_short",
            Self::UnsupportedFormat => "unsupported_format",
            Self::TooLarge => "too_large",
            Self::TooSmall => "too_small",
            Self::OddAspect => "odd_aspect",
            Self::DamageNotLocated => "damage_not_located",
        }
    }
}

/// From this P(damage) on a gate is sure: a photo without findings is then not clean, but a case for a person.
pub const GATE_SURE: f32 = 0.95;

/// What the networks said about a photo, for its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Evidence {
    /// Highest P(damage) over the gates; none when no gate was asked.
    pub gate: Option<f32>,
    /// The segmenters ran on the photo.
    pub segmented: bool,
    /// Regions that they found.
    pub findings: usize,
}

/// The verdict on a photo. `reasons` say why it cannot be judged, as far as that is known before the networks answer;
/// where a gate is sure of damage ([`GATE_SURE`]) and nothing is found, that becomes one of them.
pub fn judge(reasons: &mut Vec<Reason>, evidence: Evidence) -> Verdict {
    if !reasons.is_empty() {
        return Verdict::Unusable;
    }
    if evidence.findings > 0 {
        return Verdict::Damaged;
    }
    match evidence.gate {
        Some(gate) if evidence.segmented && gate >= GATE_SURE => {
            let detail = format!(
                "the gate is sure of damage ({gate:.2}), but no damaged region was found: a person has to decide"
            );
            reasons.push(Reason::new(ReasonCode::DamageNotLocated, detail));
            Verdict::Unusable
        }
        _ => Verdict::Clean,
    }
}

/// One reason with its figures in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// For machines.
    pub code: ReasonCode,
    /// For people: one line, what was measured and what the limit is.
    pub detail: String,
}

impl Reason {
    /// A reason from its code and one line of detail.
    pub fn new(code: ReasonCode, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_photo_that_the_gate_is_sure_of_and_the_segmenters_cannot_place_is_not_clean() {
        let evidence = |gate, segmented, findings| Evidence {
            gate,
            segmented,
            findings,
        };
        for (evidence, verdict, codes) in [
            (
                evidence(Some(0.99), true, 0),
                Verdict::Unusable,
                &[ReasonCode::DamageNotLocated][..],
            ),
            (
                evidence(Some(GATE_SURE), true, 0),
                Verdict::Unusable,
                &[ReasonCode::DamageNotLocated],
            ),
            (evidence(Some(0.94), true, 0), Verdict::Clean, &[]),
            (evidence(Some(0.99), true, 1), Verdict::Damaged, &[]),
            // A gate that stops at a higher threshold than that has its way.
            (evidence(Some(0.99), false, 0), Verdict::Clean, &[]),
            (evidence(None, true, 0), Verdict::Clean, &[]),
            (Evidence::default(), Verdict::Clean, &[]),
        ] {
            let mut reasons = Vec::new();
            assert_eq!(judge(&mut reasons, evidence), verdict, "{evidence:?}");
            let found: Vec<ReasonCode> = reasons.iter().map(|reason| reason.code).collect();
            assert_eq!(found, codes, "{evidence:?}");
        }
    }

    #[test]
    fn a_photo_that_cannot_be_judged_is_unusable_whatever_the_gate_says() {
        let mut reasons = vec![Reason::new(ReasonCode::NoVehicle, "no vehicle in the photo")];
        let evidence = Evidence {
            gate: Some(0.99),
            segmented: false,
            findings: 0,
        };
        assert_eq!(judge(&mut reasons, evidence), Verdict::Unusable);
        assert_eq!(reasons.len(), 1);
    }
}
