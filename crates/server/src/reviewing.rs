//! Who asks for what only people may have: somebody who signed in, or on loopback somebody who says a name.

use super::access::Role;
use super::answer::{Refusal, json};
use super::people::People;
use super::sign_in::Session;
use super::site::Site;
use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use axum::{Extension, Json};
use serde_json::json as document;
use std::sync::Arc;
use walkaround_domain::Reviewer;

/// The reviewer's name, percent-encoded. A page of another site cannot set it without being asked first, and it is not
/// allowed to.
pub(super) const REVIEWER: &str = "x-walkaround-reviewer";

/// Who sends a request, as far as it was looked at before it was answered.
#[derive(Debug, Clone)]
pub(super) enum Caller {
    /// Somebody on this machine, who says their own name.
    Here,
    /// Somebody who signed in.
    SignedIn(Session),
}

impl Site {
    /// What only people need, where it is offered.
    pub(super) fn people(&self) -> Result<&People, Refusal> {
        let line = "the console is not offered here: the log says why";
        self.people
            .as_ref()
            .ok_or_else(|| Refusal::new(StatusCode::FORBIDDEN, line))
    }
}

/// Who decides: whoever signed in, else the name of the settings, else the one that the browser sends.
pub(super) struct Reviewing(pub(super) Reviewer);

impl FromRequestParts<Arc<Site>> for Reviewing {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, site: &Arc<Site>) -> Result<Self, Refusal> {
        if let Some(Caller::SignedIn(session)) = parts.extensions.get() {
            return Ok(Self(session.name.clone()));
        }
        let name = match &site.people()?.reviewer {
            Some(name) => name.clone(),
            None => reviewer_given(&parts.headers).unwrap_or_default(),
        };
        let reviewer = Reviewer::new(name);
        reviewer
            .map(Self)
            .map_err(|error| Refusal::bad(format!("{REVIEWER}: {error}")))
    }
}

/// The name that a request gives; none where it gives none, and an empty one where it is not readable.
pub(super) fn reviewer_given(headers: &HeaderMap) -> Option<String> {
    let mut given = headers.get_all(REVIEWER).into_iter();
    let name = given.next()?;
    let text = match (name.to_str(), given.next()) {
        (Ok(text), None) => text,
        _ => "",
    };
    let decoded = percent_encoding::percent_decode_str(text).decode_utf8();
    Some(decoded.map(|name| name.trim().to_owned()).unwrap_or_default())
}

/// The body of a request.
pub(super) fn body_of<T>(body: Result<Json<T>, JsonRejection>) -> Result<T, Refusal> {
    match body {
        Ok(Json(body)) => Ok(body),
        Err(error) => Err(Refusal::new(error.status(), error.body_text())),
    }
}

/// `GET /api/session`: who reviews, what they may do, and what to choose from.
pub(super) async fn session(
    State(site): State<Arc<Site>>,
    caller: Option<Extension<Caller>>,
) -> Result<Response, Refusal> {
    let people = site.people()?;
    let (reviewer, role) = match &caller {
        Some(Extension(Caller::SignedIn(session))) => (Some(session.name.as_str()), session.role),
        _ => (people.reviewer.as_deref(), Role::Operator),
    };
    let answer = document!({
        "reviewer": reviewer,
        "role": role.as_str(),
        "sign_in": site.sign_in.is_some(),
        "version": site.version,
        "classes": people.classes,
    });
    Ok(json(answer.to_string()))
}
