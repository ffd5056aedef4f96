//! Every path of the server, in one table: the router is made of it, and the API's document is compared with it.

use super::site::Site;
use super::{api, console, health, metrics, model, photo, reviewing, reviews, system, tasks, walkaround};
use axum::Router;
use axum::routing::{MethodRouter, get, post};
use std::sync::Arc;

type Handler = MethodRouter<Arc<Site>>;

/// One path with one method.
struct Route {
    method: &'static str,
    path: &'static str,
    handler: fn() -> Handler,
}

const fn read(path: &'static str, handler: fn() -> Handler) -> Route {
    Route {
        method: "get",
        path,
        handler,
    }
}

const fn write(path: &'static str, handler: fn() -> Handler) -> Route {
    Route {
        method: "post",
        path,
        handler,
    }
}

const ROUTES: &[Route] = &[
    read("/", || get(console::enter)),
    read("/console", || get(console::enter)),
    read("/console/", || get(console::page)),
    read("/console/{*path}", || get(console::asset)),
    read("/healthz", || get(health::health)),
    read("/metrics", || get(metrics::metrics)),
    read("/api/session", || get(reviewing::session)),
    read("/api/inspections", || get(api::list)),
    read("/api/inspections/{id}", || get(api::one)),
    read("/api/inspections/{id}/overlay", || get(api::overlay)),
    read("/api/inspections/{id}/report", || get(api::report)),
    read("/api/inspections/{id}/photo", || get(photo::photo)),
    read("/api/inspections/{id}/reviews", || get(reviews::history)),
    write("/api/inspections/{id}/reviews", || post(reviews::decide)),
    read("/api/tasks", || get(tasks::list)),
    read("/api/tasks/counts", || get(tasks::counts)),
    write("/api/tasks/claim", || post(tasks::claim_next)),
    write("/api/tasks/{id}/claim", || post(tasks::claim)),
    write("/api/tasks/{id}/ask", || post(tasks::ask)),
    write("/api/tasks/{id}/extend", || post(tasks::extend)),
    write("/api/tasks/{id}/release", || post(tasks::release)),
    read("/api/walkaround", || get(walkaround::walkaround)),
    read("/api/vehicle", || get(walkaround::vehicle)),
    read("/api/system", || get(system::system)),
    read("/api/model", || get(model::model)),
    read("/api/parked", || get(system::parked)),
    write("/api/parked/redrive", || post(system::redrive)),
    write("/api/retry", || post(system::retry)),
];

/// Method, in lower case, and path of every route.
pub fn routes() -> impl Iterator<Item = (&'static str, &'static str)> {
    ROUTES.iter().map(|route| (route.method, route.path))
}

/// The router of all of them.
pub(super) fn all() -> Router<Arc<Site>> {
    ROUTES.iter().fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)())
    })
}
