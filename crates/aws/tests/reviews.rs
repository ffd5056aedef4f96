//! Reviews in DynamoDB hold what the port promises, on two emulators.

#![allow(clippy::unwrap_used, reason = "helpers of tests, too, may stop the test")]

mod common;

use common::{MOTO_RACES, aws};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use walkaround_aws::{Aws, DynamoReviews, TABLE, create_table};
use walkaround_conformance::{Capabilities, Report, ReviewsUnderTest, reviews_suite};
use walkaround_domain::review::{IfDone, TaskEvent};
use walkaround_domain::{Decision, InspectionId, Review, ReviewTask, Reviewer, TaskReason, Timestamp};
use walkaround_emulators::{Ministack, Moto};
use walkaround_ports::Reviews;

const NOW: Timestamp = Timestamp(1_795_305_600_123);

/// A new table, by name.
async fn table(aws: &Aws) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let name = format!("walkaround-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
    create_table(&aws.dynamodb, &name).await.unwrap();
    name
}

async fn suite(aws: Aws, capabilities: &Capabilities) -> Report {
    let make = || async {
        ReviewsUnderTest {
            reviews: Arc::new(DynamoReviews::new(aws.dynamodb.clone(), table(&aws).await)),
            keep: Box::new(()),
        }
    };
    reviews_suite(make, capabilities).await.require()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_moto() {
    let moto = Moto::start();
    let races = [
        "twenty_reviewers_of_one_revision_have_one_winner",
        "twenty_reviewers_lose_no_decision",
        "twenty_puts_leave_one_task",
        "twenty_claimers_have_one_winner",
    ];
    let all = Capabilities::all();
    let capabilities = races.iter().fold(all, |all, case| all.without(case, MOTO_RACES));
    println!("{}", suite(aws(moto.endpoint()).await, &capabilities).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_ministack() {
    let ministack = Ministack::start();
    let aws = aws(ministack.endpoint()).await;
    println!("{}", suite(aws.clone(), &Capabilities::all()).await);
    only_open_tasks_are_in_the_index(&aws).await;
}

/// An index that kept done tasks would grow for ever; items go with their record.
async fn only_open_tasks_are_in_the_index(aws: &Aws) {
    let name = table(aws).await;
    let month = Duration::from_secs(30 * 86_400);
    let reviews = DynamoReviews::new(aws.dynamodb.clone(), &name).keep_for(Some(month));
    for (number, reason) in TaskReason::ALL.into_iter().enumerate() {
        let id = InspectionId::new(format!("i-{number}")).unwrap();
        let task = ReviewTask::open(id, reason, NOW);
        reviews.put_task(&task, IfDone::Keep, NOW).await.unwrap();
        if number % 2 == 0 {
            reviews
                .step_task(&task.inspection, &TaskEvent::Close, NOW)
                .await
                .unwrap();
        }
    }
    let review = Review {
        inspection: InspectionId::new("i-0").unwrap(),
        revision: 1,
        by: Reviewer::new("ann").unwrap(),
        at: NOW,
        based_on: [7; 32],
        decision: Decision::Confirm,
        note: None,
    };
    reviews.append(&review).await.unwrap();
    let scan = |index: Option<&str>| {
        let scan = aws.dynamodb.scan().table_name(&name);
        scan.set_index_name(index.map(str::to_owned)).send()
    };
    let indexed = scan(Some("by_review")).await.unwrap();
    assert_eq!(indexed.count(), 3);
    for other in TABLE.indexes.iter().filter(|index| index.name != "by_review") {
        assert_eq!(scan(Some(other.name)).await.unwrap().count(), 0, "{}", other.name);
    }
    let items = scan(None).await.unwrap();
    assert_eq!(items.count(), 7);
    for item in items.items() {
        let end: u64 = item[TABLE.ttl_attribute].as_n().unwrap().parse().unwrap();
        assert_eq!(end - NOW.0.div_ceil(1000), 30 * 86_400);
        assert!(item["pk"].as_s().unwrap().starts_with("I#"), "{item:?}");
    }
}
