//! Names of things on AWS. Each program needs some of them: it asks for those, and gets one clear line for one
//! that is missing.

use crate::read::{Reader, SettingsError};
use std::collections::BTreeMap;

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
/// CloudWatch namespace.
pub const METRICS_NAMESPACE: &str = "WALKAROUND_METRICS_NAMESPACE";

const ALL: [&str; 12] = [
    INTAKE_QUEUE,
    INTAKE_DEAD_QUEUE,
    SEGMENTATION_QUEUE,
    SEGMENTATION_DEAD_QUEUE,
    TABLE,
    TOPIC,
    JOB_QUEUE,
    JOB_DEFINITION,
    JOB_PREFIX,
    PHOTO_HEADER_SECRET,
    ALERT_SECRET,
    METRICS_NAMESPACE,
];

/// Names of things on AWS, as far as they are set.
#[derive(Debug, Clone, Default)]
pub struct AwsSettings(BTreeMap<&'static str, String>);

impl AwsSettings {
    pub(crate) fn read(reader: &Reader<'_>) -> Result<Self, SettingsError> {
        let mut set = BTreeMap::new();
        for name in ALL {
            if let Some(value) = reader.text(name)? {
                set.insert(name, value);
            }
        }
        Ok(Self(set))
    }

    /// A name, if it is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A name that the caller cannot do without.
    ///
    /// # Errors
    /// One line that names the variable.
    pub fn require(&self, name: &'static str) -> Result<&str, SettingsError> {
        self.get(name).ok_or_else(|| {
            SettingsError::new(
                name,
                "is not set: the outputs of the deployed stack give its value",
            )
        })
    }
}
