//! What only people need: reviews, and the photos themselves.

use super::answer::Refusal;
use super::figures::ReviewFigures;
use axum::http::StatusCode;
use std::sync::Arc;
use tokio::sync::Semaphore;
use walkaround_pipeline::review::ReviewService;
use walkaround_pipeline::telemetry::{NoopTelemetry, Telemetry};
use walkaround_ports::PhotoSource;

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
    /// What is decided through this process.
    pub(super) figures: Arc<ReviewFigures>,
    /// Hears of decisions, too.
    pub(super) telemetry: Arc<dyn Telemetry>,
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
            figures: Arc::default(),
            telemetry: Arc::new(NoopTelemetry),
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

    /// The same; decisions are counted here, too.
    #[must_use]
    pub fn with_telemetry(self, telemetry: Arc<dyn Telemetry>) -> Self {
        Self { telemetry, ..self }
    }

    /// The right to read one photo.
    pub(super) async fn permit(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Refusal> {
        let closed = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
        self.reading.acquire().await.map_err(closed)
    }
}
