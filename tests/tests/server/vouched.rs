//! Who somebody is by the provider's word, in which name they act, and what ends their session. On the local stack.

use crate::bench::Bench;
use crate::browser::{House, account, status};
use crate::people::{decision, store};
use axum::http::StatusCode;
use serde_json::{Value, json};

const JPEG: &[u8] = b"\xff\xd8\xff\xe0 a picture";

async fn house() -> Option<House> {
    House::on(Bench::local()).await
}

/// A session ends by the word of userinfo itself, and by no other failure of the provider.
#[tokio::test]
async fn only_a_refusal_of_userinfo_ends_a_session() {
    let Some(house) = house().await else { return };
    for (answer, expected) in [
        ((404, "{}"), 200),
        ((429, "{}"), 200),
        ((500, "{}"), 200),
        ((302, ""), 200),
        ((200, "<html>out of order</html>"), 200),
        ((200, "{}"), 200),
        ((400, "{}"), 401),
        ((401, "{}"), 401),
        ((403, "{}"), 401),
        ((200, r#"{"sub": "u-18", "roles": ["viewer"]}"#), 401),
    ] {
        let mut browser = house.signed_in("viewer").await;
        house.provider.set_userinfo(Some(answer)).await;
        house.pass(60);
        for instance in [&house.here, &house.there] {
            assert_eq!(
                status(&mut browser, instance, "/api/session").await,
                expected,
                "{answer:?}"
            );
        }
        house.provider.set_userinfo(None).await;
    }
}

#[tokio::test]
async fn a_userinfo_that_is_out_of_order_ends_no_session_at_once() {
    let Some(house) = house().await else { return };
    let mut browser = house.signed_in("viewer").await;
    house.provider.set_userinfo(Some((404, "{}"))).await;
    house.pass(9 * 60);
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 200);
    house.pass(60);
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 503);
    // It was never ended.
    house.provider.set_userinfo(None).await;
    house.pass(10);
    assert_eq!(status(&mut browser, &house.here, "/api/session").await, 200);
}

#[tokio::test]
async fn whoever_lost_their_last_role_is_out_where_the_claim_is_missing_too() {
    let Some(house) = house().await else { return };
    let mut browser = house.signed_in("operator").await;
    let mut without = account(&[]);
    without.as_object_mut().unwrap().remove("roles");
    house.provider.set_account(without).await;
    house.pass(60);
    assert_eq!(status(&mut browser, &house.here, "/api/system").await, 401);
    assert_eq!(status(&mut browser, &house.there, "/api/system").await, 401);
}

#[tokio::test]
async fn an_address_that_was_not_verified_names_nobody() {
    let Some(house) = house().await else { return };
    for (verified, name) in [
        (json!(true), "ada@example.com"),
        (json!("true"), "ada@example.com"),
        (json!(false), "u-17"),
        (Value::Null, "u-17"),
    ] {
        let mut unverified = account(&["viewer"]);
        unverified["email_verified"] = verified.clone();
        house.provider.set_account(unverified).await;
        let mut browser = house.browser();
        let page = browser.sign_in(&house.here, &house.provider).await;
        assert_eq!(page.status, StatusCode::SEE_OTHER, "{page:?}");
        let said = browser.get(&house.here, "/api/session").await.json();
        assert_eq!(said["reviewer"], name, "{verified}");
    }
}

/// The page of somebody who was signed in before, in another tab.
#[tokio::test]
async fn nobody_acts_under_another_name() {
    let bench = Bench::local();
    store(&bench, "a", JPEG).await;
    let Some(house) = House::on(bench).await else {
        return;
    };
    let mut browser = house.signed_in("operator").await;
    let paths = [
        (
            "/api/inspections/a/reviews",
            decision(1, &json!({"kind": "confirm"})),
        ),
        ("/api/tasks/a/ask", json!({})),
        ("/api/tasks/claim", json!({})),
        ("/api/parked/redrive", json!({"queue": "intake"})),
        ("/api/retry", json!({"ids": ["a"]})),
    ];
    for name in ["Min", "", "ADA%40example.com", "%FF"] {
        for (path, body) in &paths {
            let page = browser.post_as(&house.here, path, body, name).await;
            assert_eq!(page.status, StatusCode::UNAUTHORIZED, "{name} {path}: {page:?}");
            let line = page.json()["error"].as_str().unwrap().to_owned();
            assert!(line.contains("another name") && !line.contains('\n'), "{line}");
        }
    }
    let history = browser.get(&house.here, "/api/inspections/a/reviews").await;
    assert_eq!(history.json()["reviews"], json!([]));
    let tasks = browser.get(&house.here, "/api/tasks").await;
    assert_eq!(tasks.json()["tasks"], json!([]));
    let (path, body) = &paths[0];
    let page = browser.post(&house.here, path, body).await;
    assert_eq!(page.json()["review"]["by"], "ada@example.com");
    // Whoever they are, they may leave.
    let page = browser
        .post_as(&house.here, "/api/sign-out", &json!({}), "Min")
        .await;
    assert_eq!(page.status, StatusCode::OK, "{page:?}");
}
