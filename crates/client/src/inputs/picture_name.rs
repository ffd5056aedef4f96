//! Names of pictures: of photos, and of those that are written beside them.

use std::path::Path;

/// What the names of marked pictures end with.
pub const OVERLAY_SUFFIX: &str = ".overlay.jpg";

/// Whether a file's name is that of a picture.
pub fn is_picture_name(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    walkaround_domain::photo_name::is_picture_name(&name)
}
