//! The wire types of `proto/walkaround/v1`, with their JSON mapping: generated at build time.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::too_many_lines,
    clippy::needless_pass_by_value,
    clippy::semicolon_if_nothing_returned,
    clippy::cast_lossless,
    reason = "generated code"
)]

include!(concat!(env!("OUT_DIR"), "/walkaround.v1.rs"));
include!(concat!(env!("OUT_DIR"), "/walkaround.v1.serde.rs"));
