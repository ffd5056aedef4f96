//! Photos from object stores: allowed buckets, and what the port's errors become.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::sync::Arc;
use support::FakeBlobs;
use walkaround_domain::PhotoRef;
use walkaround_fetch::{FetchSettings, Fetcher};
use walkaround_ports::{FetchError, KnownContent, PhotoSource};

fn object(bucket: &str, key: &str, version: Option<&str>) -> PhotoRef {
    PhotoRef::S3 {
        bucket: bucket.into(),
        key: key.into(),
        version: version.map(Into::into),
    }
}

fn open(buckets: &[&str]) -> (Fetcher, Arc<FakeBlobs>) {
    let settings = FetchSettings {
        buckets: buckets.iter().map(ToString::to_string).collect(),
        ..FetchSettings::default()
    };
    let blobs = Arc::new(FakeBlobs::default());
    (Fetcher::new(settings, blobs.clone()).unwrap(), blobs)
}

#[tokio::test]
async fn an_allowed_bucket_is_read_in_the_version_that_is_named() {
    let (fetcher, _) = open(&["photos"]);
    for (version, expected) in [(None, "a/b.jpg"), (Some("3"), "a/b.jpg of 3")] {
        let bytes = fetcher.fetch(&object("photos", "a/b.jpg", version), 100).await;
        assert_eq!(bytes.unwrap(), expected.as_bytes());
    }
}

#[tokio::test]
async fn other_buckets_are_never_asked() {
    for (allowed, bucket) in [
        (&[][..], "photos"),
        (&["photos"][..], "secrets"),
        (&["photos"][..], "Photos"),
    ] {
        let (fetcher, blobs) = open(allowed);
        let error = fetcher
            .fetch(&object(bucket, "a\nb", None), 100)
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Forbidden(_)), "{error:?}");
        assert_eq!(
            error.to_string(),
            format!("s3://{bucket}/a\\nb: the bucket is not among those that photos may come from")
        );
        assert!(blobs.asked.lock().unwrap().is_empty());
    }
}

#[tokio::test]
async fn errors_of_the_port_keep_their_meaning() {
    let (fetcher, _) = open(&["photos"]);
    let fetch = async |key: &str| fetcher.fetch(&object("photos", key, None), 7).await.unwrap_err();
    assert!(matches!(fetch("missing").await, FetchError::NotFound(_)));
    assert!(matches!(fetch("denied").await, FetchError::Port(_)));
    let large = fetch("large").await;
    assert!(matches!(large, FetchError::TooLarge(_)));
    assert_eq!(large.to_string(), "s3://photos/large: more than 7 bytes");
    // What the store refuses for another reason is not the photo's fault.
    for key in ["busy", "down", "corrupt", "refused"] {
        assert!(matches!(fetch(key).await, FetchError::Port(_)), "{key}");
    }
    assert!(matches!(fetch("").await, FetchError::Malformed(_)));
    assert!(matches!(fetch(&"k".repeat(1025)).await, FetchError::Malformed(_)));
}

#[tokio::test]
async fn an_object_is_known_by_its_version_or_else_by_its_etag_and_size() {
    let (fetcher, _) = open(&["photos"]);
    let known = async |key: &str| fetcher.identify(&object("photos", key, None)).await;
    let says = |version: Option<&str>, content: Option<&str>| {
        Some(KnownContent {
            version: version.map(Into::into),
            content: content.map(Into::into),
            sha256: None,
        })
    };
    assert_eq!(known("versioned").await.unwrap(), says(Some("v"), None));
    assert_eq!(known("plain").await.unwrap(), says(None, Some("e/9")));
    assert_eq!(known("fixed").await.unwrap(), None, "blobs that never change");
    assert!(matches!(known("missing").await, Err(FetchError::NotFound(_))));
    assert!(matches!(known("denied").await, Err(FetchError::Port(_))));
    let elsewhere = fetcher.identify(&object("secrets", "plain", None)).await;
    assert!(matches!(elsewhere, Err(FetchError::Forbidden(_))));
    for photo in [
        PhotoRef::Url("https://photos.example/1.jpg".into()),
        PhotoRef::File("1.jpg".into()),
    ] {
        assert_eq!(
            fetcher.identify(&photo).await.unwrap(),
            None,
            "the digest decides"
        );
    }
}
