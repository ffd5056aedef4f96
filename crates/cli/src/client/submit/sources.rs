//! From the words of the command line to a list of photos. Everything is read before anything is sent.

use super::item::{About, Item, Naming, is_url, s3_parts};
use super::manifest::{self, Reading};
use crate::client::backend::Backend;
use crate::failure::Failure;
use crate::inspect::inputs;
use std::fs::File;
use std::io::BufRead;
use std::path::{Path, PathBuf};
use walkaround_domain::{PhotoRef, Timestamp};
use walkaround_ports::BlobAddress;

/// Most photos of one run: bounds the list held in memory.
const PHOTOS_MAX: usize = 1_000_000;
/// Keys of one page of a listing.
const PAGE: usize = 1000;

/// What is to be submitted.
#[derive(Default)]
pub(super) struct Plan {
    pub items: Vec<Item>,
    /// Prefixes that the blob store has to list first.
    prefixes: Vec<BlobAddress>,
}

/// How words are read.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    pub about: &'a About,
    pub by_path: bool,
    pub now: Timestamp,
}

impl Plan {
    /// Reads files, folders, manifests and lists; the blob store is not asked yet.
    pub(super) fn read(paths: &[PathBuf], words: Words<'_>) -> Result<Self, Failure> {
        let mut plan = Self::default();
        let mut local = Vec::new();
        for path in paths {
            if path.as_os_str() != "-" {
                plan.word(path, &mut local, words)?;
                continue;
            }
            for line in std::io::stdin().lock().lines() {
                let line = line?;
                if !line.trim().is_empty() {
                    plan.word(Path::new(line.trim()), &mut local, words)?;
                }
            }
        }
        if !local.is_empty() {
            for photo in inputs::expand(&local)? {
                let mut item = Item::of(PhotoRef::File(photo.display().to_string()));
                item.set_local(&photo, words.by_path).map_err(Failure::usage)?;
                plan.add(item, words.about)?;
            }
        }
        Ok(plan)
    }

    fn word(&mut self, path: &Path, local: &mut Vec<PathBuf>, words: Words<'_>) -> Result<(), Failure> {
        let text = path.to_str().unwrap_or_default();
        if let Some((bucket, key)) = s3_parts(text) {
            self.prefixes.push(BlobAddress {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            });
        } else if is_url(text) {
            self.add(Item::of(PhotoRef::Url(text.to_owned())), words.about)?;
        } else if let Some(read) = manifest_reader(path) {
            let cannot = |e| Failure::usage(format!("cannot open `{}`: {e}", path.display()));
            let file = File::open(path).map_err(cannot)?;
            let items = read(
                file,
                Reading {
                    file: path,
                    naming: Naming {
                        base: path.parent().unwrap_or(Path::new("")),
                        by_path: words.by_path,
                    },
                    about: words.about,
                    now: words.now,
                },
            )?;
            self.items.extend(items);
        } else {
            local.push(path.to_path_buf());
        }
        self.bounded()
    }

    fn add(&mut self, mut item: Item, about: &About) -> Result<(), Failure> {
        if let Err(why) = item.complete(about) {
            return Err(Failure::usage(format!("{}: {why}", item.request.photo)));
        }
        self.items.push(item);
        self.bounded()
    }

    fn bounded(&self) -> Result<(), Failure> {
        if self.items.len() > PHOTOS_MAX {
            return Err(Failure::usage(format!("over {PHOTOS_MAX} photos; split the run")));
        }
        Ok(())
    }

    /// Asks the blob store for what is below the prefixes.
    pub(super) async fn list_prefixes(&mut self, stack: &dyn Backend, about: &About) -> Result<(), Failure> {
        let blobs = stack.blobs();
        for prefix in std::mem::take(&mut self.prefixes) {
            // One object, named whole.
            let whole = !prefix.key.is_empty() && !prefix.key.ends_with('/');
            if whole && blobs.head(&prefix).await?.is_some() {
                self.add(object(&prefix.bucket, prefix.key), about)?;
                continue;
            }
            let before = self.items.len();
            let mut after: Option<String> = None;
            loop {
                let keys = blobs.list(&prefix, after.as_deref(), PAGE).await?;
                let Some(last) = keys.last() else { break };
                after = Some(last.clone());
                for key in keys {
                    if inputs::is_picture_name(Path::new(&key)) {
                        self.add(object(&prefix.bucket, key), about)?;
                    }
                }
            }
            if self.items.len() == before {
                return Err(Failure::usage(format!("no photos at {prefix}")));
            }
        }
        Ok(())
    }
}

fn object(bucket: &str, key: String) -> Item {
    Item::of(PhotoRef::S3 {
        bucket: bucket.to_owned(),
        key,
        version: None,
    })
}

type ManifestReader = fn(File, Reading<'_>) -> Result<Vec<Item>, Failure>;

/// How a manifest of this name is read; none when it is no manifest.
fn manifest_reader(path: &Path) -> Option<ManifestReader> {
    let extension = path.extension()?.to_str()?.to_ascii_lowercase();
    if path.is_dir() {
        return None;
    }
    match extension.as_str() {
        "csv" => Some(manifest::csv),
        "jsonl" | "ndjson" => Some(manifest::json_lines),
        _ => None,
    }
}
