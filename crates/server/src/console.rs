//! The browser console: its files, embedded when this program was built.

use super::answer::Refusal;
use super::site::{Pictures, Site};
use axum::extract::{Path, State};
use axum::http::HeaderValue;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::response::{IntoResponse, Redirect, Response};
use std::sync::Arc;

/// Path and bytes of each file; none where the console was not built.
static FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/console.rs"));

const MISSING: &str = "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n<title>Walkaround</title>\n\
    <p>this program was built without the console: make console\n</html>\n";

/// Scripts, styles and answers come from this server alone; nothing is framed, and no form is sent anywhere. Pictures may
/// also come from where this server sends a browser for them.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'; img-src 'self'";

/// `GET /` and `GET /console`.
pub(super) async fn enter() -> Redirect {
    Redirect::temporary("/console/")
}

/// `GET /console/`: the page.
pub(super) async fn page(State(site): State<Arc<Site>>) -> Response {
    let bytes = find("index.html").unwrap_or(MISSING.as_bytes());
    file(&site, "index.html", bytes)
}

/// `GET /console/{*path}`: a file of the page.
pub(super) async fn asset(
    State(site): State<Arc<Site>>,
    Path(path): Path<String>,
) -> Result<Response, Refusal> {
    let bytes = find(&path).ok_or_else(|| Refusal::not_found("no such file"))?;
    Ok(file(&site, &path, bytes))
}

fn find(path: &str) -> Option<&'static [u8]> {
    FILES
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, bytes)| *bytes)
}

fn policy(pictures: &Pictures) -> HeaderValue {
    let from = match pictures {
        Pictures::Bytes => String::new(),
        Pictures::Links(origins) => origins.iter().map(|origin| format!(" {origin}")).collect(),
    };
    HeaderValue::try_from(format!("{POLICY}{from}")).unwrap_or(HeaderValue::from_static(POLICY))
}

fn file(site: &Site, path: &str, bytes: &'static [u8]) -> Response {
    let content_type = match path.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static(content_type)),
        (CONTENT_SECURITY_POLICY, policy(&site.pictures)),
        // Asked for again after an update of the program, which has the same names.
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, bytes).into_response()
}
