//! Every port on SQS, DynamoDB, S3, SNS and AWS Batch.
//!
//! One [`Aws`] holds one client a service, built once per process with time-outs, retries and back-off
//! chosen in [`connect`]. Errors of the services become [`PortError`](walkaround_ports::PortError) in [`fault`]:
//! what the caller should do, in one line, without credentials or signed URLs.

mod batch_get;
mod blobs;
mod capacity;
mod connect;
mod fault;
mod health;
mod lock;
mod parked;
mod queue;
mod records;
mod registry;
mod reviews;
mod secrets;
mod sign_in;
mod spot;
mod state;
mod topic;

pub use blobs::S3Blobs;
pub use capacity::{AwsBatchConfig, BatchCapacity};
pub use connect::{ATTEMPTS_MAX, Aws, Connection};
pub use health::{Alarm, EnvironmentHealth, EventSource, Health, Identity, JobQueueHealth, WorkerNeeds};
pub use lock::{Acquired, FleetLock, Hold, LOCK_MAX, Released};
pub use parked::{DeadLetters, PARKED_SAMPLE_MAX, PARKED_SEARCH_MAX, Refused, SentBack};
pub use queue::SqsQueue;
pub use records::DynamoRecords;
pub use records::table::{IndexDefinition, KeyNames, TABLE, TableDefinition, create_table};
pub use registry::{
    Activated, Active, BundleId, BundleNames, BundleRegistry, FILE_BYTES_MAX, FILES_MAX, FileEntry,
    HISTORY_MAX, Pushed, VERSIONS_MAX,
};
pub use reviews::DynamoReviews;
pub use secrets::secret_text;
pub use sign_in::{NotSignedIn, signed_in};
pub use spot::SpotWatch;
pub use state::{DynamoState, PutIfAbsent};
pub use topic::{EVENT_BYTES_MAX, EVENT_ID_ATTRIBUTE, SnsTopic};
