//! The output folder: one document and one marked picture a photo, and the gallery.

use anyhow::Context;
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use walkaround_client::inputs::{OVERLAY_SUFFIX, is_result};
use walkaround_client::whole_file::write_whole;
use walkaround_inference::bundle::hex_sha256;
use walkaround_messages::PhotoReport;

const GALLERY: &str = "index.html";

/// A folder that results are written into.
pub(crate) struct Folder {
    path: PathBuf,
    taken: RefCell<HashSet<String>>,
    /// Photos of this folder whose names look like results: never written over.
    photos: HashSet<PathBuf>,
}

/// File names of one photo's results, inside the folder.
pub(crate) struct Names {
    pub document: String,
    pub overlay: Option<String>,
    /// The photo itself, relative to the folder where possible.
    pub photo: PathBuf,
}

impl Folder {
    pub(crate) fn create(path: &Path, photos: &[PathBuf]) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create folder {}", path.display()))?;
        let like_a_result = |photo: &&PathBuf| {
            let name = photo.to_string_lossy();
            [OVERLAY_SUFFIX, ".json", GALLERY]
                .iter()
                .any(|end| name.ends_with(end))
        };
        let folder = Self {
            path: path.canonicalize()?,
            taken: RefCell::default(),
            photos: photos
                .iter()
                .filter(like_a_result)
                .filter_map(|photo| photo.canonicalize().ok())
                .collect(),
        };
        folder.require_all_free(photos)?;
        Ok(folder)
    }

    /// Before the first photo is inspected: a name that is somebody else's is not found after an hour.
    fn require_all_free(&self, photos: &[PathBuf]) -> anyhow::Result<()> {
        for photo in photos {
            let stem = self.free_stem(photo);
            self.require_free(&format!("{stem}.json"))?;
            self.require_free(&format!("{stem}{OVERLAY_SUFFIX}"))?;
        }
        self.taken.borrow_mut().clear();
        self.require_free(GALLERY)
    }

    pub(crate) fn write(
        &self,
        photo: &Path,
        report: &PhotoReport,
        overlay: Option<&[u8]>,
    ) -> anyhow::Result<Names> {
        let stem = self.free_stem(photo);
        let document = format!("{stem}.json");
        self.put(&document, serde_json::to_string_pretty(report)?.as_bytes())?;
        let name = format!("{stem}{OVERLAY_SUFFIX}");
        let overlay = match overlay {
            Some(jpeg) => {
                self.put(&name, jpeg)?;
                Some(name)
            }
            None => {
                self.remove(&name)?;
                None
            }
        };
        Ok(Names {
            document,
            overlay,
            photo: self.relative(photo),
        })
    }

    pub(crate) fn write_gallery(&self, html: &str) -> anyhow::Result<PathBuf> {
        self.put(GALLERY, html.as_bytes())?;
        Ok(self.path.join(GALLERY))
    }

    /// A file of that name may be an earlier result, and no other.
    fn require_free(&self, name: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        anyhow::ensure!(
            !self.photos.contains(&path),
            "{} is one of the photos: name another output folder",
            path.display()
        );
        anyhow::ensure!(
            !path.exists() || is_result(&path),
            "{} is there already, and not from an earlier `inspect --out`: name another output folder",
            path.display()
        );
        Ok(())
    }

    /// The overlay of an earlier run would show findings that are no longer there.
    fn remove(&self, name: &str) -> anyhow::Result<()> {
        let path = self.path.join(name);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).with_context(|| format!("cannot remove {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        write_whole(&self.path.join(name), bytes)
    }

    /// The photo's own stem, or the stem with a number when two photos share it.
    fn free_stem(&self, photo: &Path) -> String {
        let stem = shortened(&photo.file_stem().unwrap_or_default().to_string_lossy());
        let mut taken = self.taken.borrow_mut();
        let mut name = stem.clone();
        let mut n = 1;
        while !taken.insert(name.clone()) {
            n += 1;
            name = format!("{stem}-{n}");
        }
        name
    }

    /// The way from this folder to a photo: a gallery stays whole when both are moved together.
    fn relative(&self, photo: &Path) -> PathBuf {
        let Ok(photo) = photo.canonicalize() else {
            return photo.to_path_buf();
        };
        let shared = self
            .path
            .components()
            .zip(photo.components())
            .take_while(|(a, b)| a == b)
            .count();
        let up = self.path.components().count() - shared;
        let mut way: PathBuf = std::iter::repeat_n("..", up).collect();
        way.extend(photo.components().skip(shared));
        way
    }
}

/// Longest stem of a result, in bytes: file systems take 255 for a name, and the ending and that of a file on its way are added.
const STEM_BYTES_MAX: usize = 200;

/// The stem itself, or its beginning with a few digits of its digest: two long names that begin alike stay two.
fn shortened(stem: &str) -> String {
    if stem.len() <= STEM_BYTES_MAX {
        return stem.to_owned();
    }
    let digest = &hex_sha256(stem.as_bytes())[..12];
    let end = stem.floor_char_boundary(STEM_BYTES_MAX - digest.len() - 1);
    format!("{}-{digest}", &stem[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        assert_eq!(shortened("car"), "car");
        let long = |end: &str| shortened(&format!("{}{end}", "\u{cc28}".repeat(80)));
        assert_ne!(long("a"), long("b"));
        assert!(long("a").len() <= STEM_BYTES_MAX && long("a").starts_with('\u{cc28}'));
    }
}
