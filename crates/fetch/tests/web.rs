//! Photos over http: every guard, against a small server on loopback.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Reply, Script, Server, answer, fetcher, get, lab, redirect};
use walkaround_fetch::{FetchSettings, HostHeader, REDIRECTS_MAX, Secret};
use walkaround_ports::FetchError;

/// The words of a refusal.
async fn forbidden(settings: FetchSettings, url: &str) -> String {
    match get(&fetcher(settings, Script::loopback()), url)
        .await
        .unwrap_err()
    {
        FetchError::Forbidden(words) => words,
        other => panic!("{url}: {other:?}"),
    }
}

#[tokio::test]
async fn a_photo_comes_back_and_is_looked_up_once() {
    let server = Server::start().await;
    server.on("/a.jpg?sig=1", answer("200 OK", "photo"));
    let names = Script::loopback();
    let fetcher = fetcher(lab(&server, &["photos.test"]), names.clone());
    let url = server.url("photos.test", "/a.jpg?sig=1");
    assert_eq!(get(&fetcher, &url).await.unwrap(), b"photo");
    // Checked and connected to is the same answer.
    assert_eq!(names.calls(), 1);
    let head = &server.seen()[0];
    assert!(head.contains("\r\naccept-encoding: identity\r\n"), "{head}");
    assert!(!head.contains("referer"), "{head}");
}

