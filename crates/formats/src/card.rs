//! `README.md` of a data set: what is in it, by part, class and reason, and what is not.

use crate::manifest::{Copied, ManifestEntry};
use crate::shapes::{Format, Losses};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Name of the file.
pub const CARD_FILE: &str = "README.md";

/// What a data set holds.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Counts {
    /// By part, in order.
    pub splits: Vec<SplitCounts>,
    /// Annotations by class and part.
    pub classes: BTreeMap<String, BTreeMap<String, u64>>,
    /// Photos by reason of their review task.
    pub reasons: BTreeMap<String, u64>,
    /// Photos that were left out, by why.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Photos that had to be encoded again.
    pub encoded: u64,
    /// Inspections by bundle.
    pub bundles: BTreeMap<String, u64>,
}

/// What a part of a data set holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SplitCounts {
    /// Its name.
    pub name: String,
    /// Photos.
    pub photos: u64,
    /// Vehicles, or what stands for them.
    pub groups: u64,
    /// Photos that a person has decided about.
    pub reviewed: u64,
    /// Photos without any annotation.
    pub clean: u64,
    /// Annotations.
    pub annotations: u64,
}

impl Counts {
    /// Counts the lines of a manifest.
    pub fn of<'a>(splits: impl Iterator<Item = &'a str>, entries: &[ManifestEntry]) -> Self {
        let mut counts = Self::default();
        let mut groups: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        counts.splits = splits
            .map(|name| SplitCounts {
                name: name.to_owned(),
                ..SplitCounts::default()
            })
            .collect();
        for entry in entries {
            if let Some(why) = entry.left_out {
                *counts.left_out.entry(why.as_str()).or_default() += 1;
                continue;
            }
            let split = entry.split.as_deref().unwrap_or_default();
            groups.entry(split).or_default().insert(&entry.group);
            counts.add(split, entry);
        }
        for split in &mut counts.splits {
            split.groups = groups.get(split.name.as_str()).map_or(0, |all| all.len() as u64);
        }
        counts
    }

    fn add(&mut self, name: &str, entry: &ManifestEntry) {
        let annotations: u64 = entry.annotations.values().map(|n| u64::from(*n)).sum();
        if let Some(split) = self.splits.iter_mut().find(|split| split.name == name) {
            split.photos += 1;
            split.reviewed += u64::from(entry.is_reviewed());
            split.clean += u64::from(annotations == 0);
            split.annotations += annotations;
        }
        for (class, n) in &entry.annotations {
            let by_split = self.classes.entry(class.clone()).or_default();
            *by_split.entry(name.to_owned()).or_default() += u64::from(*n);
        }
        for reason in &entry.reasons {
            *self.reasons.entry(reason.clone()).or_default() += 1;
        }
        self.encoded += u64::from(entry.copied == Some(Copied::Encoded));
        let bundle = format!("{} {}", entry.bundle.name, entry.bundle.version);
        *self.bundles.entry(bundle).or_default() += 1;
    }

    /// Photos in all parts.
    pub fn photos(&self) -> u64 {
        self.splits.iter().map(|split| split.photos).sum()
    }
}

/// What the card says beside the counts.
#[derive(Debug, Clone, Copy)]
pub struct About<'a> {
    /// The query in the words of the command line.
    pub query: &'a str,
    /// The parts and their shares.
    pub splits: &'a str,
    /// What each format does not carry.
    pub losses: &'a BTreeMap<Format, Losses>,
}

/// The card.
pub fn card(about: &About<'_>, counts: &Counts) -> String {
    let mut text = String::from(
        "# Photos of vehicles with damage\n\n\
         Written by `walkaround export`. What is annotated is what the inspections found, as people have corrected it; what\n\
         nobody has reviewed is as the machine made it, and marked so (`reviewed` false). Photos are upright and have no\n\
         metadata: no EXIF, no position, no names. `manifest.jsonl` has a line a photo with where its annotations come from;\n\
         `walkaround import` needs it.\n\n",
    );
    // Writing to a String cannot fail, here and below.
    let _ = writeln!(
        text,
        "Query: `{}`  \nParts: `{}`, by vehicle: no vehicle is in two of them.\n",
        about.query, about.splits
    );
    tables(&mut text, counts);
    for (format, losses) in about.losses.iter().filter(|(_, losses)| !losses.0.is_empty()) {
        let _ = writeln!(text, "What `{}` does not carry:\n", format.as_str());
        for (loss, n) in &losses.0 {
            let _ = writeln!(text, "- {}: {n}", loss.as_str());
        }
        text.push('\n');
    }
    text.truncate(text.trim_end().len());
    text.push('\n');
    text
}

fn tables(text: &mut String, counts: &Counts) {
    let rows = counts.splits.iter().map(|s| {
        let numbers = [s.photos, s.groups, s.reviewed, s.clean, s.annotations];
        (s.name.clone(), numbers.map(|n| n.to_string()).to_vec())
    });
    let header = [
        "part",
        "photos",
        "vehicles",
        "reviewed",
        "without damage",
        "annotations",
    ];
    table(text, &header, rows);
    if !counts.classes.is_empty() {
        let names: Vec<&str> = counts.splits.iter().map(|s| s.name.as_str()).collect();
        let rows = counts.classes.iter().map(|(class, by_split)| {
            let n = |name: &&str| by_split.get(*name).copied().unwrap_or_default().to_string();
            (class.clone(), names.iter().map(n).collect())
        });
        table(text, &[&["class"][..], &names].concat(), rows);
    }
    let number = |(name, n): (&String, &u64)| (name.clone(), vec![n.to_string()]);
    if !counts.reasons.is_empty() {
        table(
            text,
            &["reason of the review task", "photos"],
            counts.reasons.iter().map(number),
        );
    }
    table(text, &["bundle", "photos"], counts.bundles.iter().map(number));
    if !counts.left_out.is_empty() {
        let rows = counts
            .left_out
            .iter()
            .map(|(why, n)| ((*why).to_owned(), vec![n.to_string()]));
        table(text, &["left out, named in the manifest", "photos"], rows);
    }
    if counts.encoded > 0 {
        let _ = writeln!(
            text,
            "{} photos could not be turned upright, or to sRGB, without loss, and were encoded again (JPEG, quality 95, full\n\
             colour resolution); the manifest says which.\n",
            counts.encoded
        );
    }
}

fn table(text: &mut String, header: &[&str], rows: impl Iterator<Item = (String, Vec<String>)>) {
    let _ = writeln!(text, "| {} |", header.join(" | "));
    let _ = writeln!(text, "|{}", " --- |".repeat(header.len()));
    for (name, cells) in rows {
        let _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
    text.push('\n');
}
