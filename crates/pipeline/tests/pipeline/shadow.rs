//! A shadow: what the pipeline names to it, and that it writes its report and nothing else.

use crate::support::{CLEAN, DAMAGED, Fetch, World, delivery, processor, request};
use std::sync::Arc;
use std::time::Duration;
use walkaround_conformance::ManualClock;
use walkaround_domain::rollout::Shadow;
use walkaround_domain::{BundleId, Timestamp};
use walkaround_messages::PhotoReport;
use walkaround_pipeline::consumer::{Disposition, Handler};
use walkaround_pipeline::processor::RequestProcessor;
use walkaround_pipeline::segmentation::Segmentation;
use walkaround_pipeline::shadow::{
    FeedCounts, ShadowError, ShadowInspector, ShadowOutcome, ShadowQueue, shadow_feed,
};
use walkaround_pipeline::shutdown::shutdown_signal;
use walkaround_ports::{BlobAddress, Clock};

struct Bench {
    world: Arc<World>,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new(fetches: &[(&str, Fetch)]) -> Self {
        let (world, clock): (Arc<World>, Arc<ManualClock>) = Default::default();
        for (name, fetch) in fetches {
            world.photo(name, &[*fetch]);
        }
        Self { world, clock }
    }

    fn processor(&self) -> RequestProcessor {
        processor(&self.world, &self.clock).0
    }

    /// A worker that names settled photos.
    fn worker(&self) -> (Segmentation, ShadowQueue) {
        let (feed, queue) = shadow_feed();
        queue.set_shadow(Some(&everything()));
        let mut processor = self.processor();
        processor.shadow = Some(feed);
        (Segmentation { processor }, queue)
    }

    async fn settle(&self, worker: &Segmentation, name: &str) {
        let (_stopper, never) = shutdown_signal();
        let handled = worker.handle(&delivery(name, 1, &self.clock), &never).await;
        assert_eq!(handled, Disposition::Ack);
    }

    fn shadow(&self) -> ShadowInspector {
        let processor = self.processor();
        let settler = &processor.settler;
        ShadowInspector {
            source: Arc::clone(&processor.source),
            inspector: processor.inspector.get(),
            records: Arc::new(crate::support::Stores(Arc::clone(&self.world))),
            blobs: Arc::clone(&settler.blobs),
            reviews: Arc::clone(&settler.reviews),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            bucket: "results".to_owned(),
            photo_bytes_max: 1 << 20,
            shadow: Shadow {
                share: 0.1,
                ..everything()
            },
        }
    }

    fn keys(&self) -> Vec<BlobAddress> {
        self.world.blobs.lock().unwrap().keys().cloned().collect()
    }
}

/// A shadow that sees every photo.
fn everything() -> Shadow {
    Shadow {
        bundle: BundleId::new("test", "1"),
        folder: None,
        share: 1.0,
        since: Timestamp(0),
        canary: None,
    }
}

#[tokio::test]
async fn settled_photos_are_named_once_and_reused_results_and_failures_are_not() {
    let bench = Bench::new(&[
        ("one", Fetch::Picture(DAMAGED)),
        ("two", Fetch::Picture(CLEAN)),
        ("three", Fetch::Garbage),
        // The same bytes as the first one.
        ("four", Fetch::Picture(DAMAGED)),
        ("five", Fetch::Malformed),
    ]);
    let (worker, mut queue) = bench.worker();
    for name in ["one", "two", "three", "four", "five"] {
        bench.settle(&worker, name).await;
    }
    for name in ["one", "two", "three"] {
        let named = queue.next().await.unwrap();
        assert_eq!(named, request(name));
    }
    let counts = FeedCounts { taken: 3, dropped: 0 };
    assert_eq!(queue.counts(), counts);
    // Settled before: nothing happens to it, and nothing is named.
    bench.settle(&worker, "one").await;
    assert_eq!(queue.counts(), counts);
}

#[tokio::test]
async fn the_shadow_writes_its_report_and_nothing_else() {
    let bench = Bench::new(&[("one", Fetch::Picture(DAMAGED))]);
    let (worker, _queue) = bench.worker();
    bench.settle(&worker, "one").await;
    let records = bench.world.records.lock().unwrap().clone();
    let events = bench.world.events.lock().unwrap().clone();
    let before = bench.keys();

    let outcome = bench.shadow().one(&request("one")).await.unwrap();
    assert_eq!(outcome, ShadowOutcome::Stored { disagrees: false });
    assert_eq!(*bench.world.records.lock().unwrap(), records);
    assert_eq!(*bench.world.events.lock().unwrap(), events);
    let mut new = bench.keys();
    new.retain(|key| !before.contains(key));
    let [key] = &new[..] else {
        panic!("one blob: {new:?}")
    };
    assert!(
        key.key.starts_with("shadow/test/1/") && key.key.ends_with("/one.json"),
        "{key}"
    );
    let bytes = bench.world.blobs.lock().unwrap()[key].clone();
    let report: PhotoReport = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((report.verdict.as_str(), report.findings.len()), ("damaged", 1));
    assert!(report.timings_ms.contains_key("segment"), "{report:?}");
    // A second time changes nothing, whatever its times are.
    bench.clock.advance(Duration::from_secs(1));
    bench.shadow().one(&request("one")).await.unwrap();
    assert_eq!(bench.world.blobs.lock().unwrap()[key], bytes);
}

#[tokio::test]
async fn what_cannot_be_compared_is_skipped_and_what_fails_says_whose_fault_it_is() {
    let bench = Bench::new(&[("one", Fetch::Picture(DAMAGED)), ("two", Fetch::Malformed)]);
    let (worker, _queue) = bench.worker();
    let shadow = bench.shadow();
    let skipped = ShadowOutcome::Skipped;
    assert_eq!(
        shadow.one(&request("one")).await.unwrap(),
        skipped,
        "no record yet"
    );
    for name in ["one", "two"] {
        bench.settle(&worker, name).await;
    }
    assert_eq!(shadow.one(&request("two")).await.unwrap(), skipped, "it failed");
    bench.world.photo("one", &[Fetch::Picture(CLEAN)]);
    assert_eq!(shadow.one(&request("one")).await.unwrap(), skipped, "other bytes");
    bench.world.photo("one", &[Fetch::NotFound]);
    let error = shadow.one(&request("one")).await.unwrap_err();
    assert!(
        matches!(error, ShadowError::Fetch(_)) && !error.is_of_bundle(),
        "{error}"
    );
    bench.world.photo("one", &[Fetch::Picture(DAMAGED)]);
    bench
        .world
        .segmenters_fail
        .store(true, std::sync::atomic::Ordering::SeqCst);
    let error = shadow.one(&request("one")).await.unwrap_err();
    assert!(error.is_of_bundle(), "{error}");
    assert!(bench.keys().iter().all(|key| !key.key.starts_with("shadow/")));
}
