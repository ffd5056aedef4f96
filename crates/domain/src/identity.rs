//! What an inspection's identity covers: a photo, the bytes it had, and the purpose it was asked for.
//!
//! A request without an id of its own gets the *base id*, made of where the photo is and of what is known of its
//! bytes before they are read ([`base_text`]). A request that meets a stored inspection under its id is compared
//! with it ([`relate`]): it is the same, adds what was left open, or contradicts it. What contradicts is an
//! inspection of its own, under an id made of the base id and the part that differs ([`Part::text`]); the same
//! request always gives the same id, so redelivery meets what it made before. Ids that callers give are never
//! changed: there, a contradiction is an error.

use crate::ids::InspectionId;
use crate::photo::{InspectionRequest, Occasion, PhotoRef};
use std::fmt;

/// Divides the parts of an identity: it can stand in no bucket name, version or content tag.
const SEPARATOR: char = '\u{1f}';

/// Keys under this prefix hold the digest of the photo's bytes: where it is says which bytes it has. Clients put photos
/// there and send a request of their own for each.
pub const SUBMITTED_PREFIX: &str = "walkaround-submitted/";

/// Most steps from a base id to the id of an inspection of its own: other bytes, another purpose, and a race for each.
pub const PARTS_MAX: usize = 4;

/// Most labels of a request; those that completions add count.
pub const LABELS_MAX: usize = 32;

/// The text whose SHA-256 is the base id. A version says which bytes there are; only where there is none does
/// `content` count.
pub fn base_text(photo: &PhotoRef, content: Option<&str>) -> String {
    let mut text = photo.identity();
    if let Some(content) = content.filter(|_| !has_version(photo)) {
        text.push(SEPARATOR);
        text.push_str(content);
    }
    text
}

/// The content tag of an S3 object: its ETag (with or without quotation marks) and size in bytes.
pub fn object_content(etag: &str, bytes: u64) -> String {
    format!("{}/{bytes}", etag.trim_matches('"'))
}

/// The content tag of a file: its size in bytes and when it was last changed, in nanoseconds since 1970.
pub fn file_content(bytes: u64, changed_ns: u128) -> String {
    format!("{bytes}/{changed_ns}")
}

fn has_version(photo: &PhotoRef) -> bool {
    matches!(photo, PhotoRef::S3 { version: Some(_), .. })
}

/// Whether a request says which bytes its photo has; where it does not, the digest after the fetch decides.
pub fn content_is_known(request: &InspectionRequest) -> bool {
    match &request.photo {
        PhotoRef::S3 { version: Some(_), .. } => true,
        PhotoRef::S3 { key, .. } if key.starts_with(SUBMITTED_PREFIX) => true,
        _ => request.content.is_some(),
    }
}

/// What an inspection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Purpose<'a> {
    /// Vehicle.
    pub vehicle_id: Option<&'a str>,
    /// Reservation.
    pub reservation_id: Option<&'a str>,
    /// Pick-up or return.
    pub occasion: Option<Occasion>,
}

impl<'a> Purpose<'a> {
    /// The purpose of a request.
    pub fn of(request: &'a InspectionRequest) -> Self {
        Self {
            vehicle_id: request.vehicle_id.as_deref(),
            reservation_id: request.reservation_id.as_deref(),
            occasion: request.occasion,
        }
    }

    /// Name and value of each part, in a fixed order.
    fn parts(self) -> [(&'static str, Option<&'a str>); 3] {
        [
            ("vehicle", self.vehicle_id),
            ("reservation", self.reservation_id),
            ("occasion", self.occasion.map(Occasion::as_str)),
        ]
    }

    /// Whether every part that `other` names is the same here: a record with this purpose answers it.
    pub fn covers(self, other: Self) -> bool {
        let pairs = self.parts().into_iter().zip(other.parts());
        pairs
            .into_iter()
            .all(|((_, mine), (_, theirs))| theirs.is_none() || mine == theirs)
    }

    /// The first part that both name, differently: its name, and what each says.
    fn contradiction(self, other: Self) -> Option<(&'static str, &'a str, &'a str)> {
        let pairs = self.parts().into_iter().zip(other.parts());
        pairs.into_iter().find_map(|((name, mine), (_, theirs))| {
            let (mine, theirs) = (mine?, theirs?);
            (mine != theirs).then_some((name, mine, theirs))
        })
    }
}

/// What distinguishes a separate inspection from the one that has the base id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Another purpose. The whole of it counts: what the other inspection learns later does not change the id.
    Purpose(Purpose<'a>),
    /// Other bytes, by their SHA-256.
    Bytes(&'a [u8; 32]),
}

impl Part<'_> {
    /// The text whose SHA-256 is the id of the inspection of its own.
    pub fn text(&self, base: &InspectionId) -> String {
        let mut text = format!("own{SEPARATOR}{base}");
        let mut add = |part: &str| {
            // Callers' names may hold anything: their length keeps the parts apart.
            text.push_str(&format!("{SEPARATOR}{}:{part}", part.len()));
        };
        match self {
            Self::Purpose(purpose) => {
                add("purpose");
                for (name, value) in purpose.parts() {
                    if let Some(value) = value {
                        add(name);
                        add(value);
                    }
                }
            }
            Self::Bytes(sha256) => {
                add("bytes");
                add(InspectionId::from_digest(**sha256).as_str());
            }
        }
        text
    }
}

