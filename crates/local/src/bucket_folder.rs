//! The folder of a bucket: whether it is the one that this stack made, and whether blobs can be written into it.
//!
//! A file system that is not mounted leaves an empty folder in the bucket's place. Read as it is, every blob would be lost, and
//! what is put there would be hidden once the right one is back. So the folder has a [`MARKER`] from its first blob on; where
//! blobs are named and the marker is not there, the bucket is away, and nothing is said of its blobs.

use crate::files;
use crate::open::LocalStack;
use rustix::fs::{Access, access, statvfs};
use std::fs::{self, File};
use std::io;
use std::path::Path;
use walkaround_ports::{PortCall, PortError};

/// Name of the file that says that a folder is a bucket's. No key has a file whose name begins with a dot.
pub(crate) const MARKER: &str = ".walkaround-bucket";
/// What it says to people.
const MARKER_TEXT: &str =
    "Walkaround keeps blobs here. Without this file it takes the folder for another one, and waits.\n";
/// A disk with less free space is full: below it a photo and its results may not fit any more.
const FREE_BYTES_MIN: u64 = 64 << 20;

/// What the folder of a bucket is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BucketState {
    /// It has no blobs yet, and maybe no folder.
    New,
    /// Its blobs are in its folder.
    Here,
    /// It has blobs, and its folder is not there or another one.
    Away,
}

/// Whether a folder has the marker. One that cannot be looked into is no answer.
pub(crate) fn is_marked(folder: &Path) -> bool {
    folder.join(MARKER).symlink_metadata().is_ok()
}

/// Makes the folder of a bucket, with its marker.
pub(crate) fn mark(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    match File::create_new(folder.join(MARKER)) {
        Ok(mut file) => io::Write::write_all(&mut file, MARKER_TEXT.as_bytes()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

impl LocalStack {
    /// [`walkaround_ports::Operations::bucket_trouble`].
    ///
    /// # Errors
    /// [`PortError`] when the database does not say whether there are any blobs.
    pub(crate) async fn folder_trouble(&self, bucket: &str) -> Result<Option<String>, PortError> {
        const AT: PortCall = PortCall::new("operations", "bucket_trouble");
        let root = &self.inner.root;
        let all = root.join(files::BLOBS);
        let folder = all.join(bucket);
        // A file in the folder's place has no marker either.
        if folder.symlink_metadata().is_ok() && !folder.is_dir() {
            return Ok(unfit(&folder));
        }
        let trouble = match self.local_blobs().bucket_state(bucket, AT).await? {
            BucketState::Away => Some(away(&folder)),
            BucketState::Here => unfit(&folder),
            BucketState::New if folder.is_dir() => unfit(&folder),
            BucketState::New => unfit(&all),
        };
        // The database may be on another disk.
        Ok(trouble.or_else(|| full(root)))
    }
}

/// That a bucket is away, and what to look at.
pub(crate) fn away(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "the folder {folder} is away (there is none, or one without {MARKER}), and blobs are named that were in it: is it mounted?"
    )
}

fn unfit(folder: &Path) -> Option<String> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Some(format!("{shown} is not a folder"));
    }
    match access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => full(folder),
        Err(error) => Some(format!("{shown} cannot be written: {}", io::Error::from(error))),
    }
}

/// Whether the disk of a folder is full. One that does not say how much is free counts as not full.
fn full(folder: &Path) -> Option<String> {
    let disk = statvfs(folder).ok().filter(|disk| disk.f_blocks > 0)?;
    too_little(folder, disk.f_bavail.saturating_mul(disk.f_frsize))
}

fn too_little(folder: &Path, free: u64) -> Option<String> {
    (free < FREE_BYTES_MIN).then(|| {
        format!(
            "the disk of {} is full: {} MiB free, expected at least {} MiB",
            folder.display(),
            free >> 20,
            FREE_BYTES_MIN >> 20
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use std::sync::Arc;
    use walkaround_ports::{BlobAddress, Blobs, PortErrorKind, PutOutcome, SystemClock};

    const BUCKET: &str = "results";

    fn at(key: &str) -> BlobAddress {
        BlobAddress {
            bucket: BUCKET.to_owned(),
            key: key.to_owned(),
        }
    }

    async fn put(blobs: &dyn Blobs, key: &str) -> Result<PutOutcome, PortError> {
        blobs.put_if_absent(&at(key), b"{}", "application/json").await
    }

    #[tokio::test]
    async fn an_empty_folder_of_another_file_system_in_a_buckets_place_is_an_outage_and_no_loss() {
        let root = tempfile::tempdir().unwrap();
        let local = LocalStack::open(root.path(), Options::default(), Arc::new(SystemClock::new())).unwrap();
        let blobs = local.blobs();
        put(&*blobs, "a.json").await.unwrap();
        assert_eq!(local.folder_trouble(BUCKET).await.unwrap(), None);
        let folder = root.path().join("blobs").join(BUCKET);
        let elsewhere = root.path().join("elsewhere");
        // As after a start without the mount: first no folder, then an empty one, then one that another disk begins with.
        fs::rename(&folder, &elsewhere).unwrap();
        for made in [None, Some(folder.clone()), Some(folder.join("lost+found"))] {
            if let Some(made) = made {
                fs::create_dir(made).unwrap();
            }
            for kind in [
                blobs.get(&at("a.json"), 100).await.unwrap_err().kind,
                blobs.head(&at("a.json")).await.unwrap_err().kind,
                put(&*blobs, "b.json").await.unwrap_err().kind,
            ] {
                assert_eq!(kind, PortErrorKind::Unavailable);
            }
            let trouble = local.folder_trouble(BUCKET).await.unwrap().unwrap();
            assert!(trouble.contains("is away"), "{trouble}");
        }
        fs::remove_dir_all(&folder).unwrap();
        fs::rename(&elsewhere, &folder).unwrap();
        assert_eq!(blobs.get(&at("a.json"), 100).await.unwrap(), b"{}");
        assert_eq!(put(&*blobs, "b.json").await.unwrap(), PutOutcome::Created);
        // A file that is gone from a bucket that is here is a loss, which may be made good.
        fs::remove_file(local.blob_file(&at("a.json")).unwrap()).unwrap();
        assert_eq!(
            blobs.get(&at("a.json"), 100).await.unwrap_err().kind,
            PortErrorKind::Corrupt
        );
        assert_eq!(put(&*blobs, "a.json").await.unwrap(), PutOutcome::Created);
    }

    #[tokio::test]
    async fn a_bucket_from_before_there_were_markers_gets_one() {
        let root = tempfile::tempdir().unwrap();
        let local = LocalStack::open(root.path(), Options::default(), Arc::new(SystemClock::new())).unwrap();
        put(&*local.blobs(), "a.json").await.unwrap();
        let folder = root.path().join("blobs").join(BUCKET);
        fs::remove_file(folder.join(MARKER)).unwrap();
        assert_eq!(local.folder_trouble(BUCKET).await.unwrap(), None);
        assert!(is_marked(&folder));
    }

    #[test]
    fn a_disk_without_room_for_results_is_full() {
        let folder = Path::new("/somewhere");
        assert_eq!(too_little(folder, FREE_BYTES_MIN), None);
        let words = too_little(folder, FREE_BYTES_MIN - 1).unwrap();
        assert_eq!(
            words,
            "the disk of /somewhere is full: 63 MiB free, expected at least 64 MiB"
        );
        // The system says something of a real one.
        let root = tempfile::tempdir().unwrap();
        assert!(statvfs(root.path()).unwrap().f_blocks > 0);
    }
}
