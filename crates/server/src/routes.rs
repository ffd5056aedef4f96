//! Every path of the server, in one table: the router is made of it, who may call what is looked up in it, and the API's
//! document is compared with it.

use super::access::{Access, Role};
use super::site::Site;
use super::{
    api, console, health, metrics, model, photo, reviewing, reviews, sign_in, system, tasks, walkaround,
};
use axum::Router;
use axum::http::Method;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

type Handler = MethodRouter<Arc<Site>>;

const VIEW: Access = Access::Role(Role::Viewer);
const REVIEW: Access = Access::Role(Role::Reviewer);
const OPERATE: Access = Access::Role(Role::Operator);

/// One path with one method.
struct Route {
    method: &'static str,
    path: &'static str,
    access: Access,
    handler: fn() -> Handler,
}

const fn read(path: &'static str, access: Access, handler: fn() -> Handler) -> Route {
    Route {
        method: "get",
        path,
        access,
        handler,
    }
}

const fn write(path: &'static str, access: Access, handler: fn() -> Handler) -> Route {
    Route {
        method: "post",
        path,
        access,
        handler,
    }
}

const ROUTES: &[Route] = &[
    read("/", Access::Open, || get(console::enter)),
    read("/console", Access::Open, || get(console::enter)),
    read("/console/", Access::Open, || get(console::page)),
    read("/console/{*path}", Access::Open, || get(console::asset)),
    read("/healthz", Access::Probe, health::route),
    read("/metrics", Access::Metrics, || get(metrics::metrics)),
    read("/sign-in", Access::Open, || get(sign_in::begin)),
    read("/sign-in/callback", Access::Open, || get(sign_in::callback)),
    write("/api/sign-out", Access::Open, || post(sign_in::sign_out)),
    read("/api/session", VIEW, || get(reviewing::session)),
    read("/api/inspections", VIEW, || get(api::list)),
    read("/api/inspections/{id}", VIEW, || get(api::one)),
    read("/api/inspections/{id}/overlay", VIEW, || get(api::overlay)),
    read("/api/inspections/{id}/report", VIEW, || get(api::report)),
    read("/api/inspections/{id}/photo", VIEW, || get(photo::photo)),
    read("/api/inspections/{id}/reviews", VIEW, || get(reviews::history)),
    write("/api/inspections/{id}/reviews", REVIEW, || post(reviews::decide)),
    read("/api/tasks", VIEW, || get(tasks::list)),
    read("/api/tasks/counts", VIEW, || get(tasks::counts)),
    write("/api/tasks/claim", REVIEW, || post(tasks::claim_next)),
    write("/api/tasks/{id}/claim", REVIEW, || post(tasks::claim)),
    write("/api/tasks/{id}/ask", REVIEW, || post(tasks::ask)),
    write("/api/tasks/{id}/extend", REVIEW, || post(tasks::extend)),
    write("/api/tasks/{id}/release", REVIEW, || post(tasks::release)),
    read("/api/walkaround", VIEW, || get(walkaround::walkaround)),
    read("/api/vehicle", VIEW, || get(walkaround::vehicle)),
    read("/api/system", VIEW, || get(system::system)),
    read("/api/model", VIEW, || get(model::model)),
    read("/api/parked", OPERATE, || get(system::parked)),
    write("/api/parked/redrive", OPERATE, || post(system::redrive)),
    write("/api/retry", OPERATE, || post(system::retry)),
];

/// A route, as its document has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteFacts {
    /// In lower case.
    pub method: &'static str,
    /// Its pattern.
    pub path: &'static str,
    /// What it needs where people sign in: `open` for nothing, `metrics` for the role viewer or the token of the metrics, or
    /// the least role.
    pub needs: &'static str,
}

/// Every route.
pub fn routes() -> impl Iterator<Item = RouteFacts> {
    ROUTES.iter().map(|route| RouteFacts {
        method: route.method,
        path: route.path,
        needs: match route.access {
            Access::Open | Access::Probe => "open",
            Access::Metrics => "metrics",
            Access::Role(role) => role.as_str(),
        },
    })
}

/// What a route asks of whoever calls it; `path` is its pattern. A method that a path does not take has nothing to protect.
pub(super) fn access_of(method: &Method, path: &str) -> Access {
    let method = if *method == Method::HEAD {
        &Method::GET
    } else {
        method
    };
    ROUTES
        .iter()
        .find(|route| route.path == path && method.as_str().eq_ignore_ascii_case(route.method))
        .map_or(Access::Open, |route| route.access)
}

/// The router of all of them.
pub(super) fn all() -> Router<Arc<Site>> {
    ROUTES.iter().fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)())
    })
}
