//! The HTTP server answers the same on the local stack and on AWS: one list of cases, run on both, and the suite of the
//! operator's side that it stands on, on AWS.

#![allow(clippy::unwrap_used, reason = "the helpers of tests fail as tests do")]

#[path = "../aws_client/mod.rs"]
mod aws_client;
mod bench;
mod browser;
mod cases;
mod clock;
mod document;
mod function;
mod metrics;
mod model;
mod people;
mod sessions;
mod sign_in;
mod vouched;

use bench::{Bench, Cloud};
use std::sync::Arc;
use std::time::Duration;
use walkaround_conformance::{Capabilities, OperationsUnderTest, RealTime, operations_suite};
use walkaround_server::bind;

#[tokio::test]
async fn it_answers_on_the_local_stack() {
    for case in cases::CASES {
        println!("{}", case.name);
        (case.run)(Bench::local()).await;
    }
}

#[tokio::test]
async fn it_answers_the_same_on_aws() {
    let cloud = Cloud::start().await;
    for case in cases::CASES {
        println!("{}", case.name);
        (case.run)(Bench::aws(&cloud).await).await;
    }
}

#[tokio::test]
async fn operations_on_aws() {
    let cloud = Cloud::start().await;
    let make = || async {
        let bench = Bench::aws(&cloud).await;
        OperationsUnderTest {
            operations: bench.site.operations.clone(),
            intake: bench.intake.clone(),
            intake_dead: bench.intake_dead.clone(),
            records: bench.site.records.clone(),
            today: bench.today(),
            results: bench.results.clone(),
            time: Arc::new(RealTime {
                unit: Duration::from_secs(1),
                patience: Duration::from_secs(1),
            }),
            keep: Box::new(()),
        }
    };
    println!("{}", operations_suite(make, &Capabilities::all()).await.require());
}

#[tokio::test]
async fn addresses_that_cannot_be_listened_on_are_told_in_one_line() {
    let taken = bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let holder = bind(&taken.to_string()).await.unwrap();
    for (address, why) in [
        (
            holder.local_addr().unwrap().to_string(),
            "used by another program",
        ),
        ("nonsense".to_owned(), "host:port"),
        ("127.0.0.1".to_owned(), "host:port"),
        ("127.0.0.1:99999".to_owned(), "host:port"),
        ("192.0.2.1:8600".to_owned(), "no such address"),
    ] {
        match bind(&address).await {
            Err(error) => {
                let line = error.to_string();
                assert!(line.contains(why) && line.contains(&address), "{line}");
                assert!(!line.contains('\n'), "{line}");
            }
            Ok(_) => panic!("{address}: bound"),
        }
    }
}
