//! Who asks for what only people may have.
//!
//! There is no sign-in: a reviewer's name suffices, so all of this is answered on loopback only.

use super::answer::{Refusal, json};
use super::people::People;
use super::site::Site;
use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use serde_json::json as document;
use std::sync::Arc;
use walkaround_domain::Reviewer;

/// The reviewer's name, percent-encoded. A page of another site cannot set it without being asked first, and it is not
/// allowed to.
pub(super) const REVIEWER: &str = "x-walkaround-reviewer";
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
