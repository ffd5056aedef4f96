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
    /// The id of the annotation at fault on each example, in their order; empty where no annotation is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<String>,
}

impl SkippedPhotos {
    /// One of them, with its annotation, for people.
    pub fn first_example(&self) -> Option<String> {
        let photo = self.examples.first()?;
        Some(match self.annotations.first() {
            Some(annotation) => format!("{photo}, annotation {annotation}"),
            None => photo.clone(),
        })
    }
}

/// Photos left out, by reason.
#[derive(Debug, Default)]
pub struct Skipped(BTreeMap<String, SkippedPhotos>);

impl Skipped {
    /// Counts a photo that is left out.
    pub fn add(&mut self, reason: impl Into<String>, photo: &Path) {
        self.add_with(reason, photo, None);
    }

    /// Counts a photo that is left out, with the id of the annotation at fault; for one reason, always or never with one.
    pub fn add_with(&mut self, reason: impl Into<String>, photo: &Path, annotation: Option<&str>) {
        let reason = reason.into();
        let skipped = self.0.entry(reason.clone()).or_insert_with(|| SkippedPhotos {
            reason,
            ..SkippedPhotos::default()
        });
        skipped.photos += 1;
        if skipped.examples.len() < EXAMPLES_MAX {
            skipped.examples.push(photo.display().to_string());
            skipped.annotations.extend(annotation.map(str::to_owned));
        }
    }

    /// All of them, in the order of their reasons.
    pub fn by_reason(&self) -> Vec<SkippedPhotos> {
        self.0.values().cloned().collect()
    }
}
