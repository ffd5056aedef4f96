//! From the words of the command line to a list of photos. Everything is read before anything is sent.

use super::item::{About, Item, Naming, check_address, is_url, s3_parts};
use super::manifest::{self, Reading};
use crate::inputs::{self, FileNames, LeftOut, Line, PHOTOS_MAX, Why};
use crate::{Notice, StackClient};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use walkaround_bootstrap::Failure;
use walkaround_domain::identity::{Relation, relate};
use walkaround_domain::photo_name::{is_other_name, is_system_path};
use walkaround_domain::{InspectionId, InspectionRequest, PhotoRef, Timestamp};
use walkaround_ports::BlobAddress;

/// Keys of one page of a listing.
const PAGE: usize = 1000;

/// What is to be submitted.
#[derive(Default)]
pub struct Plan {
    /// The photos, in order.
    pub items: Vec<Item>,
    /// Prefixes that the blob store has to list first.
    prefixes: Vec<BlobAddress>,
}

/// How words are read.
#[derive(Clone, Copy)]
pub struct Words<'a> {
    /// What is said of every photo.
    pub about: &'a About,
    /// Whether local photos are named by their path instead of being copied into the stack.
    pub by_path: bool,
    /// What durations count from.
    pub now: Timestamp,
    /// Told of what is guessed and left out.
    pub notice: Notice<'a>,
}

impl Plan {
    /// Reads files, folders, manifests and lists; the blob store is not asked yet.
    ///
    /// # Errors
    /// Usage: the first path or line that is wrong.
    pub fn read(paths: &[PathBuf], words: Words<'_>) -> Result<Self, Failure> {
        let mut plan = Self::default();
        let mut local = Vec::new();
        for path in paths {
            if path.as_os_str() != "-" {
                plan.word(path, &mut local, words)?;
                continue;
            }
            let names = FileNames::default();
            for line in inputs::standard_input()? {
                let path = match &line {
                    Line::Text(text) if is_url(text) || s3_parts(text).is_some() => PathBuf::from(text),
                    line => line.path(&names)?,
                };
                plan.word(&path, &mut local, words)?;
            }
        }
        if !local.is_empty() {
            for photo in inputs::expand(&local, words.notice)? {
                let mut item = Item::of(PhotoRef::File(photo.display().to_string()));
                item.set_local(&photo, words.by_path).map_err(Failure::usage)?;
                plan.add(item, words.about)?;
            }
        }
        plan.one_photo_an_id()?;
        Ok(plan)
    }

    /// An id that was given is of one photo and one purpose.
    fn one_photo_an_id(&self) -> Result<(), Failure> {
        let mut given: HashMap<&InspectionId, &InspectionRequest> = HashMap::new();
        for item in self.items.iter().filter(|item| item.id_given) {
            let first = *given.entry(&item.request.id).or_insert(&item.request);
            if let Relation::Differs(difference) = relate(first, &item.request) {
                return Err(Failure::usage(format!(
                    "inspection_id `{}` is given twice: it {difference}; nothing was sent",
                    item.request.id
                )));
            }
        }
        Ok(())
    }

    fn word(&mut self, path: &Path, local: &mut Vec<PathBuf>, words: Words<'_>) -> Result<(), Failure> {
        let text = path.to_str().unwrap_or_default();
        check_address(text).map_err(Failure::usage)?;
        if let Some((bucket, key)) = s3_parts(text) {
            self.prefixes.push(BlobAddress {
                bucket: bucket.to_owned(),
                key: key.to_owned(),
            });
        } else if is_url(text) {
            self.add(Item::of(PhotoRef::Url(text.to_owned())), words.about)?;
        } else if manifest::is_manifest(path)? {
            let items = manifest::read(Reading {
                file: path,
                naming: Naming {
                    base: path.parent().unwrap_or(Path::new("")),
                    names: &FileNames::default(),
                    by_path: words.by_path,
                },
                about: words.about,
                now: words.now,
                notice: words.notice,
            })?;
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
    ///
    /// # Errors
    /// Usage: a prefix without photos; else the store does not answer.
    pub async fn list_prefixes(&mut self, stack: &dyn StackClient, words: Words<'_>) -> Result<(), Failure> {
        let Words { about, notice, .. } = words;
        let blobs = stack.blobs();
        let mut left_out = LeftOut::default();
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
                    match no_photo(&key[prefix.key.len().min(key.len())..]) {
                        Some(why) => left_out.add(why, format_args!("s3://{}/{key}", prefix.bucket)),
                        None => self.add(object(&prefix.bucket, key), about)?,
                    }
                }
            }
            if self.items.len() == before {
                left_out.tell(notice)?;
                return Err(Failure::usage(format!(
                    "no photos at {prefix}; check bucket and prefix, keys that end as no picture does are left out"
                )));
            }
        }
        Ok(left_out.tell(notice)?)
    }
}

/// Why a key below a prefix is not taken. A listing has names only: what has no suffix, or one that is not known, is taken,
/// and its content decides in the pipeline.
fn no_photo(below: &str) -> Option<Why> {
    if is_system_path(below) {
        return Some(Why::System);
    }
    let is_marker = below.is_empty() || below.ends_with('/');
    (is_marker || is_other_name(below)).then_some(Why::NoPicture)
}

fn object(bucket: &str, key: String) -> Item {
    Item::of(PhotoRef::S3 {
        bucket: bucket.to_owned(),
        key,
        version: None,
    })
}
