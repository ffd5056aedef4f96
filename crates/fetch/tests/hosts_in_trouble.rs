//! Photos over http from hosts in trouble: what may be tried again, and what a silent host may hold.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

#[allow(dead_code, reason = "each test file uses a part of it")]
mod support;

use std::sync::Arc;
use std::time::Duration;
use support::{Reply, Script, Server, answer, fetcher, get, lab};
use walkaround_fetch::FetchSettings;
use walkaround_ports::FetchError;

#[tokio::test]
async fn slow_and_broken_answers_may_be_tried_again() {
    let server = Server::start().await;
    let settings = FetchSettings {
        total_timeout: Duration::from_millis(300),
        ..lab(&server, &["a.test"])
    };
    let client = fetcher(settings, Script::loopback());
    let partial = "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
    for (reply, problem) in [
        (Reply::Hold(partial.into()), "no complete answer within 300ms"),
        (Reply::Hold(String::new()), "no complete answer within 300ms"),
        (Reply::Close(partial.into()), "the answer was cut off"),
        (Reply::Close("SSH-2.0-x\r\n".into()), "the request failed"),
    ] {
        server.on("/?sig=s3cret", reply);
        let error = get(&client, &server.url("a.test", "/?sig=s3cret"))
            .await
            .unwrap_err();
        assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
        let words = format!("{error} {error:?}");
        assert!(words.contains(problem) && !words.contains("s3cret"), "{words}");
    }
}

#[tokio::test]
async fn a_page_or_nothing_in_a_photos_place_may_be_a_photo_later() {
    let server = Server::start().await;
    let client = fetcher(lab(&server, &["a.test"]), Script::loopback());
    let reply = |kind: &str, body: &str| {
        Reply::Close(format!(
            "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ))
    };
    for (kind, body, words) in [
        ("image/jpeg", "", "answered with no bytes"),
        (
            "text/html; charset=utf-8",
            "\n<!doctype html><p>Sign in",
            "answered with a page, not a photo",
        ),
        (
            "application/problem+json",
            "{\"error\": 1}",
            "answered with JSON, not a photo",
        ),
    ] {
        server.on("/", reply(kind, body));
        let error = get(&client, &server.url("a.test", "/")).await.unwrap_err();
        assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
        assert!(error.to_string().contains(words), "{error}");
    }
    // Servers send photos under any type.
    server.on("/", reply("text/html", "no page"));
    assert_eq!(
        get(&client, &server.url("a.test", "/")).await.unwrap(),
        b"no page"
    );
}

#[tokio::test]
async fn a_host_that_does_not_answer_holds_two_photos_at_a_time_and_none_of_other_hosts() {
    let server = Server::start().await;
    let settings = FetchSettings {
        total_timeout: Duration::from_millis(300),
        ..lab(&server, &["a.test", "b.test"])
    };
    let client = Arc::new(fetcher(settings, Script::loopback()));
    server.on("/dead", Reply::Hold(String::new()));
    server.on("/busy", answer("503 Service Unavailable", ""));
    server.on("/good", answer("200 OK", "photo"));
    let url = |path| server.url("a.test", path);
    // A host that answers, be it with its own trouble, is not silent.
    for _ in 0..5 {
        let answered = get(&client, &url("/busy")).await;
        assert!(
            matches!(answered, Err(FetchError::Unreachable(_))),
            "{answered:?}"
        );
    }
    let refused_of_six = async |path| {
        let mut asked = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let (client, url) = (Arc::clone(&client), url(path));
            asked.spawn(async move { get(&client, &url).await });
        }
        let outcomes = asked.join_all().await;
        let busy = |outcome: &&Result<_, _>| matches!(outcome, Err(FetchError::HostBusy(_)));
        outcomes.iter().filter(busy).count()
    };
    assert_eq!(refused_of_six("/dead").await, 0, "nothing is known of it yet");
    assert_eq!(refused_of_six("/dead").await, 4, "two are tried");
    let other = server.url("b.test", "/good");
    assert_eq!(get(&client, &other).await.unwrap(), b"photo");
    assert_eq!(
        get(&client, &url("/good")).await.unwrap(),
        b"photo",
        "it answers again"
    );
    assert_eq!(refused_of_six("/good").await, 0);
}

/// It is nothing but new: three time-outs in a row are still to come.
#[tokio::test]
async fn a_host_that_hangs_from_the_start_leaves_half_of_the_room_to_others() {
    const AT_ONCE: usize = 6;
    let server = Server::start().await;
    let settings = FetchSettings {
        at_once: AT_ONCE,
        ..lab(&server, &["a.test", "b.test"])
    };
    let client = Arc::new(fetcher(settings, Script::loopback()));
    server.on("/dead", Reply::Hold(String::new()));
    server.on("/good", answer("200 OK", "photo"));
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..AT_ONCE {
        let (client, url) = (Arc::clone(&client), server.url("a.test", "/dead"));
        asked.spawn(async move { get(&client, &url).await });
    }
    // The others hang for as long as their time-out, which this test does not wait for.
    for _ in 0..AT_ONCE / 2 {
        let outcome = asked.join_next().await.unwrap().unwrap();
        assert!(matches!(outcome, Err(FetchError::HostBusy(_))), "{outcome:?}");
    }
    assert_eq!(asked.len(), AT_ONCE / 2);
    let other = server.url("b.test", "/good");
    assert_eq!(get(&client, &other).await.unwrap(), b"photo");
    asked.abort_all();
    while asked.join_next().await.is_some() {}
    // A host that answers is asked for all of them.
    for _ in 0..4 * AT_ONCE {
        let (client, url) = (Arc::clone(&client), server.url("b.test", "/good"));
        asked.spawn(async move { get(&client, &url).await });
    }
    for outcome in asked.join_all().await {
        assert_eq!(outcome.unwrap(), b"photo");
    }
}

#[tokio::test]
async fn no_connection_and_no_name_may_be_tried_again() {
    let server = Server::start().await;
    let mut settings = lab(&server, &["a.test"]);
    // Bound and given back: nobody listens there.
    let closed = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    settings.hosts.push(format!("a.test:{closed}"));
    let client = fetcher(settings.clone(), Script::loopback());
    let error = get(&client, &format!("http://a.test:{closed}/?sig=s3cret"))
        .await
        .unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
    assert!(error.to_string().contains("no connection") && !error.to_string().contains("s3cret"));

    let nameless = fetcher(settings, Script::new(&[&[]]));
    let error = get(&nameless, &server.url("a.test", "/")).await.unwrap_err();
    assert!(matches!(error, FetchError::Unreachable(_)), "{error:?}");
}
