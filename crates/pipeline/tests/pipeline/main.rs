//! Tests of the use cases on ports in memory.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod accounting;
mod batcher;
mod canary;
mod consumer;
mod heartbeat;
mod identity;
mod inspection;
mod invocation;
mod lane_monitor;
mod processor;
mod reopen;
mod review;
mod review_bench;
mod scaler;
mod settle;
mod shadow;
mod shutdown;
mod store;
mod support;
mod triage;
