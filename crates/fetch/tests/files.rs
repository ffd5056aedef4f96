//! Photos from files: what lies below the roots is read, nothing else is.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use rustix::fs::{CWD, FileType, Mode, mknodat};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use walkaround_domain::PhotoRef;
use walkaround_fetch::{FetchSettings, Fetcher};
use walkaround_ports::{FetchError, PhotoSource};

/// A root with `in/photo.jpg` (10 bytes), and `secret.txt` beside the root.
struct House {
    folder: TempDir,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir_all(folder.path().join("root/in")).unwrap();
        fs::write(folder.path().join("root/in/photo.jpg"), b"0123456789").unwrap();
        fs::write(folder.path().join("secret.txt"), b"secret").unwrap();
        Self { folder }
    }

    fn path(&self, below: &str) -> String {
        self.folder.path().join(below).display().to_string()
    }

    async fn fetch(&self, path: &str, bytes_max: u64) -> Result<Vec<u8>, FetchError> {
        open(&[self.folder.path().join("root").as_path()])
            .fetch(&PhotoRef::File(path.to_owned()), bytes_max)
            .await
    }

    async fn forbidden(&self, path: &str) -> String {
        match self.fetch(path, 100).await.unwrap_err() {
            FetchError::Forbidden(words) => words,
            other => panic!("{path}: {other:?}"),
        }
    }
}

fn open(roots: &[&Path]) -> Fetcher {
    let settings = FetchSettings {
        file_roots: roots.iter().map(|root| root.to_path_buf()).collect(),
        ..FetchSettings::default()
    };
    Fetcher::new(settings, Arc::new(support::FakeBlobs::default())).unwrap()
}

#[tokio::test]
async fn files_below_the_root_are_read() {
    let house = House::new();
    for path in [
        "in/photo.jpg",
        "./in//photo.jpg",
        &house.path("root/in/photo.jpg"),
    ] {
        assert_eq!(house.fetch(path, 10).await.unwrap(), b"0123456789", "{path}");
    }
}

#[tokio::test]
async fn without_roots_every_file_is_forbidden() {
    let house = House::new();
    let photo = PhotoRef::File(house.path("root/in/photo.jpg"));
    let error = open(&[]).fetch(&photo, 100).await.unwrap_err();
    assert!(matches!(error, FetchError::Forbidden(_)));
    let words = error.to_string();
    assert!(
        words.ends_with(": no folder is allowed for photos: WALKAROUND_PHOTO_ROOTS is empty"),
        "{words}"
    );
}

#[tokio::test]
async fn paths_out_of_the_root_are_forbidden() {
    let house = House::new();
    for path in [
        "../secret.txt",
        "../../etc/passwd",
        "in/../../secret.txt",
        "in/../in/photo.jpg",
        &house.path("root/../secret.txt"),
    ] {
        let words = house.forbidden(path).await;
        assert!(words.ends_with(": '..' is not allowed in paths"), "{words}");
    }
    // The last one is not there; the answer does not say so.
    for path in [
        "/etc/passwd",
        &house.path("secret.txt"),
        &house.path("rootless"),
        "/no/such/file",
    ] {
        let words = house.forbidden(path).await;
        assert!(
            words.ends_with(": outside the folders that photos may come from"),
            "{words}"
        );
    }
}

#[tokio::test]
async fn symlinks_may_not_leave_the_root() {
    let house = House::new();
    symlink("in/photo.jpg", house.path("root/inside.jpg")).unwrap();
    symlink("../secret.txt", house.path("root/out.jpg")).unwrap();
    symlink("/etc/passwd", house.path("root/passwd.jpg")).unwrap();
    symlink(house.folder.path(), house.path("root/up")).unwrap();
    symlink("loop", house.path("root/loop")).unwrap();

    assert_eq!(house.fetch("inside.jpg", 100).await.unwrap(), b"0123456789");
    for path in ["out.jpg", "passwd.jpg", "up/secret.txt"] {
        let words = house.forbidden(path).await;
        assert!(
            words.ends_with(": a symlink leads out of the allowed folders"),
            "{words}"
        );
    }
    house.forbidden("loop").await;
    // Out and in again: it ends below the root.
    assert_eq!(
        house.fetch("up/root/in/photo.jpg", 100).await.unwrap(),
        b"0123456789"
    );
}

#[tokio::test]
async fn a_root_may_be_a_symlink() {
    let house = House::new();
    symlink(house.path("root"), house.path("link")).unwrap();
    let fetcher = open(&[Path::new(&house.path("link"))]);
    for path in ["link/in/photo.jpg", "root/in/photo.jpg"] {
        let photo = PhotoRef::File(house.path(path));
        assert_eq!(fetcher.fetch(&photo, 100).await.unwrap(), b"0123456789");
    }
}

