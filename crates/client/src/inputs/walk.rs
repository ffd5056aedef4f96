//! Down a folder: pictures by their content or name, links followed once, everything else counted.

use super::found::{Found, PHOTOS_MAX};
use super::left_out::Why;
use super::picture_name::{OVERLAY_SUFFIX, is_picture_name};
use super::regular::read_head;
use super::results::{is_result, is_result_head};
use std::collections::HashSet;
use std::fs::{DirEntry, Metadata};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use walkaround_bootstrap::Failure;
use walkaround_domain::photo_name::is_system_name;
use walkaround_evaluation::{ANNOTATIONS_FILE, MAP_FILE};
use walkaround_vision::decode::is_picture;

/// Deepest folder below a named one.
const DEPTH_MAX: usize = 32;

/// Device and number of a file: the same for every name that it has.
type FileId = (u64, u64);

struct Walk<'a> {
    found: &'a mut Found,
    /// Files and folders gone through, so that no link leads to them again.
    seen: HashSet<FileId>,
    /// Links, followed last: what has a name of its own here is taken under that.
    links: Vec<(PathBuf, usize)>,
}

/// Adds the photos of a folder and of those below it.
pub(super) fn folder(path: &Path, found: &mut Found) -> Result<(), Failure> {
    // The one that was named has to be readable; of those below one more or less is said.
    let cannot = |e: std::io::Error| Failure::usage(format!("cannot read folder `{}`: {e}", path.display()));
    std::fs::read_dir(path).map_err(cannot)?;
    let mut walk = Walk {
        found,
        seen: HashSet::new(),
        links: Vec::new(),
    };
    walk.seen.insert(id(&std::fs::metadata(path).map_err(cannot)?));
    walk.folder(path, DEPTH_MAX);
    // A linked folder may hold links: the list grows while it is gone through.
    let mut next = 0;
    while let Some((path, depth)) = walk.links.get(next).cloned() {
        walk.link(&path, depth);
        next += 1;
    }
    Ok(())
}

fn id(meta: &Metadata) -> FileId {
    (meta.dev(), meta.ino())
}

impl Walk<'_> {
    fn left_out(&mut self, why: Why, path: &Path) {
        self.found.left_out.add(why, path.display());
    }

    /// One more than is allowed is enough to say so.
    fn is_full(&self) -> bool {
        self.found.photos.len() + self.links.len() > PHOTOS_MAX
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        let entries = std::fs::read_dir(path).and_then(Iterator::collect::<std::io::Result<Vec<_>>>);
        let Ok(mut entries) = entries else {
            return self.left_out(Why::Unreadable, path);
        };
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            if self.is_full() {
                return;
            }
            self.entry(&entry, depth);
        }
    }

    fn entry(&mut self, entry: &DirEntry, depth: usize) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if is_our_own(&path, &name) {
            return;
        }
        if is_system_name(&name) {
            return self.left_out(Why::System, &path);
        }
        if name.starts_with('.') {
            return self.left_out(Why::Hidden, &path);
        }
        // Not through links.
        let Ok(meta) = entry.metadata() else {
            return self.left_out(Why::Unreadable, &path);
        };
        if meta.is_symlink() {
            self.links.push((path, depth));
        } else {
            self.seen.insert(id(&meta));
            self.take(&path, &meta, depth);
        }
    }

    fn link(&mut self, path: &Path, depth: usize) {
        if self.is_full() {
            return;
        }
        match std::fs::metadata(path) {
            Err(_) => self.left_out(Why::BrokenLink, path),
            Ok(meta) if self.seen.insert(id(&meta)) => self.take(path, &meta, depth),
            Ok(_) => self.left_out(Why::LinkToTaken, path),
        }
    }

    fn take(&mut self, path: &Path, meta: &Metadata, depth: usize) {
        if meta.is_dir() {
            match depth {
                0 => self.left_out(Why::TooDeep, path),
                _ => self.folder(path, depth - 1),
            }
        } else if !meta.is_file() {
            self.left_out(Why::Special, path);
        } else if is_picture_name(path) {
            // What is no picture under such a name is a broken photo: whoever took it wants to know.
            self.found.photos.push(path.to_path_buf());
        } else {
            match read_head(path) {
                Ok(head) if is_picture(&head) => self.found.photos.push(path.to_path_buf()),
                Ok(head) if is_result_head(&head) => {}
                Ok(_) => self.left_out(Why::NoPicture, path),
                Err(_) => self.left_out(Why::Unreadable, path),
            }
        }
    }
}

