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
pub(super) fn gate_threshold(network: &NetworkSpec) -> Option<f32> {
    match &network.head {
        Head::Gate { threshold, .. } => Some(*threshold),
        Head::Instances(form) if form.purpose == Role::Gate => Some(form.threshold),
        Head::Locator { .. } | Head::Segmenter { .. } | Head::ClassMap { .. } | Head::Instances(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Manifest;
    use walkaround_domain::review::{AUDIT_SHARE, BAND};

    const SEVEN: &str = include_str!("../../../../tests/bundles/seven/bundle.toml");

    #[test]
    fn thresholds_are_those_of_the_bundle_and_the_rest_has_defaults() {
        let manifest = Manifest::parse(SEVEN).expect("the bundle of the tests");
        let review = &manifest.review;
        assert_eq!((review.band, review.audit_share), (BAND, AUDIT_SHARE));
        assert!(review.damage_not_located && review.unusable_at_return);
        assert!(!review.gate_thresholds.is_empty());
        for class in &manifest.classes {
            assert_eq!(review.class_thresholds[&class.name], class.policy.threshold);
        }
    }

    #[test]
    fn what_the_manifest_says_counts() {
        let table = "[review]\nband = 0\naudit_share = 0.25\ndamage_not_located = false\nunusable_at_return = false\n\n";
        let text = SEVEN.replacen("[[networks]]", &format!("{table}[[networks]]"), 1);
        let review = Manifest::parse(&text).expect("a manifest").review;
        assert_eq!((review.band, review.audit_share), (0.0, 0.25));
        assert!(!review.damage_not_located && !review.unusable_at_return);
    }
}
