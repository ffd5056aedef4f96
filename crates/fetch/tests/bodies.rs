//! Bodies of answers over http: how large they may be, in which encodings they may come, and when they may be cut.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::io::Write;
use support::{Reply, Script, Server, answer, fetcher, get, lab, turns};
use walkaround_ports::FetchError;

#[tokio::test]
async fn large_bodies_are_cut_off() {
    let server = Server::start().await;
    // The server holds the line after these: whoever wants to read on waits until the time is up.
    let head = "HTTP/1.1 200 OK\r\n";
    let announced = format!("{head}content-length: 10737418240\r\n\r\nabc");
    let chunk = format!("190\r\n{}\r\n", "x".repeat(400));
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n{}", chunk.repeat(3));
    let until_close = format!("{head}connection: close\r\n\r\n{}", "x".repeat(1001));
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    for reply in [announced, chunked, until_close] {
        server.on("/", Reply::Hold(reply));
        let error = get(&client, &server.url("a.test", "/")).await.unwrap_err();
        assert!(matches!(error, FetchError::TooLarge(_)), "{error:?}");
        assert!(error.to_string().ends_with("/: more than 1000 bytes"), "{error}");
    }
    server.on("/", answer("200 OK", &"x".repeat(1000)));
    assert_eq!(
        get(&client, &server.url("a.test", "/")).await.unwrap().len(),
        1000
    );
}

/// Photo servers compress although they are asked not to.
#[tokio::test]
async fn content_encodings_are_taken_off_within_the_limit() {
    let server = Server::start().await;
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    let gzip = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        out.write_all(bytes).unwrap();
        out.finish().unwrap()
    };
    let of = |name: &str, body: Vec<u8>| {
        let head = format!("content-encoding: {name}\r\ncontent-length: {}\r\n", body.len());
        server.on("/", turns(&[(head.as_str(), &body)]));
    };
    for name in ["gzip", "X-GZIP", "identity, gzip"] {
        of(name, gzip(b"photo"));
        let url = server.url("a.test", "/");
        assert_eq!(get(&client, &url).await.unwrap(), b"photo", "{name}");
    }
    of("gzip", gzip(&[0; 100_000]));
    let error = get(&client, &server.url("a.test", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::TooLarge(_)), "{error:?}");
    let whole = gzip(b"photo");
    of("gzip", whole[..whole.len() - 4].to_vec());
    let error = get(&client, &server.url("a.test", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    of("br", b"photo".to_vec());
    let error = get(&client, &server.url("a.test", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert!(
        error
            .to_string()
            .contains("content-encoding `br`, expected none, gzip or deflate"),
        "{error}"
    );
}

/// The frame of one.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x04jf\xff\xda\0\x02 a photo \xff\xd9";

/// Without a length nobody is told that an answer was cut.
#[tokio::test]
async fn a_body_without_a_length_that_breaks_off_is_tried_again() {
    let server = Server::start().await;
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    let url = server.url("a.test", "/");
    let tiff = b"II*\0\x08\0\0\0\x01\0\x11\x01\x04\0\x01\0\0\0\x1a\0\0\0\0\0\0\0pixels";
    // Of a TIFF the strip is missing; of a JPEG there is hardly a beginning.
    for (whole, cut) in [(JPEG, 20), (JPEG, 1), (JPEG, 2), (tiff, 26), (tiff, 12)] {
        server.on("/", turns(&[("", &whole[..cut]), ("", whole)]));
        assert_eq!(get(&client, &url).await.unwrap(), whole, "cut at {cut}");
    }
    let (whole, seen) = (JPEG, server.seen().len());
    server.on("/", turns(&[("", &whole[..7]), ("", whole)]));
    assert_eq!(get(&client, &url).await.unwrap(), whole);
    assert_eq!(server.seen().len(), seen + 2);
    // A proxy cuts at the same place each time: the same bytes twice prove nothing.
    for answers in [&[("", &whole[..7])][..], &[("", &whole[..5]), ("", &whole[..7])]] {
        server.on("/", turns(answers));
        let error = get(&client, &url).await.unwrap_err();
        assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
        assert!(error.to_string().contains("ends after 7 bytes"), "{error}");
    }
}

/// What ends where its sender says is as the sender has it, whole or not: the verdict says so.
#[tokio::test]
async fn a_body_whose_end_is_proven_is_believed_at_once() {
    let server = Server::start().await;
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    let mut zipped = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    zipped.write_all(&JPEG[..7]).unwrap();
    let zipped = zipped.finish().unwrap();
    let chunked = [b"7\r\n", &JPEG[..7], b"\r\n0\r\n\r\n"].concat();
    for (head, body) in [
        ("content-length: 7\r\n", &JPEG[..7]),
        ("transfer-encoding: chunked\r\n", &chunked),
        // The check sum and the length at the end of gzip are an end, too.
        ("content-encoding: gzip\r\n", &zipped),
    ] {
        let seen = server.seen().len();
        server.on("/", turns(&[(head, body)]));
        let got = get(&client, &server.url("a.test", "/")).await;
        assert_eq!(got.unwrap(), &JPEG[..7], "{head}");
        assert_eq!(server.seen().len(), seen + 1, "{head}");
    }
    // The last chunk is missing.
    server.on(
        "/",
        turns(&[("transfer-encoding: chunked\r\n", &chunked[..chunked.len() - 5])]),
    );
    let error = get(&client, &server.url("a.test", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
}
