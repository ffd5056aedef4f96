//! The small HTTP surface of `up`: inspections to look at, health, and figures for Prometheus.
//!
//! It only reads, takes no request bodies, and has no authentication: it listens on loopback unless told
//! otherwise. On loopback it answers to loopback names only, so that a web page cannot reach it under a name
//! of its own (DNS rebinding).

mod answer;
mod api;
mod exposition;
mod guard;
mod listener;
mod metrics;
#[cfg(test)]
mod tests;

use crate::failure::Failure;
use crate::local::health::Health;
use crate::local::stack::Stack;
use answer::{Refusal, json};
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::net::TcpListener;
use tracing::{info, warn};
use walkaround_local::LocalCapacity;
use walkaround_pipeline::shutdown::ShutdownSignal;

/// What every handler needs.
pub(crate) struct Site {
    stack: Stack,
    capacity: Arc<LocalCapacity>,
    health: Health,
    /// Only loopback names are answered to.
    loopback_only: bool,
}

/// Listens on `address` (host and port); what is given answers until told to stop, then what is being answered is
/// finished.
///
/// # Errors
/// Usage: the address is taken or malformed, or may not be listened on.
pub(crate) async fn serve(
    address: &str,
    stack: &Stack,
    (capacity, health): (Arc<LocalCapacity>, Health),
    stop: ShutdownSignal,
) -> Result<impl Future<Output = ()> + Send + 'static, Failure> {
    let listener = bind(address).await?;
    let bound = listener.local_addr()?;
    let loopback_only = bound.ip().to_canonical().is_loopback();
    if !loopback_only {
        warn!(address = %bound, "not a loopback address: anyone who reaches it can read all inspections");
    }
    info!(url = %format!("http://{bound}/api/inspections"), "listening");
    let site = Site {
        stack: stack.clone(),
        capacity,
        health,
        loopback_only,
    };
    Ok(listener::run(listener, router(site), stop))
}

async fn bind(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => "it is taken by another program".to_owned(),
            ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
            ErrorKind::PermissionDenied => "not permitted".to_owned(),
            _ => format!("expected host:port, as in 127.0.0.1:8600 ({error})"),
        };
        Failure::usage(format!("cannot listen on `{address}`: {why}"))
    })
}

/// All paths. Whatever is not a GET of one of them is refused in the same form.
fn router(site: Site) -> Router {
    let site = Arc::new(site);
    Router::new()
        .route("/healthz", get(health))
        .route("/metrics", get(metrics::metrics))
        .route("/api/inspections", get(api::list))
        .route("/api/inspections/{id}", get(api::one))
        .route("/api/inspections/{id}/overlay", get(api::overlay))
        .route("/api/inspections/{id}/report", get(api::report))
        .fallback(|| async { Refusal::new(StatusCode::NOT_FOUND, "no such path") })
        .method_not_allowed_fallback(|| async { Refusal::new(StatusCode::METHOD_NOT_ALLOWED, "only GET") })
        .layer(from_fn_with_state(Arc::clone(&site), guard::around))
        .with_state(site)
}

/// Whether triage gets on and the database answers. That the process is there to answer says neither.
async fn health(State(site): State<Arc<Site>>) -> Response {
    if let Some(stalled) = site.health.stalled_for() {
        let body = format!(r#"{{"status":"stalled","no_progress_s":{}}}"#, stalled.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, json(body)).into_response();
    }
    match site.stack.local.counts().await {
        Ok(_) => json(r#"{"status":"ok"}"#.to_owned()),
        Err(error) => {
            warn!(%error, "not healthy");
            let body = json(r#"{"status":"unavailable"}"#.to_owned());
            (StatusCode::SERVICE_UNAVAILABLE, body).into_response()
        }
    }
}
