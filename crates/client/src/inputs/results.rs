//! What `inspect --out` wrote: told by its content, so that nobody else's file is taken for one.

use super::picture_name::OVERLAY_SUFFIX;
use super::regular::read_head;
use std::path::Path;

/// Whether the first bytes of a file are those of a document or a gallery that `inspect --out` wrote.
pub(super) fn is_result_head(head: &[u8]) -> bool {
    let head = String::from_utf8_lossy(head);
    head.contains("\"schema\": \"walkaround.photo/") || head.contains("<title>Walkaround: ")
}

/// Whether a file is a document, a gallery or an overlay that `inspect --out` wrote. An overlay has its document beside it.
pub fn is_result(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let told_by = match name.strip_suffix(OVERLAY_SUFFIX) {
        Some(stem) => path.with_file_name(format!("{stem}.json")),
        None => path.to_path_buf(),
    };
    read_head(&told_by).is_ok_and(|head| is_result_head(&head))
}
