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
use walkaround_ports::{BlobAddress, FetchError, KnownContent, PortErrorKind};

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
        let known = people.photos.identify(&inspection.request.photo).await;
        let known = known.map_err(|error| refusal(&record.id, error))?;
        if known.is_some_and(|known| is_other(&inspection, &known)) {
            return Err(other_photo());
        }
        return link(&site, &at).await;
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

/// Whether an object is another photo than the one that was inspected. Nobody here reads its bytes: the first thing counts
/// that both the record and the store say of them, their digest, the object's version, or its ETag and size. Where there is
/// none, it is not known, and it is shown.
fn is_other(inspection: &Inspection, known: &KnownContent) -> bool {
    let request = &inspection.request;
    if let (Some(then), Some(now)) = (inspection.photo_sha256(), &known.sha256) {
        return then != now;
    }
    let version = match &request.photo {
        PhotoRef::S3 { version, .. } => version.as_ref(),
        _ => None,
    };
    if let (Some(then), Some(now)) = (version, &known.version) {
        return then != now;
    }
    matches!((&request.content, &known.content), (Some(then), Some(now)) if then != now)
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
    use super::{is_other, media_type};
    use walkaround_domain::{Inspection, InspectionId, InspectionRequest, Outcome, PhotoRef, Timestamp};
    use walkaround_ports::KnownContent;

    /// What is noted of a photo's bytes.
    #[derive(Clone, Copy, Default)]
    struct Noted {
        digest: Option<u8>,
        version: Option<&'static str>,
        content: Option<&'static str>,
    }

    fn inspected(noted: Noted) -> Inspection {
        let photo = PhotoRef::S3 {
            bucket: "photos".to_owned(),
            key: "a.jpg".to_owned(),
            version: noted.version.map(str::to_owned),
        };
        let mut request = InspectionRequest::of(InspectionId::new("a").unwrap(), photo);
        request.content = noted.content.map(str::to_owned);
        let mut inspection = Inspection::accepted(request, Timestamp(0));
        inspection.outcome = Some(Outcome {
            photo_sha256: noted.digest.map(|byte| [byte; 32]),
            ..Outcome::default()
        });
        inspection
    }

    #[test]
    fn a_photo_is_another_one_by_what_both_record_and_store_say() {
        let of = |digest, version, content| Noted {
            digest,
            version,
            content,
        };
        for (then, now, expected) in [
            (of(Some(1), None, None), of(Some(1), None, None), false),
            (of(Some(1), None, None), of(Some(2), None, None), true),
            (of(None, Some("v1"), None), of(None, Some("v2"), None), true),
            // Written again with the same bytes.
            (
                of(Some(1), Some("v1"), None),
                of(Some(1), Some("v2"), None),
                false,
            ),
            (of(Some(1), None, Some("e/9")), of(None, None, Some("f/9")), true),
            (of(Some(1), None, Some("e/9")), of(None, None, Some("e/9")), false),
            (
                of(Some(1), None, Some("e/9")),
                of(Some(1), None, Some("f/9")),
                false,
            ),
            (of(Some(1), None, None), of(None, Some("v1"), None), false),
            (Noted::default(), of(Some(1), None, Some("e/9")), false),
        ] {
            let known = KnownContent {
                version: now.version.map(str::to_owned),
                content: now.content.map(str::to_owned),
                sha256: now.digest.map(|byte| [byte; 32]),
            };
            let is_other = is_other(&inspected(then), &known);
            assert_eq!(
                is_other, expected,
                "{known:?} {:?} {:?}",
                then.version, then.content
            );
        }
    }

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
