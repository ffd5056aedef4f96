//! The reviews in memory pass the suite that adapters pass.

use std::sync::Arc;
use walkaround_conformance::{Capabilities, MemoryReviews, ReviewsUnderTest, reviews_suite};

#[tokio::test]
async fn reviews() {
    let make = || async {
        ReviewsUnderTest {
            reviews: Arc::new(MemoryReviews::default()),
            keep: Box::new(()),
        }
    };
    println!("{}", reviews_suite(make, &Capabilities::all()).await.require());
}
