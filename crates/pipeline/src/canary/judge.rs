//! The judge: reads what was seen of a running canary, decides by its policy, and writes that.

use super::reader::EvidenceReader;
use crate::rollout::{read_rollout, write_rollout};
use async_trait::async_trait;
use std::sync::Arc;
use tracing::{info, warn};
use walkaround_domain::Timestamp;
use walkaround_domain::canary::{Canary, CanaryDecision, CanaryEnd, CanaryOutcome, Evidence};
use walkaround_domain::rollout::{ActiveBundle, Rollout, RolloutCommand};
use walkaround_ports::{Clock, PortError, StateStore};

/// How a bundle becomes the one that answers for all photos.
#[async_trait]
pub trait Activation: Send + Sync {
    /// Makes it so, `at` this moment; what the rollout says of it, where the rollout is what says so. Twice is once.
    async fn activate(&self, canary: &Canary, at: Timestamp) -> Result<Option<ActiveBundle>, PortError>;
}

/// Decides about the running canary of a stack.
pub struct CanaryJudge {
    /// Where the rollout is.
    pub state: Arc<dyn StateStore>,
    /// What was seen.
    pub evidence: EvidenceReader,
    /// Clock.
    pub clock: Arc<dyn Clock>,
    /// How its bundle becomes the one that answers.
    pub activation: Arc<dyn Activation>,
}

/// What came of a pass.
#[derive(Debug, Clone, PartialEq)]
pub enum CanaryPass {
    /// No canary is running.
    None,
    /// It goes on; why.
    Goes(Canary, Evidence, String),
    /// It ended, by this pass.
    Ended(Canary, Evidence),
}

impl CanaryJudge {
    /// Reads, decides and acts. Two passes at once do no harm: both decide the same.
    ///
    /// # Errors
    /// [`PortError`]; the next pass does it.
    pub async fn pass(&self) -> Result<CanaryPass, PortError> {
        let rollout = read_rollout(&*self.state).await?;
        let Some(canary) = rollout.running_canary().cloned() else {
            return Ok(CanaryPass::None);
        };
        let evidence = self.evidence.read(&canary).await?;
        let age = self.clock.now().since(canary.since);
        let (how, why) = match canary.policy.decide(&evidence, age) {
            CanaryDecision::Wait(why) => return Ok(CanaryPass::Goes(canary, evidence, why)),
            CanaryDecision::RollBack(why) => (CanaryOutcome::RolledBack, why),
            CanaryDecision::Promote(why) => (CanaryOutcome::Promoted, why),
        };
        // An operator may have ended it meanwhile.
        let now = read_rollout(&*self.state).await?;
        if now.running_canary() != Some(&canary) {
            return Ok(CanaryPass::None);
        }
        let ended = self.end(&now, how, why).await?;
        let canary = ended.canary.unwrap_or(canary);
        tell(&canary);
        Ok(CanaryPass::Ended(canary, evidence))
    }

    /// Ends the running canary: promoted, its bundle answers for all photos first.
    ///
    /// # Errors
    /// [`PortError`]; nothing is lost by doing it again.
    pub async fn end(
        &self,
        rollout: &Rollout,
        how: CanaryOutcome,
        why: String,
    ) -> Result<Rollout, PortError> {
        let Some(canary) = rollout.running_canary() else {
            return Ok(rollout.clone());
        };
        let at = self.clock.now();
        let mut next = rollout.clone();
        let end = RolloutCommand::EndCanary(CanaryEnd { at, how, why });
        if how == CanaryOutcome::Promoted {
            let active = self.activation.activate(canary, at).await?;
            next = stepped(next, &end);
            if let Some(active) = active {
                next = stepped(next, &RolloutCommand::Activate(active));
            }
        } else {
            next = stepped(next, &end);
        }
        write_rollout(&*self.state, &next).await?;
        Ok(next)
    }
}

/// A step that was checked before.
fn stepped(rollout: Rollout, command: &RolloutCommand) -> Rollout {
    rollout.step(command).unwrap_or(rollout)
}

fn tell(canary: &Canary) {
    let Some(end) = &canary.end else { return };
    let (bundle, why) = (&canary.bundle, &end.why);
    match end.how {
        CanaryOutcome::Promoted => info!(%bundle, why, "the canary is promoted: it answers for all photos"),
        CanaryOutcome::RolledBack => {
            warn!(%bundle, why, "the canary is rolled back: it answers for no photo any more");
        }
        CanaryOutcome::Stopped => info!(%bundle, why, "the canary is stopped"),
    }
}
