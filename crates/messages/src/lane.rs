//! The state of the GPU lane as a document: written by the scaler at each tick, read by triage.

use crate::document::{VERSION, check_version, finite, from_text, to_text};
use crate::request::moment;
use crate::{Unreadable, v1};
use std::time::Duration;
use walkaround_domain::Timestamp;
use walkaround_domain::lane::{LaneState, ScalerMemory};
use walkaround_domain::scaling::BackOff;

/// Name of the document in a state store.
pub const LANE_STATE: &str = "gpu-lane";

/// The document of a lane's state.
pub fn lane_state_body(state: &LaneState) -> String {
    to_text(&v1::LaneState::from(state))
}

/// Reads the document of a lane's state.
///
/// # Errors
/// When it is none, or one of a version that is not known here.
pub fn parse_lane_state(body: &str) -> Result<LaneState, Unreadable> {
    from_text::<v1::LaneState>(body)?.try_into()
}

impl From<&LaneState> for v1::LaneState {
    fn from(state: &LaneState) -> Self {
        let back_off = state.back_off.map(|b| v1::LaneBackOff {
            failures: b.failures,
            last_end: Some(b.last_end.into()),
            until: Some(b.until.into()),
        });
        Self {
            version: VERSION,
            at: Some(state.at.into()),
            workers_max: state.workers_max,
            live: state.live,
            starting: state.starting,
            awaited_since: state.awaited_since.map(Into::into),
            backlog: state.backlog as f64,
            rate_per_worker: state.rate_per_worker.map(finite),
            cold_start_s: state.cold_start.map(|d| d.as_secs_f64()),
            back_off,
            asked_for: to_wire(&state.memory.asked_for),
            unresponsive: to_wire(&state.memory.unresponsive),
        }
    }
}

impl TryFrom<v1::LaneState> for LaneState {
    type Error = Unreadable;

    fn try_from(wire: v1::LaneState) -> Result<Self, Unreadable> {
        check_version(u64::from(wire.version))?;
        let back_off = wire.back_off.map(|b| {
            Ok::<_, Unreadable>(BackOff {
                failures: b.failures.max(1),
                last_end: needed("back_off.last_end", b.last_end)?,
                until: needed("back_off.until", b.until)?,
            })
        });
        let cold_start = wire.cold_start_s.map(Duration::try_from_secs_f64).transpose();
        Ok(Self {
            at: needed("at", wire.at)?,
            workers_max: wire.workers_max,
            live: wire.live,
            starting: wire.starting,
            awaited_since: moment("awaited_since", wire.awaited_since)?,
            // A cast keeps within range: below zero and NaN become 0.
            backlog: wire.backlog as u64,
            rate_per_worker: wire.rate_per_worker.filter(|rate| *rate > 0.0),
            cold_start: cold_start.map_err(|_| Unreadable::new("cold_start_s: expected seconds"))?,
            back_off: back_off.transpose()?,
            memory: ScalerMemory {
                asked_for: from_wire("asked_for", wire.asked_for)?,
                unresponsive: from_wire("unresponsive", wire.unresponsive)?,
            },
        })
    }
}

fn needed(field: &'static str, at: Option<crate::moment::WireTime>) -> Result<Timestamp, Unreadable> {
    moment(field, at)?.ok_or_else(|| Unreadable::new(format!("{field}: missing")))
}

fn to_wire(workers: &[(String, Timestamp)]) -> Vec<v1::WorkerSince> {
    let one = |(worker, since): &(String, Timestamp)| v1::WorkerSince {
        worker: worker.clone(),
        since: Some((*since).into()),
    };
    workers.iter().map(one).collect()
}

fn from_wire(
    field: &'static str,
    workers: Vec<v1::WorkerSince>,
) -> Result<Vec<(String, Timestamp)>, Unreadable> {
    let one = |w: v1::WorkerSince| Ok((w.worker, needed(field, w.since)?));
    workers.into_iter().map(one).collect()
}
