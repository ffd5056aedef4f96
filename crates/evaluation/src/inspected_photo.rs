//! One photo as it was inspected.

use std::collections::BTreeMap;
use walkaround_domain::{Evidence, Reason, ReasonCode, judge};
use walkaround_messages::{FindingDocument, PhotoReport};

/// A photo as it was inspected, with all classes and with no gate stopping it.
#[derive(Debug, Clone, Copy)]
pub struct InspectedPhoto<'a> {
    /// The document.
    pub report: &'a PhotoReport,
    /// Whether the gates let the photo through to the segmenters; none when they were not asked.
    pub suspect: Option<bool>,
}

impl InspectedPhoto<'_> {
    /// The report that `inspect` gives by default: with these findings alone, and with none where the gate stops.
    pub(crate) fn with_findings(&self, shown: &[usize]) -> PhotoReport {
        let report = self.report;
        let findings: Vec<FindingDocument> = match self.suspect {
            Some(true) => shown.iter().map(|at| report.findings[*at].clone()).collect(),
            _ => Vec::new(),
        };
        let reasons = report.reasons.iter().filter_map(|reason| {
            let code = ReasonCode::parse(&reason.code)?;
            // Depends on the findings that are left.
            (code != ReasonCode::DamageNotLocated).then(|| Reason::new(code, reason.detail.clone()))
        });
        let mut reasons: Vec<Reason> = reasons.collect();
        let evidence = Evidence {
            gate: report.gate,
            segmented: self.suspect == Some(true),
            findings: findings.len(),
        };
        PhotoReport {
            verdict: judge(&mut reasons, evidence).to_string(),
            reasons: reasons.iter().map(Into::into).collect(),
            findings,
            timings_ms: BTreeMap::new(),
            ..report.clone()
        }
    }
}
