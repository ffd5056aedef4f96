//! Events of an HTTP API of API Gateway as requests, and answers as it wants them: payload format 2.0,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>.
//!
//! Errors quote nothing of an event: it has cookies.

use axum::body::{Body, to_bytes};
use axum::http::header::{COOKIE, SET_COOKIE};
use axum::http::{Method, Request, StatusCode};
use axum::response::Response;
use base64::Engine as _;
use base64::encoded_len;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};
use tower::ServiceExt;
use tracing::warn;
use walkaround_server::{BODY_BYTES_MAX, Router, refusal};

/// Largest answer that Lambda takes is 6 MiB; base64 makes a third more of it, and headers come on top.
const ANSWER_BYTES_MAX: usize = 4 << 20;
/// What stands in a path as it is: the unreserved characters (RFC 3986, section 2.3), and what divides it.
const IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// The router's answer to an event. A request that cannot be understood is answered, too: whoever sends it is not to count
/// as a failure of the function.
///
/// # Errors
/// An event that is none of an HTTP API: the function is set up wrongly, and nobody would read an answer.
pub async fn answer(router: Router, event: &Value) -> Result<Value, lambda_runtime::Error> {
    if event["version"] != "2.0" {
        return Err("not an event of an HTTP API, payload format 2.0".into());
    }
    let response = match request(event) {
        Ok(request) => router.oneshot(request).await?,
        Err(unreadable) => unreadable.response(),
    };
    match sent(response).await {
        Some(answer) => Ok(answer),
        None => {
            warn!("an answer is too large for Lambda");
            let line = "the answer is too large for this function";
            let refused = sent(refusal(StatusCode::INTERNAL_SERVER_ERROR, line)).await;
            refused.ok_or_else(|| "no answer can be sent".into())
        }
    }
}

/// An answer as API Gateway wants it; none where it is too large.
async fn sent(response: Response) -> Option<Value> {
    let (head, body) = response.into_parts();
    let body = to_bytes(body, ANSWER_BYTES_MAX).await.ok()?;
    let mut headers = Map::new();
    for name in head.headers.keys().filter(|name| **name != SET_COOKIE) {
        let all = head.headers.get_all(name).iter();
        let all: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
        headers.insert(name.to_string(), all.join(",").into());
    }
    let cookies = head.headers.get_all(SET_COOKIE).iter();
    let cookies: Vec<&str> = cookies.filter_map(|value| value.to_str().ok()).collect();
    Some(json!({
        "statusCode": head.status.as_u16(),
        "headers": headers,
        "cookies": cookies,
        "body": STANDARD.encode(&body),
        "isBase64Encoded": true,
    }))
}

/// Why an event is no request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unreadable {
    Malformed,
    TooLarge,
}