#[tokio::test]
async fn special_files_are_forbidden() {
    let house = House::new();
    let mode = Mode::RUSR | Mode::WUSR;
    mknodat(CWD, house.path("root/pipe.jpg"), FileType::Fifo, mode, 0).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(house.path("root/socket.jpg")).unwrap();
    for path in ["pipe.jpg", "socket.jpg", "in", ""] {
        let words = house.forbidden(path).await;
        assert!(words.ends_with(": not a regular file"), "{words}");
    }
    let devices = open(&[Path::new("/dev")]);
    let error = devices
        .fetch(&PhotoRef::File("zero".into()), 100)
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Forbidden(_)), "{error:?}");
}

#[tokio::test]
async fn the_size_is_bounded_also_where_the_file_system_does_not_know_it() {
    let house = House::new();
    let error = house.fetch("in/photo.jpg", 9).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(_)), "{error:?}");
    assert_eq!(error.to_string(), "in/photo.jpg: more than 9 bytes");
    // Files of /proc say that they have no bytes, and have some.
    let proc = open(&[Path::new("/proc/sys/kernel")]);
    let error = proc.fetch(&PhotoRef::File("ostype".into()), 2).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(_)), "{error:?}");
}

#[tokio::test]
async fn missing_files_are_not_found_in_one_line() {
    let house = House::new();
    for path in [
        "in/none.jpg",
        "in/photo.jpg/more",
        "a\nb.jpg",
        "a\0b",
        &"n".repeat(5000),
    ] {
        let error = house.fetch(path, 100).await.unwrap_err();
        let can_never_be = path.len() > 4096 || path.contains('\0');
        match error {
            FetchError::Malformed(_) => assert!(can_never_be, "{error:?}"),
            FetchError::NotFound(_) => assert!(!can_never_be, "{error:?}"),
            error => panic!("{error:?}"),
        }
        let words = error.to_string();
        assert!(words.len() < 400 && !words.contains(['\n', '\0']), "{words}");
    }
}

#[test]
fn roots_must_be_folders() {
    let house = House::new();
    for (path, problem) in [("root/in/photo.jpg", "is not a folder"), ("none", "No such file")] {
        let settings = FetchSettings {
            file_roots: vec![house.path(path).into()],
            ..FetchSettings::default()
        };
        let error = Fetcher::new(settings, Arc::new(support::FakeBlobs::default())).unwrap_err();
        let words = error.to_string();
        assert!(
            words.starts_with("file_roots: '") && words.contains(problem),
            "{words}"
        );
    }
}

#[tokio::test]
async fn a_root_that_is_not_mounted_is_trouble_of_the_host_and_not_of_the_photo() {
    let house = House::new();
    let root = house.folder.path().join("root");
    let fetcher = open(&[root.as_path()]);
    let photo = PhotoRef::File("in/photo.jpg".to_owned());
    let missing = PhotoRef::File("in/other.jpg".to_owned());
    let of = async |photo: &PhotoRef| fetcher.fetch(photo, 100).await.unwrap_err();
    assert!(
        matches!(of(&missing).await, FetchError::NotFound(_)),
        "the root is there"
    );
    // A folder below it, a mount of its own, is missing.
    let nas = PhotoRef::File("nas/day/photo.jpg".to_owned());
    for folder in ["nas/day", "nas"] {
        match of(&nas).await {
            FetchError::Unreachable(words) => assert!(words.contains("mounted"), "{words}"),
            other => panic!("{other:?}"),
        }
        fs::create_dir_all(root.join(folder)).unwrap();
    }
    fs::write(root.join("nas/day/another.jpg"), b"x").unwrap();
    assert!(
        matches!(of(&nas).await, FetchError::NotFound(_)),
        "it is there, without the photo"
    );
    fs::remove_dir_all(root.join("nas")).unwrap();
    // As a mount point is without its file system: empty, or gone.
    fs::remove_dir_all(root.join("in")).unwrap();
    for _ in 0..2 {
        match of(&photo).await {
            FetchError::Unreachable(words) => assert!(words.contains("mounted"), "{words}"),
            other => panic!("{other:?}"),
        }
        let _ = fs::remove_dir(&root);
    }
    fs::create_dir_all(root.join("in")).unwrap();
    fs::write(root.join("in/photo.jpg"), b"0123456789").unwrap();
    assert_eq!(fetcher.fetch(&photo, 100).await.unwrap(), b"0123456789");
}
