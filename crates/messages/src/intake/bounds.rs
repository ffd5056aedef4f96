//! Bounds of a request, whichever way it came: records, keys and log lines stay small, and nothing in them acts on
//! the terminal of whoever reads them.

use crate::Unreadable;
use walkaround_domain::identity::LABELS_MAX;
use walkaround_domain::{InspectionRequest, PhotoRef};

/// Longest name of a thing (vehicle, reservation, viewpoint, label, bucket), in bytes.
const NAME_BYTES_MAX: usize = 256;
/// Longest S3 key and version, in bytes: S3's own limit.
const KEY_BYTES_MAX: usize = 1024;
/// Longest URL or path, in bytes.
const URL_BYTES_MAX: usize = 4096;

/// An empty text says nothing: it becomes a field left out.
pub(super) fn tidy(request: &mut InspectionRequest) {
    for field in [
        &mut request.vehicle_id,
        &mut request.reservation_id,
        &mut request.viewpoint,
    ] {
        if field.as_deref() == Some("") {
            *field = None;
        }
    }
}

/// Checks every text of a request.
pub(super) fn check(request: &InspectionRequest) -> Result<(), Unreadable> {
    check_photo(&request.photo)?;
    if let Some(content) = &request.content {
        at_most("photo.content", content, NAME_BYTES_MAX)?;
    }
    for (field, value) in [
        ("vehicle_id", &request.vehicle_id),
        ("reservation_id", &request.reservation_id),
        ("viewpoint", &request.viewpoint),
    ] {
        if let Some(value) = value {
            at_most(field, value, NAME_BYTES_MAX)?;
        }
    }
    if request.labels.len() > LABELS_MAX {
        return Err(Unreadable::new(format!(
            "labels: {} entries, expected at most {LABELS_MAX}",
            request.labels.len()
        )));
    }
    for (name, value) in &request.labels {
        at_most("labels", name, NAME_BYTES_MAX)?;
        at_most("labels", value, NAME_BYTES_MAX)?;
    }
    Ok(())
}

fn check_photo(photo: &PhotoRef) -> Result<(), Unreadable> {
    match photo {
        PhotoRef::S3 { bucket, key, version } => {
            check_bucket(bucket)?;
            present("photo.s3.key", key, KEY_BYTES_MAX)?;
            let Some(version) = version else {
                return Ok(());
            };
            at_most("photo.s3.version", version, KEY_BYTES_MAX)
        }
        PhotoRef::Url(url) => present("photo.url", url, URL_BYTES_MAX),
        PhotoRef::File(path) => present("photo.file", path, URL_BYTES_MAX),
    }
}

/// A bucket becomes a folder in the local store, and a part of the photo's identity.
fn check_bucket(bucket: &str) -> Result<(), Unreadable> {
    present("photo.s3.bucket", bucket, NAME_BYTES_MAX)?;
    let fits = !bucket.starts_with('.')
        && bucket
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
    if fits {
        return Ok(());
    }
    Err(Unreadable::new(
        "photo.s3.bucket: expected letters, digits, `.`, `_` or `-`, not starting with `.`",
    ))
}

fn present(field: &str, value: &str, bytes_max: usize) -> Result<(), Unreadable> {
    if value.is_empty() {
        return Err(Unreadable::new(format!("{field}: empty")));
    }
    at_most(field, value, bytes_max)
}

/// Every text of a request passes here. Control characters (category Cc of Unicode: C0, DEL, C1) are refused in each: a
/// terminal obeys them, lines of a log end at them, and the unit separator divides the parts of a photo's identity.
fn at_most(field: &str, value: &str, bytes_max: usize) -> Result<(), Unreadable> {
    if value.len() > bytes_max {
        return Err(Unreadable::new(format!(
            "{field}: {} bytes, expected at most {bytes_max}",
            value.len()
        )));
    }
    if value.chars().any(char::is_control) {
        return Err(Unreadable::new(format!(
            "{field}: expected no control characters"
        )));
    }
    Ok(())
}
