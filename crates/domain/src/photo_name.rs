//! What the name of a file or key says of it, before a byte is read: names that pictures have, and names of files that
//! systems put beside photos. Names only hint: what a file is, its content decides.

/// Suffixes of pictures, one that not every build reads (AVIF) included: the verdict then says what they are.
const PICTURES: [&str; 17] = [
    "jpg", "jpeg", "jpe", "jif", "jfif", "mpo", "png", "apng", "webp", "bmp", "dib", "tif", "tiff", "gif",
    "heic", "heif", "avif",
];

/// Suffixes of what lies beside photos and is no picture. In a bucket the name is all that a listing has: a key with
/// another suffix, or none, is taken, and its content decides.
const OTHERS: [&str; 56] = [
    "7z", "aae", "ai", "avi", "bak", "bz2", "cr2", "cr3", "csv", "db", "dng", "doc", "docx", "gz", "htm",
    "html", "ini", "json", "jsonl", "lnk", "log", "m4v", "md", "md5", "mov", "mp3", "mp4", "mpg", "ndjson",
    "nef", "ods", "onnx", "orf", "parquet", "part", "pdf", "ppt", "pptx", "psd", "rar", "raw", "rtf",
    "sha256", "sql", "sqlite", "srt", "tar", "tmp", "toml", "tsv", "txt", "xls", "xlsx", "xml", "yaml",
    "zip",
];

/// Folders that systems make: thumbnails, recycle bins, snapshots, indexes (lower case).
/// Synology (`@eaDir`, `#recycle`, `#snapshot`, `@tmp`), QNAP (`.@__thumb`, `@Recycle`), Windows, macOS, Linux.
const SYSTEM_FOLDERS: [&str; 31] = [
    "@eadir",
    "#recycle",
    "#snapshot",
    "@tmp",
    "@sharebin",
    "@recycle",
    "@recently-snapshot",
    "@download",
    ".@__thumb",
    ".@__qini",
    ".@upload_cache",
    "$recycle.bin",
    "$recycle",
    "recycler",
    "recycled",
    "system volume information",
    "found.000",
    "__macosx",
    ".appledouble",
    ".trashes",
    ".trash",
    ".spotlight-v100",
    ".fseventsd",
    ".temporaryitems",
    ".documentrevisions-v100",
    "network trash folder",
    "temporary items",
    "lost+found",
    ".thumbnails",
    ".snapshot",
    ".zfs",
];

/// Files that systems make (lower case).
const SYSTEM_FILES: [&str; 10] = [
    ".ds_store",
    "thumbs.db",
    "thumbs.db:encryptable",
    "ehthumbs.db",
    "ehthumbs_vista.db",
    "desktop.ini",
    "icon\r",
    ".nomedia",
    ".picasa.ini",
    "picasa.ini",
];

/// What such names begin with (lower case): AppleDouble files, thumbnails of a NAS, files that Android has trashed or not
/// finished, lock files of editors, NFS and FUSE files that are gone.
const SYSTEM_PREFIXES: [&str; 8] = [
    "._",
    "synophoto_thumb",
    "synofile_thumb",
    ".trashed-",
    ".pending-",
    "~$",
    ".nfs",
    ".fuse_hidden",
];

/// Whether one name of a path is that of a file or folder which a system made.
pub fn is_system_name(name: &str) -> bool {
    let name = name.to_lowercase();
    let name = name.as_str();
    SYSTEM_FOLDERS.contains(&name)
        || SYSTEM_FILES.contains(&name)
        || SYSTEM_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || name.starts_with(".trash-")
}

/// Whether a key, or a path of names with `/`, is, or is below, what a system made.
pub fn is_system_path(path: &str) -> bool {
    path.split('/').any(is_system_name)
}

/// Whether a name has a picture's suffix.
pub fn is_picture_name(name: &str) -> bool {
    suffix(name).is_some_and(|suffix| PICTURES.contains(&suffix.as_str()))
}

/// Whether a name has the suffix of something that lies beside photos and is none.
pub fn is_other_name(name: &str) -> bool {
    suffix(name).is_some_and(|suffix| OTHERS.contains(&suffix.as_str()))
}

/// What is behind the last dot of the last name, in lower case.
fn suffix(name: &str) -> Option<String> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let (stem, suffix) = last.rsplit_once('.')?;
    (!stem.is_empty()).then(|| suffix.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_systems_put_beside_photos_is_known_by_its_name() {
        for path in [
            "in/@eaDir/a.jpg/SYNOPHOTO_THUMB_XL.jpg",
            "#recycle/a.jpg",
            "in/$RECYCLE.BIN/S-1-5-21/$R1A2B3C.jpg",
            "__MACOSX/in/._a.jpg",
            "in/._a.jpg",
            "in/Thumbs.db",
            ".@__thumb/default1.jpg",
            "in/.Trash-1000/files/a.jpg",
        ] {
            assert!(is_system_path(path), "{path}");
        }
        for path in [
            "in/a.jpg",
            "in/recycle/a.jpg",
            "in/_a.jpg",
            "thumbs/a.jpg",
            "in/@home/a.jpg",
        ] {
            assert!(!is_system_path(path), "{path}");
        }
    }

    #[test]
    fn suffixes_only_hint() {
        for name in ["a.JPG", "in.d/a b.MPO", "a.b.heic"] {
            assert!(is_picture_name(name) && !is_other_name(name), "{name}");
        }
        for name in ["a.MOV", "in/notes.txt", "Book1.xlsx"] {
            assert!(is_other_name(name) && !is_picture_name(name), "{name}");
        }
        for name in ["a", "in.jpg/a", ".jpg", "0f3c", "a.photo"] {
            assert!(!is_other_name(name) && !is_picture_name(name), "{name}");
        }
    }
}
