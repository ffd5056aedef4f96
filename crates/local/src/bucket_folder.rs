//! Whether blobs of a bucket can be written: its folder is there, is a folder, and takes files. Nothing is written to find out.

use crate::files;
use crate::open::LocalStack;
use rustix::fs::{Access, access};
use std::path::Path;
use walkaround_ports::{BlobAddress, PortError};

impl LocalStack {
    /// [`walkaround_ports::Operations::bucket_trouble`].
    ///
    /// # Errors
    /// [`PortError`] when the database does not say whether there are any blobs.
    pub(crate) async fn folder_trouble(&self, bucket: &str) -> Result<Option<String>, PortError> {
        let all = self.inner.root.join(files::BLOBS);
        let folder = all.join(bucket);
        if folder.symlink_metadata().is_ok() {
            return Ok(unfit(&folder));
        }
        // A bucket has no folder before its first blob.
        let any = BlobAddress {
            bucket: bucket.to_owned(),
            key: String::new(),
        };
        if self.blobs().list(&any, None, 1).await?.is_empty() {
            return Ok(unfit(&all));
        }
        let detail = format!("{} is missing, but blobs were stored in it", folder.display());
        Ok(Some(detail))
    }
}

fn unfit(folder: &Path) -> Option<String> {
    let shown = folder.display();
    if !folder.is_dir() {
        return Some(format!("{shown} is not a folder"));
    }
    let error = access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK).err()?;
    let error = std::io::Error::from(error);
    Some(format!("{shown} cannot be written: {error}"))
}
