//! The same routes behind the console function: requests as events of an HTTP API of API Gateway (payload format 2.0), handed to
//! the function's own handler.

use crate::bench::{Bench, Cloud};
use crate::browser::{Browser, CONSOLE_HOST, account, provider, settings};
use axum::body::{Body, to_bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::Arc;
use walkaround_console::{answer, site};
use walkaround_domain::Verdict;
use walkaround_pipeline::telemetry::NoopTelemetry;
use walkaround_server::{Router, router};

const BODY_BYTES_MAX: usize = 1 << 20;
/// A function has no connections of its own, and API Gateway hands on paths only, never whole addresses, and one `Host`.
const ELSEWHERE: [&str; 2] = [
    "real_connections_are_answered_and_end_with_the_stop",
    "only_loopback_names_are_answered_on_loopback",
];

/// A request as API Gateway hands it to a function.
async fn event_of(request: Request<Body>) -> Value {
    let (head, body) = request.into_parts();
    let body = to_bytes(body, BODY_BYTES_MAX).await.unwrap();
    let mut headers = serde_json::Map::new();
    for name in head.headers.keys().filter(|name| **name != COOKIE) {
        // API Gateway joins what comes more than once.
        let all: Vec<&str> = head
            .headers
            .get_all(name)
            .iter()
            .map(|v| v.to_str().unwrap())
            .collect();
        headers.insert(name.to_string(), all.join(",").into());
    }
    let cookies = head.headers.get_all(COOKIE).iter();
    let cookies = cookies.flat_map(|line| line.to_str().unwrap().split("; ").map(str::to_owned));
    // API Gateway decodes the path, and nothing else.
    let path = percent_encoding::percent_decode_str(head.uri.path()).decode_utf8_lossy();
    let query = head.uri.query().unwrap_or_default();
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "cookies": cookies.collect::<Vec<_>>(),
        "headers": headers,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": CONSOLE_HOST,
            "domainPrefix": "console",
            "http": {
                "method": head.method.as_str(),
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.1",
                "userAgent": "test",
            },
            "requestId": "request",
            "routeKey": "$default",
            "stage": "$default",
            "time": "22/Nov/2026:12:00:00 +0000",
            "timeEpoch": 1_795_348_800_000_u64,
        },
        "body": if body.is_empty() { Value::Null } else { STANDARD.encode(&body).into() },
        "isBase64Encoded": !body.is_empty(),
    })
}

/// What the function answers, as a browser gets it from API Gateway.
pub(crate) async fn ask(router: Router, request: Request<Body>) -> (StatusCode, HeaderMap, Vec<u8>) {
    let answered = answer(router, &event_of(request).await).await.unwrap();
    let status = u16::try_from(answered["statusCode"].as_u64().unwrap()).unwrap();
    let mut headers = HeaderMap::new();
    for (name, value) in answered["headers"].as_object().into_iter().flatten() {
        let name = HeaderName::try_from(name.as_str()).unwrap();
        headers.insert(name, HeaderValue::try_from(value.as_str().unwrap()).unwrap());
    }
    for cookie in answered["cookies"].as_array().into_iter().flatten() {
        headers.append(
            SET_COOKIE,
            HeaderValue::try_from(cookie.as_str().unwrap()).unwrap(),
        );
    }
    let body = answered["body"].as_str().unwrap_or_default();
    let body = match answered["isBase64Encoded"].as_bool() {
        Some(true) => STANDARD.decode(body).unwrap(),
        _ => body.as_bytes().to_vec(),
    };
    (StatusCode::from_u16(status).unwrap(), headers, body)
}

#[tokio::test]
async fn it_answers_the_same_behind_the_function() {
    let cloud = Cloud::start().await;
    for case in crate::cases::CASES {
        if ELSEWHERE.contains(&case.name) {
            println!("skipped: {}", case.name);
            continue;
        }
        println!("{}", case.name);
        (case.run)(Bench::aws(&cloud).await.behind_the_function()).await;
    }
}

/// The function's own site: people sign in, and pictures come from the store under signed addresses.
#[tokio::test]
async fn pictures_do_not_pass_through_the_function() {
    let Some(provider) = provider() else { return };
    let cloud = Cloud::start().await;
    let bench = Bench::aws(&cloud).await;
    crate::people::store(&bench, "a", b"\xff\xd8\xff\xe0 a picture").await;
    bench.store("b", "car", Some((Verdict::Damaged, b"x"))).await;
    let sign_in = settings(&provider, &[]).sign_in;
    let stack = bench.stack_with(|settings| settings.sign_in = sign_in);
    let site = site(&stack, Arc::new(NoopTelemetry)).await.unwrap();
    let console = router(site);

    provider.set_account(account(&["viewer"])).await;
    let mut browser = Browser::behind_the_function();
    for path in [
        "/api/inspections/a/photo",
        "/api/inspections/b/overlay",
        "/api/inspections/a",
    ] {
        let page = browser.get(&console, path).await;
        assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{path}: {page:?}");
    }
    let page = browser.sign_in(&console, &provider).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    let page = browser.get(&console, "/console/").await;
    let policy = page.headers[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
    for (path, object) in [
        ("/api/inspections/a/photo", "/photos/a.jpg?"),
        ("/api/inspections/b/overlay", "/inspections/b/overlay.jpg?"),
    ] {
        let page = browser.get(&console, path).await;
        assert_eq!(page.status, StatusCode::FOUND, "{path}: {page:?}");
        assert!(page.body.is_empty(), "{page:?}");
        assert_eq!(page.headers[CACHE_CONTROL], "private, max-age=300");
        let address = page.headers[LOCATION].to_str().unwrap();
        assert!(
            address.contains("X-Amz-Signature=") && address.contains("X-Amz-Expires=900"),
            "{path}"
        );
        let origin = address.splitn(4, '/').take(3).collect::<Vec<_>>().join("/");
        assert!(policy.contains(&format!("img-src 'self' {origin}")), "{policy}");
        // That the store answers such an address is a test of the adapter's own.
        assert!(address.contains(object), "{path}");
    }
    let page = browser.get(&console, "/api/session").await;
    assert_eq!(page.json()["role"], "viewer");
}

#[tokio::test]
async fn the_function_does_not_start_without_sign_in() {
    let cloud = Cloud::start().await;
    let bench = Bench::aws(&cloud).await;
    let stack = bench.stack_with(|settings| settings.sign_in = None);
    let refused = site(&stack, Arc::new(NoopTelemetry)).await.err();
    let line = refused.expect("it has no provider").to_string();
    assert!(
        line.contains("WALKAROUND_OIDC_ISSUER") && !line.contains('\n'),
        "{line}"
    );
}
