//! From one bundle to the next, on the local stack: replay (with a real SIGKILL), comparison, shadow.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod canary;
mod compare;
mod reinspect;
mod replay;
mod shadow;
mod support;