/// In what a request contradicts a stored inspection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// It is for another vehicle, reservation or occasion.
    Purpose {
        /// `vehicle`, `reservation` or `occasion`.
        part: &'static str,
        /// What is stored.
        stored: String,
        /// What is asked for.
        asked: String,
    },
    /// It is of a photo somewhere else, or of another version or content of it.
    Photo {
        /// The photo of the stored inspection.
        stored: Box<PhotoRef>,
        /// The photo asked for.
        asked: Box<PhotoRef>,
    },
    /// The photo has other bytes by now.
    Bytes,
}

/// One line, for people: what an id that is taken stands for.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Purpose { part, stored, asked } => {
                write!(
                    f,
                    "is for {part} {stored}, not {asked}: another purpose needs another id"
                )
            }
            Self::Photo { stored, asked } if stored.to_string() == asked.to_string() => {
                write!(
                    f,
                    "is of {stored} as it was before: another photo needs another id"
                )
            }
            Self::Photo { stored, asked } => {
                write!(
                    f,
                    "is of {stored}, not of {asked}: another photo needs another id"
                )
            }
            Self::Bytes => {
                f.write_str("is of other bytes than its photo has now: another photo needs another id")
            }
        }
    }
}

/// How a request stands to the stored inspection that has its id.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::large_enum_variant, reason = "made and matched at once")]
pub enum Relation {
    /// It asks for what is stored.
    Known,
    /// It says what was left open: the stored request, completed.
    Adds(InspectionRequest),
    /// It asks for something else.
    Differs(Difference),
}

/// Compares a request with the stored one that has its id. The stored one's URL has lost its query.
pub fn relate(stored: &InspectionRequest, asked: &InspectionRequest) -> Relation {
    if !is_same_photo(stored, asked) {
        return Relation::Differs(Difference::Photo {
            stored: Box::new(stored.photo.clone()),
            asked: Box::new(asked.photo.without_query()),
        });
    }
    let other = Purpose::of(stored).contradiction(Purpose::of(asked));
    if let Some((part, stored, asked)) = other {
        return Relation::Differs(Difference::Purpose {
            part,
            stored: stored.to_owned(),
            asked: asked.to_owned(),
        });
    }
    let completed = complete(stored, asked);
    if completed == *stored {
        Relation::Known
    } else {
        Relation::Adds(completed)
    }
}

/// Whether two requests may be of one photo: at one place, and not known to have other bytes.
fn is_same_photo(stored: &InspectionRequest, asked: &InspectionRequest) -> bool {
    let place = |photo: &PhotoRef| match photo.without_query() {
        PhotoRef::S3 { bucket, key, .. } => PhotoRef::S3 {
            bucket,
            key,
            version: None,
        },
        other => other,
    };
    if place(&stored.photo) != place(&asked.photo) {
        return false;
    }
    let versions = (version(&stored.photo), version(&asked.photo));
    match (versions, (&stored.content, &asked.content)) {
        ((Some(one), Some(other)), _) => one == other,
        (_, (Some(one), Some(other))) => one == other,
        _ => true,
    }
}

fn version(photo: &PhotoRef) -> Option<&str> {
    match photo {
        PhotoRef::S3 { version, .. } => version.as_deref(),
        _ => None,
    }
}

/// Whether what both requests say proves that they mean the same bytes. Where it does not, a digest has to.
pub fn bytes_are_same(stored: &InspectionRequest, asked: &InspectionRequest) -> bool {
    if let (Some(one), Some(other)) = (version(&stored.photo), version(&asked.photo)) {
        return one == other;
    }
    if let (Some(one), Some(other)) = (&stored.content, &asked.content) {
        return one == other;
    }
    matches!(&asked.photo, PhotoRef::S3 { key, .. } if key.starts_with(SUBMITTED_PREFIX))
}

/// The stored request with what it left open. What it says stays; a deadline is each request's own.
fn complete(stored: &InspectionRequest, asked: &InspectionRequest) -> InspectionRequest {
    let mut whole = stored.clone();
    let open = |mine: &mut Option<String>, theirs: &Option<String>| {
        if mine.is_none() {
            mine.clone_from(theirs);
        }
    };
    open(&mut whole.vehicle_id, &asked.vehicle_id);
    open(&mut whole.reservation_id, &asked.reservation_id);
    open(&mut whole.viewpoint, &asked.viewpoint);
    whole.occasion = whole.occasion.or(asked.occasion);
    whole.taken_at = whole.taken_at.or(asked.taken_at);
    for (name, value) in &asked.labels {
        if whole.labels.len() < LABELS_MAX {
            whole.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    whole
}

#[cfg(test)]
mod tests;