/// What this program reads or writes beside photos: annotations and their mapping, masks of drawn samples, overlays with
/// their documents. Not counted.
fn is_our_own(path: &Path, name: &str) -> bool {
    let is_overlay = name.ends_with(OVERLAY_SUFFIX) && is_result(path);
    name == ANNOTATIONS_FILE || name == MAP_FILE || name.ends_with(".mask.png") || is_overlay
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    const JPEG: &[u8] = b"\xff\xd8\xff\xe0rest";

    fn names(root: &Path, found: &Found) -> Vec<String> {
        let photos = found.photos.iter();
        photos
            .map(|p| p.strip_prefix(root).unwrap().display().to_string())
            .collect()
    }

    fn walked(root: &Path) -> (Vec<String>, Vec<String>) {
        let mut found = Found::default();
        folder(root, &mut found).unwrap();
        let root_shown = format!("{}/", root.display());
        let lines = found
            .left_out
            .lines()
            .map(|l| l.replace(&root_shown, ""))
            .collect();
        (names(root, &found), lines)
    }

    fn fifo(path: &Path) {
        let status = std::process::Command::new("mkfifo").arg(path).status().unwrap();
        assert!(status.success());
    }

    /// As folders come off a NAS, a Mac and a phone.
    #[test]
    fn what_is_left_out_of_a_folder_is_counted_and_named_and_nothing_waits() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for name in [
            "@eaDir/a.jpg",
            "#recycle",
            "$RECYCLE.BIN",
            "__MACOSX",
            "sub",
            ".hidden",
            "late",
        ] {
            let parent = root.join(name);
            std::fs::create_dir_all(&parent).unwrap();
            std::fs::write(parent.join("x.jpg"), JPEG).unwrap();
        }
        for name in [
            "a.jpg",
            "b.MPO",
            "without-suffix",
            "c.photo",
            "._a.jpg",
            "sub/a.mask.png",
        ] {
            std::fs::write(root.join(name), JPEG).unwrap();
        }
        std::fs::write(root.join("Thumbs.db"), "db").unwrap();
        std::fs::write(root.join("notes.txt"), "text").unwrap();
        std::fs::write(root.join("clip.mov"), b"\0\0\0\x14ftypqt  ").unwrap();
        std::fs::write(root.join("empty.jpg"), "").unwrap();
        fifo(&root.join("pipe.jpg"));
        fifo(&root.join("pipe"));
        symlink("nowhere.jpg", root.join("broken.jpg")).unwrap();
        symlink("broken-too", root.join("broken-too")).unwrap();
        let (photos, left_out) = walked(root);
        assert_eq!(
            photos,
            [
                "a.jpg",
                "b.MPO",
                "c.photo",
                "empty.jpg",
                "late/x.jpg",
                "sub/x.jpg",
                "without-suffix"
            ]
        );
        assert_eq!(
            left_out,
            [
                "left out 6 files and folders that a NAS or an operating system made: #recycle, $RECYCLE.BIN, ._a.jpg, \
                 @eaDir, Thumbs.db, …",
                "left out 1 hidden file or folder: .hidden",
                "left out 2 files that are not pictures: clip.mov, notes.txt",
                "left out 2 broken links: broken-too, broken.jpg",
                "left out 2 FIFOs, sockets and devices: pipe, pipe.jpg",
            ]
        );
    }

    #[test]
    fn linked_folders_and_files_are_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let elsewhere = tempfile::tempdir().unwrap();
        let root = folder.path();
        std::fs::create_dir(root.join("own")).unwrap();
        std::fs::write(root.join("own/a.jpg"), JPEG).unwrap();
        std::fs::write(elsewhere.path().join("b.jpg"), JPEG).unwrap();
        symlink(elsewhere.path(), root.join("linked")).unwrap();
        symlink(elsewhere.path(), root.join("linked-again")).unwrap();
        symlink(root, elsewhere.path().join("round")).unwrap();
        symlink("own", root.join("an-alias")).unwrap();
        symlink("own/a.jpg", root.join("a-alias.jpg")).unwrap();
        let (photos, left_out) = walked(root);
        assert_eq!(photos, ["own/a.jpg", "linked/b.jpg"]);
        assert_eq!(
            left_out,
            [
                "left out 4 links to photos that are taken under their own names: a-alias.jpg, an-alias, linked-again, linked/round"
            ]
        );
    }
}