#[tokio::test]
async fn the_default_fetches_nothing() {
    let server = Server::start().await;
    let urls = [
        "https://photos.example.com/",
        "http://photos.example.com/",
        &server.url("127.0.0.1", "/"),
        "http://169.254.169.254/latest/meta-data/",
        "file:///etc/passwd",
        "ftp://photos.example.com/",
        "data:,x",
    ];
    for url in urls {
        forbidden(FetchSettings::default(), url).await;
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn urls_are_refused_before_anything_is_asked() {
    let server = Server::start().await;
    let open = || lab(&server, &["photos.test", "169.254.169.254", "[::ffff:127.0.0.1]"]);
    let cases = [
        ("http://other.test/", "the host is not among"),
        (
            "http://photos.test/",
            "the port is not allowed for this host; WALKAROUND_PHOTO_HOSTS may list it as photos.test:80",
        ),
        (&server.url("me:pass@photos.test", "/"), "user name and password"),
        (&server.url("me@photos.test", "/"), "user name and password"),
        (
            &server.url("169.254.169.254", "/latest"),
            "the host is a link-local address",
        ),
        (
            &server.url("2852039166", "/latest"),
            "the host is a link-local address",
        ),
        (
            &server.url("[::ffff:127.0.0.1]", "/"),
            "the host is an IPv4-mapped address",
        ),
        ("gopher://photos.test/", "the scheme 'gopher' is not allowed"),
    ];
    for (url, problem) in cases {
        let words = forbidden(open(), url).await;
        assert!(words.contains(problem), "{words}");
        assert!(!words.contains("pass@") && !words.contains("me@"), "{words}");
    }
    let https_only = FetchSettings {
        allow_http: false,
        ..open()
    };
    let words = forbidden(https_only, &server.url("photos.test", "/")).await;
    assert!(words.contains("plain http is not allowed"), "{words}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn text_that_is_no_url_is_refused_and_not_repeated() {
    let server = Server::start().await;
    let fetcher = fetcher(lab(&server, &["photos.test"]), Script::loopback());
    let error = get(&fetcher, "http://[s3cret").await.unwrap_err();
    assert!(matches!(error, FetchError::Malformed(_)), "{error:?}");
    assert!(!error.to_string().contains("s3cret"));
    let long = server.url("photos.test", &"/a".repeat(5000));
    assert!(matches!(
        get(&fetcher, &long).await,
        Err(FetchError::Forbidden(_))
    ));
}

#[tokio::test]
async fn private_addresses_are_refused_after_resolution() {
    let server = Server::start().await;
    server.on("/", answer("200 OK", "inside"));
    let closed = || FetchSettings {
        allow_private: false,
        ..lab(&server, &["photos.test", "127.0.0.1"])
    };
    // What a name leads to may be corrected yet; an address in the URL itself stays what it is.
    let client = fetcher(closed(), Script::loopback());
    let error = get(&client, &server.url("photos.test", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Denied(_)), "{error:?}");
    let words = error.to_string();
    assert!(
        words.ends_with("/: the name resolves to 127.0.0.1, a loopback address"),
        "{words}"
    );
    let words = forbidden(closed(), &server.url("127.0.0.1", "/")).await;
    assert!(words.ends_with("/: the host is a loopback address"), "{words}");
    for address in [
        "10.1.2.3",
        "169.254.169.254",
        "::1",
        "::ffff:10.0.0.1",
        "64:ff9b::a00:1",
        "fd00::1",
    ] {
        let fetcher = fetcher(closed(), Script::new(&[&[address]]));
        let error = get(&fetcher, &server.url("photos.test", "/")).await.unwrap_err();
        assert!(matches!(error, FetchError::Denied(_)), "{address}: {error:?}");
    }
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_name_that_rebinds_is_refused_the_second_time() {
    let server = Server::start().await;
    server.on("/1", redirect("/2"));
    server.on("/2", answer("200 OK", "metadata"));
    let names = Script::new(&[&["127.0.0.1"], &["169.254.169.254"]]);
    let fetcher = fetcher(lab(&server, &["photos.test"]), names.clone());
    let error = get(&fetcher, &server.url("photos.test", "/1")).await.unwrap_err();
    assert!(matches!(error, FetchError::Denied(_)), "{error:?}");
    let words = error.to_string();
    assert!(
        words.ends_with("/2: the name resolves to 169.254.169.254, a link-local address"),
        "{words}"
    );
    assert_eq!((names.calls(), server.seen().len()), (2, 1));
}

#[tokio::test]
async fn redirects_are_followed_and_checked_like_the_first() {
    let server = Server::start().await;
    server.on("/start", redirect("next?x=1"));
    server.on("/next?x=1", redirect(&server.url("b.test", "/photo")));
    server.on("/photo", answer("200 OK", "photo"));
    let open = || lab(&server, &["a.test", "b.test", "169.254.169.254"]);
    let client = fetcher(open(), Script::loopback());
    assert_eq!(
        get(&client, &server.url("a.test", "/start")).await.unwrap(),
        b"photo"
    );

    let cases = [
        (
            "http://169.254.169.254/latest/meta-data/".into(),
            "the port is not allowed",
        ),
        (
            server.url("169.254.169.254", "/latest"),
            "the host is a link-local address",
        ),
        (server.url("c.test", "/photo"), "the host is not among"),
        (server.url("me:s3cret@b.test", "/photo"), "user name and password"),
        ("file:///etc/passwd".into(), "the scheme 'file' is not allowed"),
    ];
    for (target, problem) in cases {
        server.on("/away", redirect(&target));
        let before = server.seen().len();
        // Where a host leads to is the host's to correct: not final.
        let error = get(&client, &server.url("a.test", "/away")).await.unwrap_err();
        assert!(matches!(error, FetchError::Denied(_)), "{error:?}");
        let words = error.to_string();
        assert!(words.contains(problem) && !words.contains("s3cret"), "{words}");
        assert_eq!(server.seen().len(), before + 1, "{target}");
    }
}

#[tokio::test]
async fn redirects_are_counted() {
    let server = Server::start().await;
    for hop in 0..=REDIRECTS_MAX {
        server.on(&format!("/{hop}"), redirect(&format!("/{}", hop + 1)));
    }
    server.on(&format!("/{}", REDIRECTS_MAX + 1), answer("200 OK", "photo"));
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    assert_eq!(get(&client, &server.url("a.test", "/1")).await.unwrap(), b"photo");
    let error = get(&client, &server.url("a.test", "/0")).await.unwrap_err();
    assert!(matches!(error, FetchError::Denied(_)), "{error:?}");

    server.on("/nowhere", answer("302 Found", ""));
    let error = get(&client, &server.url("a.test", "/nowhere")).await.unwrap_err();
    assert!(matches!(error, FetchError::NotFound(_)), "{error:?}");
}

#[tokio::test]
async fn secret_headers_go_to_their_host_only() {
    let server = Server::start().await;
    let elsewhere = Server::start().await;
    server.on("/photo?sig=q5ery", redirect(&elsewhere.url("b.test", "/photo")));
    let mut settings = lab(&server, &["a.test"]);
    settings.hosts.push(format!("b.test:{}", elsewhere.port));
    settings.headers.push(HostHeader {
        host: format!("a.test:{}", server.port),
        name: "X-Cdn-Key".into(),
        value: Secret::new("s3cret"),
    });
    assert!(!format!("{settings:?}").contains("s3cret"));
    let client = fetcher(settings.clone(), Script::loopback());
    assert!(!format!("{client:?}").contains("s3cret"));

    let error = get(&client, &server.url("a.test", "/photo?sig=q5ery"))
        .await
        .unwrap_err();
    assert!(server.seen()[0].contains("\r\nx-cdn-key: s3cret\r\n"));
    assert!(!elsewhere.seen()[0].contains("s3cret"), "{:?}", elsewhere.seen());
    let words = format!("{error} {error:?}");
    assert!(!words.contains("s3cret") && !words.contains("q5ery"), "{words}");
}

#[tokio::test]
async fn answers_without_a_photo_say_what_to_do() {
    let server = Server::start().await;
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    let kind = |error: &FetchError| match error {
        FetchError::Malformed(_) => "malformed",
        FetchError::NotFound(_) => "not found",
        FetchError::Forbidden(_) => "forbidden",
        FetchError::Denied(_) => "denied",
        FetchError::TooLarge(_) => "too large",
        FetchError::Unreachable(_) | FetchError::HostBusy(_) => "unreachable",
        FetchError::Port(_) => "port",
    };
    let cases = [
        ("404 Not Found", "not found"),
        ("410 Gone", "not found"),
        ("400 Bad Request", "not found"),
        ("204 No Content", "not found"),
        ("304 Not Modified", "not found"),
        ("401 Unauthorized", "denied"),
        ("403 Forbidden", "denied"),
        ("413 Payload Too Large", "unreachable"),
        ("408 Request Timeout", "unreachable"),
        ("429 Too Many Requests", "unreachable"),
        ("500 Internal Server Error", "unreachable"),
        ("503 Service Unavailable", "unreachable"),
    ];
    for (status, expected) in cases {
        server.on("/photo?sig=1", answer(status, ""));
        let error = get(&client, &server.url("a.test", "/photo?sig=1"))
            .await
            .unwrap_err();
        assert_eq!(kind(&error), expected, "{status}");
        let words = error.to_string();
        assert_eq!(
            words,
            format!("http://a.test:{}/photo: answered {status}", server.port)
        );
    }
}

#[tokio::test]
async fn a_location_in_raw_letters_is_followed() {
    let server = Server::start().await;
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    server.on(
        "/K%C3%A4fer/T%C3%BCr%201.jpg?von=M%C3%BCnchen",
        answer("200 OK", "photo"),
    );
    let to = "/K\u{e4}fer/T\u{fc}r 1.jpg?von=M\u{fc}nchen";
    server.on("/", redirect(to));
    assert_eq!(get(&client, &server.url("a.test", "/")).await.unwrap(), b"photo");
    server.on("/T%FCr.jpg", answer("200 OK", "photo"));
    let latin =
        b"HTTP/1.1 302 Found\r\nlocation: /T\xfcr.jpg\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    server.on("/latin", Reply::Turns(Arc::new(Mutex::new(vec![latin.to_vec()]))));
    assert_eq!(
        get(&client, &server.url("a.test", "/latin")).await.unwrap(),
        b"photo"
    );
    for (reply, words) in [
        (answer("302 Found", ""), "without a location"),
        (redirect("http://[bad/"), "with a location that is not a URL"),
    ] {
        server.on("/wrong", reply);
        let error = get(&client, &server.url("a.test", "/wrong")).await.unwrap_err();
        assert!(error.to_string().ends_with(words), "{error}");
    }
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_asked() {
    // Environment variables cannot be set safely here; a test process of its own is started with them.
    if std::env::var_os("WALKAROUND_TEST_PROXIED").is_none() {
        let name = "a_proxy_of_the_environment_is_not_asked";
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", name])
            .env("WALKAROUND_TEST_PROXIED", "1")
            .env("HTTP_PROXY", "http://127.0.0.1:9/")
            .env("http_proxy", "http://127.0.0.1:9/")
            .env_remove("NO_PROXY")
            .env_remove("no_proxy")
            .status();
        assert!(status.unwrap().success());
        return;
    }
    let server = Server::start().await;
    server.on("/", answer("200 OK", "photo"));
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    assert_eq!(get(&client, &server.url("a.test", "/")).await.unwrap(), b"photo");
}

#[test]
fn bad_limits_are_refused() {
    let settings = FetchSettings {
        total_timeout: Duration::ZERO,
        ..FetchSettings::default()
    };
    let blobs = std::sync::Arc::new(support::FakeBlobs::default());
    let error = walkaround_fetch::Fetcher::new(settings, blobs).unwrap_err();
    assert_eq!(error.to_string(), "total_timeout: must be longer than zero");
}
