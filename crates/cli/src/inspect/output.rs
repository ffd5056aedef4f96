//! The output folder: one document and one marked picture a photo, and the gallery.

use super::gallery::Gallery;
use anyhow::Context;
use std::cell::RefCell;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use walkaround_messages::PhotoReport;

/// A folder that results are written into.
pub(crate) struct Folder {
    path: PathBuf,
    taken: RefCell<HashSet<String>>,
}

/// File names of one photo's results, inside the folder.
pub(crate) struct Names {
    pub document: String,
    pub overlay: Option<String>,
    /// The photo itself, relative to the folder where possible.
    pub photo: PathBuf,
}

impl Folder {
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
        std::fs::create_dir_all(path).with_context(|| format!("cannot create folder {}", path.display()))?;
        Ok(Self {
            path: path.canonicalize()?,
            taken: RefCell::default(),
        })
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
        let overlay = match overlay {
            Some(jpeg) => {
                let name = format!("{stem}.overlay.jpg");
                self.put(&name, jpeg)?;
                Some(name)
            }
            None => None,
        };
        Ok(Names {
            document,
            overlay,
            photo: self.relative(photo),
        })
    }

    pub(crate) fn write_gallery(&self, gallery: &Gallery) -> anyhow::Result<PathBuf> {
        self.put("index.html", gallery.html().as_bytes())?;
        Ok(self.path.join("index.html"))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let path = self.path.join(name);
        std::fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))
    }

    /// The photo's own stem, or the stem with a number when two photos share it.
    fn free_stem(&self, photo: &Path) -> String {
        let stem = photo
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
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
