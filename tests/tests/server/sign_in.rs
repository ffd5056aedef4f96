//! Signing in at a certified provider: what is let in, and what is refused. On the local stack; sessions are among the
//! cases that run on both stacks ([`crate::sessions`]).

use crate::bench::Bench;
use crate::browser::{Browser, CONSOLE, House, Page, SESSION, account, provider, settings, status};
use crate::people::{decision, store};
use axum::body::Body;
use axum::http::header::CONTENT_SECURITY_POLICY;
use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use walkaround_server::SignInOptionsError;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

async fn house() -> Option<House> {
    House::on(Bench::local()).await
}

/// Nobody is signed in by this answer, nor afterwards.
async fn assert_nobody(house: &House, browser: &mut Browser, page: &Page, expected: u16) {
    assert_eq!(page.status.as_u16(), expected, "{page:?}");
    assert!(browser.cookie(SESSION).is_none(), "{page:?}");
    let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    for path in ["/api/session", "/api/inspections"] {
        assert_eq!(status(browser, &house.here, path).await, 401, "{path}");
    }
}

/// Signs in while the provider's ID tokens have this fault: refused.
async fn assert_refused(fault: &str) {
    let Some(house) = house().await else { return };
    house.provider.set_fault(fault).await;
    let mut browser = Browser::default();
    let page = browser.sign_in(&house.here, &house.provider).await;
    assert_nobody(&house, &mut browser, &page, 403).await;
    assert_eq!(
        house.provider.token_requests().await,
        1,
        "the token was asked for"
    );
    // The same browser signs in once the fault is gone: the fault was all there was.
    house.provider.set_fault("").await;
    let page = browser.sign_in(&house.here, &house.provider).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 200);
}

#[tokio::test]
async fn a_token_for_another_audience_is_refused() {
    assert_refused("audience").await;
}

#[tokio::test]
async fn a_token_that_another_client_asked_for_is_refused() {
    assert_refused("several audiences").await;
}

#[tokio::test]
async fn a_token_of_another_issuer_is_refused() {
    assert_refused("issuer").await;
}

#[tokio::test]
async fn an_expired_token_is_refused() {
    assert_refused("expired").await;
}

#[tokio::test]
async fn a_token_of_another_attempt_is_refused() {
    assert_refused("nonce").await;
}

#[tokio::test]
async fn a_token_without_a_nonce_is_refused() {
    assert_refused("no nonce").await;
}

#[tokio::test]
async fn an_unsigned_token_is_refused() {
    assert_refused("unsigned").await;
}

#[tokio::test]
async fn a_token_that_another_key_signed_is_refused() {
    assert_refused("signature").await;
}

#[tokio::test]
async fn a_token_of_a_key_that_the_provider_does_not_have_is_refused() {
    assert_refused("unknown key").await;
}

#[tokio::test]
async fn a_token_signed_by_the_shared_secret_is_refused() {
    assert_refused("shared secret").await;
}

#[tokio::test]
async fn an_answer_without_a_state_or_with_another_is_refused() {
    let Some(house) = house().await else { return };
    for change in ["missing", "other", "without its cookie", "of another provider"] {
        let mut browser = Browser::default();
        let back = browser.go_to_provider(&house.here, &house.provider).await;
        let state = back
            .split('&')
            .find(|part| part.contains("state="))
            .unwrap()
            .to_owned();
        let back = match change {
            "missing" => back.replace(&state, ""),
            "other" => back.replace(&state, "state=another"),
            "of another provider" => back.replace("iss=http", "iss=https"),
            _ => back,
        };
        if change == "without its cookie" {
            browser.forget("attempt");
        }
        let page = browser.get(&house.here, &back).await;
        assert_nobody(&house, &mut browser, &page, 400).await;
    }
    assert_eq!(house.provider.token_requests().await, 0, "no code was redeemed");
}

#[tokio::test]
async fn an_answer_that_comes_a_second_time_is_refused() {
    let Some(house) = house().await else { return };
    let mut browser = Browser::default();
    let back = browser.go_to_provider(&house.here, &house.provider).await;
    let mut thief = browser.clone();
    let page = browser.get(&house.here, &back).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    // The same code and state from somebody who has the cookie, too; at another instance.
    let page = thief.get(&house.there, &back).await;
    assert_nobody(&house, &mut thief, &page, 400).await;
    assert_eq!(house.provider.token_requests().await, 1);
}

