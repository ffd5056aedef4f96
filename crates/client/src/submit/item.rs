//! One photo to be submitted: its request so far, and where the photo is.

use crate::inputs::{FileNames, is_regular, why_missing};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;
use walkaround_bootstrap::terminal::printable_path;
use walkaround_domain::identity::file_content;
use walkaround_domain::{InspectionRequest, Occasion, PhotoRef, Timestamp};
use walkaround_messages::{base_id, derived_id, parse_intake, request_json};

/// One photo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The request; with the path of a local photo until it is taken in.
    pub request: InspectionRequest,
    /// The file that is to be copied into the stack.
    pub local: Option<PathBuf>,
    /// Whether the id was given: then it stays, wherever the photo is.
    pub id_given: bool,
}

/// What turns a text into a photo.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Naming<'a> {
    /// Folder that relative paths start from.
    pub base: &'a Path,
    /// Finds the files that a list names.
    pub names: &'a FileNames,
    /// Whether local photos are named by their path instead of being copied.
    pub by_path: bool,
}

impl Item {
    /// A photo by reference.
    pub(crate) fn of(photo: PhotoRef) -> Self {
        Self {
            request: InspectionRequest::of(derived_id(&photo), photo),
            local: None,
            id_given: false,
        }
    }

    /// Puts a local photo into the request.
    pub(crate) fn set_local(&mut self, path: &Path, by_path: bool) -> Result<(), String> {
        let cannot = |why: String| format!("cannot open `{}`: {why}", path.display());
        let absolute = path.canonicalize().map_err(|e| cannot(why_missing(path, &e)))?;
        if !is_regular(&absolute) {
            return Err(cannot("not a regular file".to_owned()));
        }
        let text = absolute.to_str().map(str::to_owned);
        match (by_path, text) {
            (true, None) => return Err(cannot("its path is not UTF-8, leave out --by-path".to_owned())),
            (true, Some(text)) => {
                let meta = absolute.metadata().map_err(|e| cannot(e.to_string()))?;
                let changed = meta.modified().map_err(|e| cannot(e.to_string()))?;
                let since = changed.duration_since(UNIX_EPOCH).unwrap_or_default();
                self.request.photo = PhotoRef::File(text);
                self.request.content = Some(file_content(meta.len(), since.as_nanos()));
            }
            (false, _) => {
                // Until it is taken in, for people: its key is made from its bytes and a plain name.
                self.request.photo = PhotoRef::File(printable_path(path));
                self.local = Some(absolute);
            }
        }
        if !self.id_given {
            self.request.id = base_id(&self.request.photo, self.request.content.as_deref());
        }
        Ok(())
    }

    /// From `s3://bucket/key`, a URL, or a path.
    pub(crate) fn parse(text: &str, naming: Naming<'_>) -> Result<Self, String> {
        check_address(text)?;
        if let Some((bucket, key)) = s3_parts(text) {
            return Ok(Self::of(PhotoRef::S3 {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
                version: None,
            }));
        }
        if is_url(text) {
            return Ok(Self::of(PhotoRef::Url(text.to_owned())));
        }
        let mut item = Self::of(PhotoRef::File(text.to_owned()));
        item.set_local(&naming.names.locate(naming.base, text)?, naming.by_path)?;
        Ok(item)
    }

    /// Fills in what the command line says of every photo, and checks the whole.
    pub(crate) fn complete(&mut self, about: &About) -> Result<(), String> {
        let r = &mut self.request;
        r.vehicle_id = r.vehicle_id.take().or_else(|| about.vehicle_id.clone());
        r.reservation_id = r.reservation_id.take().or_else(|| about.reservation_id.clone());
        r.occasion = r.occasion.or(about.occasion);
        r.viewpoint = r.viewpoint.take().or_else(|| about.viewpoint.clone());
        r.deadline = r.deadline.or(about.deadline);
        for (name, value) in &about.labels {
            r.labels.entry(name.clone()).or_insert_with(|| value.clone());
        }
        // The bounds of a request are those of the messages: what triage would park is not sent.
        parse_intake(&request_json(r), &BTreeMap::new())
            .map(|_| ())
            .map_err(|e| e.reason)
    }
}

/// What is said of every photo that does not say it itself.
#[derive(Debug, Clone, Default)]
pub struct About {
    /// Vehicle.
    pub vehicle_id: Option<String>,
    /// Reservation.
    pub reservation_id: Option<String>,
    /// When in a rental.
    pub occasion: Option<Occasion>,
    /// Side of the vehicle.
    pub viewpoint: Option<String>,
    /// When the answer is wanted.
    pub deadline: Option<Timestamp>,
    /// Anything that should stand on the record.
    pub labels: BTreeMap<String, String>,
}

/// Bucket and rest of an `s3://` address.
pub(crate) fn s3_parts(text: &str) -> Option<(&str, &str)> {
    let rest = text.strip_prefix("s3://")?;
    Some(rest.split_once('/').unwrap_or((rest, "")))
}

/// That an address names a place at all.
pub(crate) fn check_address(text: &str) -> Result<(), String> {
    if s3_parts(text).is_some_and(|(bucket, _)| bucket.is_empty()) {
        return Err(format!(
            "`{text}` names no bucket, expected s3://BUCKET/KEY, or s3://BUCKET/PREFIX/ for all below it"
        ));
    }
    let host = text
        .split_once("://")
        .filter(|_| is_url(text))
        .map(|(_, rest)| rest);
    if host.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', '#', ':'])) {
        return Err(format!("`{text}` names no host, expected https://HOST/PATH"));
    }
    Ok(())
}

pub(crate) fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_a_bucket_or_a_host() {
        for (text, words) in [
            ("s3://", "names no bucket"),
            ("s3:///a.jpg", "names no bucket"),
            ("http://", "names no host"),
            ("https:///a.jpg", "names no host"),
            ("https://?a", "names no host"),
        ] {
            let why = check_address(text).unwrap_err();
            assert!(why.contains(words) && why.contains("expected"), "{why}");
        }
        for text in ["s3://b", "s3://b/k", "https://h", "http://h:1/a", "a.jpg"] {
            assert_eq!(check_address(text), Ok(()), "{text}");
        }
    }
}
