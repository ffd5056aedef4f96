//! What decides about a canary.

use super::evidence::{Evidence, LogMean, TimedStep};
use crate::estimate::{Estimate, UNITS_MIN, share_interval};
use crate::inspection::Lane;
use crate::verdict::Verdict;
use std::time::Duration;

/// Fewest photos of a step and lane in each group whose times are compared.
const TIMES_MIN: u64 = 20;
/// Fewest photos of both bundles before a canary is promoted.
const PAIRS_MIN: u64 = 50;
/// How far the shares of two groups must be apart, in standard errors: one canary in a thousand that changes nothing is
/// rolled back by chance, at each of a few looks.
const CHANGE_Z: f64 = 3.5;
/// The same for the two verdicts of one photo, which differ by the bundle alone.
const CHANGE_BESIDE_Z: f64 = 3.0;
/// How far times must be apart, in standard errors of their logarithm, which is taken as [`TIME_SPREAD`].
const TIME_Z: f64 = 3.0;
/// Spread of the logarithm of a time, at most: a factor of two on each side is usual on a busy machine.
const TIME_SPREAD: f64 = 0.7;

/// What decides about a canary. Every limit is a rule of its own.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CanaryPolicy {
    /// Photos that it answers for before it may be promoted.
    pub photos_min: u64,
    /// Largest share of photos on which its verdict differs from that of the bundle before, where both have seen them.
    pub flips_max: f64,
    /// Largest share of photos that it fails on.
    pub failures_max: f64,
    /// Largest factor by which the share of damaged, or of unusable, photos may differ from that of other vehicles.
    pub change_max: f64,
    /// Largest factor by which its networks may be slower.
    pub slower_max: f64,
    /// Smallest share of its damaged photos that people must find damaged; none where reviews do not count.
    pub precision_min: Option<f64>,
    /// After so long without a decision it is rolled back.
    pub patience: Duration,
}

