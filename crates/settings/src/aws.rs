//! Names of things on AWS. Each program needs some of them: it asks for those, and gets one clear line for one
//! that is missing.

mod names;

use crate::read::{Reader, SettingsError};
pub use names::{
    ALERT_SECRET, INTAKE_DEAD_QUEUE, INTAKE_QUEUE, JOB_DEFINITION, JOB_PREFIX, JOB_QUEUE, METRICS_NAMESPACE,
    OIDC_CLIENT_SECRET_ID, PHOTO_HEADER_SECRET, SEGMENTATION_DEAD_QUEUE, SEGMENTATION_QUEUE, SESSION_KEY_ID,
    TABLE, TOPIC,
};
use std::collections::BTreeMap;

const ALL: [&str; 14] = [
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
    OIDC_CLIENT_SECRET_ID,
    SESSION_KEY_ID,
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
