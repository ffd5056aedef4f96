//! A photo by reference, and the request to look at it.

use crate::ids::InspectionId;
use crate::time::Timestamp;
use std::collections::BTreeMap;
use std::fmt;

/// Where a photo is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum PhotoRef {
    /// An object in S3 (or in the local blob store, which has buckets too).
    S3 {
        /// Bucket.
        bucket: String,
        /// Key, decoded.
        key: String,
        /// Version, where the bucket keeps versions.
        version: Option<String>,
    },
    /// An https (or, where allowed, http) URL.
    Url(String),
    /// A local file, by absolute path or relative to the allowed root.
    File(String),
}

impl PhotoRef {
    /// The identity of the source: the same photo gives the same text, whatever the message looked like.
    /// Its SHA-256 is the inspection id when the caller gives none.
    pub fn identity(&self) -> String {
        match self {
            // The unit separator cannot stand in a bucket name: no two sources share a text.
            Self::S3 { bucket, key, version } => {
                format!(
                    "s3\u{1f}{bucket}\u{1f}{key}\u{1f}{}",
                    version.as_deref().unwrap_or("")
                )
            }
            Self::Url(url) => format!("url\u{1f}{url}"),
            Self::File(path) => format!("file\u{1f}{path}"),
        }
    }

    /// The same photo as it may be stored and published: a URL without its query and fragment, which often carry a
    /// signature.
    #[must_use]
    pub fn without_query(&self) -> Self {
        match self {
            Self::Url(_) => Self::Url(self.to_string()),
            other => other.clone(),
        }
    }
}

/// For people: `s3://bucket/key`, the URL without its query (which may carry a signature), or the path.
impl fmt::Display for PhotoRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::S3 { bucket, key, .. } => write!(f, "s3://{bucket}/{key}"),
            Self::Url(url) => f.write_str(url.split(['?', '#']).next().unwrap_or_default()),
            Self::File(path) => f.write_str(path),
        }
    }
}

/// When in a rental a photo was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Occasion {
    /// The customer takes the vehicle over.
    PickUp,
    /// The customer gives it back.
    Return,
}

impl Occasion {
    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::PickUp => "pick_up",
            Self::Return => "return",
        }
    }
}

/// A request to look at one photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InspectionRequest {
    /// Makes redelivery harmless: the same id is the same inspection.
    pub id: InspectionId,
    /// The photo.
    pub photo: PhotoRef,
    /// What is known of the photo's bytes before they are read, as one text that changes when they do: of an object
    /// its ETag and size, of a file its size and time ([`identity`](crate::identity)).
    pub content: Option<String>,
    /// Vehicle, as the fleet names it.
    pub vehicle_id: Option<String>,
    /// Reservation that the photo belongs to.
    pub reservation_id: Option<String>,
    /// Pick-up or return.
    pub occasion: Option<Occasion>,
    /// Side of the vehicle, as the fleet names it (front_left, ...).
    pub viewpoint: Option<String>,
    /// When the photo was taken.
    pub taken_at: Option<Timestamp>,
    /// When the answer is wanted.
    pub deadline: Option<Timestamp>,
    /// Anything else the fleet wants back on the record.
    pub labels: BTreeMap<String, String>,
}

impl InspectionRequest {
    /// A request that says nothing but which photo.
    pub fn of(id: InspectionId, photo: PhotoRef) -> Self {
        Self {
            id,
            photo,
            content: None,
            vehicle_id: None,
            reservation_id: None,
            occasion: None,
            viewpoint: None,
            taken_at: None,
            deadline: None,
            labels: BTreeMap::new(),
        }
    }
}