impl Unreadable {
    fn response(self) -> Response {
        match self {
            Self::Malformed => refusal(StatusCode::BAD_REQUEST, "the request cannot be understood"),
            Self::TooLarge => refusal(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large"),
        }
    }
}

/// The request of an event.
fn request(event: &Value) -> Result<Request<Body>, Unreadable> {
    let body = body(event)?;
    request_with(event, body).ok_or(Unreadable::Malformed)
}

fn request_with(event: &Value, body: Body) -> Option<Request<Body>> {
    let method = Method::from_bytes(event["requestContext"]["http"]["method"].as_str()?.as_bytes()).ok()?;
    // In spite of its name it comes decoded, while the query does not: encoded again, no character of it is taken for a
    // part of an address.
    let path = event["rawPath"].as_str().filter(|path| path.starts_with('/'))?;
    let mut uri = utf8_percent_encode(path, IN_PATHS).to_string();
    if let Some(query) = event["rawQueryString"].as_str().filter(|query| !query.is_empty()) {
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
    request.body(body).ok()
}

/// The body of an event: of at most [`BODY_BYTES_MAX`], which is looked at before it is decoded.
fn body(event: &Value) -> Result<Body, Unreadable> {
    let Some(text) = event["body"].as_str() else {
        return Ok(Body::empty());
    };
    let is_base64 = event["isBase64Encoded"].as_bool() == Some(true);
    let chars_max = if is_base64 {
        encoded_len(BODY_BYTES_MAX, true).unwrap_or(BODY_BYTES_MAX)
    } else {
        BODY_BYTES_MAX
    };
    if text.len() > chars_max {
        return Err(Unreadable::TooLarge);
    }
    if !is_base64 {
        return Ok(Body::from(text.to_owned()));
    }
    let bytes = STANDARD.decode(text).map_err(|_| Unreadable::Malformed)?;
    Ok(Body::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::{BODY_BYTES_MAX, Router, Unreadable, answer, request};
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::{Value, json};

    fn good() -> Value {
        json!({
            "version": "2.0",
            "rawPath": "/api/session",
            "rawQueryString": "a=b",
            "headers": {"host": "console.example.com"},
            "cookies": ["a=b", "c=d"],
            "requestContext": {"http": {"method": "GET"}},
        })
    }

    fn changed(field: &str, value: Value) -> Value {
        let mut event = good();
        event[field] = value;
        event
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let request_of_good = request(&good()).unwrap();
        assert_eq!(request_of_good.uri(), "/api/session?a=b");
        assert_eq!(request_of_good.headers()["cookie"], "a=b; c=d");
        for (field, value) in [
            ("rawPath", json!(null)),
            ("rawPath", json!("no path at all")),
            ("rawPath", json!("evil.example")),
            ("rawQueryString", json!("a=b c")),
            ("headers", json!({"a header": "with spaces"})),
            ("headers", json!({"host": "a\r\nb"})),
            ("headers", json!({"host": 7})),
            ("requestContext", json!({})),
        ] {
            let refused = request(&changed(field, value)).err();
            assert_eq!(refused, Some(Unreadable::Malformed), "{field}");
        }
    }

    #[test]
    fn a_path_comes_decoded_and_is_encoded_again() {
        for (path, uri) in [
            ("/console/assets/a-b_c.js", "/console/assets/a-b_c.js?a=b"),
            ("/api/inspections/a b", "/api/inspections/a%20b?a=b"),
            ("/api/inspections/김", "/api/inspections/%EA%B9%80?a=b"),
            // No query of its own, and nothing that is decoded once more.
            ("/api/inspections?limit=1", "/api/inspections%3Flimit%3D1?a=b"),
            ("/api/inspections/%41", "/api/inspections/%2541?a=b"),
        ] {
            let request = request(&changed("rawPath", json!(path))).unwrap();
            assert_eq!(request.uri(), uri, "{path}");
        }
    }

    #[test]
    fn a_body_is_measured_before_it_is_decoded() {
        let with = |body: String, is_base64: bool| {
            let mut event = changed("body", body.into());
            event["isBase64Encoded"] = is_base64.into();
            request(&event).map(drop)
        };
        let (longest, longer) = (vec![0; BODY_BYTES_MAX], vec![0; BODY_BYTES_MAX + 1]);
        assert_eq!(with(STANDARD.encode(&longest), true), Ok(()));
        // Of one byte more the text is longer by four characters, or by none: what fits is left to the router.
        assert_eq!(
            with(STANDARD.encode([0; 3]) + &STANDARD.encode(&longer), true),
            Err(Unreadable::TooLarge)
        );
        assert_eq!(with("x".repeat(BODY_BYTES_MAX), false), Ok(()));
        assert_eq!(
            with("x".repeat(BODY_BYTES_MAX + 1), false),
            Err(Unreadable::TooLarge)
        );
        assert_eq!(with("no base64".to_owned(), true), Err(Unreadable::Malformed));
    }

    #[tokio::test]
    async fn a_request_that_cannot_be_understood_is_answered() {
        let bad = changed("rawPath", json!("no path at all"));
        let answered = answer(Router::new(), &bad).await.unwrap();
        assert_eq!(answered["statusCode"], 400);
        let body = STANDARD.decode(answered["body"].as_str().unwrap()).unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body, json!({"error": "the request cannot be understood"}));
        assert_eq!(answered["headers"]["cache-control"], "no-store");
        // The function is set up wrongly.
        assert!(
            answer(Router::new(), &changed("version", json!("1.0")))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_told_in_one_line() {
        let large = axum::routing::get(|| async { vec![0; super::ANSWER_BYTES_MAX + 1] });
        let router = Router::new().route("/api/session", large);
        let answered = answer(router, &good()).await.unwrap();
        assert_eq!(answered["statusCode"], 500);
    }
}
