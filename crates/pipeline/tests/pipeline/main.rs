//! Tests of the use cases on ports in memory.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

mod accounting;
mod batcher;
mod consumer;
mod invocation;
mod reopen;
mod scaler;
mod store;
mod support;
mod triage;
