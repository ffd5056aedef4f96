//! Every port on SQS, DynamoDB, S3, SNS and AWS Batch.
//!
//! One [`Aws`] holds one client a service, built once per process with time-outs, retries and adaptive back-off
//! chosen in [`connect`]. Errors of the services become [`PortError`](walkaround_ports::PortError) in [`fault`]:
//! what the caller should do, in one line, without credentials or signed URLs.

mod connect;
mod fault;

pub use connect::{Aws, Connection};
