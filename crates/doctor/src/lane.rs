//! The GPU lane, as its scaler left it.

use super::finding::CheckResult;
use crate::failure::Failure;
use std::time::Duration;
use walkaround_client::StackClient;
use walkaround_client::format::duration;
use walkaround_domain::Timestamp;
use walkaround_domain::lane::{LaneOutage, LaneState};
use walkaround_domain::routing::in_words;
use walkaround_messages::{LANE_STATE, parse_lane_state};

const CHECK: &str = "gpu lane";

/// How a lane is judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct LaneBounds {
    /// Time between two ticks of the scaler.
    pub tick: Duration,
    /// From asking for a worker to its first photo, as routing assumes.
    pub cold_start: Duration,
    /// Whether a scaler has to tick: on AWS always; on one machine where `up` runs, or photos wait for the lane.
    pub scaler_expected: bool,
    /// What to do where no scaler ticks.
    pub scaler: &'static str,
}

impl LaneBounds {
    /// No scaler runs for the lane.
    fn without_scaler(self, what: String) -> CheckResult {
        if self.scaler_expected {
            CheckResult::warn(CHECK, what, self.scaler)
        } else {
            CheckResult::ok(CHECK, "no scaler runs, and no photo waits for the lane")
        }
    }
}

/// Reads the state of the lane and judges it.
pub(super) async fn check(stack: &dyn StackClient, bounds: LaneBounds) -> Result<CheckResult, Failure> {
    let body = stack.state()?.read(LANE_STATE).await?;
    let state = match body.map(|body| parse_lane_state(&body)).transpose() {
        Ok(state) => state,
        Err(unreadable) => {
            return Ok(CheckResult::fail(
                CHECK,
                format!("the scaler's lane state cannot be read: {unreadable}"),
                bounds.scaler,
            ));
        }
    };
    Ok(judge(state.as_ref(), stack.clock().now(), bounds))
}

fn judge(state: Option<&LaneState>, now: Timestamp, bounds: LaneBounds) -> CheckResult {
    let Some(state) = state else {
        return bounds.without_scaler("no scaler has run yet".to_owned());
    };
    if !state.is_fresh(now, bounds.tick) {
        let age = match now.since(state.at) {
            age if age.is_zero() => "at a time in the future".to_owned(),
            age => format!("{} ago", duration(age)),
        };
        return bounds.without_scaler(format!(
            "its scaler last ran {age}: triage treats the lane as unknown"
        ));
    }
    // The rate plays no part in an outage.
    let lane = state.seen(now, 1.0);
    match lane.outage(bounds.cold_start) {
        None => CheckResult::ok(CHECK, format!("{} live, {} starting", state.live, state.starting)),
        Some(LaneOutage::Closed) => CheckResult::ok(CHECK, "closed: WALKAROUND_WORKERS_MAX is 0"),
        Some(outage @ LaneOutage::StartsFail { .. }) => CheckResult::fail(
            CHECK,
            format!("{}; photos are segmented inline meanwhile", in_words(&outage)),
            "the line on worker exits says why; fix that, and the next try opens the lane",
        ),
        Some(outage @ LaneOutage::DoesNotCome { .. }) => CheckResult::fail(
            CHECK,
            format!("{}; photos are segmented inline meanwhile", in_words(&outage)),
            "the lines on jobs and workers, and the workers' logs, say why workers do not start or do not become \
             ready",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::Level;
    use walkaround_domain::scaling::BackOff;

    const NOW: Timestamp = Timestamp(1_795_305_600_000);

    const BOUNDS: LaneBounds = LaneBounds {
        tick: Duration::from_secs(60),
        cold_start: Duration::from_secs(240),
        scaler_expected: true,
        scaler: "start it",
    };

    fn judged(state: Option<&LaneState>) -> CheckResult {
        judge(state, NOW, BOUNDS)
    }

    #[test]
    fn a_stack_at_rest_needs_no_scaler() {
        let old = LaneState {
            at: NOW - Duration::from_secs(86_400),
            workers_max: 2,
            ..LaneState::default()
        };
        let at_rest = LaneBounds {
            scaler_expected: false,
            ..BOUNDS
        };
        for state in [None, Some(&old)] {
            let found = judge(state, NOW, at_rest);
            assert!(
                found.level == Level::Ok && found.what.contains("no photo waits"),
                "{found:?}"
            );
            assert_eq!(judge(state, NOW, BOUNDS).level, Level::Warn);
        }
    }

    #[test]
    fn dying_workers_a_lane_that_does_not_come_and_a_silent_scaler_are_told() {
        let fine = LaneState {
            at: NOW,
            workers_max: 2,
            live: 1,
            ..LaneState::default()
        };
        assert_eq!(judged(Some(&fine)).level, Level::Ok);
        assert_eq!(judged(None).level, Level::Warn);
        let old = LaneState {
            at: NOW - Duration::from_secs(600),
            ..fine.clone()
        };
        assert!(judged(Some(&old)).what.contains("10 min"), "how long ago");
        let closed = LaneState {
            workers_max: 0,
            live: 0,
            ..fine.clone()
        };
        assert_eq!(judged(Some(&closed)).level, Level::Ok);
        let dying = LaneState {
            live: 0,
            back_off: Some(BackOff {
                failures: 3,
                last_end: NOW,
                until: NOW + Duration::from_secs(300),
            }),
            ..fine.clone()
        };
        let dying = judged(Some(&dying));
        assert_eq!(dying.level, Level::Fail);
        assert!(
            dying.what.contains("3 in a row") && dying.what.contains("300 s"),
            "{dying:?}"
        );
        let absent = LaneState {
            live: 0,
            awaited_since: Some(NOW - Duration::from_secs(900)),
            ..fine
        };
        let absent = judged(Some(&absent));
        assert!(
            absent.level == Level::Fail && absent.what.contains("900 s"),
            "{absent:?}"
        );
    }
}