#[tokio::test]
async fn a_code_that_was_redeemed_is_refused() {
    let Some(house) = house().await else { return };
    let mut first = Browser::default();
    let used = first.go_to_provider(&house.here, &house.provider).await;
    assert_eq!(first.get(&house.here, &used).await.status, StatusCode::SEE_OTHER);
    let code = |back: &str| {
        back.split(['?', '&'])
            .find(|part| part.starts_with("code="))
            .unwrap()
            .to_owned()
    };
    let mut second = Browser::default();
    let back = second.go_to_provider(&house.here, &house.provider).await;
    let replayed = back.replace(&code(&back), &code(&used));
    let page = second.get(&house.here, &replayed).await;
    assert_nobody(&house, &mut second, &page, 403).await;
}

#[tokio::test]
async fn an_attempt_that_took_too_long_is_refused() {
    let Some(house) = house().await else { return };
    let mut browser = Browser::default();
    let back = browser.go_to_provider(&house.here, &house.provider).await;
    house.pass(601);
    let page = browser.get(&house.here, &back).await;
    assert_nobody(&house, &mut browser, &page, 400).await;
}

#[tokio::test]
async fn whoever_the_provider_does_not_sign_in_is_refused() {
    let Some(house) = house().await else { return };
    house.provider.set_account(Value::Null).await;
    let mut browser = Browser::default();
    let page = browser.sign_in(&house.here, &house.provider).await;
    assert_nobody(&house, &mut browser, &page, 403).await;
}

#[tokio::test]
async fn whoever_has_no_role_here_is_refused() {
    let Some(house) = house().await else { return };
    house.provider.set_account(account(&["admin"])).await;
    let mut browser = Browser::default();
    let page = browser.sign_in(&house.here, &house.provider).await;
    assert_nobody(&house, &mut browser, &page, 403).await;
    assert!(String::from_utf8_lossy(&page.body).contains("You have no role here"));
}

#[tokio::test]
async fn a_provider_that_does_not_answer_is_no_way_in() {
    let Some(mut house) = house().await else { return };
    house.provider.stop();
    let mut browser = Browser::default();
    let page = browser.get(&house.here, "/sign-in").await;
    assert_nobody(&house, &mut browser, &page, 502).await;
}

#[tokio::test]
async fn a_cookie_that_is_no_session_of_ours_is_refused() {
    let Some(house) = house().await else { return };
    let browser = house.signed_in("viewer").await;
    let real = browser.cookie(SESSION).unwrap().to_owned();
    let mut changed = real.clone();
    changed.replace_range(20..21, if &real[20..21] == "A" { "B" } else { "A" });
    for cookie in [changed.as_str(), "", "AAAA", &real[..real.len() / 2]] {
        let request = Request::get("/api/session").header("cookie", format!("{SESSION}={cookie}"));
        let page = Browser::default()
            .ask(&house.here, request.body(Body::empty()).unwrap())
            .await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{cookie}");
    }
    let request = Request::get("/api/session").header("cookie", format!("{SESSION}={real}"));
    let page = Browser::default()
        .ask(&house.here, request.body(Body::empty()).unwrap())
        .await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn a_session_lasts_no_longer_than_it_may() {
    let Some(house) = house().await else { return };
    let mut browser = house.signed_in("viewer").await;
    house.pass(59 * 60);
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 200);
    house.pass(60);
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 401);
}

#[tokio::test]
async fn a_provider_that_is_away_ends_no_session_at_once() {
    let Some(mut house) = house().await else { return };
    let mut browser = house.signed_in("viewer").await;
    house.provider.stop();
    house.pass(9 * 60);
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 200);
    house.pass(60);
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 503);
}

