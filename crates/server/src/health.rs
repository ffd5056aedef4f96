//! The health of the process.

use super::answer::json;
use super::site::Site;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use std::sync::Arc;
use tracing::warn;

/// Whether the work of this process makes progress, the records answer, results can be stored and the drop folder is there.
/// That the process is there to answer says none of it. Photo hosts that do not answer are named; the work goes on without.
pub(super) async fn health(State(site): State<Arc<Site>>) -> Response {
    if let Some(stalled) = site.stalled_for.as_ref().and_then(|stalled_for| stalled_for()) {
        let body = format!(r#"{{"status":"stalled","no_progress_s":{}}}"#, stalled.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, json(body)).into_response();
    }
    let trouble = match site.operations.inspection_counts().await {
        Ok(_) => match site.operations.bucket_trouble(&site.results_bucket).await {
            Ok(trouble) => trouble,
            Err(error) => Some(error.to_string()),
        },
        Err(error) => Some(error.to_string()),
    };
    let concerns = site.concerns.as_ref().map(|read| read()).unwrap_or_default();
    // Names of hosts, buckets and folders are nobody's who has not signed in.
    let names = site.sign_in.is_none() && site.loopback_only;
    let Some(trouble) = trouble.or(concerns.drop_folder) else {
        let mut body = serde_json::json!({"status": "ok"});
        if names && !concerns.unresponsive_hosts.is_empty() {
            body["unresponsive_hosts"] = concerns.unresponsive_hosts.into();
        }
        return json(body.to_string()).into_response();
    };
    warn!(trouble, "not healthy");
    let mut body = serde_json::json!({"status": "unavailable"});
    if names {
        body["reason"] = trouble.into();
    }
    (StatusCode::SERVICE_UNAVAILABLE, json(body.to_string())).into_response()
}
