//! From one bundle to the next: which other bundle sees photos, and how many of them.
//!
//! A [`Rollout`] is one small document of a stack. Operators write it, programs read it now and then; without it
//! a stack has its one bundle and nothing else. It is changed by the pure steps of [`Rollout::step`].

use crate::bundle::BundleId;
use crate::canary::{Canary, CanaryEnd, CanaryGroup, CanaryOutcome, SHARE_MAX};
use crate::draw::is_drawn;
use crate::photo::InspectionRequest;
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
    /// The canary whose photos it sees and no others; none for a shadow that was asked for.
    pub canary: Option<Box<Canary>>,
}

impl Shadow {
    /// Whether it sees the photo of a request: by a [draw](crate::draw) of its id.
    pub fn sees(&self, request: &InspectionRequest) -> bool {
        match &self.canary {
            Some(canary) => canary.group(request) == Some(CanaryGroup::Canary),
            None => is_drawn(SHADOW, request.id.as_str(), self.share),
        }
    }
}

/// Which other bundles see the photos of a stack.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rollout {
    /// The shadow, if there is one.
    pub shadow: Option<Shadow>,
    /// The latest canary, which may have ended.
    pub canary: Option<Canary>,
    /// The bundle that was activated since the stack was configured, where bundles are folders.
    pub active: Option<ActiveBundle>,
}

/// A bundle that answers instead of the configured one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActiveBundle {
    /// Which.
    pub bundle: BundleId,
    /// Its folder.
    pub folder: String,
    /// The configured bundle when it was activated: where another one is configured by now, that one answers.
    pub configured: BundleId,
    /// Since when.
    pub since: Timestamp,
}

/// What an operator wants.
#[derive(Debug, Clone, PartialEq)]
pub enum RolloutCommand {
    /// This shadow, whatever was before.
    StartShadow(Shadow),
    /// No shadow.
    StopShadow,
    /// This canary.
    StartCanary(Canary),
    /// The running canary ends like this.
    EndCanary(CanaryEnd),
    /// This bundle answers instead of the configured one, and no canary is running any more.
    Activate(ActiveBundle),
    /// The configured bundle answers again.
    Reset(Timestamp),
}

/// Why a rollout stays as it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RolloutRefusal {
    /// A share that is none.
    Share(f64),
    /// A share for a canary that is none, or leaves too few vehicles to compare with.
    CanaryShare(f64),
    /// A canary of the bundle that answers already.
    SameBundle,
    /// Another canary is running.
    CanaryRuns,
    /// No canary is running.
    NoCanary,
}

impl fmt::Display for RolloutRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => write!(f, "the share is {share}, expected more than 0 and at most 1"),
            Self::CanaryShare(share) => write!(
                f,
                "the share is {share}, expected more than 0 and at most {SHARE_MAX}: other vehicles are compared with"
            ),
            Self::SameBundle => f.write_str("it is the bundle that answers: a canary is another one"),
            Self::CanaryRuns => f.write_str("another canary is running: end it first"),
            Self::NoCanary => f.write_str("no canary is running"),
        }
    }
}

impl std::error::Error for RolloutRefusal {}

impl Rollout {
    /// The rollout after a command. The same shadow or canary with the same share goes on as it is, since when it was started.
    ///
    /// # Errors
    /// [`RolloutRefusal`].
    pub fn step(&self, command: &RolloutCommand) -> Result<Self, RolloutRefusal> {
        let mut next = self.clone();
        match command {
            RolloutCommand::StartShadow(shadow) => next.shadow = Some(self.shadow_after(shadow)?),
            RolloutCommand::StopShadow => next.shadow = None,
            RolloutCommand::StartCanary(canary) => next.canary = Some(self.canary_after(canary)?),
            RolloutCommand::EndCanary(end) => {
                let running = next.canary.as_mut().filter(|canary| canary.is_running());
                let canary = running.ok_or(RolloutRefusal::NoCanary)?;
                canary.end = Some(end.clone());
            }
            RolloutCommand::Activate(active) => {
                next.end_canary(active.since, &active.bundle);
                next.active = (active.bundle != active.configured).then(|| active.clone());
            }
            RolloutCommand::Reset(at) => {
                next.end_canary(*at, &BundleId::default());
                next.active = None;
            }
        }
        Ok(next)
    }