#[tokio::test]
async fn a_viewer_decides_nothing_and_only_operators_operate() {
    let bench = Bench::local();
    store(&bench, "a", JPEG).await;
    let Some(house) = House::on(bench).await else {
        return;
    };
    let decide = (
        "/api/inspections/a/reviews",
        decision(1, &json!({"kind": "confirm"})),
    );
    let claim = ("/api/tasks/claim", json!({}));
    let ask = ("/api/tasks/a/ask", json!({}));
    let redrive = ("/api/parked/redrive", json!({"queue": "intake"}));
    let retry = ("/api/retry", json!({"ids": ["a"]}));
    for (role, allowed) in [("viewer", 0), ("reviewer", 3), ("operator", 5)] {
        let mut browser = house.signed_in(role).await;
        assert_eq!(
            status(&mut browser, &house.here, "/api/inspections/a").await,
            200,
            "{role}"
        );
        let parked = status(&mut browser, &house.here, "/api/parked?queue=intake").await;
        assert_eq!(parked, if role == "operator" { 200 } else { 403 }, "{role}");
        for (nth, (path, body)) in [&ask, &claim, &decide, &redrive, &retry].into_iter().enumerate() {
            let page = browser.post(&house.here, path, body).await;
            let expected = if nth < allowed {
                StatusCode::OK
            } else {
                StatusCode::FORBIDDEN
            };
            assert_eq!(page.status, expected, "{role} {path}: {page:?}");
        }
        let out = browser.post(&house.here, "/api/sign-out", &json!({})).await;
        assert_eq!(out.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn requests_of_other_pages_and_under_other_names_are_refused() {
    let Some(house) = house().await else { return };
    let mut browser = house.signed_in("operator").await;
    let post = |name: &'static str, value: &'static str| {
        let mut request = Request::post("/api/sign-out")
            .header("content-type", "application/json")
            .header("origin", CONSOLE)
            .header("x-walkaround-reviewer", "x")
            .body(Body::from("{}"))
            .unwrap();
        request.headers_mut().insert(name, value.parse().unwrap());
        request
    };
    for (name, value, expected) in [
        ("origin", "https://evil.example", 403),
        ("origin", "http://console.example.com", 403),
        ("origin", "null", 403),
        ("sec-fetch-site", "cross-site", 403),
        ("content-type", "text/plain", 403),
        ("host", "evil.example", 421),
        ("host", "127.0.0.1:8600", 421),
    ] {
        let page = browser.ask(&house.here, post(name, value)).await;
        assert_eq!(page.status.as_u16(), expected, "{name}: {value}");
    }
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 200);
    // A load balancer asks by an address.
    let probe = Request::get("/healthz").header("host", "10.0.0.1:8377");
    let page = browser.ask(&house.here, probe.body(Body::empty()).unwrap()).await;
    assert_eq!(page.status, StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_read_with_a_session_or_their_token() {
    let Some(house) = house().await else { return };
    for (token, expected) in [
        ("Bearer scrape me", 200),
        ("Bearer scrape", 401),
        ("scrape me", 401),
    ] {
        let request = Request::get("/metrics").header("authorization", token);
        let page = Browser::default()
            .ask(&house.here, request.body(Body::empty()).unwrap())
            .await;
        assert_eq!(page.status.as_u16(), expected, "{token}");
    }
    let request = Request::get("/api/inspections").header("authorization", "Bearer scrape me");
    let page = Browser::default()
        .ask(&house.here, request.body(Body::empty()).unwrap())
        .await;
    assert_eq!(page.status.as_u16(), 401, "the token reads nothing else");
    let mut browser = house.signed_in("viewer").await;
    assert_eq!(status(&mut browser, &house.here, "/metrics").await, 200);
}

#[tokio::test]
async fn settings_that_let_nobody_in_safely_are_refused_in_one_line() {
    let Some(provider) = provider() else { return };
    let refused = |name: &str, value: &str| {
        let settings = settings(&provider, &[(name, value)]).sign_in.unwrap();
        let error = walkaround_sign_in::sign_in(&settings).err();
        error.map(|error| error.to_string()).unwrap_or_default()
    };
    for (name, value) in [
        ("WALKAROUND_SESSION_KEY", ""),
        ("WALKAROUND_SESSION_KEY", "short"),
        ("WALKAROUND_CONSOLE_URL", "http://console.example.com"),
        ("WALKAROUND_CONSOLE_URL", "https://console.example.com/console/"),
        ("WALKAROUND_OIDC_ISSUER", "http://id.example.com"),
    ] {
        let line = refused(name, value);
        assert!(
            line.starts_with(name) && !line.contains('\n'),
            "{name}={value}: {line}"
        );
    }
    assert!(SignInOptionsError::Key.to_string().contains("openssl rand"));
}
