//! Photos and requests of the pipeline's tests.

use crate::files;
use image::{Rgb, RgbImage};
use std::collections::BTreeSet;
use walkaround_domain::{InspectionRequest, Phase, PhotoRef};
use walkaround_messages::{derived_id, request_json};
use walkaround_ports::{BlobAddress, OutMessage};

/// Bucket that photos are kept in.
pub const PHOTOS: &str = "photos";

/// Where a photo is stored.
pub fn photo_address(key: &str) -> BlobAddress {
    BlobAddress {
        bucket: PHOTOS.into(),
        key: key.into(),
    }
}

/// A request for a stored photo.
pub fn request(key: &str) -> InspectionRequest {
    request_for(PhotoRef::S3 {
        bucket: PHOTOS.into(),
        key: key.into(),
        version: None,
    })
}

/// A request for any photo, with nothing else said.
pub fn request_for(photo: PhotoRef) -> InspectionRequest {
    InspectionRequest::of(derived_id(&photo), photo)
}

/// A request as a message.
pub fn as_json(request: &InspectionRequest) -> OutMessage {
    OutMessage {
        body: request_json(request),
        ..OutMessage::default()
    }
}

/// A bright photo with one red mark, 160 x 120: the test bundles find it damaged, by segmentation.
pub fn damaged() -> Vec<u8> {
    photo([150, 150, 150])
}

/// A dark photo with one red mark: the gate of the test bundles lets it go as clean.
pub fn clean() -> Vec<u8> {
    photo([40, 40, 40])
}

fn photo(background: [u8; 3]) -> Vec<u8> {
    let inside = |x, y| (40..80).contains(&x) && (30..60).contains(&y);
    let picture = RgbImage::from_fn(160, 120, |x, y| {
        Rgb(if inside(x, y) { [220, 30, 30] } else { background })
    });
    files::jpeg(&picture, 90)
}

/// The photo with its key as a comment (a COM segment, right after SOI), so that no two stored photos have the same bytes:
/// results of the same bytes are reused. What is no JPEG stays as it is.
///
/// # Panics
/// When the key is longer than a segment.
pub fn own_bytes(key: &str, photo: &[u8]) -> Vec<u8> {
    let Some(rest) = photo.strip_prefix(&[0xff_u8, 0xd8]) else {
        return photo.to_vec();
    };
    let length = u16::try_from(key.len() + 2).expect("a key fits a segment");
    let mut bytes = vec![0xff, 0xd8, 0xff, 0xfe];
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(rest);
    bytes
}

/// The ids of requests.
pub fn ids(requests: &[InspectionRequest]) -> BTreeSet<String> {
    requests.iter().map(|r| r.id.to_string()).collect()
}

/// Whether a phase is done, with that verdict.
pub fn is_done(phase: &Phase, wanted: &str) -> bool {
    matches!(phase, Phase::Done { verdict } if verdict.as_str() == wanted)
}
