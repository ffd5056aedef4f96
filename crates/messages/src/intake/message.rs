//! What one message asks for: photos, or nothing, and why.

use super::bounds;
use crate::{Unreadable, v1};
use walkaround_domain::InspectionRequest;

/// What a message asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "nearly every intake is a request")]
pub enum Intake {
    /// Look at a photo.
    Inspect(InspectionRequest),
    /// Nothing: acknowledge it, and count it.
    Nothing {
        /// What it is instead.
        why: NoPhoto,
    },
}

/// What a message is that asks for no photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoPhoto {
    /// S3 sends one when notifications are set up.
    TestEvent,
    /// An event of S3 that is not about a new object.
    NotCreated,
    /// An event of S3 without records.
    NoRecords,
    /// A key that ends with `/`, of size 0: consoles and mounts make these for folders.
    FolderMarker,
    /// An object of size 0. A mounted bucket writes one when a file is opened, and the photo when it is closed; each write
    /// is an event of its own.
    EmptyObject,
    /// An object that a NAS or an operating system put beside photos ([`walkaround_domain::photo_name`]).
    SystemFile,
    /// A photo under [`SUBMITTED_PREFIX`](super::SUBMITTED_PREFIX).
    Submitted,
    /// A message of SNS about subscriptions.
    Subscription,
}

impl NoPhoto {
    /// A word for metrics and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TestEvent => "test_event",
            Self::NotCreated => "not_created",
            Self::NoRecords => "no_records",
            Self::FolderMarker => "folder_marker",
            Self::EmptyObject => "empty_object",
            Self::SystemFile => "system_file",
            Self::Submitted => "submitted",
            Self::Subscription => "subscription",
        }
    }
}

/// In words.
impl std::fmt::Display for NoPhoto {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::TestEvent => "S3's test event",
            Self::NotCreated => "an event of S3 that is not about a new object",
            Self::NoRecords => "an S3 event without records",
            Self::FolderMarker => "a folder's marker, not a photo",
            Self::EmptyObject => "an empty object: the photo, if it is to be one, comes with its own event",
            Self::SystemFile => "a file that a system put beside photos",
            Self::Submitted => "a submitted photo, which has a request of its own",
            Self::Subscription => "an SNS message about a subscription",
        })
    }
}

/// The request for one photo, within its bounds.
pub(super) fn one(request: v1::InspectPhoto) -> Result<Vec<Intake>, Unreadable> {
    let mut request = InspectionRequest::try_from(request)?;
    bounds::tidy(&mut request);
    bounds::check(&request)?;
    Ok(vec![Intake::Inspect(request)])
}

/// A message that asks for no photo.
pub(super) fn nothing(why: NoPhoto) -> Result<Vec<Intake>, Unreadable> {
    Ok(vec![Intake::Nothing { why }])
}
