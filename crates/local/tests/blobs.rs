//! What a crash, or a hand, leaves among the files of blobs.

use sha2::{Digest, Sha256};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use tempfile::TempDir;
use walkaround_local::{LocalStack, Options, SystemClock};
use walkaround_ports::{BlobAddress, Blobs, PortErrorKind, PutOutcome};

const PLENTY: u64 = 1 << 20;

struct Store {
    blobs: Arc<dyn Blobs>,
    at: BlobAddress,
    file: PathBuf,
    folder: TempDir,
}

impl Store {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Self {
            blobs: open(&folder).blobs(),
            at: BlobAddress {
                bucket: "results".to_owned(),
                key: "4f/overlay.jpg".to_owned(),
            },
            file: folder.path().join("blobs/results/4f/overlay.jpg"),
            folder,
        }
    }

    async fn put(&self, bytes: &[u8]) -> PutOutcome {
        let put = self.blobs.put_if_absent(&self.at, bytes, "image/jpeg").await;
        put.expect("a put")
    }

    async fn get_kind(&self) -> Option<PortErrorKind> {
        self.blobs.get(&self.at, PLENTY).await.err().map(|e| e.kind)
    }
}

fn open(folder: &TempDir) -> LocalStack {
    LocalStack::open(folder.path(), Options::default(), Arc::new(SystemClock::new())).expect("it opens")
}

#[tokio::test]
async fn what_a_dead_writer_left_is_ignored_and_removed() {
    let store = Store::new();
    let tmp = store.folder.path().join("tmp");
    // Pid 1 is alive, but did not start at tick 7.
    let of_the_dead = tmp.join("1-7-00000000-0");
    let of_nobody = tmp.join("half");
    fs::write(&of_the_dead, "half of a blo").unwrap();
    fs::write(&of_nobody, "half of a blo").unwrap();
    assert_eq!(store.put(b"whole").await, PutOutcome::Created);
    open(&store.folder);
    assert!(!of_the_dead.exists() && !of_nobody.exists());
    assert_eq!(store.blobs.get(&store.at, PLENTY).await.unwrap(), b"whole");
}

#[tokio::test]
async fn a_put_leaves_no_temporary_file() {
    let store = Store::new();
    store.put(b"first").await;
    store.put(b"first").await;
    store.put(b"second").await;
    let left = fs::read_dir(store.folder.path().join("tmp")).unwrap().count();
    assert_eq!(left, 0);
}

/// The writer died after its file was in place and before its row was.
#[tokio::test]
async fn a_file_without_a_row_is_completed() {
    for (again, expected) in [
        (b"first", PutOutcome::Identical),
        (b"other", PutOutcome::Conflict),
    ] {
        let store = Store::new();
        fs::create_dir_all(store.file.parent().unwrap()).unwrap();
        fs::write(&store.file, b"first").unwrap();
        assert_eq!(store.blobs.get(&store.at, PLENTY).await.unwrap(), b"first");
        assert_eq!(store.put(again).await, expected);
        let meta = store.blobs.head(&store.at).await.unwrap().unwrap();
        assert_eq!(meta.sha256, Some(Sha256::digest(b"first").into()));
        let prefix = BlobAddress {
            key: String::new(),
            ..store.at.clone()
        };
        assert_eq!(
            store.blobs.list(&prefix, None, 10).await.unwrap(),
            ["4f/overlay.jpg"]
        );
    }
}

#[tokio::test]
async fn head_completes_a_file_without_a_row() {
    let store = Store::new();
    fs::create_dir_all(store.file.parent().unwrap()).unwrap();
    fs::write(&store.file, b"first").unwrap();
    let meta = store.blobs.head(&store.at).await.unwrap().unwrap();
    assert_eq!(meta.sha256, Some(Sha256::digest(b"first").into()));
    fs::write(&store.file, b"FIRST").unwrap();
    assert_eq!(store.get_kind().await, Some(PortErrorKind::Corrupt));
}

#[tokio::test]
async fn changed_bytes_are_noticed() {
    let store = Store::new();
    store.put(b"first").await;
    fs::write(&store.file, b"FIRST").unwrap();
    assert_eq!(store.get_kind().await, Some(PortErrorKind::Corrupt));
    fs::write(&store.file, b"fir").unwrap();
    assert_eq!(store.get_kind().await, Some(PortErrorKind::Corrupt));
    let head = store.blobs.head(&store.at).await;
    assert_eq!(head.err().map(|e| e.kind), Some(PortErrorKind::Corrupt));
}

#[tokio::test]
async fn a_removed_file_is_noticed_and_can_be_written_again() {
    let store = Store::new();
    store.put(b"first").await;
    fs::remove_file(&store.file).unwrap();
    assert_eq!(store.get_kind().await, Some(PortErrorKind::Corrupt));
    assert_eq!(store.put(b"second").await, PutOutcome::Created);
    assert_eq!(store.blobs.get(&store.at, PLENTY).await.unwrap(), b"second");
}

#[tokio::test]
async fn a_bucket_whose_folder_is_away_may_come_back() {
    let store = Store::new();
    store.put(b"first").await;
    let (bucket, elsewhere) = (
        store.folder.path().join("blobs/results"),
        store.folder.path().join("elsewhere"),
    );
    fs::rename(&bucket, &elsewhere).unwrap();
    for in_its_place in [false, true] {
        if in_its_place {
            fs::write(&bucket, "a file").unwrap();
        }
        let get = store.blobs.get(&store.at, PLENTY).await.unwrap_err();
        let head = store.blobs.head(&store.at).await.unwrap_err();
        let other = BlobAddress {
            key: "4f/other.jpg".to_owned(),
            ..store.at.clone()
        };
        let put = store
            .blobs
            .put_if_absent(&other, b"x", "image/jpeg")
            .await
            .unwrap_err();
        let is_made = bucket.is_dir();
        assert!(
            !is_made,
            "a folder of its name would be in the way of the one that comes back"
        );
        if in_its_place {
            assert_eq!(put.kind, PortErrorKind::Unavailable, "{put}");
        } else {
            assert!(put.to_string().contains(bucket.to_str().unwrap()), "{put}");
        }
        for error in [get, head] {
            assert_eq!(error.kind, PortErrorKind::Unavailable, "{error}");
            assert!(error.to_string().contains(bucket.to_str().unwrap()), "{error}");
        }
    }
    fs::remove_file(&bucket).unwrap();
    fs::rename(&elsewhere, &bucket).unwrap();
    assert_eq!(store.blobs.get(&store.at, PLENTY).await.unwrap(), b"first");
}

#[tokio::test]
async fn wrong_buckets_are_invalid() {
    let store = Store::new();
    let at = BlobAddress {
        bucket: "../outside".to_owned(),
        key: "k".to_owned(),
    };
    let put = store.blobs.put_if_absent(&at, b"x", "text/plain").await;
    assert_eq!(put.err().map(|e| e.kind), Some(PortErrorKind::Invalid));
}
