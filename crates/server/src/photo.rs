//! The bytes of a photo, as they were inspected.
//!
//! They come through the allow-lists of this deployment, and only photos of an inspection are answered: a caller names an
//! inspection, never a place. On a stack whose browsers fetch pictures elsewhere, a photo of a bucket is answered by its
//! address there, where it still is the one that was inspected.

use super::answer::{FOR_GOOD, Refusal};
use super::api::{link, stored, unreadable};
use super::site::{Pictures, Site};
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};
use std::sync::Arc;
use tracing::warn;
use walkaround_domain::{Inspection, PhotoRef};
use walkaround_messages::parse_record;
use walkaround_ports::{BlobAddress, FetchError, PortErrorKind};

/// `GET /api/inspections/{id}/photo`.
pub(super) async fn photo(
    State(site): State<Arc<Site>>,
    id: Result<Path<String>, PathRejection>,
) -> Result<Response, Refusal> {
    let people = site.people()?;
    let record = stored(&site, id).await?;
    let inspection = parse_record(&record.body).map_err(|_| unreadable(&record.id))?;
    if let (Pictures::Links(_), PhotoRef::S3 { bucket, key, .. }) =
        (&site.pictures, &inspection.request.photo)
    {
        let at = BlobAddress {
            bucket: bucket.clone(),
            key: key.clone(),
        };
        return linked(&site, &inspection, &at).await;
    }
    let _permit = people.permit().await?;
    let fetched = people
        .photos
        .fetch(&inspection.request.photo, people.photo_bytes_max)
        .await;
    let bytes = fetched.map_err(|error| refusal(&record.id, error))?;
    let inspected = inspection.outcome.and_then(|outcome| outcome.photo_sha256);
    let cache = match inspected {
        Some(digest) if digest != <[u8; 32]>::from(Sha256::digest(&bytes)) => return Err(other_photo()),
        Some(_) => FOR_GOOD,
        None => "no-store",
    };
    let Some(content_type) = media_type(&bytes) else {
        let line = "it is no picture that a browser shows";
        return Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, line));
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CACHE_CONTROL, HeaderValue::from_static(cache)),
    ];
    Ok((headers, bytes).into_response())
}

fn other_photo() -> Refusal {
    let line = "the photo is no longer the one that was inspected";
    Refusal::new(StatusCode::CONFLICT, line)
}

/// The address of a photo in a bucket that this deployment reads: what the store says of it is compared, as far as it says
/// anything, since nobody here reads its bytes.
async fn linked(site: &Site, inspection: &Inspection, at: &BlobAddress) -> Result<Response, Refusal> {
    let photo = &inspection.request.photo;
    let known = site.people()?.photos.identify(photo).await;
    let known = known.map_err(|error| refusal(&inspection.request.id, error))?;
    let PhotoRef::S3 { version, .. } = photo else {
        return Err(Refusal::not_found("it is in no bucket"));
    };
    let replaced = match (known.and_then(|known| known.version), version) {
        (Some(now), Some(then)) => now != *then,
        _ => false,
    };
    if replaced {
        return Err(other_photo());
    }
    let found = site.blobs.head(at).await?;
    let found = found.ok_or_else(|| Refusal::not_found("no such photo"))?;
    let inspected = inspection
        .outcome
        .as_ref()
        .and_then(|outcome| outcome.photo_sha256);
    match (found.sha256, inspected) {
        (Some(now), Some(then)) if now != then => Err(other_photo()),
        _ => link(site, at).await,
    }
}

fn refusal(id: &walkaround_domain::InspectionId, error: FetchError) -> Refusal {
    warn!(inspection = %id, %error, "a photo cannot be shown");
    match error {
        FetchError::Malformed(why) | FetchError::NotFound(why) => Refusal::not_found(why),
        FetchError::Forbidden(why) | FetchError::Denied(why) => Refusal::new(StatusCode::FORBIDDEN, why),
        FetchError::TooLarge(why) => Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, why),
        FetchError::Unreachable(why) | FetchError::HostBusy(why) => {
            Refusal::new(StatusCode::BAD_GATEWAY, why)
        }
        // A bucket that is not there has no photo; the caller did not name it.
        FetchError::Port(error) if error.kind == PortErrorKind::Invalid => Refusal::not_found(error.detail),
        FetchError::Port(error) => error.into(),
    }
}

/// The type of a picture that browsers show, by its signature. The sender's word for it is never passed on.
fn media_type(bytes: &[u8]) -> Option<&'static str> {
    let is_avif = || bytes.get(4..8) == Some(b"ftyp") && matches!(bytes.get(8..12), Some(b"avif" | b"avis"));
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [0x89, b'P', b'N', b'G', ..] => Some("image/png"),
        [b'G', b'I', b'F', b'8', ..] => Some("image/gif"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'B', b'M', ..] => Some("image/bmp"),
        _ if is_avif() => Some("image/avif"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::media_type;

    #[test]
    fn a_picture_is_known_by_its_signature() {
        let cases: [(&[u8], Option<&str>); 7] = [
            (b"\xff\xd8\xff\xe0....", Some("image/jpeg")),
            (b"\x89PNG\r\n", Some("image/png")),
            (b"RIFF....WEBPVP8 ", Some("image/webp")),
            (b"\0\0\0\x20ftypavif", Some("image/avif")),
            (b"\0\0\0\x20ftypheic", None),
            (b"<svg onload=alert(1)>", None),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            assert_eq!(media_type(bytes), expected, "{bytes:?}");
        }
    }
}
