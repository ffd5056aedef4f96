//! The HTTP server: inspections, health, metrics for Prometheus, and the console for people.
//!
//! It has no authentication: it listens on loopback unless configured otherwise, and beyond loopback it only reads and
//! offers no console. On loopback it answers to loopback names only, so that a web page cannot reach it under a name
//! of its own (DNS rebinding), and takes a decision only from a page that it served. It runs on ports alone, so that it
//! answers the same on every stack.

mod answer;
mod api;
mod console;
mod exposition;
mod guard;
mod health;
mod listener;
mod metrics;
mod model;
mod people;
mod photo;
mod reviewing;
mod reviews;
mod routes;
mod site;
mod system;
mod tasks;
mod walkaround;

use answer::Refusal;
use axum::extract::DefaultBodyLimit;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::{info, warn};
use walkaround_pipeline::shutdown::ShutdownSignal;

pub use axum::Router;
pub use people::People;
pub use routes::routes;
pub use site::{Concerns, ReadConcerns, Site, StalledFor};

/// An address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on `{address}`: {why}")]
pub struct BindError {
    address: String,
    why: String,
}

/// Listens on `address` (host and port), then answers until the shutdown signal; what is being answered is finished.
/// `loopback_only` of the site is set by what the address is.
///
/// # Errors
/// [`BindError`]: the address is taken or malformed, or may not be listened on.
pub async fn serve(
    address: &str,
    mut site: Site,
    shutdown: ShutdownSignal,
) -> Result<impl Future<Output = ()> + Send + 'static, BindError> {
    let listener = bind(address).await?;
    let bound = listener.local_addr().map_err(|error| BindError {
        address: address.to_owned(),
        why: error.to_string(),
    })?;
    site.loopback_only = bound.ip().to_canonical().is_loopback();
    if !site.loopback_only {
        warn!(address = %bound, "not a loopback address: anyone who reaches it can read all inspections, and the console is not offered");
    }
    info!(url = %format!("http://{bound}/console/"), "listening");
    Ok(run(listener, router(site), shutdown))
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
