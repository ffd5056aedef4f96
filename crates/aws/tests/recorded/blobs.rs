//! What S3 does and no emulator shows: conflicts, wrong bytes, checksums that are not there, short pages, throttling.

use crate::answers::{self, Answer};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use std::time::Duration;
use walkaround_aws::S3Blobs;
use walkaround_ports::{BlobAddress, Blobs, PortErrorKind, PutOutcome};

fn at() -> BlobAddress {
    let (bucket, key) = ("results".to_owned(), "i/4f/overlay.jpg".to_owned());
    BlobAddress { bucket, key }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

/// Headers by which S3 sends the checksum of `bytes`.
fn checksum_of(bytes: &[u8]) -> Vec<(&'static str, String)> {
    vec![
        ("x-amz-checksum-sha256", STANDARD.encode(digest(bytes))),
        ("x-amz-checksum-type", "FULL_OBJECT".to_owned()),
    ]
}

fn metadata_of(bytes: &[u8]) -> Vec<(&'static str, String)> {
    let hex = digest(bytes).iter().map(|b| format!("{b:02x}")).collect();
    vec![("x-amz-meta-sha256", hex)]
}

fn refused(status: u16, code: &str) -> Answer {
    let body = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>no</Message></Error>");
    (status, Vec::new(), body)
}

fn head(bytes: usize, mut headers: Vec<(&'static str, String)>) -> Answer {
    headers.push(("content-length", bytes.to_string()));
    (200, headers, String::new())
}

fn found(body: &str, mut headers: Vec<(&'static str, String)>) -> Answer {
    headers.push(("content-length", body.len().to_string()));
    (200, headers, body.to_owned())
}

fn created() -> Answer {
    (200, Vec::new(), String::new())
}

fn taken() -> Answer {
    refused(412, "PreconditionFailed")
}

#[tokio::test]
async fn put_carries_its_condition_and_digest() {
    let (aws, asked) = answers::aws([created()]).await;
    let put = S3Blobs::new(aws.s3)
        .put_if_absent(&at(), b"mask", "image/png")
        .await;
    assert_eq!(put.expect("an outcome"), PutOutcome::Created);
    let asked = asked.lock().expect("no panic").remove(0);
    assert!(
        asked.line.starts_with("PUT /results/i/4f/overlay.jpg"),
        "{}",
        asked.line
    );
    assert_eq!(asked.header("if-none-match"), "*");
    assert_eq!(asked.header("content-type"), "image/png");
    assert_eq!(asked.header("x-amz-checksum-sha256"), checksum_of(b"mask")[0].1);
    assert_eq!(asked.header("x-amz-meta-sha256"), metadata_of(b"mask")[0].1);
}

#[tokio::test]
async fn taken_key_is_compared() {
    let gone = || (404, Vec::new(), String::new());
    let cases: Vec<(&str, Vec<Answer>, PutOutcome)> = vec![
        (
            "checksum",
            vec![taken(), head(4, checksum_of(b"mask"))],
            PutOutcome::Identical,
        ),
        (
            "other checksum",
            vec![taken(), head(4, checksum_of(b"else"))],
            PutOutcome::Conflict,
        ),
        (
            "metadata only",
            vec![taken(), head(4, metadata_of(b"mask"))],
            PutOutcome::Identical,
        ),
        (
            "other size",
            vec![taken(), head(5, Vec::new())],
            PutOutcome::Conflict,
        ),
        (
            "bytes",
            vec![taken(), head(4, Vec::new()), found("mask", Vec::new())],
            PutOutcome::Identical,
        ),
        (
            "other bytes",
            vec![taken(), head(4, Vec::new()), found("else", Vec::new())],
            PutOutcome::Conflict,
        ),
        (
            "gone again",
            vec![taken(), gone(), created()],
            PutOutcome::Created,
        ),
        (
            "busy",
            vec![refused(409, "ConditionalRequestConflict"), created()],
            PutOutcome::Created,
        ),
    ];
    for (what, answers, outcome) in cases {
        let (calls, (aws, asked)) = (answers.len(), answers::aws(answers).await);
        let put = S3Blobs::new(aws.s3)
            .put_if_absent(&at(), b"mask", "image/png")
            .await;
        assert_eq!(put.expect("an outcome"), outcome, "{what}");
        assert_eq!(asked.lock().expect("no panic").len(), calls, "{what}");
    }
}

#[tokio::test]
async fn key_that_stays_busy_is_given_up() {
    let (aws, asked) = answers::aws(vec![refused(409, "ConditionalRequestConflict"); 6]).await;
    let error = S3Blobs::new(aws.s3)
        .put_if_absent(&at(), b"mask", "image/png")
        .await
        .expect_err("busy");
    assert_eq!(error.kind, PortErrorKind::Unavailable);
    assert_eq!(asked.lock().expect("no panic").len(), 6);
}

#[tokio::test]
async fn wrong_bytes_are_corrupt() {
    let folder = tempfile::tempdir().expect("a folder");
    let into = folder.path().join("weights.onnx");
    for headers in [checksum_of(b"mask"), metadata_of(b"mask")] {
        let (aws, _) = answers::aws(vec![found("else", headers); 2]).await;
        let blobs = S3Blobs::new(aws.s3);
        let error = blobs.get(&at(), 100).await.expect_err("wrong bytes");
        assert_eq!(error.kind, PortErrorKind::Corrupt, "{error}");
        let error = blobs
            .download(&at(), &digest(b"mask"), &into)
            .await
            .expect_err("wrong bytes");
        assert_eq!(error.kind, PortErrorKind::Corrupt, "{error}");
    }
    let left = std::fs::read_dir(folder.path()).expect("a folder").count();
    assert_eq!(left, 0, "files were left behind");
}

#[tokio::test]
async fn body_is_bounded_whether_announced_or_not() {
    let announced = found("0123456789", Vec::new());
    let silent = (200, Vec::new(), "0123456789".to_owned());
    for answer in [announced, silent] {
        let (aws, _) = answers::aws(vec![answer; 2]).await;
        let blobs = S3Blobs::new(aws.s3);
        let error = blobs.get(&at(), 9).await.expect_err("one byte too many");
        assert_eq!(error.kind, PortErrorKind::TooLarge, "{error}");
        assert_eq!(blobs.get(&at(), 10).await.expect("all of it"), b"0123456789");
    }
}

#[tokio::test]
async fn refusals_say_what_to_do() {
    let cases = [
        (503, "SlowDown", PortErrorKind::Throttled),
        (500, "InternalError", PortErrorKind::Unavailable),
        (400, "RequestTimeout", PortErrorKind::Unavailable),
        (403, "AccessDenied", PortErrorKind::Denied),
        // Of a photo this is trouble of its host, which is tried again; "not found" would be final.
        (404, "NoSuchBucket", PortErrorKind::Invalid),
        (404, "NoSuchKey", PortErrorKind::NotFound),
        (301, "PermanentRedirect", PortErrorKind::Invalid),
    ];
    for (status, code, kind) in cases {
        let (aws, _) = answers::aws([refused(status, code)]).await;
        let error = S3Blobs::new(aws.s3).get(&at(), 10).await.expect_err(code);
        assert_eq!(error.kind, kind, "{error}");
        let shown = format!("{error} {error:?}");
        assert!(shown.contains("s3://results/i/4f/overlay.jpg"), "{shown}");
        assert!(
            !shown.contains("Signature") && !shown.contains("AKIDRECORDED"),
            "{shown}"
        );
    }
}

#[tokio::test]
async fn short_pages_are_joined() {
    let page = |keys: &[&str], more: bool| {
        let contents: String = keys
            .iter()
            .map(|k| format!("<Contents><Key>{k}</Key></Contents>"))
            .collect();
        let body =
            format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{contents}</ListBucketResult>");
        (200, Vec::new(), body)
    };
    let (aws, asked) = answers::aws([page(&["p/a", "p/b"], true), page(&["p/c"], false)]).await;
    let keys = S3Blobs::new(aws.s3)
        .list(&at(), Some("p/"), 5)
        .await
        .expect("keys");
    assert_eq!(keys, ["p/a", "p/b", "p/c"]);
    let asked = asked.lock().expect("no panic");
    assert!(
        asked[0].line.contains("max-keys=5") && asked[0].line.ends_with("start-after=p%2F"),
        "{asked:?}"
    );
    assert!(
        asked[1].line.contains("max-keys=3") && asked[1].line.contains("start-after=p%2Fb"),
        "{asked:?}"
    );
}

#[tokio::test]
async fn signed_address_has_its_bounds() {
    let (aws, asked) = answers::aws([]).await;
    let blobs = S3Blobs::new(aws.s3);
    let url = blobs
        .presigned_get(&at(), Duration::from_secs(600))
        .await
        .expect("an address");
    assert!(
        url.starts_with("http://recorded/results/i/4f/overlay.jpg?"),
        "{url}"
    );
    assert!(
        url.contains("X-Amz-Expires=600") && url.contains("X-Amz-Signature="),
        "{url}"
    );
    for wrong in [
        Duration::ZERO,
        Duration::from_millis(999),
        Duration::from_secs(7 * 24 * 3600 + 1),
    ] {
        let error = blobs
            .presigned_get(&at(), wrong)
            .await
            .expect_err("out of bounds");
        assert_eq!(error.kind, PortErrorKind::Invalid, "{wrong:?}");
    }
    assert!(asked.lock().expect("no panic").is_empty(), "signing asks nobody");
}