impl Default for CanaryPolicy {
    fn default() -> Self {
        Self {
            photos_min: 500,
            flips_max: 0.1,
            failures_max: 0.02,
            change_max: 2.0,
            slower_max: 2.0,
            precision_min: None,
            patience: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

/// What follows from the evidence.
#[derive(Debug, Clone, PartialEq)]
pub enum CanaryDecision {
    /// Nothing yet, because of this.
    Wait(String),
    /// It answers for no vehicle any more.
    RollBack(String),
    /// It answers for all.
    Promote(String),
}

/// What one rule says.
enum Rule {
    Fits,
    Open(String),
    Broken(String),
}

impl CanaryPolicy {
    /// Decides, `age` after the start. A rule that is broken rolls back at once; a promotion needs every rule.
    pub fn decide(&self, evidence: &Evidence, age: Duration) -> CanaryDecision {
        let rules = [
            self.failures(evidence),
            self.change(evidence, Verdict::Damaged),
            self.change(evidence, Verdict::Unusable),
            self.change_beside(evidence, Verdict::Damaged),
            self.change_beside(evidence, Verdict::Unusable),
            self.flips(evidence),
            self.speed(evidence),
            self.precision(evidence),
            self.photos(evidence),
        ];
        let mut open = None;
        for rule in rules {
            match rule {
                Rule::Broken(why) => return CanaryDecision::RollBack(why),
                Rule::Open(why) => open = open.or(Some(why)),
                Rule::Fits => {}
            }
        }
        match open {
            Some(why) if age >= self.patience => {
                let days = self.patience.as_secs_f64() / 86_400.0;
                CanaryDecision::RollBack(format!("nothing was decided in {days} days: {why}"))
            }
            Some(why) => CanaryDecision::Wait(why),
            None => CanaryDecision::Promote(format!(
                "{} photos answered, {} failed, {} of {} with another verdict than before",
                evidence.canary.answered(),
                evidence.canary.failed,
                evidence.flips(),
                evidence.pairs()
            )),
        }
    }

    fn photos(&self, evidence: &Evidence) -> Rule {
        let photos = evidence.canary.answered();
        match photos >= self.photos_min {
            true => Rule::Fits,
            false => Rule::Open(format!("{photos} of {} photos answered", self.photos_min)),
        }
    }

    fn failures(&self, evidence: &Evidence) -> Rule {
        let (failed, photos) = (evidence.canary.failed, evidence.canary.photos());
        let what = format!("it failed on {failed} of {photos} photos");
        at_most(failed, photos, self.failures_max, what)
    }

    fn flips(&self, evidence: &Evidence) -> Rule {
        let (flips, pairs) = (evidence.flips(), evidence.pairs());
        let what = format!("another verdict than before on {flips} of {pairs} photos");
        if pairs < PAIRS_MIN {
            return match at_most(flips, pairs, self.flips_max, what) {
                broken @ Rule::Broken(_) => broken,
                _ => Rule::Open(format!("{pairs} of {PAIRS_MIN} photos seen by both bundles")),
            };
        }
        at_most(flips, pairs, self.flips_max, what)
    }

    /// Whether one verdict is much more or much less frequent than with other vehicles, beyond chance.
    fn change(&self, evidence: &Evidence, verdict: Verdict) -> Rule {
        let (canary, control) = (&evidence.canary, &evidence.control);
        let (of, other_of) = (canary.answered() as f64, control.answered() as f64);
        if of == 0.0 || other_of == 0.0 {
            return Rule::Fits;
        }
        let (count, other_count) = (canary.with(verdict), control.with(verdict));
        let (share, other) = (smoothed(count, of), smoothed(other_count, other_of));
        let error = (share * (1.0 - share) / of + other * (1.0 - other) / other_of).sqrt();
        if (share - other).abs() > CHANGE_Z * error && self.is_change(share, other) {
            return Rule::Broken(format!(
                "{count} of {of} photos {verdict}, and {other_count} of {other_of} of other vehicles"
            ));
        }
        Rule::Fits
    }

    /// Whether one verdict is much more or much less frequent than the bundle before has it on the same photos, beyond chance:
    /// McNemar's test of the photos on which one of the two has it. Where one photo in twenty is damaged, few flips are much.
    fn change_beside(&self, evidence: &Evidence, verdict: Verdict) -> Rule {
        let pairs = evidence.pairs();
        let count = |fits: &dyn Fn(bool, bool) -> bool| {
            evidence.beside_where(|before, now| fits(before == verdict, now == verdict))
        };
        let (before, now) = (count(&|before, _| before), count(&|_, now| now));
        let (lost, new) = (
            count(&|before, now| before && !now),
            count(&|before, now| !before && now),
        );
        let apart = lost.abs_diff(new) as f64 > CHANGE_BESIDE_Z * ((lost + new) as f64).sqrt();
        let of = pairs as f64;
        if apart && self.is_change(smoothed(now, of), smoothed(before, of)) {
            return Rule::Broken(format!(
                "{now} of {pairs} photos {verdict}, and {before} of the same by the bundle before"
            ));
        }
        Rule::Fits
    }

    fn is_change(&self, share: f64, other: f64) -> bool {
        (share / other).max(other / share) > self.change_max
    }

    fn speed(&self, evidence: &Evidence) -> Rule {
        for (key, canary) in &evidence.canary.times {
            let Some(control) = evidence.control.times.get(key) else {
                continue;
            };
            if let Some(factor) = slower(canary, control)
                && factor > self.slower_max
            {
                let (lane, step) = (key.0.map_or("triage", Lane::as_str), TimedStep::as_str(key.1));
                return Rule::Broken(format!(
                    "{step} ({lane}) takes at least {factor:.1} times as long"
                ));
            }
        }
        Rule::Fits
    }

    fn precision(&self, evidence: &Evidence) -> Rule {
        let Some(least) = self.precision_min else {
            return Rule::Fits;
        };
        let found = match evidence.precision() {
            Estimate::TooFew { units } => {
                return Rule::Open(format!("{units} of {UNITS_MIN} damaged photos reviewed"));
            }
            Estimate::Known(found) => found,
        };
        let what = format!(
            "{:.0} % of what it calls damaged is, by {} reviewed photos",
            found.value * 100.0,
            found.units
        );
        match found.value >= least {
            true => Rule::Fits,
            false if found.high < least => Rule::Broken(what),
            false => Rule::Open(what),
        }
    }
}

/// A share that must not be larger: broken where even the lower end of its interval is.
fn at_most(count: u64, of: u64, limit: f64, what: String) -> Rule {
    if of == 0 {
        return Rule::Fits;
    }
    let (low, _) = share_interval(count, of);
    match count as f64 / of as f64 <= limit {
        true => Rule::Fits,
        false if low > limit => Rule::Broken(what),
        false => Rule::Open(what),
    }
}

/// A share, with one more of each sort: one of 0 has an error, too.
fn smoothed(count: u64, of: f64) -> f64 {
    (count as f64 + 1.0) / (of + 2.0)
}

/// By which factor one is slower at least.
fn slower(canary: &LogMean, control: &LogMean) -> Option<f64> {
    if canary.count < TIMES_MIN || control.count < TIMES_MIN {
        return None;
    }
    let factor = canary.value()? / control.value()?;
    let error = TIME_SPREAD * (1.0 / canary.count as f64 + 1.0 / control.count as f64).sqrt();
    Some(factor / (TIME_Z * error).exp())
}
