//! Sessions of people who signed in at a certified provider, on both stacks and behind the console function: cases of
//! [`crate::cases`].

use crate::bench::Bench;
use crate::browser::{House, SESSION, account, status};
use crate::people::{decision, store};
use axum::http::StatusCode;
use axum::http::header::{LOCATION, SET_COOKIE};
use serde_json::json;
use walkaround_domain::Verdict;

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

pub(crate) async fn people_sign_in_and_decide_under_their_own_name(bench: Bench) {
    store(&bench, "a", JPEG).await;
    let Some(house) = House::on(bench).await else {
        return;
    };
    let mut browser = house.browser();
    let page = browser.sign_in(&house.here, &house.provider).await;
    assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
    assert_eq!(page.headers[LOCATION], "/console/#/system");
    let cookies = page.headers.get_all(SET_COOKIE).iter();
    let cookies: Vec<&str> = cookies.map(|cookie| cookie.to_str().unwrap()).collect();
    let session = cookies.iter().find(|cookie| cookie.starts_with(SESSION)).unwrap();
    for word in ["HttpOnly", "Secure", "SameSite=Strict", "Path=/"] {
        assert!(session.contains(word), "{session}");
    }
    assert!(!session.contains("ada") && !session.contains("u-17"), "{session}");
    // Any instance knows them.
    for instance in [&house.here, &house.there] {
        let page = browser.get(instance, "/api/session").await;
        let said = page.json();
        assert_eq!(
            (&said["reviewer"], &said["role"], &said["sign_in"]),
            (&json!("ada@example.com"), &json!("reviewer"), &json!(true))
        );
    }
    let path = "/api/inspections/a/reviews";
    let confirm = decision(1, &json!({"kind": "confirm"}));
    let page = browser.post(&house.there, path, &confirm).await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
    assert_eq!(page.json()["review"]["by"], "ada@example.com");
    assert_eq!(
        status(&mut browser, &house.here, "/api/inspections/a/photo").await,
        200
    );
}

/// Signing out, and the loss of a role, count on every instance within a minute.
pub(crate) async fn a_session_ends_everywhere_within_a_minute(bench: Bench) {
    let Some(house) = House::on(bench).await else {
        return;
    };
    let mut browser = house.signed_in("operator").await;
    let mut copy = browser.clone();
    for instance in [&house.here, &house.there] {
        assert_eq!(status(&mut copy, instance, "/api/system").await, 200);
    }
    let out = browser.post(&house.here, "/api/sign-out", &json!({})).await;
    assert_eq!(out.status, StatusCode::OK, "{out:?}");
    assert!(browser.cookie(SESSION).is_none());
    assert_eq!(status(&mut copy, &house.here, "/api/system").await, 401);
    house.pass(60);
    for instance in [&house.here, &house.there] {
        assert_eq!(status(&mut copy, instance, "/api/system").await, 401);
    }

    let mut browser = house.signed_in("operator").await;
    let redrive = json!({"queue": "intake"});
    for instance in [&house.here, &house.there] {
        assert_eq!(
            browser
                .post(instance, "/api/parked/redrive", &redrive)
                .await
                .status,
            StatusCode::OK
        );
    }
    house.provider.set_account(account(&["viewer"])).await;
    house.pass(60);
    for instance in [&house.here, &house.there] {
        let page = browser.post(instance, "/api/parked/redrive", &redrive).await;
        assert_eq!(page.status, StatusCode::FORBIDDEN, "{page:?}");
        assert_eq!(status(&mut browser, instance, "/api/system").await, 200);
    }
    house.provider.set_account(account(&["nothing here"])).await;
    house.pass(60);
    for instance in [&house.here, &house.there] {
        assert_eq!(status(&mut browser, instance, "/api/system").await, 401);
    }
}

/// What people's data is in is read with a session only.
pub(crate) async fn nothing_of_anybodys_is_read_without_a_session(bench: Bench) {
    store(&bench, "a", JPEG).await;
    bench.store("b", "car", Some((Verdict::Damaged, b"x"))).await;
    let Some(house) = House::on(bench).await else {
        return;
    };
    let mut nobody = house.browser();
    for route in walkaround_server::routes() {
        let path = route.path.replace("{id}", "a").replace("{*path}", "nothing.js");
        let page = match route.method {
            "get" => nobody.get(&house.here, &path).await,
            _ => nobody.post(&house.here, &path, &json!({})).await,
        };
        let open = [
            "/",
            "/console",
            "/console/",
            "/console/nothing.js",
            "/healthz",
            "/sign-in",
            "/sign-in/callback",
        ];
        let is_open = open.contains(&path.as_str()) || path == "/api/sign-out";
        assert_eq!(
            page.status != StatusCode::UNAUTHORIZED,
            is_open,
            "{route:?}: {page:?}"
        );
        assert!(!page.body.starts_with(JPEG), "{path}");
    }
    let health = nobody.get(&house.here, "/healthz").await;
    assert_eq!(health.json(), json!({"status": "ok"}));
}
