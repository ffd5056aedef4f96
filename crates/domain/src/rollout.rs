//! From one bundle to the next: which other bundle sees photos, and how many of them.
//!
//! A [`Rollout`] is one small document of a stack. Operators write it, programs read it now and then; without it
//! a stack has its one bundle and nothing else. It is changed by the pure steps of [`Rollout::step`].

use crate::bundle::BundleId;
use crate::draw::is_drawn;
use crate::ids::InspectionId;
use crate::time::Timestamp;
use std::fmt;

/// The purpose of the draw of photos for a shadow.
const SHADOW: &str = "shadow";

/// A second bundle that sees a share of the photos after they are settled, and answers for none of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Shadow {
    /// Which bundle.
    pub bundle: BundleId,
    /// Its folder, where bundles are folders; none where it is in a registry.
    pub folder: Option<String>,
    /// Share of the photos, above 0 and at most 1.
    pub share: f64,
    /// Since when.
    pub since: Timestamp,
}

impl Shadow {
    /// Whether it sees the photo of an inspection: by a [draw](crate::draw) of its id.
    pub fn sees(&self, id: &InspectionId) -> bool {
        is_drawn(SHADOW, id.as_str(), self.share)
    }
}

/// Which other bundles see the photos of a stack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rollout {
    /// The shadow, if there is one.
    pub shadow: Option<Shadow>,
}

/// What an operator wants.
#[derive(Debug, Clone, PartialEq)]
pub enum RolloutCommand {
    /// This shadow, whatever was before.
    StartShadow(Shadow),
    /// No shadow.
    StopShadow,
}

/// Why a rollout stays as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RolloutRefusal {
    /// A share that is none.
    Share(f64),
}

impl fmt::Display for RolloutRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "the share is {share}, expected more than 0 and at most 1"),
        }
    }
}

impl std::error::Error for RolloutRefusal {}

impl Rollout {
    /// The rollout after a command. The same shadow with the same share goes on as it is, since when it was started.
    ///
    /// # Errors
    /// [`RolloutRefusal`].
    pub fn step(&self, command: &RolloutCommand) -> Result<Self, RolloutRefusal> {
        match command {
            RolloutCommand::StartShadow(next) => {
                if !(next.share > 0.0 && next.share <= 1.0) {
                    return Err(RolloutRefusal::Share(next.share));
                }
                let since = match &self.shadow {
                    Some(now) if now.bundle == next.bundle && now.share == next.share => now.since,
                    _ => next.since,
                };
                let shadow = Shadow {
                    since,
                    ..next.clone()
                };
                Ok(Self { shadow: Some(shadow) })
            }
            RolloutCommand::StopShadow => Ok(Self { shadow: None }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shadow(version: &str, share: f64, since: u64) -> Shadow {
        Shadow {
            bundle: BundleId::new("demo", version),
            folder: None,
            share,
            since: Timestamp(since),
        }
    }

    #[test]
    fn a_shadow_starts_goes_on_and_stops() {
        let none = Rollout::default();
        let first = none
            .step(&RolloutCommand::StartShadow(shadow("2", 0.1, 5)))
            .expect("a share");
        assert_eq!(first.shadow, Some(shadow("2", 0.1, 5)));
        let again = first
            .step(&RolloutCommand::StartShadow(shadow("2", 0.1, 9)))
            .expect("a share");
        assert_eq!(again, first, "started twice");
        let more = again
            .step(&RolloutCommand::StartShadow(shadow("2", 0.5, 9)))
            .expect("a share");
        assert_eq!(more.shadow, Some(shadow("2", 0.5, 9)));
        assert_eq!(more.step(&RolloutCommand::StopShadow), Ok(none));
    }

    #[test]
    fn a_share_that_is_none_is_refused() {
        for share in [0.0, -0.1, 1.1, f64::NAN, f64::INFINITY] {
            let refused = Rollout::default().step(&RolloutCommand::StartShadow(shadow("2", share, 0)));
            assert!(matches!(refused, Err(RolloutRefusal::Share(_))), "{share}");
        }
    }

    #[test]
    fn a_shadow_sees_its_share() {
        let shadow = shadow("2", 0.1, 0);
        let seen = (0..10_000).filter(|n| {
            let id = InspectionId::new(format!("i-{n}")).expect("an id");
            shadow.sees(&id)
        });
        let seen = seen.count();
        assert!((880..=1120).contains(&seen), "{seen}");
    }
}
