//! Ratios of a whole from those of its units that were drawn and observed: precision and recall from reviews.
//!
//! Units are drawn with known and unequal probabilities: each photo whose result calls for it, and a small share of the
//! others. A plain ratio over what was observed speaks of the photos that people look at, not of all. Here each unit weighs
//! 1/π, the inverse of its probability of inclusion (Horvitz and Thompson, "A generalization of sampling without
//! replacement from a finite universe", JASA 47, 1952), and a ratio is that of two weighted sums (Hájek's form).
//!
//! - **Variance**: units are drawn independently of each other (Poisson sampling), so that the linearised ratio has
//!   `Σ (1-π)/π² (y - r·x)² / (Σ x/π)²`: Särndal, Swensson and Wretman, "Model Assisted Survey Sampling", 1992, (3.5.3)
//!   with the residuals of (5.6.8). It is that of *this* whole: where every unit was observed there is none.
//! - **What was drawn and not observed yet**: within a [`Stratum`], whatever is observed is taken as drawn from what was drawn
//!   (response homogeneity groups, ibid. 15.6.2): π becomes `π · observed / drawn`. A stratum of which nothing is observed is
//!   taken together with one of the same probability; where there is none, nothing is known of the whole.
//! - **Interval**: Wilson's score interval for as many units as would have this variance if each weighed the same, `r(1-r)/V`:
//!   Korn and Graubard, Survey Methodology 24, 1998, with the form that Franco, Little, Louis and Slud found best, J. Survey
//!   Statistics and Methodology 7, 2019. With Student's t for 1.96. `r ± 1.96 √V` is too short for ratios near 0 or 1.
//! - **Too few**: below [`UNITS_MIN`] units no interval is given: it would be wrong more often than it says.

/// Fewest observed units with a part in the denominator; and the same for those of strata that are not observed whole.
pub const UNITS_MIN: u64 = 20;
/// Two-sided 95 %.
const Z: f64 = 1.959_963_984_540_054;

/// Sums over observed units: `y` of each is its part in the numerator of a ratio, `x` its part in the denominator. A unit
/// is what is drawn: a photo, whatever it has of findings.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct RatioSums {
    /// Units with a part in the denominator.
    pub units: u64,
    /// Σ y.
    pub y: f64,
    /// Σ x.
    pub x: f64,
    /// Σ y².
    pub yy: f64,
    /// Σ x y.
    pub xy: f64,
    /// Σ x².
    pub xx: f64,
}

impl RatioSums {
    /// Takes a unit in.
    pub fn add(&mut self, y: f64, x: f64) {
        if x == 0.0 && y == 0.0 {
            return;
        }
        self.merge(&Self {
            units: u64::from(x != 0.0),
            y,
            x,
            yy: y * y,
            xy: x * y,
            xx: x * x,
        });
    }

    /// Takes the units of others in.
    pub fn merge(&mut self, other: &Self) {
        self.units += other.units;
        self.y += other.y;
        self.x += other.x;
        self.yy += other.yy;
        self.xy += other.xy;
        self.xx += other.xx;
    }
}

/// Units that were drawn alike.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stratum {
    /// Probability with which each of them was drawn, above 0 and at most 1.
    pub inclusion: f64,
    /// How many were drawn.
    pub drawn: u64,
    /// How many of those are observed.
    pub observed: u64,
    /// Sums over those.
    pub sums: RatioSums,
}

impl Stratum {
    /// Probability with which one is drawn and observed; none where there is none.
    fn observed_with(&self) -> Option<f64> {
        let fits = self.inclusion > 0.0 && self.inclusion <= 1.0 && self.observed > 0;
        let share = self.observed as f64 / self.drawn.max(self.observed) as f64;
        fits.then_some(self.inclusion * share)
    }
}

/// A ratio, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Estimate {
    /// Too few units were observed to say.
    TooFew {
        /// Observed units with a part in the denominator.
        units: u64,
    },
    /// This.
    Known(Interval),
}

/// A ratio with its interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The ratio, 0 to 1.
    pub value: f64,
    /// Lower end of the 95 % interval.
    pub low: f64,
    /// Upper end of the 95 % interval.
    pub high: f64,
    /// Observed units with a part in the denominator.
    pub units: u64,
    /// Variance of the ratio, before it was made an interval; 0 where every unit is observed.
    pub variance: f64,
}

/// What the strata add up to.
#[derive(Default)]
struct Totals {
    units: u64,
    /// Units of strata that are not observed whole.
    uncertain_units: u64,
    whole: bool,
    y: f64,
    x: f64,
    /// Σ (1-π)/π² of y², xy and x².
    yy: f64,
    xy: f64,
    xx: f64,
}

