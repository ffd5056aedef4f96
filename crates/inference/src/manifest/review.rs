//! `[review]`: which results a person should see.

use super::bounds::ensure;
use super::raw;
use super::{Head, NetworkSpec, Role};
use walkaround_domain::ReviewPolicy;
use walkaround_vision::mask::ClassSpec;

/// Widest band: half of all probabilities on each side.
const BAND_MAX: f32 = 0.5;

pub(super) fn review(
    raw: &raw::Review,
    classes: &[ClassSpec],
    networks: &[NetworkSpec],
) -> Result<ReviewPolicy, String> {
    let base = ReviewPolicy::default();
    let policy = ReviewPolicy {
        band: raw.band.unwrap_or(base.band),
        damage_not_located: raw.damage_not_located.unwrap_or(base.damage_not_located),
        unusable_at_return: raw.unusable_at_return.unwrap_or(base.unusable_at_return),
        audit_share: raw.audit_share.unwrap_or(base.audit_share),
        gate_thresholds: networks.iter().filter_map(gate_threshold).collect(),
        class_thresholds: classes
            .iter()
            .map(|c| (c.name.clone(), c.policy.threshold))
            .collect(),
    };
    ensure((0.0..=BAND_MAX).contains(&policy.band), || {
        format!("review.band is {}, expected 0 to {BAND_MAX}", policy.band)
    })?;
    ensure((0.0..=1.0).contains(&policy.audit_share), || {
        format!("review.audit_share is {}, expected 0 to 1", policy.audit_share)
    })?;
    Ok(policy)
}

/// The threshold of a gate; none of another network.
fn gate_threshold(network: &NetworkSpec) -> Option<f32> {
    match &network.head {
        Head::Gate { threshold, .. } => Some(*threshold),
        Head::Instances(form) if form.purpose == Role::Gate => Some(form.threshold),
        Head::Locator { .. } | Head::Segmenter { .. } | Head::ClassMap { .. } | Head::Instances(_) => None,
    }
}