    /// The running canary.
    pub fn running_canary(&self) -> Option<&Canary> {
        self.canary.as_ref().filter(|canary| canary.is_running())
    }

    /// The bundle that was activated instead of the configured one.
    pub fn active_instead_of(&self, configured: &BundleId) -> Option<&ActiveBundle> {
        self.active
            .as_ref()
            .filter(|active| active.configured == *configured)
    }

    /// The shadow that sees photos: the one that was asked for, else, while a canary answers, the bundle before it, which
    /// sees the photos of the canary.
    pub fn shadow_in_use(&self) -> Option<Shadow> {
        self.shadow.clone().or_else(|| {
            let canary = self.running_canary()?;
            Some(Shadow {
                bundle: canary.instead_of.clone(),
                folder: canary.instead_of_folder.clone(),
                share: 1.0,
                since: canary.since,
                canary: Some(Box::new(canary.clone())),
            })
        })
    }

    fn shadow_after(&self, asked: &Shadow) -> Result<Shadow, RolloutRefusal> {
        if !(asked.share > 0.0 && asked.share <= 1.0) {
            return Err(RolloutRefusal::Share(asked.share));
        }
        let since = match &self.shadow {
            Some(now) if now.bundle == asked.bundle && now.share == asked.share => now.since,
            _ => asked.since,
        };
        Ok(Shadow {
            since,
            ..asked.clone()
        })
    }

    fn canary_after(&self, asked: &Canary) -> Result<Canary, RolloutRefusal> {
        if !(asked.share > 0.0 && asked.share <= SHARE_MAX) {
            return Err(RolloutRefusal::CanaryShare(asked.share));
        }
        if asked.bundle == asked.instead_of {
            return Err(RolloutRefusal::SameBundle);
        }
        match self.running_canary() {
            Some(now) if now.bundle != asked.bundle => Err(RolloutRefusal::CanaryRuns),
            // Who is in the share would change, and what was seen would be of others.
            Some(now) if now.share != asked.share => Err(RolloutRefusal::CanaryRuns),
            Some(now) => Ok(Canary {
                since: now.since,
                ..asked.clone()
            }),
            None => Ok(asked.clone()),
        }
    }

