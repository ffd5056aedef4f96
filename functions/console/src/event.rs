//! Events of an HTTP API of API Gateway as requests, and answers as it wants them: payload format 2.0,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.
//!
//! Errors quote nothing of an event: it has cookies.

use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Method, Request};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};
use tower::ServiceExt;
use walkaround_server::Router;

/// Largest answer that Lambda takes is 6 MiB; base64 makes a third more of it, and headers come on top.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// The router's answer to an event.
///
/// # Errors
/// An event that is none of an HTTP API, or an answer that is too large for Lambda.
pub async fn answer(router: Router, event: &Value) -> Result<Value, lambda_runtime::Error> {
    let request = request(event).ok_or("not an event of an HTTP API, payload format 2.0")?;
    let (head, body) = router.oneshot(request).await?.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX)
        .await
        .map_err(|_| "an answer that is too large for Lambda")?;
    let mut headers = Map::new();
    for name in head.headers.keys().filter(|name| **name != SET_COOKIE) {
        let all = head.headers.get_all(name).iter();
        let all: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.to_string(), all.join(",").into());
    }
    let cookies = head.headers.get_all(SET_COOKIE).iter();
    let cookies: Vec<&str> = cookies.filter_map(|value| value.to_str().ok()).collect();
    Ok(json!({
        "statusCode": head.status.as_u16(),
        "headers": headers,
        "cookies": cookies,
        "body": STANDARD.encode(&body),
        "isBase64Encoded": true,
    }))
}

/// The request of an event.
fn request(event: &Value) -> Option<Request<Body>> {
    if event["version"] != "2.0" {
        return None;
    }
    let method = Method::from_bytes(event["requestContext"]["http"]["method"].as_str()?.as_bytes()).ok()?;
    let (path, query) = (event["rawPath"].as_str()?, event["rawQueryString"].as_str());
    let mut uri = path.to_owned();
    if let Some(query) = query.filter(|query| !query.is_empty()) {
        uri.push('?');
        uri.push_str(query);
    }
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in event["headers"].as_object()? {
        request = request.header(name, value.as_str()?);
    }
    let cookies = event["cookies"].as_array().map(Vec::as_slice).unwrap_or_default();
    let cookies: Vec<&str> = cookies.iter().filter_map(Value::as_str).collect();
    if !cookies.is_empty() {
        request = request.header(COOKIE, cookies.join("; "));
    }
    let body = match (event["body"].as_str(), event["isBase64Encoded"].as_bool()) {
        (None, _) => Body::empty(),
        (Some(text), Some(true)) => Body::from(STANDARD.decode(text).ok()?),
        (Some(text), _) => Body::from(text.to_owned()),
    };
    request.body(body).ok()
}

#[cfg(test)]
mod tests {
    use super::request;
    use serde_json::json;

    #[test]
    fn what_is_no_event_of_an_http_api_is_no_request() {
        let good = json!({
            "version": "2.0",
            "rawPath": "/api/session",
            "rawQueryString": "a=b",
            "headers": {"host": "console.example.com"},
            "cookies": ["a=b", "c=d"],
            "requestContext": {"http": {"method": "GET"}},
        });
        let request_of_good = request(&good).unwrap();
        assert_eq!(request_of_good.uri(), "/api/session?a=b");
        assert_eq!(request_of_good.headers()["cookie"], "a=b; c=d");
        for (field, value) in [
            ("version", json!("1.0")),
            ("rawPath", json!(null)),
            ("rawPath", json!("no path at all")),
            ("headers", json!({"a header": "with spaces"})),
            ("requestContext", json!({})),
        ] {
            let mut bad = good.clone();
            bad[field] = value;
            assert!(request(&bad).is_none(), "{field}");
        }
    }
}
