//! Requests: `InspectPhoto` to and from the domain, and as a message to be sent.

use crate::document::{VERSION, check_version, to_text};
use crate::{Unreadable, v1};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use prost::Message;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use walkaround_domain::identity;
use walkaround_domain::{InspectionId, InspectionRequest, Occasion, PhotoRef, Timestamp};

/// Name of the attribute that distinguishes protobuf from JSON.
pub const CONTENT_TYPE: &str = "content-type";

/// Value of [`CONTENT_TYPE`] of a request as base64 of protobuf.
pub const PROTOBUF: &str = "application/x-protobuf; proto=walkaround.v1.InspectPhoto";

/// The id of an inspection whose caller gave none and whose content is not known: the SHA-256 of where the photo is.
pub fn derived_id(photo: &PhotoRef) -> InspectionId {
    base_id(photo, None)
}

/// The id of an inspection whose caller gave none: the SHA-256 of where the photo is and of what is known of its bytes.
pub fn base_id(photo: &PhotoRef, content: Option<&str>) -> InspectionId {
    InspectionId::from_digest(Sha256::digest(identity::base_text(photo, content)).into())
}

/// Whether the id of a request was made from its photo, rather than given by a caller.
pub fn has_base_id(request: &InspectionRequest) -> bool {
    request.id == base_id(&request.photo, request.content.as_deref())
}

/// The id of an inspection of its own: that of `base`, and the part in which it differs.
pub fn own_id(base: &InspectionId, part: &identity::Part<'_>) -> InspectionId {
    InspectionId::from_digest(Sha256::digest(part.text(base)).into())
}

/// The id of the inspection that supersedes another one for a reason: asked for twice, it is the same one.
pub fn superseding_id(old: &InspectionId, reason: &str) -> InspectionId {
    let text = format!("walkaround supersedes\n{old}\n{reason}");
    InspectionId::from_digest(Sha256::digest(text).into())
}

/// A request as a message body in JSON. It needs no attributes.
pub fn request_json(request: &InspectionRequest) -> String {
    to_text(&v1::InspectPhoto::from(request))
}

/// A request as a message body in base64 of protobuf, with the attribute that says so.
pub fn request_protobuf(request: &InspectionRequest) -> (String, BTreeMap<String, String>) {
    let bytes = v1::InspectPhoto::from(request).encode_to_vec();
    let attributes = BTreeMap::from([(CONTENT_TYPE.to_owned(), PROTOBUF.to_owned())]);
    (STANDARD.encode(bytes), attributes)
}

impl From<&InspectionRequest> for v1::InspectPhoto {
    fn from(request: &InspectionRequest) -> Self {
        let occasion = match request.occasion {
            None => v1::Occasion::Unspecified,
            Some(Occasion::PickUp) => v1::Occasion::PickUp,
            Some(Occasion::Return) => v1::Occasion::Return,
        };
        Self {
            version: VERSION,
            photo: Some(v1::Photo {
                content: request.content.clone(),
                ..(&request.photo).into()
            }),
            vehicle_id: request.vehicle_id.clone(),
            reservation_id: request.reservation_id.clone(),
            occasion: occasion.into(),
            viewpoint: request.viewpoint.clone(),
            taken_at: request.taken_at.map(Into::into),
            deadline: request.deadline.map(Into::into),
            labels: request.labels.clone(),
            inspection_id: Some(request.id.to_string()),
        }
    }
}

impl From<&PhotoRef> for v1::Photo {
    fn from(photo: &PhotoRef) -> Self {
        let source = match photo {
            PhotoRef::S3 { bucket, key, version } => v1::photo::Source::S3(v1::S3Object {
                bucket: bucket.clone(),
                key: key.clone(),
                version: version.clone(),
            }),
            PhotoRef::Url(url) => v1::photo::Source::Url(url.clone()),
            PhotoRef::File(path) => v1::photo::Source::File(path.clone()),
        };
        Self {
            source: Some(source),
            content: None,
        }
    }
}

impl TryFrom<v1::InspectPhoto> for InspectionRequest {
    type Error = Unreadable;

    fn try_from(wire: v1::InspectPhoto) -> Result<Self, Unreadable> {
        check_version(u64::from(wire.version))?;
        let mut photo = wire.photo.ok_or_else(|| Unreadable::new("photo: missing"))?;
        let content = photo.content.take().filter(|text| !text.is_empty());
        let photo = photo.try_into()?;
        let id = match wire.inspection_id.filter(|id| !id.is_empty()) {
            None => base_id(&photo, content.as_deref()),
            Some(id) => InspectionId::new(id).map_err(|_| {
                Unreadable::new(
                    "inspection_id: expected 1 to 128 letters, digits, `.`, `_` or `-`, not starting with `.`",
                )
            })?,
        };
        Ok(Self {
            id,
            photo,
            content,
            vehicle_id: wire.vehicle_id,
            reservation_id: wire.reservation_id,
            occasion: occasion(wire.occasion)?,
            viewpoint: wire.viewpoint,
            taken_at: moment("taken_at", wire.taken_at)?,
            deadline: moment("deadline", wire.deadline)?,
            labels: wire.labels,
        })
    }
}

impl TryFrom<v1::Photo> for PhotoRef {
    type Error = Unreadable;

    fn try_from(wire: v1::Photo) -> Result<Self, Unreadable> {
        match wire.source {
            Some(v1::photo::Source::S3(object)) => Ok(Self::S3 {
                bucket: object.bucket,
                key: object.key,
                version: known_version(object.version),
            }),
            Some(v1::photo::Source::Url(url)) => Ok(Self::Url(url)),
            Some(v1::photo::Source::File(path)) => Ok(Self::File(path)),
            None => Err(Unreadable::new("photo: expected one of s3, url, file")),
        }
    }
}

/// S3 calls the version of an object that was stored before its bucket kept versions `null`: the only one
/// there is, so naming it must not make another inspection.
pub(crate) fn known_version(version: Option<String>) -> Option<String> {
    version.filter(|v| !v.is_empty() && v != "null")
}

fn occasion(number: i32) -> Result<Option<Occasion>, Unreadable> {
    match v1::Occasion::try_from(number) {
        Ok(v1::Occasion::Unspecified) => Ok(None),
        Ok(v1::Occasion::PickUp) => Ok(Some(Occasion::PickUp)),
        Ok(v1::Occasion::Return) => Ok(Some(Occasion::Return)),
        Err(_) => Err(Unreadable::new("occasion: expected pick_up or return")),
    }
}

/// An optional moment of a field with that name.
pub(crate) fn moment(
    field: &str,
    wire: Option<crate::moment::WireTime>,
) -> Result<Option<Timestamp>, Unreadable> {
    wire.map(|w| Timestamp::try_from(w).map_err(|e| e.within(field)))
        .transpose()
}
