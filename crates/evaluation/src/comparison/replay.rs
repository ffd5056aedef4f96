//! The file of a replay: what was asked on its first line, then a line for each photo, in the order in which they were done.
//!
//! A photo may have several lines, where it failed and was tried again: the last one counts.

use super::photo::ComparedPhoto;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use walkaround_messages::BundleDocument;

/// Version of [`ReplayHeader`], its first field.
pub const REPLAY_SCHEMA: &str = "walkaround.replay/1";

/// What a replay was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReplayHeader {
    /// [`REPLAY_SCHEMA`].
    pub schema: String,
    /// The other bundle.
    pub bundle: BundleDocument,
    /// SHA-256 of its manifest, which pins its files.
    pub manifest_sha256: String,
    /// Thresholds other than those of the manifest, by class or gate.
    pub thresholds: BTreeMap<String, f32>,
    /// Photos accepted at this moment or later, RFC 3339.
    pub since: String,
    /// Photos accepted before this moment, RFC 3339.
    pub until: String,
    /// What was typed for these; "7d" means another moment each time.
    #[serde(default)]
    pub asked: AskedTime,
    /// Only photos with a finding of one of these classes; empty for all.
    pub classes: Vec<String>,
    /// Most photos.
    pub max: u64,
}

/// A stretch of time as it was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AskedTime {
    /// Its beginning.
    pub since: Option<String>,
    /// Its end.
    pub until: Option<String>,
}

/// One photo of a replay.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ReplayLine {
    /// It was inspected again.
    Compared(Box<ComparedPhoto>),
    /// It is not there any more, or may not be fetched.
    Gone(LeftOut),
    /// Other bytes are in its place.
    Changed(LeftOut),
    /// Its record cannot be read.
    Unreadable(LeftOut),
    /// Something failed that may pass: it is tried again when the replay is run again.
    Failed(LeftOut),
}

/// A photo that was not inspected again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Its inspection.
    pub inspection_id: String,
    /// The photo, as the record names it; empty where that cannot be read.
    pub photo: String,
    /// Why, one line.
    pub why: String,
}

impl ReplayLine {
    /// Which inspection.
    pub fn inspection_id(&self) -> &str {
        match self {
            Self::Compared(photo) => &photo.inspection_id,
            Self::Gone(out) | Self::Changed(out) | Self::Unreadable(out) | Self::Failed(out) => {
                &out.inspection_id
            }
        }
    }

    /// Whether running the replay again does it again.
    pub const fn is_open(&self) -> bool {
        matches!(self, Self::Failed(_))
    }

    /// Why it was not compared, in a word, and the photo; none when it was.
    pub fn left_out(&self) -> Option<(&'static str, &LeftOut)> {
        match self {
            Self::Compared(_) => None,
            Self::Gone(out) => Some(("gone", out)),
            Self::Changed(out) => Some(("changed", out)),
            Self::Unreadable(out) => Some(("unreadable", out)),
            Self::Failed(out) => Some(("failed", out)),
        }
    }
}
