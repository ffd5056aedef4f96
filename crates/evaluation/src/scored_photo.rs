//! One inspected photo, with its truth and its score.

use crate::error::Unscorable;
use crate::ground_truth::GroundTruth;
use crate::inspected_photo::InspectedPhoto;
use crate::photo_set::Label;
use crate::score::PhotoScore;
use walkaround_domain::Size;
use walkaround_messages::PhotoReport;
use walkaround_vision::mask::ClassSpec;

/// A photo with its truth and its score.
#[derive(Debug, Clone)]
pub struct ScoredPhoto<'a> {
    /// As it was inspected.
    pub inspected: InspectedPhoto<'a>,
    /// Size of the upright original.
    pub size: Size,
    /// What is damaged on it.
    pub truth: GroundTruth,
    /// What it adds to the figures.
    pub score: PhotoScore,
}

impl<'a> ScoredPhoto<'a> {
    /// Scores a photo by what is known about it.
    ///
    /// # Errors
    /// When it was not decoded, or when annotations or findings do not fit it.
    pub fn new(
        inspected: InspectedPhoto<'a>,
        label: &Label,
        classes: &[ClassSpec],
    ) -> Result<Self, Unscorable> {
        let report = inspected.report;
        let Some((width, height)) = report.width.zip(report.height) else {
            let codes = report.reasons.iter().map(|reason| reason.code.clone());
            return Err(Unscorable::NotDecoded(codes.collect()));
        };
        let size = Size::new(width, height);
        let truth = GroundTruth::of(label, size, classes.len())?;
        let score = PhotoScore::of(inspected, &truth, classes)?;
        Ok(Self {
            inspected,
            size,
            truth,
            score,
        })
    }

    /// The report that `inspect` gives by default; an evaluation asks for more.
    pub fn default_report(&self) -> PhotoReport {
        self.inspected.with_findings(&self.score.shown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::{classes, finding, report};
    use walkaround_domain::{Reason, ReasonCode};

    #[test]
    fn the_default_report_has_the_default_findings_and_its_own_verdict() {
        let report = report(&[finding("dent", [1, 0, 0, 0]), finding("wear", [0, 1, 0, 0])]);
        let default = |suspect| {
            let inspected = InspectedPhoto {
                report: &report,
                suspect,
            };
            let scored = ScoredPhoto::new(inspected, &Label::Undamaged, &classes()).unwrap();
            scored.default_report()
        };
        let passed = default(Some(true));
        assert_eq!(passed.findings, report.findings[..1]);
        assert_eq!(passed.verdict, "damaged");
        assert!(passed.timings_ms.is_empty());
        let stopped = default(Some(false));
        assert_eq!((stopped.findings.len(), stopped.verdict.as_str()), (0, "clean"));
    }

    #[test]
    fn what_does_not_fit_is_left_out_with_its_reason() {
        let scored = |report: &PhotoReport| {
            let inspected = InspectedPhoto {
                report,
                suspect: None,
            };
            ScoredPhoto::new(inspected, &Label::Undamaged, &classes()).map(|scored| scored.score.unusable)
        };
        let mut broken = report(&[]);
        assert_eq!(scored(&broken), Ok(false));
        broken.width = None;
        broken.reasons = vec![(&Reason::new(ReasonCode::Unreadable, "cut")).into()];
        assert_eq!(
            scored(&broken).unwrap_err().to_string(),
            "cannot be decoded: unreadable"
        );
        let other = report(&[finding("glass", [1, 0, 0, 0])]);
        assert_eq!(scored(&other), Err(Unscorable::FindingClass("glass".to_owned())));
    }
}
