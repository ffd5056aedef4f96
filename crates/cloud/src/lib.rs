//! What every program on AWS puts together the same way: adapters from settings, and metrics.
//!
//! [`CloudStack`] is to AWS what `Embedded` is to one machine; beside it stand the things that only AWS has: the
//! fleet's lock, secrets, CloudWatch metrics.

mod deadline;
pub mod metrics;
mod stack;

pub use deadline::time_left;
pub use stack::CloudStack;
