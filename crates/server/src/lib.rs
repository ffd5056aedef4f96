//! The HTTP server: inspections, health, metrics for Prometheus, and the console for people.
//!
//! On loopback a reviewer's name suffices, and it answers to loopback names only, so that a web page cannot reach it under
//! a name of its own (DNS rebinding). Beyond loopback it does not start without [sign-in](SignIn), and answers to the name
//! of the console only. A write is taken only from a page that it served. It runs on ports alone, so that it answers the
//! same on every stack.

mod access;
mod answer;
mod api;
mod console;
mod exposition;
mod figures;
mod guard;
mod health;
mod listener;
mod loopback;
mod metrics;
mod model;
mod people;
mod photo;
mod reviewing;
mod reviews;
mod routes;
mod sign_in;
mod site;
mod system;
mod tasks;
mod walkaround;

use answer::Refusal;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::info;
use walkaround_pipeline::shutdown::ShutdownSignal;

pub use access::Role;
pub use axum::Router;
pub use guard::BODY_BYTES_MAX;
pub use loopback::is_loopback_host;
pub use people::People;
pub use routes::{RouteFacts, routes};
pub use sign_in::{
    Attempt, Identity, IdentityProvider, KEY_CHARS_MIN, Person, ProviderError, SignIn, SignInOptions,
    SignInOptionsError, Standing, error_word,
};
pub use site::{Concerns, Pictures, ReadConcerns, Site, StalledFor};

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {why}")]
pub struct BindError {
    address: String,
    why: String,
}

/// What an address beyond loopback needs.
const NEEDS_SIGN_IN: &str = "beyond loopback people have to sign in: set WALKAROUND_OIDC_ISSUER, WALKAROUND_OIDC_CLIENT, \
    WALKAROUND_CONSOLE_URL and WALKAROUND_SESSION_KEY (docs/console.md), or listen on a loopback address";

/// Listens on `address` (host and port), then answers until the shutdown signal; what is being answered is finished.
/// `loopback_only` of the site is set by what the address is. The address that is listened on comes first: a port of 0 means
/// any that is free.
///
/// # Errors
/// [`BindError`]: the address is taken or malformed, may not be listened on, or is beyond loopback without sign-in.
pub async fn serve(
    address: &str,
    mut site: Site,
    shutdown: ShutdownSignal,
) -> Result<(SocketAddr, impl Future<Output = ()> + Send + 'static), BindError> {
    let listener = bind(address).await?;
    let bound = listener.local_addr().map_err(|error| BindError {
        address: address.to_owned(),
        why: error.to_string(),
    })?;
    site.loopback_only = bound.ip().to_canonical().is_loopback();
    if !site.loopback_only && site.sign_in.is_none() {
        return Err(BindError {
            address: address.to_owned(),
            why: NEEDS_SIGN_IN.to_owned(),
        });
    }
    info!(url = %format!("http://{bound}/console/"), "listening");
    Ok((bound, run(listener, router(site), shutdown)))
}

/// Answers on a listener until the shutdown signal, and then until the last answer is out.
pub async fn run(listener: TcpListener, router: Router, shutdown: ShutdownSignal) {
    listener::run(listener, router, shutdown).await;
}

/// Listens on `address`, host and port.
///
/// # Errors
/// [`BindError`].
pub async fn bind(address: &str) -> Result<TcpListener, BindError> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => "it is used by another program".to_owned(),
            ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            ErrorKind::PermissionDenied => "not permitted".to_owned(),
            _ => format!("expected host:port, as in 127.0.0.1:8600 ({error})"),
        };
        let address = address.to_owned();
        BindError { address, why }
    })
}

/// A refusal in the form of this server's own, for what does not reach it: `{"error": line}`.
pub fn refusal(status: StatusCode, line: &str) -> Response {
    let mut response = Refusal::new(status, line).into_response();
    guard::forbid(response.headers_mut());
    response
}

/// All paths. Whatever is none of them, or has another method, is refused in the same form.
pub fn router(site: Site) -> Router {
    let site = Arc::new(site);
    routes::all()
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "no such path") })
        .method_not_allowed_fallback(|| async {
            Refusal::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method",
            )
        })
        .layer(DefaultBodyLimit::max(guard::BODY_BYTES_MAX))
        .layer(from_fn_with_state(Arc::clone(&site), guard::around))
        .with_state(site)
}
