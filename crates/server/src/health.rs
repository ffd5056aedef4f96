//! The health of the process.

use super::answer::json;
use super::site::Site;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tracing::warn;

/// How long the store's answer serves: anybody may ask for the health, and each question costs reads of the table.
const ANSWER_KEPT: Duration = Duration::from_secs(10);

/// `GET /healthz`; what the store last said is kept as long as the router.
pub(super) fn route() -> MethodRouter<Arc<Site>> {
    let kept = Arc::new(Kept::default());
    get(move |State(site): State<Arc<Site>>| async move { health(&site, &kept).await })
}

/// What the store last said of itself, and when it was asked.
#[derive(Default)]
struct Kept(Mutex<Option<(Duration, Option<String>)>>);

impl Kept {
    /// What is wrong with the store, as it says now or has said lately. Whoever comes while it is being asked waits for that
    /// answer: there is never more than one question.
    async fn or_ask(&self, now: Duration, ask: impl Future<Output = Option<String>>) -> Option<String> {
        let mut kept = self.0.lock().await;
        if let Some((_, said)) = kept
            .as_ref()
            .filter(|(at, _)| now.saturating_sub(*at) < ANSWER_KEPT)
        {
            return said.clone();
        }
        let said = ask.await;
        *kept = Some((now, said.clone()));
        said
    }
}

/// Whether the records answer, and results can be stored.
async fn store_trouble(site: &Site) -> Option<String> {
    match site.operations.inspection_counts().await {
        Ok(_) => match site.operations.bucket_trouble(&site.results_bucket).await {
            Ok(trouble) => trouble,
            Err(error) => Some(error.to_string()),
        },
        Err(error) => Some(error.to_string()),
    }
}

/// Whether the work of this process makes progress, the records answer, results can be stored and the drop folder is there.
/// That the process is there to answer says none of it. Photo hosts that do not answer are named; the work goes on without.
async fn health(site: &Site, kept: &Kept) -> Response {
    if let Some(stalled) = site.stalled_for.as_ref().and_then(|stalled_for| stalled_for()) {
        let body = format!(r#"{{"status":"stalled","no_progress_s":{}}}"#, stalled.as_secs());
        return (StatusCode::SERVICE_UNAVAILABLE, json(body)).into_response();
    }
    let trouble = kept.or_ask(site.clock.ticks(), store_trouble(site)).await;
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

#[cfg(test)]
mod tests {
    use super::{ANSWER_KEPT, Kept};
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::time::Duration;
    use tokio::sync::Notify;

    /// A store that counts the questions, and answers each with its number once it may.
    #[derive(Default)]
    struct Store {
        asked: AtomicU32,
        may_answer: Notify,
    }

    impl Store {
        async fn ask(&self) -> Option<String> {
            let number = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
            self.may_answer.notified().await;
            Some(number.to_string())
        }
    }

    #[tokio::test]
    async fn the_store_is_asked_once_in_ten_seconds_however_many_ask() {
        let (kept, store) = (Kept::default(), Store::default());
        let at = |seconds| kept.or_ask(Duration::from_secs(100 + seconds), store.ask());
        // All are polled before the store answers the first.
        let (first, second, third, ()) = tokio::join!(at(0), at(0), at(9), async {
            store.may_answer.notify_one();
        });
        assert_eq!([first, second, third], [(); 3].map(|()| Some("1".to_owned())));
        store.may_answer.notify_one();
        assert_eq!(at(ANSWER_KEPT.as_secs()).await.as_deref(), Some("2"));
        assert_eq!(at(ANSWER_KEPT.as_secs() + 1).await.as_deref(), Some("2"));
        assert_eq!(store.asked.load(Ordering::SeqCst), 2);
    }
}
