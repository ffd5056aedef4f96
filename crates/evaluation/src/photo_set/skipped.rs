//! Photos that are left out of an evaluation, and why.

use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Most photos named as examples of a reason for leaving photos out.
const EXAMPLES_MAX: usize = 5;

/// Photos that were left out for one reason.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct SkippedPhotos {
    /// Why.
    pub reason: String,
    /// How many.
    pub photos: usize,
    /// Some of them.
    pub examples: Vec<String>,
}

/// Photos left out, by reason.
#[derive(Debug, Default)]
pub struct Skipped(BTreeMap<String, SkippedPhotos>);

impl Skipped {
    /// Counts a photo that is left out.
    pub fn add(&mut self, reason: impl Into<String>, photo: &Path) {
        let reason = reason.into();
        let skipped = self.0.entry(reason.clone()).or_insert_with(|| SkippedPhotos {
            reason,
            ..SkippedPhotos::default()
        });
        skipped.photos += 1;
        if skipped.examples.len() < EXAMPLES_MAX {
            skipped.examples.push(photo.display().to_string());
        }
    }

    /// All of them, in the order of their reasons.
    pub fn by_reason(&self) -> Vec<SkippedPhotos> {
        self.0.values().cloned().collect()
    }
}
