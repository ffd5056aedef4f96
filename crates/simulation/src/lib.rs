//! Seeded, deterministic faults around the real pipeline.
//!
//! A seed makes a world: queues, records, blobs, a topic, photos and workers in memory, and around them the
//! real triage, workers, heartbeats and scalers, on one thread and a clock that jumps from event to event.
//! Every port call of every process may fail before its effect, lose its answer after it, be slow, outlive a
//! lease or kill its process; processes crash, stop and start again with nothing remembered. Then trouble
//! ends, the world drains, and every promise ([`Invariant`]) must have held at every moment.
//!
//! Nothing but the seed decides what happens: the same seed gives the same trace, line by line.

mod canary;
mod capacity;
mod context;
mod engine;
mod facts;
mod faulty;
mod injected_fault;
mod invariant;
mod judge;
mod photo_source;
mod photos;
mod plan;
mod planted;
mod planted_bundle;
mod process;
mod queue;
mod review_policy;
mod reviewers;
mod reviews;
mod sim_canary;
mod simulation;
mod stores;
mod submit;
mod trace;
mod watched;
mod wiring;
mod work;
mod world;

#[cfg(test)]
mod conformance;

pub use injected_fault::InjectedFault;
pub use invariant::{Invariant, Violation};
pub use plan::{LaneFate, Plan, Rates};
pub use planted_bundle::PlantedBundle;
pub use simulation::{Outcome, run, run_beside_canary, run_beside_reviewers, run_beside_shadow};
pub use trace::{Counts, CoverageEvent};