/// The ratio Σy / Σx over all `units_in_all`, drawn or not, for 0 ≤ y ≤ x. Where some were not drawn and none of their
/// kind could be, or some were drawn and none of their kind is observed, nothing is known of the whole.
///
/// ```
/// use walkaround_domain::estimate::{Estimate, RatioSums, Stratum, ratio};
///
/// let mut sums = RatioSums::default();
/// for unit in 0..40 {
///     sums.add(if unit % 4 == 0 { 0.0 } else { 1.0 }, 1.0);
/// }
/// let one_in_ten = Stratum { inclusion: 0.1, drawn: 40, observed: 40, sums };
/// let Estimate::Known(found) = ratio(&[one_in_ten], 400) else { panic!("40 units are enough") };
/// assert_eq!(found.value, 0.75);
/// assert!(found.low > 0.58 && found.high < 0.87);
/// ```
pub fn ratio(strata: &[Stratum], units_in_all: u64) -> Estimate {
    let Some(strata) = observed(strata) else {
        let units = strata.iter().map(|stratum| stratum.sums.units).sum();
        return Estimate::TooFew { units };
    };
    let totals = totals(&strata, units_in_all);
    let enough = totals.units >= UNITS_MIN && (totals.whole || totals.uncertain_units >= UNITS_MIN);
    if !enough || totals.x <= 0.0 {
        return Estimate::TooFew { units: totals.units };
    }
    let value = (totals.y / totals.x).clamp(0.0, 1.0);
    let spread = (totals.yy - 2.0 * value * totals.xy + value * value * totals.xx).max(0.0);
    let variance = spread / (totals.x * totals.x);
    let (low, high) = if totals.whole {
        (value, value)
    } else {
        let z = student(totals.uncertain_units.saturating_sub(1));
        wilson(value, equal_units(value, variance, &totals), z)
    };
    Estimate::Known(Interval {
        value,
        low,
        high,
        units: totals.units,
        variance,
    })
}

/// The strata with each that nobody has observed anything of taken together with one of the same probability; none where
/// there is none.
fn observed(strata: &[Stratum]) -> Option<Vec<Stratum>> {
    let (mut observed, unseen): (Vec<Stratum>, Vec<Stratum>) =
        strata.iter().partition(|stratum| stratum.observed > 0);
    for stratum in unseen.iter().filter(|stratum| stratum.drawn > 0) {
        let same = |other: &&mut Stratum| other.inclusion.to_bits() == stratum.inclusion.to_bits();
        observed.iter_mut().find(same)?.drawn += stratum.drawn;
    }
    Some(observed)
}

fn totals(strata: &[Stratum], units_in_all: u64) -> Totals {
    let mut totals = Totals {
        whole: strata.iter().map(|s| s.observed).sum::<u64>() >= units_in_all,
        ..Totals::default()
    };
    for stratum in strata {
        let Some(pi) = stratum.observed_with() else {
            continue;
        };
        let sums = &stratum.sums;
        totals.units += sums.units;
        totals.y += sums.y / pi;
        totals.x += sums.x / pi;
        if pi < 1.0 {
            let factor = (1.0 - pi) / (pi * pi);
            totals.whole = false;
            totals.uncertain_units += sums.units;
            totals.yy += factor * sums.yy;
            totals.xy += factor * sums.xy;
            totals.xx += factor * sums.xx;
        }
    }
    totals
}

/// How many units of one weight would have this variance. Where the sample has no spread, what its weights alone say.
fn equal_units(value: f64, variance: f64, totals: &Totals) -> f64 {
    let by_weights = totals.x * totals.x / totals.xx.max(f64::MIN_POSITIVE);
    let spread = value * (1.0 - value);
    if variance > 0.0 && spread > 0.0 {
        spread / variance
    } else {
        by_weights
    }
}

/// Student's t for two-sided 95 %, as the variance is an estimate itself (Abramowitz and Stegun, 26.7.5, first term).
fn student(freedom: u64) -> f64 {
    Z + (Z.powi(3) + Z) / (4.0 * freedom.max(1) as f64)
}

/// The 95 % interval of a share, of `count` among `of` units that are all observed and speak of more like them; (0, 1) of none.
pub fn share_interval(count: u64, of: u64) -> (f64, f64) {
    if of == 0 {
        return (0.0, 1.0);
    }
    let of = of as f64;
    wilson(count as f64 / of, of, Z)
}

/// Wilson's score interval of a share of `n` units.
fn wilson(p: f64, n: f64, z: f64) -> (f64, f64) {
    let z2 = z * z;
    let centre = (p + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = z / (1.0 + z2 / n) * (p * (1.0 - p) / n + z2 / (4.0 * n * n)).sqrt();
    ((centre - half).max(0.0), (centre + half).min(1.0))
}
