//! Variables that name things on AWS.

/// URL of the intake queue.
pub const INTAKE_QUEUE: &str = "WALKAROUND_INTAKE_QUEUE";
/// URL of its dead-letter queue.
pub const INTAKE_DEAD_QUEUE: &str = "WALKAROUND_INTAKE_DEAD_QUEUE";
/// URL of the segmentation queue.
pub const SEGMENTATION_QUEUE: &str = "WALKAROUND_SEGMENTATION_QUEUE";
/// URL of its dead-letter queue.
pub const SEGMENTATION_DEAD_QUEUE: &str = "WALKAROUND_SEGMENTATION_DEAD_QUEUE";
/// Name of the table of records.
pub const TABLE: &str = "WALKAROUND_TABLE";
/// ARN of the topic of events.
pub const TOPIC: &str = "WALKAROUND_TOPIC";
/// AWS Batch job queue.
pub const JOB_QUEUE: &str = "WALKAROUND_JOB_QUEUE";
/// AWS Batch job definition.
pub const JOB_DEFINITION: &str = "WALKAROUND_JOB_DEFINITION";
/// What names of worker jobs begin with.
pub const JOB_PREFIX: &str = "WALKAROUND_JOB_PREFIX";
/// Secret with the header for photos.
pub const PHOTO_HEADER_SECRET: &str = "WALKAROUND_PHOTO_HEADER_SECRET";
/// Secret with the webhook's URL.
pub const ALERT_SECRET: &str = "WALKAROUND_ALERT_SECRET";
/// Secret with the client's secret, for signing in.
pub const OIDC_CLIENT_SECRET_ID: &str = "WALKAROUND_OIDC_CLIENT_SECRET_ID";
/// Secret with the key of the sessions.
pub const SESSION_KEY_ID: &str = "WALKAROUND_SESSION_KEY_ID";
/// CloudWatch namespace.
pub const METRICS_NAMESPACE: &str = "WALKAROUND_METRICS_NAMESPACE";
