//! What people may do through the console, and who does it.
//!
//! There is no sign-in: a reviewer's name suffices, so all of this is answered on loopback only.

use super::answer::{Refusal, json};
use super::site::Site;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json as document;
use std::sync::Arc;
use tokio::sync::Semaphore;
use walkaround_domain::Reviewer;
use walkaround_pipeline::review::ReviewService;
use walkaround_ports::PhotoSource;

/// The reviewer's name, percent-encoded. A page of another site cannot set it without being asked first, and it is not
/// allowed to.
pub(super) const REVIEWER: &str = "x-walkaround-reviewer";
/// Photos that are read at once; more wait.
const PHOTOS_AT_ONCE: usize = 4;

/// What only people need.
#[derive(Clone)]
pub struct People {
    /// What people decide, and the photos that wait for them.
    pub service: ReviewService,
    /// Where photos come from.
    pub photos: Arc<dyn PhotoSource>,
    /// Largest photo, in bytes.
    pub photo_bytes_max: u64,
    /// Classes of damage that a reviewer chooses from; those of a report are offered beside them.
    pub classes: Vec<String>,
    /// Who reviews, where the settings say so; else each browser asks.
    pub reviewer: Option<String>,
    reading: Arc<Semaphore>,
}

impl People {
    /// What only people need, of a stack; photos have at most `photo_bytes_max` bytes.
    pub fn new(service: ReviewService, photos: Arc<dyn PhotoSource>, photo_bytes_max: u64) -> Self {
        Self {
            service,
            photos,
            photo_bytes_max,
            classes: Vec::new(),
            reviewer: None,
            reading: Arc::new(Semaphore::new(PHOTOS_AT_ONCE)),
        }
    }

    /// The same, with the classes of a bundle.
    #[must_use]
    pub fn with_classes(self, classes: Vec<String>) -> Self {
        Self { classes, ..self }
    }

    /// The same, with the reviewer's name where the settings have one.
    #[must_use]
    pub fn with_reviewer(self, reviewer: Option<String>) -> Self {
        Self { reviewer, ..self }
    }

    /// The right to read one photo.
    pub(super) async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Refusal> {
        let closed = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
        self.reading.acquire().await.map_err(closed)
    }
}

impl Site {
    /// What only people need, where they may have it.
    pub(super) fn people(&self) -> Result<&People, Refusal> {
        let refusal = || {
            let line = "the console is offered on loopback only: there is no sign-in";
            Refusal::new(StatusCode::FORBIDDEN, line)
        };
        self.people
            .as_ref()
            .filter(|_| self.loopback_only)
            .ok_or_else(refusal)
    }
}

/// Who asks.
pub(super) struct Reviewing(pub(super) Reviewer);

impl FromRequestParts<Arc<Site>> for Reviewing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Refusal> {
        let given = parts.headers.get(REVIEWER).and_then(|value| value.to_str().ok());
        let given = percent_encoding::percent_decode_str(given.unwrap_or_default()).decode_utf8();
        let name = match &site.people()?.reviewer {
            Some(name) => name.clone(),
            None => given.map(|name| name.trim().to_owned()).unwrap_or_default(),
        };
        let reviewer = Reviewer::new(name);
        reviewer
            .map(Self)
            .map_err(|error| Refusal::bad(format!("{REVIEWER}: {error}")))
    }
}

/// The body of a request.
pub(super) fn body_of<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Refusal> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(error) => Err(Refusal::new(error.status(), error.body_text())),
    }
}

/// `GET /api/session`: who reviews, where that is set, and what to choose from.
pub(super) async fn session(State(site): State<Arc<Site>>) -> Result<Response, Refusal> {
    let people = site.people()?;
    let answer = document!({
        "reviewer": people.reviewer,
        "version": site.version,
        "classes": people.classes,
    });
    Ok(json(answer.to_string()))
}
