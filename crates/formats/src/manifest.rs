//! `manifest.jsonl`: one line a photo, with where its annotations come from. A data set that comes back is read beside it.

use crate::split::is_name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use walkaround_domain::review::REVISIONS_MAX;
use walkaround_messages::BundleDocument;

/// Version of a line, its first field.
pub const VERSION: u32 = 1;
/// Name of the file.
pub const MANIFEST_FILE: &str = "manifest.jsonl";
/// Longest line that is read, in bytes.
pub const LINE_BYTES_MAX: usize = 64 << 10;

/// How the file of a photo came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Copied {
    /// Without loss: only metadata are gone.
    Lossless,
    /// Decoded, and encoded again.
    Encoded,
}

/// Why a photo that was asked for has no file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftOut {
    /// Its record is gone, by the retention settings.
    RecordGone,
    /// Its report is gone.
    ReportGone,
    /// Its file is gone.
    PhotoGone,
    /// Its file has other bytes now.
    PhotoChanged,
    /// Its file may not be read here.
    PhotoForbidden,
    /// Its file could not be read this time.
    PhotoUnreachable,
    /// It cannot be decoded, or its report cannot be read.
    Unreadable,
    /// It cannot be judged: nothing is to be learnt from it.
    Unusable,
    /// Another inspection of the same bytes has it.
    SamePhoto,
}

impl LeftOut {
    /// The word used in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RecordGone => "record_gone",
            Self::ReportGone => "report_gone",
            Self::PhotoGone => "photo_gone",
            Self::PhotoChanged => "photo_changed",
            Self::PhotoForbidden => "photo_forbidden",
            Self::PhotoUnreachable => "photo_unreachable",
            Self::Unreadable => "unreadable",
            Self::Unusable => "unusable",
            Self::SamePhoto => "same_photo",
        }
    }
}

/// A line of the manifest.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ManifestEntry {
    /// [`VERSION`].
    pub version: u32,
    /// SHA-256 of the photo as it was inspected, hexadecimal.
    pub photo_sha256: String,
    /// Which inspection.
    pub inspection_id: String,
    /// Its file, relative to the manifest; none where it was left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// SHA-256 of that file, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file_sha256: Option<String>,
    /// How that file came to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copied: Option<Copied>,
    /// What it lost, in a word, where it had to be encoded again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoded_because: Option<String>,
    /// Width of the upright photo in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub width: Option<u32>,
    /// Height of the upright photo in pixels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u32>,
    /// Why there is no file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// That in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Part of the data set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<String>,
    /// What is never divided between two splits: 16 hexadecimal digits of a hash of the vehicle, the reservation or the
    /// photo. Not their names, which a data set does not need.
    pub group: String,
    /// `clean`, `damaged` or `unusable`, as the machine has it.
    pub verdict: String,
    /// The bundle whose networks ran.
    pub bundle: BundleDocument,
    /// SHA-256 of the report, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub report_sha256: Option<String>,
    /// `unreviewed`, `confirmed`, `corrected` or `unusable`.
    pub judgement: String,
    /// The last revision of the inspection's reviews; 0 when there is none. A correction is refused when there is a later one.
    pub revision: u32,
    /// Who decided what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reviewer: Option<String>,
    /// Why the photo was to be reviewed; empty where it was not.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
    /// Probability with which an inspection like this one gets a review task: figures from reviews weigh it by the inverse.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inclusion: Option<f64>,
    /// Annotations by class.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, u32>,
}

impl ManifestEntry {
    /// Whether a person has decided about it.
    pub fn is_reviewed(&self) -> bool {
        self.judgement != "unreviewed"
    }

    /// Its line, without a line end.
    pub fn line(&self) -> String {
        // A document of plain fields always becomes text.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a line.
    ///
    /// # Errors
    /// What is wrong with it, as a clause.
    pub fn parse(line: &str) -> Result<Self, String> {
        if line.len() > LINE_BYTES_MAX {
            return Err(format!("longer than {LINE_BYTES_MAX} bytes"));
        }
        let entry: Self = serde_json::from_str(line).map_err(|e| e.to_string())?;
        if entry.version != VERSION {
            return Err(format!("version: {}, expected {VERSION}", entry.version));
        }
        if entry.revision > REVISIONS_MAX {
            return Err(format!(
                "revision: {}, expected at most {REVISIONS_MAX}",
                entry.revision
            ));
        }
        entry.check_paths()?;
        Ok(entry)
    }

    /// What becomes part of a path has to be plain: a manifest may come from anywhere.
    fn check_paths(&self) -> Result<(), String> {
        let photo = &self.photo_sha256;
        let hexadecimal = |b: u8| matches!(b, b'0'..=b'9' | b'a'..=b'f');
        if photo.len() != 64 || !photo.bytes().all(hexadecimal) {
            return Err("photo_sha256: expected 64 hexadecimal digits".to_owned());
        }
        if self.split.as_deref().is_some_and(|split| !is_name(split)) {
            return Err("split: expected the name of a part".to_owned());
        }
        let files = ["jpg", "png"].map(|extension| format!("images/{photo}.{extension}"));
        if self.file.as_ref().is_some_and(|file| !files.contains(file)) {
            return Err(format!("file: expected {} or .png", files[0]));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(photo: &str, split: &str, file: &str) -> String {
        serde_json::json!({
            "version": 1, "photo_sha256": photo, "inspection_id": "i-1", "file": file, "split": split, "group": "g",
            "verdict": "clean", "bundle": {"name": "a", "version": "1"}, "judgement": "unreviewed", "revision": 0,
        })
        .to_string()
    }

    #[test]
    fn a_line_reads_back_and_what_could_lead_elsewhere_is_refused() {
        let photo = "0a".repeat(32);
        let file = format!("images/{photo}.png");
        let entry = ManifestEntry::parse(&line(&photo, "train", &file)).unwrap();
        assert_eq!(ManifestEntry::parse(&entry.line()).unwrap(), entry);
        for (photo, split, file, words) in [
            (
                "../../etc/passwd",
                "train",
                file.as_str(),
                "photo_sha256: expected",
            ),
            (&photo, "../train", &file, "split: expected"),
            (&photo, "train", "/etc/passwd", "file: expected"),
            (&photo, "train", "images/../x.png", "file: expected"),
        ] {
            let error = ManifestEntry::parse(&line(photo, split, file)).unwrap_err();
            assert!(error.starts_with(words), "{error}");
        }
        assert!(ManifestEntry::parse("{}").is_err());
        let late = ManifestEntry {
            revision: u32::MAX,
            ..entry
        };
        let error = ManifestEntry::parse(&late.line()).unwrap_err();
        assert!(
            error.starts_with("revision: 4294967295, expected at most"),
            "{error}"
        );
    }
}
