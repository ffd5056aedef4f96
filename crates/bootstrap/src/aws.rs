//! What every program on AWS puts together the same way: adapters from settings, and metrics.
//!
//! [`AwsStack`] is to AWS what `LocalStack` is to one machine; beside it stand the things that only AWS has: the
//! fleet's lock, secrets, CloudWatch metrics.

mod activation;
mod bundles;
mod deadline;
pub mod metrics;
mod operations;
mod stack;

pub use activation::RegistryActivation;
pub use bundles::RegistryBundles;
pub use deadline::time_left;
pub use stack::{AwsStack, fill_sign_in};
