//! What the scaler leaves about the GPU lane, for tests in which no scaler runs.

use std::sync::Arc;
use std::time::Duration;
use walkaround_aws::{Aws, DynamoState};
use walkaround_domain::lane::LaneState;
use walkaround_local::SystemClock;
use walkaround_messages::{LANE_STATE, lane_state_body};
use walkaround_ports::{Clock, StateStore};

/// A lane of at most two workers, so many of which work, as of now.
///
/// # Panics
/// When it cannot be written.
pub async fn leave_lane_state(aws: &Aws, table: &str, live: u32) {
    let clock = Arc::new(SystemClock::new());
    let state = LaneState {
        at: clock.now(),
        workers_max: 2,
        live,
        ..LaneState::default()
    };
    let items = DynamoState::new(aws.dynamodb.clone(), table, clock);
    let body = lane_state_body(&state);
    let written = items.write(LANE_STATE, &body, Duration::from_secs(3600));
    written.await.expect("the state of the lane is written");
}