    fn end_canary(&mut self, at: Timestamp, by: &BundleId) {
        let Some(canary) = self.canary.as_mut().filter(|canary| canary.is_running()) else {
            return;
        };
        let (how, why) = if canary.bundle == *by {
            (CanaryOutcome::Promoted, "it was activated by hand")
        } else {
            (CanaryOutcome::Stopped, "another bundle was activated by hand")
        };
        canary.end = Some(CanaryEnd {
            at,
            how,
            why: why.to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canary::CanaryPolicy;
    use crate::ids::InspectionId;
    use crate::photo::PhotoRef;

    fn shadow(version: &str, share: f64, since: u64) -> Shadow {
        Shadow {
            bundle: BundleId::new("demo", version),
            folder: None,
            share,
            since: Timestamp(since),
            canary: None,
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
            shadow.sees(&InspectionRequest::of(id, PhotoRef::File("a.jpg".to_owned())))
        });
        let seen = seen.count();
        assert!((880..=1120).contains(&seen), "{seen}");
    }

    fn canary(version: &str, share: f64, since: u64) -> Canary {
        Canary {
            bundle: BundleId::new("demo", version),
            folder: Some(format!("/bundles/{version}")),
            instead_of: BundleId::new("demo", "1"),
            instead_of_folder: Some("/bundles/1".to_owned()),
            share,
            since: Timestamp(since),
            policy: CanaryPolicy::default(),
            end: None,
        }
    }

    fn end(how: CanaryOutcome) -> RolloutCommand {
        RolloutCommand::EndCanary(CanaryEnd {
            at: Timestamp(20),
            how,
            why: "why".to_owned(),
        })
    }

    #[test]
    fn a_canary_starts_goes_on_and_ends_once() {
        let start = |canary| RolloutCommand::StartCanary(canary);
        let first = Rollout::default()
            .step(&start(canary("2", 0.1, 5)))
            .expect("a canary");
        let again = first.step(&start(canary("2", 0.1, 9))).expect("the same");
        assert_eq!(again, first, "started twice");
        for other in [canary("3", 0.1, 9), canary("2", 0.2, 9)] {
            assert_eq!(first.step(&start(other)), Err(RolloutRefusal::CanaryRuns));
        }
        let ended = first.step(&end(CanaryOutcome::RolledBack)).expect("it runs");
        assert!(ended.running_canary().is_none() && ended.shadow_in_use().is_none());
        assert_eq!(
            ended.step(&end(CanaryOutcome::Promoted)),
            Err(RolloutRefusal::NoCanary)
        );
        let next = ended.step(&start(canary("3", 0.1, 30))).expect("another one");
        assert_eq!(next.running_canary(), Some(&canary("3", 0.1, 30)));
    }

    #[test]
    fn a_canary_that_cannot_be_compared_is_refused() {
        for share in [0.0, -0.1, 0.51, f64::NAN] {
            let refused = Rollout::default().step(&RolloutCommand::StartCanary(canary("2", share, 0)));
            assert!(matches!(refused, Err(RolloutRefusal::CanaryShare(_))), "{share}");
        }
        let same = Rollout::default().step(&RolloutCommand::StartCanary(canary("1", 0.1, 0)));
        assert_eq!(same, Err(RolloutRefusal::SameBundle));
    }

    #[test]
    fn the_bundle_before_sees_the_photos_of_a_canary_unless_another_shadow_was_asked_for() {
        let running = Rollout::default()
            .step(&RolloutCommand::StartCanary(canary("2", 0.1, 5)))
            .expect("a canary");
        let before = running.shadow_in_use().expect("a shadow");
        assert_eq!(before.bundle, BundleId::new("demo", "1"));
        let of = |n: u32| {
            let id = InspectionId::new(format!("i-{n}")).expect("an id");
            let mut request = InspectionRequest::of(id, PhotoRef::File("a.jpg".to_owned()));
            request.vehicle_id = Some(format!("B-WA {}", n / 4));
            request
        };
        for n in 0..400 {
            let is_of_canary = canary("2", 0.1, 5).group(&of(n)) == Some(CanaryGroup::Canary);
            assert_eq!(before.sees(&of(n)), is_of_canary, "{n}");
        }
        let asked = running
            .step(&RolloutCommand::StartShadow(shadow("3", 0.5, 9)))
            .expect("a share");
        assert_eq!(asked.shadow_in_use(), Some(shadow("3", 0.5, 9)));
    }

    #[test]
    fn a_bundle_is_activated_until_another_one_is_configured() {
        let active = ActiveBundle {
            bundle: BundleId::new("demo", "2"),
            folder: "/bundles/2".to_owned(),
            configured: BundleId::new("demo", "1"),
            since: Timestamp(7),
        };
        let running = Rollout::default()
            .step(&RolloutCommand::StartCanary(canary("2", 0.1, 5)))
            .expect("a canary");
        let by_hand = running
            .step(&RolloutCommand::Activate(active.clone()))
            .expect("a bundle");
        let ended = by_hand.canary.as_ref().and_then(|canary| canary.end.as_ref());
        assert_eq!(ended.map(|end| end.how), Some(CanaryOutcome::Promoted));
        assert_eq!(
            by_hand.active_instead_of(&BundleId::new("demo", "1")),
            Some(&active)
        );
        assert_eq!(by_hand.active_instead_of(&BundleId::new("demo", "0")), None);
        let reset = by_hand
            .step(&RolloutCommand::Reset(Timestamp(9)))
            .expect("a step");
        assert_eq!(reset.active, None);
        let back = ActiveBundle {
            bundle: active.configured.clone(),
            ..active
        };
        let same = by_hand.step(&RolloutCommand::Activate(back)).expect("a bundle");
        assert_eq!(same.active, None, "the configured one needs no entry");
    }
}
