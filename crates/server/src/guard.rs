//! Around every request: who may ask, how long it may take, what the answer forbids, and one line of log.
//!
//! The log has the method, the route as a pattern and the status: never a path or query, which name vehicles
//! and customers.

use super::access::Access;
use super::answer::Refusal;
use super::loopback::is_loopback_host;
use super::reviewing::{Caller, REVIEWER, reviewer_given};
use super::routes::access_of;
use super::site::Site;
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONNECTION, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HOST, ORIGIN,
    REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, TRANSFER_ENCODING, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tracing::{debug, warn};

/// Largest body of a request, in bytes.
pub const BODY_BYTES_MAX: usize = 1 << 20;
/// Longest time for an answer to be made.
const ANSWER_MAX: Duration = Duration::from_secs(10);
/// A browser that came over TLS never comes without.
const TLS_ONLY: &str = "max-age=31536000";
/// From where a browser says that a request comes.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The middleware.
pub(super) async fn around(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let method = word(request.method());
    let route = request.extensions().get::<MatchedPath>().cloned();
    let access = route
        .as_ref()
        .map_or(Access::Open, |route| access_of(request.method(), route.as_str()));
    let mut response = match refused(&site, &request, access) {
        Some(refusal) => close(refusal.into_response()),
        None => match tokio::time::timeout(ANSWER_MAX, let_in(&site, request, access, next)).await {
            Ok(response) => response,
            Err(_) => {
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the request took too long").into_response()
            }
        },
    };
    forbid(response.headers_mut());
    if site.sign_in.as_ref().is_some_and(|sign_in| sign_in.is_secure()) {
        response
            .headers_mut()
            .insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ONLY));
    }
    let (status, ms) = (response.status().as_u16(), started.elapsed().as_millis());
    let route = route.as_ref().map_or("none", MatchedPath::as_str);
    if response.status().is_server_error() {
        warn!(method, route, status, ms, "http");
    } else {
        debug!(method, route, status, ms, "http");
    }
    response
}

/// Answers whoever may ask.
async fn let_in(site: &Site, mut request: Request, access: Access, next: Next) -> Response {
    match caller(site, request.headers(), access).await {
        Ok(caller) => {
            if let Some(caller) = caller {
                request.extensions_mut().insert(caller);
            }
            next.run(request).await
        }
        // Its body was not read.
        Err(refusal) => close(refusal.into_response()),
    }
}

/// Who asks, where the route needs to know; a refusal for whoever may not.
async fn caller(site: &Site, headers: &HeaderMap, access: Access) -> Result<Option<Caller>, Refusal> {
    if matches!(access, Access::Open | Access::Probe) {
        return Ok(None);
    }
    let Some(sign_in) = &site.sign_in else {
        if site.loopback_only {
            return Ok(Some(Caller::Here));
        }
        let line = "beyond loopback this needs sign-in, which is not set up";
        return Err(Refusal::new(StatusCode::FORBIDDEN, line));
    };
    if access == Access::Metrics && sign_in.may_read_metrics(headers) {
        return Ok(None);
    }
    let Some(session) = sign_in.caller(site, headers).await? else {
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, "sign in first: /sign-in"));
    };
    // A page outlives its session: somebody else may have signed in since, in another tab. 401, so that the page keeps what it
    // wanted to send until the one whom it names has signed in again.
    if reviewer_given(headers).is_some_and(|given| given != session.name.as_str()) {
        let line = "the request is in another name than that of whoever is signed in: load the page again";
        return Err(Refusal::new(StatusCode::UNAUTHORIZED, line));
    }
    match access {
        Access::Role(role) if session.role < role => {
            let line = format!(
                "this needs the role {}: yours is {}",
                role.as_str(),
                session.role.as_str()
            );
            Err(Refusal::new(StatusCode::FORBIDDEN, line))
        }
        _ => Ok(Some(Caller::SignedIn(session))),
    }
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

fn refused(site: &Site, request: &Request, access: Access) -> Option<Refusal> {
    let headers = request.headers();
    // Where people sign in, a load balancer asks by an address.
    let is_probe = access == Access::Probe && site.sign_in.is_some();
    if !is_probe && let Some(line) = wrong_host(site, headers, request.uri()) {
        return Some(Refusal::new(StatusCode::MISDIRECTED_REQUEST, line));
    }
    if *request.method() == Method::POST {
        return is_from_elsewhere(site, headers).then(|| {
            let line = "expected a request of the console's own page, with application/json";
            Refusal::new(StatusCode::FORBIDDEN, line)
        });
    }
    has_body(headers).then(|| Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, "request bodies are not accepted"))
}

/// Why a request was made under a name that is none of this server's; none where it was not. Under a name of its own a web
/// page could reach the server (DNS rebinding).
fn wrong_host(site: &Site, headers: &HeaderMap, uri: &Uri) -> Option<&'static str> {
    match &site.sign_in {
        Some(sign_in) => {
            let wrong = !is_asked_as(headers, uri, |host| sign_in.is_host(host));
            wrong.then_some(
                "the Host header does not name the console: WALKAROUND_CONSOLE_URL says how it is reached",
            )
        }
        None if site.loopback_only => {
            let wrong = !is_asked_as(headers, uri, is_loopback);
            wrong.then_some("the Host header does not name this machine's loopback address")
        }
        None => None,
    }
}

/// Whether a write may come from a page of another site. Such a page cannot send JSON, or the reviewer's header, without
/// asking first, and nothing here says yes; a browser names the page that sends, too.
fn is_from_elsewhere(site: &Site, headers: &HeaderMap) -> bool {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let is_json = text(CONTENT_TYPE).is_some_and(|kind| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    });
    let host = text(HOST).unwrap_or_default();
    let is_ours = |origin: &str| match &site.sign_in {
        Some(sign_in) => sign_in.is_origin(origin),
        None => origin.strip_prefix("http://") == Some(host),
    };
    let other_origin = text(ORIGIN).is_some_and(|origin| !is_ours(origin));
    let other_site = text(FETCH_SITE).is_some_and(|site| site != "same-origin");
    !is_json || !headers.contains_key(REVIEWER) || other_origin || other_site
}

/// Whether exactly one `Host` is given, it is one of ours, and so is the one in the address asked for (if that has one).
fn is_asked_as(headers: &HeaderMap, uri: &Uri, is_ours: impl Fn(&str) -> bool) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    let (Some(host), None) = (hosts.next(), hosts.next()) else {
        return false;
    };
    let by_uri = uri.authority().is_none_or(|a| is_ours(a.as_str()));
    by_uri && host.to_str().is_ok_and(is_ours)
}

/// Whether `host` (with or without a port) is `localhost` or a loopback address.
fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else {
        return false;
    };
    if host.contains('@') {
        return false;
    }
    is_loopback_host(authority.host())
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
pub(super) fn forbid(headers: &mut HeaderMap) {
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
