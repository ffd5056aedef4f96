//! Around every request: who may ask, how long it may take, what the answer forbids, and one line of log.
//!
//! The log has the method, the route as a pattern and the status: never a path or query, which name vehicles
//! and customers.

use super::answer::Refusal;
use super::reviewing::REVIEWER;
use super::site::Site;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Largest body of a request.
pub(super) const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest time for an answer to be made.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// From where a browser says that a request comes.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The middleware.
pub(super) async fn around(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = word(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let mut response = match refused(&site, &request) {
        Some(refusal) => close(refusal.into_response()),
        None => match tokio::time::timeout(ANSWER_MAX, next.run(request)).await {
            Ok(response) => response,
            Err(_) => {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the request took too long").into_response()
            }
        },
    };
    forbid(response.headers_mut());
    let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    if response.status().is_server_error() {
        warn!(method, route, status, ms, "http");
    } else {
        debug!(method, route, status, ms, "http");
    }
    response
}

/// Methods are words of the caller's: only known ones are logged.
fn word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn refused(site: &Site, request: &Request) -> Option<Refusal> {
    if site.loopback_only && !asks_loopback(request.headers(), request.uri()) {
        let line = "the Host header does not name this machine's loopback address";
        return Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, line));
    }
    if *request.method() == Method::POST {
        return is_from_elsewhere(request.headers()).then(|| {
            let line = "expected a request of the console's own page, with application/json";
            Refusal::new(StatusCode::FORBIDDEN, line)
        });
    }
    has_body(request.headers())
        .then(|| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request bodies are not accepted"))
}

/// Whether a write may come from a page of another site. Such a page cannot send JSON, or the reviewer's header, without
/// asking first, and nothing here says yes; a browser names the page that sends, too.
fn is_from_elsewhere(headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_json = text(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    });
    let host = text(HOST).unwrap_or_default();
    let other_origin = text(ORIGIN).is_some_and(|origin| origin.strip_prefix("http://") != Some(host));
    let other_site = text(FETCH_SITE).is_some_and(|site| site != "same-origin");
    !is_json || !headers.contains_key(REVIEWER) || other_origin || other_site
}

/// Whether exactly one `Host` is given, it is a loopback name or address, and so is the one in the address
/// asked for (if that has one).
fn asks_loopback(headers: &HeaderMap, uri: &Uri) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let by_uri = uri.authority().is_none_or(|a| is_loopback(a.as_str()));
    by_uri && host.to_str().is_ok_and(is_loopback)
}

/// Whether `host` (with or without a port) is `localhost` or a loopback address.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    let name = authority.host().trim_start_matches('[').trim_end_matches(']');
    let by_address = |ip: IpAddr| ip.to_canonical().is_loopback();
    name.eq_ignore_ascii_case("localhost") || name.parse().is_ok_and(by_address)
}

fn has_body(headers: &HeaderMap) -> bool {
    let length = headers.get(CONTENT_LENGTH).map(HeaderValue::as_bytes);
    headers.contains_key(TRANSFER_ENCODING) || length.is_some_and(|l| l != b"0")
}

/// A body that was not read must not be taken for the next request.
fn close(mut response: Response) -> Response {
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

/// Answers are data: never sniffed, never run (but for the console's page, whose handler says what may), never local by
/// another site, kept only where a handler said so.
fn forbid(headers: &mut HeaderMap) {
    const RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers
        .entry(CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static("default-src 'none'; sandbox"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    headers.insert(RESOURCE_POLICY, HeaderValue::from_static("same-origin"));
    headers
        .entry(CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn only_loopback_names_are_loopback() {
        for host in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8600",
            "127.9.9.9",
            "[::1]",
            "[::1]:8600",
        ] {
            assert!(is_loopback(host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "x@localhost",
            "localhost@evil.example",
            "10.0.0.1",
            "0.0.0.0",
            "[::]",
            "localhost:80:80",
        ] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
