//! Requests as base64 of protobuf.

use crate::document::check_version;
use crate::request::CONTENT_TYPE;
use crate::{Unreadable, v1};
use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use prost::Message;
use std::collections::BTreeMap;

/// The standard alphabet; padding may be left out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

const MESSAGE: &str = "walkaround.v1.InspectPhoto";

/// Whether the attributes announce protobuf. An error when they announce another message.
pub(super) fn is_announced(attributes: &BTreeMap<String, String>) -> Result<bool, Unreadable> {
    let Some((_, content_type)) = attributes
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(CONTENT_TYPE))
    else {
        return Ok(false);
    };
    let mut parts = content_type.split(';').map(str::trim);
    let media = parts.next().unwrap_or_default();
    let announced = ["application/x-protobuf", "application/protobuf"]
        .iter()
        .any(|known| media.eq_ignore_ascii_case(known));
    if !announced {
        return Ok(false);
    }
    let other = parts.filter_map(|p| p.split_once('=')).any(|(name, value)| {
        name.trim().eq_ignore_ascii_case("proto") && value.trim().trim_matches('"') != MESSAGE
    });
    if other {
        return Err(Unreadable::new(format!(
            "content-type: another protobuf message, expected proto={MESSAGE}"
        )));
    }
    Ok(true)
}

/// Reads a request.
pub(super) fn decode(body: &str) -> Result<v1::InspectPhoto, Unreadable> {
    let bytes = BASE64
        .decode(body.trim())
        .map_err(|_| Unreadable::new("not base64, expected base64 of protobuf, as content-type says"))?;
    // The version alone, first: a later one may mean anything by its other fields.
    if let Ok(versioned) = Version::decode(bytes.as_slice()) {
        check_version(u64::from(versioned.version))?;
    }
    v1::InspectPhoto::decode(bytes.as_slice())
        .map_err(|_| Unreadable::new(format!("not protobuf, expected {MESSAGE}, as content-type says")))
}

/// The one field that every version has in the same place.
#[derive(Clone, PartialEq, Message)]
struct Version {
    #[prost(uint32, tag = "1")]
    version: u32,
}
